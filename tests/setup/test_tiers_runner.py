"""The runner of the tests counts what pytest reports, and never takes a failure for a pass."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
import run_tiers
import tiers
from tier_result import Result, count, summary
from tiers_beside import Beside

# Real runs of pytest, which cost seconds each: not for the fast tier.
pytestmark = pytest.mark.setup

REPORT = """<?xml version="1.0" encoding="utf-8"?><testsuites><testsuite name="pytest">
<testcase classname="a" name="passes" time="0.1"/>
<testcase classname="a" name="fails"><failure message="no">trace</failure></testcase>
<testcase classname="a" name="breaks"><error message="fixture">trace</error></testcase>
<testcase classname="a" name="skips"><skipped type="pytest.skip" message="no helm">x</skipped></testcase>
</testsuite></testsuites>"""


def test_failures_and_errors_are_failed_and_skips_keep_their_reason() -> None:
    result = count("unit", REPORT)
    assert (result.passed, result.failed, result.skipped) == (1, 2, ["skips: no helm"])


def test_the_last_line_holds_the_sums() -> None:
    results = [Result("unit", passed=3), Result("chart", passed=1, failed=2)]
    assert summary(results).splitlines()[-1] == "4 passed, 2 failed"
    results.append(Result("engine", skipped=["x: because"]))
    assert summary(results).splitlines()[-1] == "4 passed, 2 failed, 1 skipped"


def test_a_tier_that_was_not_run_is_listed_with_its_reason() -> None:
    line = summary([Result("cluster", not_run="needs root")]).splitlines()[2]
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
    result = tiers.pytest_tier("unit", _tests(tmp_path, source), limit_seconds=120)
    assert (result.passed, result.failed) == counts


def test_no_tests_is_not_a_pass(tmp_path: Path) -> None:
    result = tiers.pytest_tier("unit", _tests(tmp_path, "x = 1\n"), limit_seconds=120)
    assert result.state == "NOT RUN"


def test_a_command_that_hangs_is_ended_and_fails() -> None:
    result = tiers.commands_tier("check", [(sys.executable, "-c", "import time; time.sleep(600)")], 0.5)
    assert (result.passed, result.failed) == (0, 1)


def test_tiers_that_need_a_failed_set_up_are_not_run(monkeypatch: pytest.MonkeyPatch) -> None:
    def never() -> Result:
        raise AssertionError("was run")

    failed = Result("setup", failed=1, nothing_installed=True)
    table = {"setup": lambda: failed, "engine": never, "chart": never, "cluster": never}
    monkeypatch.setattr(run_tiers, "TIERS", table)
    states = {result.tier: result.state for result in run_tiers.run_all(list(table))}
    assert states == {"setup": "failed", "engine": "NOT RUN", "chart": "NOT RUN", "cluster": "NOT RUN"}


def test_a_failed_test_of_the_set_up_does_not_hide_the_other_tiers(monkeypatch: pytest.MonkeyPatch) -> None:
    table = {"setup": lambda: Result("setup", passed=1, failed=1), "chart": lambda: Result("chart", passed=1)}
    monkeypatch.setattr(run_tiers, "TIERS", table)
    states = {result.tier: result.state for result in run_tiers.run_all(list(table))}
    assert states == {"setup": "failed", "chart": "passed"}


def test_an_unknown_tier_is_refused_by_name() -> None:
    ended = subprocess.run(
        [sys.executable, run_tiers.__file__, "untis"], capture_output=True, text=True, check=False
    )
    assert ended.returncode != 0
    assert "unknown tier untis" in ended.stderr


def _runner(tmp_path: Path, source: str) -> Path:
    path = tmp_path / "runner.py"
    path.write_text(
        f"import json, pathlib, sys\nreport = pathlib.Path(sys.argv[2])\n{textwrap.dedent(source)}"
    )
    return path


def test_tiers_beside_another_are_counted_and_show_what_they_printed(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    told = [{"tier": "engine", "passed": 3, "failed": 1, "skipped": ["x: because"]}]
    runner = _runner(tmp_path, f"print('a line'); report.write_text(json.dumps({told!r}))")
    found = Beside(["engine"], tmp_path, runner).results()
    assert found == [Result("engine", passed=3, failed=1, skipped=["x: because"])]
    assert "a line" in capfd.readouterr().out


def test_a_tier_beside_another_that_says_nothing_has_failed(tmp_path: Path) -> None:
    told = [{"tier": "engine", "passed": 3}]
    runner = _runner(tmp_path, f"report.write_text(json.dumps({told!r})); sys.exit(1)")
    assert [result.state for result in Beside(["engine", "chart"], tmp_path, runner).results()] == [
        "passed",
        "failed",
    ]
    (tmp_path / "results.json").unlink()
    assert Beside(["engine"], tmp_path, _runner(tmp_path, "sys.exit(0)")).results()[0].failed == 1


def test_what_runs_beside_ends_with_the_run_that_started_it(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    source = f"import os, time; pathlib.Path({str(pid)!r}).write_text(str(os.getpid())); time.sleep(600)"
    started = Beside(["engine"], tmp_path, _runner(tmp_path, source))
    while not (pid.is_file() and pid.read_text()):
        time.sleep(0.05)
    started.end()
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), signal.SIG_DFL)


def test_the_real_runner_tells_of_the_tiers_that_it_was_given(tmp_path: Path) -> None:
    command = [sys.executable, run_tiers.__file__, "--report", str(tmp_path / "report.json"), "chart"]
    # No test is run: what counts is that the tier is told of.
    subprocess.run(
        command, env={**os.environ, "PYTEST_ADDOPTS": "--collect-only -k nothing_of_this_name"}, check=True
    )
    assert [entry["tier"] for entry in json.loads((tmp_path / "report.json").read_text())] == ["chart"]
