"""Measures what the project promises, beside the targets, with the machine's load.

    python tests/bench/bench.py            the cloud from cache, `make up` from cache, the idle cloud's memory
    BENCH_SETUP=1 python tests/bench/bench.py    also the set-up from nothing, in a cache of its own

Nothing here passes or fails: times depend on the machine. A running cloud of this checkout is not disturbed.
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


def timed(
    name: str, target: str, command: Sequence[str | Path], more: Mapping[str, str] | None = None
) -> Measurement:
    """Run a command that must succeed, and take its wall time."""
    before, start = load(), time.monotonic()
    print(f"$ {' '.join(map(str, command))}", flush=True)
    code = subprocess.run(
        [str(part) for part in command], cwd=ROOT, env={**os.environ, **(more or {})}, check=False
    ).returncode
    seconds = time.monotonic() - start
    return Measurement(name, f"{seconds:.1f} s" if code == 0 else f"failed ({code})", target, before)


def cloud_runs() -> bool:
    """Whether this checkout's cloud runs."""
    command = [str(BIN / "embedded"), "run", "--", "true"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, check=False).returncode == 0


def idle_memory() -> Measurement:
    """Proportional set size of the cloud's parts, so that shared pages count once."""
    time.sleep(20)
    command = [str(BIN / "embedded"), "status", "--json"]
    parts = json.loads(subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout)
    total = sum(int(part["memory"]) for part in parts)
    return Measurement("idle cloud, PSS of all parts", f"{total / GIB:.2f} GiB", "1 GiB", load())


def from_nothing() -> Measurement:
    """`make setup` with an empty cache, which is removed again. Packages of the system stay as they are."""
    with tempfile.TemporaryDirectory(prefix="bench-cache-") as cache:
        variables = {"XDG_CACHE_HOME": cache, "UV_CACHE_DIR": f"{cache}/uv"}
        return timed("set-up from an empty cache", "15 min", ("make", "setup"), variables)


def main() -> int:
    """Measure, print, and leave the machine as it was."""
    if cloud_runs():
        print(
            "The cloud of this checkout runs; end it with `make down` to measure its start.", file=sys.stderr
        )
        return 1
    rows = [from_nothing()] if os.environ.get("BENCH_SETUP") else []
    rows.append(timed("set-up when all is there", "5 s", ("make", "--silent", "setup")))
    try:
        rows.append(timed("embedded up, cache to node Ready", "20 s", (BIN / "embedded", "up")))
        rows.append(idle_memory())
        subprocess.run([str(BIN / "embedded"), "down"], cwd=ROOT, check=True)
        rows.append(timed("make up with caches", "3 min", ("make", "up")))
    finally:
        subprocess.run(["make", "down"], cwd=ROOT, check=False)
    table = Table(title="Measured, beside the targets", title_justify="left")
    for heading in ("what", "measured", "target", "load before"):
        table.add_column(heading)
    for row in rows:
        table.add_row(row.name, row.value, f"at most {row.target}", row.load)
    Console().print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
