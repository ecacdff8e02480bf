"""Measures what the project promises, beside the targets, with the machine's load.

    python tests/bench/bench.py            all but the set-up
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
from collections.abc import Mapping

import aws_plugin
import chart_ready
import makespan
import preview
from measurement import BIN, ROOT, Measurement, load, run, timed
from rich.console import Console
from rich.table import Table

GIB = 1024**3


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
        rows += chart_ready.figures("staging", variables)
        rows += preview.figures("prod", variables)
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
    rows += aws_plugin.figures()
    rows += makespan.figures("prod")
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
