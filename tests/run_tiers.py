"""Runs the tests tier by tier, cheapest first, and ends with what passed, failed and was not run.

    python tests/run_tiers.py [TIER ...]        all tiers without arguments

The last line reads `N passed, N failed` (and `, N skipped` where tests were skipped). A tier that this
machine cannot run is listed as NOT RUN with the reason; one that it can run and that fails makes the exit
code 1.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = ROOT / ".venv" / "bin"
# Markers of tests that need more than Python; the rest is unit and graph.
HEAVY = ("setup", "engine", "chart", "control_plane", "cluster")


@dataclass
class Result:
    """How one tier ended."""

    tier: str
    passed: int = 0
    failed: int = 0
    skipped: list[str] = field(default_factory=list)
    """Reasons of skipped tests."""
    not_run: str | None = None
    """Why the tier was not run."""
    seconds: float = 0.0
    nothing_installed: bool = False
    """Whether the set-up itself failed, so that tiers which use it cannot run."""

    @property
    def state(self) -> str:
        """passed, failed or NOT RUN."""
        if self.failed:
            return "failed"
        return "NOT RUN" if self.not_run is not None else "passed"


def run(command: Sequence[str | Path], limit_seconds: float) -> int:
    """Run a command in its own process group, which is ended as a whole when the time is up."""
    print(f"$ {' '.join(map(str, command))}", flush=True)
    with subprocess.Popen([str(part) for part in command], cwd=ROOT, start_new_session=True) as process:
        try:
            return process.wait(timeout=limit_seconds)
        except subprocess.TimeoutExpired:
            print(f"not finished within {limit_seconds:.0f} s", flush=True)
            return 124
        finally:
            end(process)


def end(process: subprocess.Popen[bytes]) -> None:
    """End what is left of a command: by an interrupt, so that fixtures of pytest end too, then by force."""
    if process.poll() is not None:
        return
    os.killpg(process.pid, signal.SIGINT)
    try:
        process.wait(timeout=120)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)


def commands_tier(tier: str, commands: Sequence[Sequence[str | Path]], limit_seconds: float) -> Result:
    """A tier of commands: each one passes or fails by its exit code."""
    result = Result(tier)
    for command in commands:
        if run(command, limit_seconds) == 0:
            result.passed += 1
        else:
            result.failed += 1
    return result


def pytest_tier(
    tier: str, selection: Sequence[str], limit_seconds: float, prefix: Sequence[str | Path] = ()
) -> Result:
    """A tier of tests, counted from pytest's own report."""
    with tempfile.TemporaryDirectory() as directory:
        report = Path(directory) / "report.xml"
        command = [*prefix, BIN / "python", "-m", "pytest", "-q", "--durations", "12", "--junitxml", report]
        command += selection
        code = run(command, limit_seconds)
        if code == 5:
            return Result(tier, not_run="it has no tests")
        if not report.is_file():
            return Result(tier, failed=1)
        result = count(tier, report.read_text(encoding="utf-8"))
    if result.skipped and not result.passed and not result.failed:
        result.not_run = "all of its tests were skipped"
    if code != 0 and result.failed == 0:
        # pytest itself failed, or was ended: that is no pass, whatever the report says.
        result.failed = 1
    return result


def count(tier: str, report: str) -> Result:
    """Count the test cases of a JUnit report as pytest writes it."""
    result = Result(tier)
    # The report comes from our own pytest.
    for case in ElementTree.fromstring(report).iter("testcase"):  # noqa: S314
        skipped = case.find("skipped")
        if case.find("failure") is not None or case.find("error") is not None:
            result.failed += 1
        elif skipped is not None:
            result.skipped.append(f"{case.get('name')}: {skipped.get('message')}")
        else:
            result.passed += 1
    return result


def check() -> Result:
    """Format, lint and types."""
    from embedded.setup.cache import cache_root

    # All checkouts share what was read of the SDKs, which takes longer than the project itself.
    types = cache_root() / "mypy" / importlib.metadata.version("mypy")
    return commands_tier(
        "check",
        [
            (BIN / "ruff", "format", "--check", "."),
            (BIN / "ruff", "check", "."),
            (BIN / "mypy", "--cache-dir", types),
        ],
        limit_seconds=600,
    )


def unit() -> Result:
    """Tests that need Python alone, on all cores."""
    light = " and ".join(f"not {marker}" for marker in HEAVY)
    return pytest_tier(
        "unit", ("-n", "auto", "-m", light, "tests", "--ignore", "tests/graph"), limit_seconds=900
    )


def graph() -> Result:
    """The whole program per stack file, recorded."""
    if not (ROOT / "tests" / "graph").is_dir():
        return Result("graph", not_run="it has no tests")
    light = " and ".join(f"not {marker}" for marker in HEAVY)
    # A process records each graph that it needs once, so a file's tests stay in one process.
    spread = ("-n", "auto", "--dist", "loadfile")
    return pytest_tier("graph", (*spread, "-m", light, "tests/graph"), limit_seconds=900)


def cloud_reason() -> str | None:
    """Why the embedded cloud cannot run on this machine; None when it can."""
    if platform.system() != "Linux":
        return f"the embedded cloud needs Linux, this is {platform.system()}"
    if os.geteuid() != 0:
        return "the embedded cloud needs root (network namespaces, mounts); run as root or with sudo"
    return None


def set_up() -> Result:
    """`make setup`, then the tests of what it installed."""
    reason = cloud_reason()
    if reason is not None:
        return Result("setup", not_run=reason)
    result = commands_tier("setup", [(BIN / "embedded", "setup")], limit_seconds=3600)
    result.nothing_installed = result.failed > 0
    if not result.nothing_installed:
        tests = pytest_tier("setup", ("-m", "setup and not cluster", "tests"), limit_seconds=1800)
        result.passed += tests.passed
        result.failed += tests.failed
        result.skipped += tests.skipped
    return result


def engine() -> Result:
    """`pulumi up`, `refresh` and `destroy` on the embedded AWS API."""
    # A file's tests share an AWS API of their own, so files run side by side; the longest come first (see the
    # tests' conftest.py), which are not those with the most tests.
    spread = ("-n", "auto", "--dist", "loadfile", "--no-loadscope-reorder")
    return pytest_tier("engine", (*spread, "-m", "engine and not cluster", "tests"), limit_seconds=1800)


def chart() -> Result:
    """helm renders."""
    return pytest_tier(
        "chart", ("-n", "auto", "-m", "chart and not engine and not cluster", "tests"), limit_seconds=1800
    )


def control_plane() -> Result:
    """The kubernetes plugin and helm on API servers without a node, each process on one of its own."""
    spread = ("-n", "auto", "--dist", "loadfile")
    selection = (*spread, "-m", "control_plane and not cluster", "tests/cluster")
    return pytest_tier("control_plane", selection, limit_seconds=1800)


def cluster() -> Result:
    """Real pods and real DAG runs. The cloud is started when it is not there, and then stopped again."""
    reason = cloud_reason()
    if reason is not None:
        return Result("cluster", not_run=reason)
    # What an earlier run at this path left, cut off or failed, is nobody's there.
    if os.environ.get("CI") and run((BIN / "embedded", "reset"), 300) != 0:
        return Result("cluster", failed=1)
    # These bring clouds of their own up and down; they come before this checkout's takes its share.
    own = "tests/cluster/test_cloud_lifecycle.py"
    result = pytest_tier("cluster", ("-m", "cluster", own), limit_seconds=1200)
    result.not_run = None
    was_running = cloud_runs()
    try:
        if run((BIN / "embedded", "up"), 300) != 0:
            result.failed += 1
            return result
        selection = ("-m", "cluster", "tests", "--ignore", own)
        add(result, pytest_tier("cluster", selection, 3000, prefix=(BIN / "embedded", "run", "--")))
    finally:
        if not was_running and run((BIN / "embedded", "down"), 300) != 0:
            result.failed += 1
    return result


def cloud_runs() -> bool:
    """Whether this checkout's cloud runs now."""
    command = [str(BIN / "embedded"), "run", "--", "true"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, check=False).returncode == 0


def add(result: Result, more: Result) -> None:
    """Add the counts of one part to its tier."""
    result.passed += more.passed
    result.failed += more.failed
    result.skipped += more.skipped


TIERS: dict[str, Callable[[], Result]] = {
    "check": check,
    "unit": unit,
    "graph": graph,
    "setup": set_up,
    "engine": engine,
    "chart": chart,
    "control_plane": control_plane,
    "cluster": cluster,
}
# Tiers that use what the set-up installs.
AFTER_SETUP = ("engine", "chart", "control_plane", "cluster")


def run_all(names: Sequence[str]) -> list[Result]:
    """Run the named tiers in order; tiers that need a set-up that failed are not run."""
    results: list[Result] = []
    for name in names:
        print(f"\n== {name} ==", flush=True)
        broken = any(result.nothing_installed for result in results)
        start = time.monotonic()
        if broken and name in AFTER_SETUP:
            result = Result(name, not_run="the set-up failed")
        else:
            result = TIERS[name]()
        result.seconds = time.monotonic() - start
        results.append(result)
    return results


def summary(results: Sequence[Result]) -> str:
    """The list of tiers, and the last line with the sums."""
    lines = ["", "tiers:"]
    for result in results:
        counts = f"{result.passed} passed, {result.failed} failed"
        detail = f"{result.not_run}" if result.not_run is not None else counts
        lines.append(f"  {result.tier:13} {result.state:8} {result.seconds:7.1f} s  {detail}")
        lines += [f"                skipped: {' '.join(reason.split())}" for reason in result.skipped]
    sums = [sum(result.passed for result in results), sum(result.failed for result in results)]
    skipped = sum(len(result.skipped) for result in results)
    lines.append(f"{sums[0]} passed, {sums[1]} failed" + (f", {skipped} skipped" if skipped else ""))
    return "\n".join(lines)


def main() -> int:
    """Run the tiers of the command line, all by default."""
    parser = argparse.ArgumentParser(description="Run the tests tier by tier.")
    parser.add_argument("tiers", nargs="*", metavar="TIER", help=f"of: {', '.join(TIERS)}; all by default")
    # An end from outside runs the same way out as Ctrl-C, which stops a cloud that was started here. What a
    # shell starts in the background ignores Ctrl-C, and so would every program of the tests.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.default_int_handler)
    chosen: list[str] = parser.parse_args().tiers or list(TIERS)
    unknown = [name for name in chosen if name not in TIERS]
    if unknown:
        parser.error(f"unknown tier {', '.join(unknown)}; allowed: {', '.join(TIERS)}")
    if "setup" not in chosen and any(name in AFTER_SETUP for name in chosen):
        chosen = ["setup", *chosen]
    results = run_all(chosen)
    print(summary(results), flush=True)
    return 1 if any(result.failed for result in results) else 0


if __name__ == "__main__":
    sys.exit(main())
