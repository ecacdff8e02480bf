"""The tiers of tests: what each one runs, and what it needs."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import signal
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from tier_result import Result, count

ROOT = Path(__file__).resolve().parent.parent
BIN = ROOT / ".venv" / "bin"
# Markers of tests that need more than Python; the rest is unit and graph.
HEAVY = ("setup", "engine", "chart", "control_plane", "cluster")
LIGHT = (
    *("-n", "auto", "-m", " and ".join(f"not {marker}" for marker in HEAVY)),
    # These take seconds: one that takes minutes hangs, and shows where.
    *("-o", "faulthandler_timeout=120"),
)
CLOUDS = "tests/cluster/test_cloud_lifecycle.py"


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
    return pytest_tier("unit", (*LIGHT, "tests", "--ignore", "tests/graph"), limit_seconds=900)


def graph() -> Result:
    """The whole program per stack file, recorded."""
    if not (ROOT / "tests" / "graph").is_dir():
        return Result("graph", not_run="it has no tests")
    # A process records each graph that it needs once, so a file's tests stay in one process.
    return pytest_tier("graph", (*LIGHT, "--dist", "loadfile", "tests/graph"), limit_seconds=900)


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
        tests = pytest_tier("setup", ("-m", "setup", "tests/setup"), limit_seconds=1800)
        result.passed += tests.passed
        result.failed += tests.failed
        result.skipped += tests.skipped
    return result


def engine() -> Result:
    """`pulumi up`, `refresh` and `destroy` on the embedded AWS API."""
    # A file's tests share an AWS API of their own, so files run side by side; the longest come first (see the
    # tests' conftest.py), which are not those with the most tests.
    spread = ("-n", "auto", "--dist", "loadfile", "--no-loadscope-reorder")
    return pytest_tier("engine", (*spread, "-m", "engine", "tests/engine"), limit_seconds=1800)


def chart() -> Result:
    """helm renders."""
    return pytest_tier("chart", ("-n", "auto", "-m", "chart", "tests/chart"), limit_seconds=1800)


def control_plane() -> Result:
    """The kubernetes plugin and helm on API servers without a node, each process on one of its own."""
    spread = ("-n", "auto", "--dist", "loadfile")
    selection = (*spread, "-m", "control_plane and not cluster", "tests/cluster")
    return pytest_tier("control_plane", selection, limit_seconds=1800)


def clouds() -> Result:
    """Clouds that come up, break, are mended and go; listings of the machine are compared: no other cloud."""
    reason = cloud_reason()
    if reason is not None:
        return Result("clouds", not_run=reason)
    return pytest_tier("clouds", ("-m", "cluster", CLOUDS), limit_seconds=1200)


def cluster() -> Result:
    """Real pods and real DAG runs. The cloud is started when it is not there, and then stopped again."""
    reason = cloud_reason()
    if reason is not None:
        return Result("cluster", not_run=reason)
    # What an earlier run at this path left, cut off or failed, is nobody's there.
    if os.environ.get("CI") and run((BIN / "embedded", "reset"), 300) != 0:
        return Result("cluster", failed=1)
    was_running = cloud_runs()
    result = Result("cluster", failed=1)
    try:
        if run((BIN / "embedded", "up"), 300) == 0:
            selection = ("-m", "cluster", "tests/cluster", "--ignore", CLOUDS)
            result = pytest_tier("cluster", selection, 3000, prefix=(BIN / "embedded", "run", "--"))
    finally:
        if not was_running and run((BIN / "embedded", "down"), 300) != 0:
            result.failed += 1
    return result


def cloud_runs() -> bool:
    """Whether this checkout's cloud runs now."""
    command = [str(BIN / "embedded"), "run", "--", "true"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, check=False).returncode == 0


TIERS: dict[str, Callable[[], Result]] = {
    "check": check,
    "unit": unit,
    "graph": graph,
    "setup": set_up,
    "clouds": clouds,
    "engine": engine,
    "chart": chart,
    "control_plane": control_plane,
    "cluster": cluster,
}
# Tiers that use what the set-up installs.
AFTER_SETUP = ("clouds", "engine", "chart", "control_plane", "cluster")
