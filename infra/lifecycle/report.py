"""What commands print: rows of checks, tables, and steps with their times."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from enum import StrEnum

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from infra.lifecycle.errors import LifecycleError

# Where there is no terminal (a log of CI), tables get the width that addresses of objects need.
_LOG_WIDTH = 160

_width = None if sys.stdout.isatty() else _LOG_WIDTH
console = Console(highlight=False, soft_wrap=True, emoji=False, width=_width)
errors = Console(stderr=True, highlight=False, soft_wrap=True, emoji=False)


class Outcome(StrEnum):
    """How one check ended."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_APPLICABLE = "not applicable"
    NOT_JUDGED = "not judged"
    """Another check failed, whose success this one needs; or it is made elsewhere."""
    NO_RESOURCES = "no resources"
    """There is nothing of the kind that it looks at, so it says nothing."""


_COLOURS = {
    Outcome.PASSED: "green",
    Outcome.FAILED: "red",
    Outcome.NOT_APPLICABLE: "yellow",
    Outcome.NOT_JUDGED: "yellow",
    Outcome.NO_RESOURCES: "yellow",
}


@dataclass(frozen=True)
class Row:
    """One check: what it is about, how it ended, what was seen, and what to do where it failed."""

    name: str
    outcome: Outcome
    detail: str
    next_step: str = ""

    @classmethod
    def judged(cls, name: str, passed: bool, detail: str, next_step: str = "") -> Row:
        """A row that passed or failed; `next_step` is for one that failed."""
        if passed:
            return cls(name, Outcome.PASSED, detail)
        return cls(name, Outcome.FAILED, detail, next_step)


def failed(rows: Sequence[Row]) -> list[Row]:
    """The rows that failed."""
    return [row for row in rows if row.outcome is Outcome.FAILED]


def print_rows(title: str, rows: Sequence[Row]) -> None:
    """Print rows as one table."""
    table = Table(title=title, title_justify="left", show_lines=False)
    for heading in ("check", "outcome", "seen"):
        table.add_column(heading, overflow="fold")
    for row in rows:
        colour = _COLOURS[row.outcome]
        seen = f"{row.detail}\nNext step: {row.next_step}" if row.next_step else row.detail
        table.add_row(escape(row.name), f"[{colour}]{row.outcome.value}[/{colour}]", escape(seen))
    console.print(table)


def print_rows_json(rows: Sequence[Row]) -> None:
    """Print rows as one JSON document."""
    print(json.dumps({"passed": not failed(rows), "rows": [asdict(row) for row in rows]}, indent=2))


def print_error_json(error: LifecycleError) -> None:
    """Print why a command can't go on as one JSON document."""
    print(json.dumps({"passed": False, "error": error.message, "next_step": error.next_step}, indent=2))


class Timings:
    """Named steps with their durations, in seconds."""

    def __init__(self) -> None:
        self.steps: list[tuple[str, float]] = []
        self._start = time.monotonic()

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Announce a step and keep its duration, also when it fails."""
        console.print(f"[bold]{escape(name)}[/bold]")
        start = time.monotonic()
        try:
            yield
        finally:
            self.steps.append((name, time.monotonic() - start))

    def elapsed(self) -> float:
        """Seconds since the first step."""
        return time.monotonic() - self._start

    def print(self) -> None:
        """Print the steps and the whole."""
        for name, seconds in self.steps:
            console.print(f"  {seconds:7.1f} s  {escape(name)}")
        console.print(f"  {self.elapsed():7.1f} s  in all")
