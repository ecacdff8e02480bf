"""Every environment with every chart: deployed, proved by its canary, deleted. Ends with a table.

    python tests/matrix.py [STACK ...]      all stacks of the checkout without arguments

The cloud that is used keeps its state in a temporary place, so what this checkout's own cloud holds is not
touched. A chart that is not at hand is NOT RUN, by name.
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

ROOT = Path(__file__).resolve().parent.parent
BIN = ROOT / ".venv" / "bin"
STANDIN = ROOT / "embedded" / "charts" / "airflow"
OFFICIAL_CACHE = "airflow-iac/charts"


@dataclass(frozen=True)
class Outcome:
    """How one combination ended."""

    stack: str
    chart: str
    state: str
    """passed, failed, or NOT RUN."""
    seen: str
    seconds: float = 0.0


def official_chart() -> Path | None:
    """The official chart of the pinned version, where it is at hand."""
    sys.path.insert(0, str(ROOT))
    from infra import versions

    given = os.environ.get("AIRFLOW_CHART")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    chart = Path(given) if given else cache / OFFICIAL_CACHE / f"airflow-{versions.CHART}"
    return chart if chart.exists() else None


def run(command: Sequence[str | Path], variables: Mapping[str, str]) -> int:
    """Run a command, showing it and its output; its exit code."""
    words = [str(part) for part in command]
    print(f"$ {' '.join(words)}", flush=True)
    return subprocess.run(words, cwd=ROOT, env={**os.environ, **variables}, check=False).returncode


def in_cloud(*command: str) -> list[str | Path]:
    """A command line against the embedded cloud."""
    return [BIN / "embedded", "run", "--", *command]


def canary(stack: str, variables: Mapping[str, str]) -> tuple[bool, str]:
    """Run the canary once more, by itself: whether all rows passed, and what to say of them."""
    command = [str(part) for part in in_cloud("airflow-env", "canary", stack, "--json")]
    environment = {**os.environ, **variables}
    done = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=False)
    try:
        rows = json.loads(done.stdout)["rows"]
    except (ValueError, KeyError):
        return False, f"the canary said nothing (exit code {done.returncode})"
    outcomes = [row["outcome"] for row in rows]
    red = [row["name"] for row in rows if row["outcome"] == "failed"]
    counted = ", ".join(f"{outcomes.count(outcome)} {outcome}" for outcome in dict.fromkeys(outcomes))
    return done.returncode == 0 and not red, f"canary: {counted}{': ' + ', '.join(red) if red else ''}"


def combination(stack: str, chart: str, variables: Mapping[str, str]) -> Outcome:
    """Deploy, prove, look for differences, delete."""
    start = time.monotonic()
    deployed = run(in_cloud("airflow-env", "up", stack), variables) == 0
    passed, seen = canary(stack, variables) if deployed else (False, "the deployment failed")
    again = ("pulumi", "up", "--stack", stack, "--yes", "--skip-preview", "--refresh", "--expect-no-changes")
    if deployed and run(in_cloud(*again, "--non-interactive"), variables) != 0:
        passed, seen = False, f"{seen}; a second up changed something"
    if run(in_cloud("airflow-env", "down", stack, "--retire"), variables) != 0:
        passed, seen = False, f"{seen}; its deletion failed"
    return Outcome(stack, chart, "passed" if passed else "failed", seen, time.monotonic() - start)


def of_chart(chart: str, place: Path | None, stacks: Sequence[str]) -> list[Outcome]:
    """All stacks with one chart, in a cloud of its own."""
    if place is None:
        return [
            Outcome(stack, chart, "NOT RUN", "the chart is not at hand; see AIRFLOW_CHART")
            for stack in stacks
        ]
    with tempfile.TemporaryDirectory(prefix="matrix-") as state:
        variables = {"XDG_STATE_HOME": state, "AIRFLOW_CHART": str(place)}
        try:
            if run([BIN / "embedded", "up"], variables) != 0:
                return [
                    Outcome(stack, chart, "failed", "the embedded cloud did not start") for stack in stacks
                ]
            return [combination(stack, chart, variables) for stack in stacks]
        finally:
            run([BIN / "embedded", "down"], variables)
            run([BIN / "embedded", "reset"], variables)


def main() -> int:
    """Run the matrix; 1 when a combination failed."""
    stacks = sys.argv[1:] or sorted(path.name.split(".")[1] for path in ROOT.glob("Pulumi.*.yaml"))
    outcomes = [
        *of_chart("stand-in", STANDIN, stacks),
        *of_chart("official", official_chart(), stacks),
    ]
    table = Table(title="Every environment with every chart", title_justify="left")
    for heading in ("stack", "chart", "outcome", "seen", "s"):
        table.add_column(heading, overflow="fold")
    for outcome in outcomes:
        table.add_row(outcome.stack, outcome.chart, outcome.state, outcome.seen, f"{outcome.seconds:.0f}")
    Console(width=None if sys.stdout.isatty() else 140).print(table)
    return 1 if any(outcome.state == "failed" for outcome in outcomes) else 0


if __name__ == "__main__":
    sys.exit(main())
