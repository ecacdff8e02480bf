"""The runner of the tests counts what pytest reports, and never takes a failure for a pass."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests import run_tiers
from tests.run_tiers import Result

# Real runs of pytest, which cost seconds each: not for the fast tier.
pytestmark = pytest.mark.setup

REPORT = """<?xml version="1.0" encoding="utf-8"?><testsuites><testsuite name="pytest">
<testcase classname="a" name="passes" time="0.1"/>
<testcase classname="a" name="fails"><failure message="no">trace</failure></testcase>
<testcase classname="a" name="breaks"><error message="fixture">trace</error></testcase>
<testcase classname="a" name="skips"><skipped type="pytest.skip" message="no helm">x</skipped></testcase>
</testsuite></testsuites>"""


def test_failures_and_errors_are_failed_and_skips_keep_their_reason() -> None:
    result = run_tiers.count("unit", REPORT)
    assert (result.passed, result.failed, result.skipped) == (1, 2, ["skips: no helm"])


def test_the_last_line_holds_the_sums() -> None:
    results = [Result("unit", passed=3), Result("chart", passed=1, failed=2)]
    assert run_tiers.summary(results).splitlines()[-1] == "4 passed, 2 failed"
    results.append(Result("engine", skipped=["x: because"]))
    assert run_tiers.summary(results).splitlines()[-1] == "4 passed, 2 failed, 1 skipped"


def test_a_tier_that_was_not_run_is_listed_with_its_reason() -> None:
    line = run_tiers.summary([Result("cluster", not_run="needs root")]).splitlines()[2]
    assert line.split()[:3] == ["cluster", "NOT", "RUN"]
    assert "needs root" in line


def _tests(tmp_path: Path, source: str) -> tuple[str, ...]:
    path = tmp_path / "test_it.py"
    path.write_text(textwrap.dedent(source))
    return ("-p", "no:cacheprovider", str(path))


@pytest.mark.parametrize(
    ("source", "counts"),
    [
        ("def test_a():\n    pass\ndef test_b():\n    assert False\n", (1, 1)),
        ("def test_a():\n    pass\n", (1, 0)),
        ("import nothing_of_this_name\n", (0, 1)),
        # pytest dies in the middle: there is no report, and that is a failure.
        ("import os\ndef test_a():\n    os._exit(0)\n", (0, 1)),
    ],
)
def test_a_real_pytest_run_is_counted(tmp_path: Path, source: str, counts: tuple[int, int]) -> None:
    result = run_tiers.pytest_tier("unit", _tests(tmp_path, source), limit_seconds=120)
    assert (result.passed, result.failed) == counts


def test_no_tests_is_not_a_pass(tmp_path: Path) -> None:
    result = run_tiers.pytest_tier("unit", _tests(tmp_path, "x = 1\n"), limit_seconds=120)
    assert result.state == "NOT RUN"


def test_a_command_that_hangs_is_ended_and_fails() -> None:
    result = run_tiers.commands_tier("check", [(sys.executable, "-c", "import time; time.sleep(600)")], 0.5)
    assert (result.passed, result.failed) == (0, 1)


def test_tiers_that_need_a_failed_set_up_are_not_run(monkeypatch: pytest.MonkeyPatch) -> None:
    def never() -> Result:
        raise AssertionError("was run")

    failed = Result("setup", failed=1, nothing_installed=True)
    tiers = {"setup": lambda: failed, "engine": never, "chart": never, "cluster": never}
    monkeypatch.setattr(run_tiers, "TIERS", tiers)
    states = {result.tier: result.state for result in run_tiers.run_all(list(tiers))}
    assert states == {"setup": "failed", "engine": "NOT RUN", "chart": "NOT RUN", "cluster": "NOT RUN"}


def test_a_failed_test_of_the_set_up_does_not_hide_the_other_tiers(monkeypatch: pytest.MonkeyPatch) -> None:
    tiers = {"setup": lambda: Result("setup", passed=1, failed=1), "chart": lambda: Result("chart", passed=1)}
    monkeypatch.setattr(run_tiers, "TIERS", tiers)
    states = {result.tier: result.state for result in run_tiers.run_all(list(tiers))}
    assert states == {"setup": "failed", "chart": "passed"}


def test_an_unknown_tier_is_refused_by_name() -> None:
    ended = subprocess.run(
        [sys.executable, run_tiers.__file__, "untis"], capture_output=True, text=True, check=False
    )
    assert ended.returncode != 0
    assert "unknown tier untis" in ended.stderr
