"""Every environment with every chart: deployed, proved by its canary, ended. Ends with a table.

What an environment leaves is compared with what was there before it, and what a persistent one leaves is
restored under a new name, once: with the last chart that is at hand. Last comes a tenant, whose instance
outlives it.

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

import tenancy
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parent.parent
BIN = ROOT / ".venv" / "bin"
STANDIN = ROOT / "embedded" / "charts" / "airflow"
OFFICIAL_CACHE = "airflow-iac/charts"
LISTING, ENDING = "tests/cluster/residue.py", "tests/cluster/ending.py"


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
    """Run the canary once more, by itself: whether all rows passed, and what to say of them.

    A row that was not judged proves nothing, so it does not pass.
    """
    command = [str(part) for part in in_cloud("airflow-env", "canary", stack, "--json")]
    environment = {**os.environ, **variables}
    done = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=False)
    try:
        rows = json.loads(done.stdout)["rows"]
    except (ValueError, KeyError):
        return False, f"the canary said nothing (exit code {done.returncode})"
    outcomes = [row["outcome"] for row in rows]
    unproved = [row["name"] for row in rows if row["outcome"] != "passed"]
    counted = ", ".join(f"{outcomes.count(outcome)} {outcome}" for outcome in dict.fromkeys(outcomes))
    seen = f"canary: {counted}{': ' + ', '.join(unproved) if unproved else ''}"
    return done.returncode == 0 and bool(rows) and not unproved, seen


def combination(stack: str, chart: str, variables: Mapping[str, str], *, restores: bool) -> list[Outcome]:
    """Deploy, prove, look for differences; then end it, which is a line of its own."""
    with tempfile.NamedTemporaryFile(prefix="before-", suffix=".json") as before:
        listed = run(in_cloud("python", LISTING, before.name), variables) == 0
        lived = life(stack, chart, variables)
        if not listed or lived.state == "failed":
            run(in_cloud("airflow-env", "down", stack, "--retire"), variables)
            return [lived, Outcome(f"{stack}, its end", chart, "failed", "there was nothing to compare")]
        return [lived, end(stack, chart, {**variables, "ENDING_BEFORE": before.name}, restores=restores)]


def life(stack: str, chart: str, variables: Mapping[str, str]) -> Outcome:
    """Deploy, prove, look for differences."""
    start = time.monotonic()
    deployed = run(in_cloud("airflow-env", "up", stack), variables) == 0
    passed, seen = canary(stack, variables) if deployed else (False, "the deployment failed")
    again = ("pulumi", "up", "--stack", stack, "--yes", "--skip-preview", "--refresh", "--expect-no-changes")
    if deployed and run(in_cloud(*again, "--non-interactive"), variables) != 0:
        passed, seen = False, f"{seen}; a second up changed something"
    return Outcome(stack, chart, "passed" if passed else "failed", seen, time.monotonic() - start)


def end(stack: str, chart: str, variables: Mapping[str, str], *, restores: bool) -> Outcome:
    """End it and look at what is left; `tests/cluster/ending.py` has the judgement."""
    start = time.monotonic()
    wanted = {**variables, "ENDING_STACK": stack, **({"ENDING_RESTORES": "1"} if restores else {})}
    passed = run(in_cloud("python", "-m", "pytest", "-q", ENDING), wanted) == 0
    promised = "nothing is left but what the stack file promises"
    if restores:
        promised += ", and a new stack takes up a persistent one's data"
    seen = promised if passed else "see the output above"
    state = "passed" if passed else "failed"
    return Outcome(f"{stack}, its end", chart, state, seen, time.monotonic() - start)


def cluster_up(stack: str, variables: Mapping[str, str]) -> bool:
    """Deploy a cluster by itself, and look for differences.

    By itself, since what environments leave is compared with what was there before.
    """
    pulumi = ("pulumi", "--cwd", "cluster", "--non-interactive")
    up = (*pulumi, "up", "--stack", stack, "--yes", "--skip-preview")
    steps = [
        (*pulumi, "stack", "select", "--create", stack),
        up,
        (*up, "--refresh", "--expect-no-changes"),
    ]
    return all(run(in_cloud(*step), variables) == 0 for step in steps)


def of_chart(
    chart: str, place: Path | None, stacks: Sequence[str], cluster: str, *, restores: bool
) -> list[Outcome]:
    """All stacks with one chart, in a cloud of its own."""
    if place is None:
        return [
            Outcome(stack, chart, "NOT RUN", "the chart is not at hand; see AIRFLOW_CHART")
            for stack in stacks
        ]
    with tempfile.TemporaryDirectory(prefix="matrix-") as state:
        variables = {"XDG_STATE_HOME": state, "AIRFLOW_CHART": str(place)}
        try:
            if run([BIN / "embedded", "up"], variables) != 0 or not cluster_up(cluster, variables):
                said = "the embedded cloud or its cluster did not start, or its second up changed something"
                return [Outcome(stack, chart, "failed", said) for stack in stacks]
            ended = [combination(stack, chart, variables, restores=restores) for stack in stacks]
            return [outcome for outcomes in ended for outcome in outcomes]
        finally:
            run([BIN / "embedded", "down"], variables)
            run([BIN / "embedded", "reset"], variables)


def main() -> int:
    """Run the matrix; 1 when a combination failed."""
    stacks = sys.argv[1:] or sorted(path.name.split(".")[1] for path in ROOT.glob("Pulumi.*.yaml"))
    official = official_chart()
    cluster = min((ROOT / "cluster").glob("Pulumi.*.yaml")).name.split(".")[1]
    outcomes = [
        *of_chart("stand-in", STANDIN, stacks, cluster, restores=official is None),
        *of_chart("official", official, stacks, cluster, restores=True),
    ]
    with tenancy.files(ROOT):
        outcomes += of_chart("stand-in", STANDIN, [tenancy.TENANT], tenancy.CLUSTER, restores=False)
    table = Table(title="Every environment with every chart", title_justify="left")
    for heading in ("stack", "chart", "outcome", "seen", "s"):
        table.add_column(heading, overflow="fold")
    for outcome in outcomes:
        table.add_row(outcome.stack, outcome.chart, outcome.state, outcome.seen, f"{outcome.seconds:.0f}")
    Console(width=None if sys.stdout.isatty() else 140).print(table)
    return 1 if any(outcome.state == "failed" for outcome in outcomes) else 0


if __name__ == "__main__":
    sys.exit(main())
