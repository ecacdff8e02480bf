"""Measures what the project promises, beside the targets, with the machine's load.

    python tests/bench/bench.py            the cloud from cache, `make up` from cache, the idle cloud's memory
    BENCH_SETUP=1 python tests/bench/bench.py    also the set-up from nothing, in a cache of its own

Nothing is judged by its time, which depends on the machine. The cloud that is measured keeps its state in a
temporary place; what this checkout's own cloud holds is not touched, and a running one is not disturbed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parents[2]
BIN = ROOT / ".venv" / "bin"
GIB = 1024**3


@dataclass(frozen=True)
class Measurement:
    """One figure beside its target."""

    name: str
    value: str
    target: str
    load: str


def load() -> str:
    """Load average of the last minute per core, as the kernel gives it."""
    return f"{os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"


def run(command: Sequence[str | Path], variables: Mapping[str, str]) -> int:
    """Run a command with more variables, showing it and its output; its exit code."""
    print(f"$ {' '.join(map(str, command))}", flush=True)
    words = [str(part) for part in command]
    return subprocess.run(words, cwd=ROOT, env={**os.environ, **variables}, check=False).returncode


def timed(name: str, target: str, command: Sequence[str | Path], variables: Mapping[str, str]) -> Measurement:
    """Run a command that must succeed, and take its wall time."""
    before, start = load(), time.monotonic()
    code = run(command, variables)
    seconds = time.monotonic() - start
    return Measurement(name, f"{seconds:.1f} s" if code == 0 else f"failed ({code})", target, before)


def cloud_runs() -> bool:
    """Whether this checkout's cloud runs."""
    command = [str(BIN / "embedded"), "run", "--", "true"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, check=False).returncode == 0


def idle_memory(variables: Mapping[str, str]) -> Measurement:
    """Proportional set size of the cloud's parts, so that shared pages count once."""
    time.sleep(20)
    name, target = "idle cloud, PSS of all parts", "1 GiB"
    command = [str(BIN / "embedded"), "status", "--json"]
    environment = {**os.environ, **variables}
    asked = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if asked.returncode != 0:
        return Measurement(name, f"failed ({asked.returncode})", target, load())
    total = sum(int(part["memory"]) for part in json.loads(asked.stdout))
    return Measurement(name, f"{total / GIB:.2f} GiB", target, load())


def from_nothing() -> Measurement:
    """`make setup` with an empty cache, which is removed again.

    Packages of the system and .venv stay as they are; both take seconds of the whole.
    """
    with tempfile.TemporaryDirectory(prefix="bench-cache-") as cache:
        variables = {
            "XDG_CACHE_HOME": cache,
            "AIRFLOW_IAC_CACHE": f"{cache}/airflow-iac",
            "UV_CACHE_DIR": f"{cache}/uv",
        }
        return timed("set-up from an empty cache", "15 min", ("make", "setup"), variables)


def measured(variables: Mapping[str, str]) -> list[Measurement]:
    """The figures of a cloud of its own; it is gone afterwards."""
    rows = [timed("set-up when all is there", "5 s", ("make", "--silent", "setup"), variables)]
    try:
        rows.append(timed("embedded up, first time: images too", "-", (BIN / "embedded", "up"), variables))
        rows.append(idle_memory(variables))
        run((BIN / "embedded", "down"), variables)
        rows.append(timed("embedded up, cache to node Ready", "20 s", (BIN / "embedded", "up"), variables))
        run((BIN / "embedded", "reset"), variables)
        rows.append(timed("make up with caches", "3 min", ("make", "up"), variables))
    finally:
        run(("make", "down"), variables)
        run((BIN / "embedded", "reset"), variables)
    return rows


def main() -> int:
    """Measure, print, and leave the machine as it was."""
    if cloud_runs():
        print(
            "The cloud of this checkout runs; end it with `make down` to measure its start.", file=sys.stderr
        )
        return 1
    rows = [from_nothing()] if os.environ.get("BENCH_SETUP") else []
    with tempfile.TemporaryDirectory(prefix="bench-") as state:
        rows += measured({"XDG_STATE_HOME": state})
    table = Table(title="Measured, beside the targets", title_justify="left")
    for heading in ("what", "measured", "at most", "load before"):
        table.add_column(heading)
    for row in rows:
        table.add_row(row.name, row.value, row.target, row.load)
    Console().print(table)
    return 1 if any(row.value.startswith("failed") for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
