"""Shows how steps stand: a live table on a terminal, else a line or a JSON object for each change."""

from __future__ import annotations

import json
import sys
import types
from collections.abc import Mapping
from typing import Protocol, Self

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from embedded.setup.runner import Progress, State
from embedded.setup.shell import StepFailed

_COLOURS = {
    State.WAITING: "dim",
    State.RUNNING: "cyan",
    State.PRESENT: "green",
    State.DONE: "green",
    State.FAILED: "bold red",
    State.SKIPPED: "yellow",
}


class Display(Protocol):
    """What the runner tells; a context manager around the run."""

    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: types.TracebackType | None,
        /,
    ) -> None: ...
    def watch(self, progress: Mapping[str, Progress]) -> None: ...
    def say(self, sentence: str) -> None: ...
    def changed(self, progress: Progress) -> None: ...
    def ticked(self) -> None: ...


def choose(as_json: bool) -> Display:
    """The display that fits standard output."""
    if as_json:
        return JsonDisplay()
    console = Console()
    return TableDisplay(console) if console.is_terminal else LineDisplay()


class LineDisplay:
    """One line a change, for logs of continuous integration."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def watch(self, progress: Mapping[str, Progress]) -> None:
        """Nothing is shown before something changes."""

    def say(self, sentence: str) -> None:
        print(sentence, flush=True)

    def changed(self, progress: Progress) -> None:
        print(f"{progress.step.name:<20} {describe(progress)}", flush=True)

    def ticked(self) -> None:
        """Lines are for changes only."""


class JsonDisplay(LineDisplay):
    """One JSON object a change."""

    def say(self, sentence: str) -> None:
        print(json.dumps({"message": sentence}), flush=True)

    def changed(self, progress: Progress) -> None:
        record: dict[str, object] = {
            "step": progress.step.name,
            "state": progress.state.value,
            "elapsed_seconds": round(progress.elapsed, 1),
            "log": str(progress.log),
        }
        if progress.failure:
            record["error"] = progress.failure.message
            record["next_step"] = progress.failure.next_step
        print(json.dumps(record), flush=True)


class TableDisplay:
    """A table that is brought up to date in place."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._progress: Mapping[str, Progress] = {}
        self._live = Live(console=console, auto_refresh=False)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def watch(self, progress: Mapping[str, Progress]) -> None:
        self._progress = progress
        self.ticked()

    def say(self, sentence: str) -> None:
        self._console.print(sentence)

    def changed(self, progress: Progress) -> None:  # noqa: ARG002 -- the table shows all of them
        self.ticked()

    def ticked(self) -> None:
        table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
        for heading in ("step", "state", "elapsed", "expected", "what for"):
            table.add_column(heading, no_wrap=heading != "what for")
        for one in self._progress.values():
            ran = one.started is not None
            table.add_row(
                one.step.name,
                Text(one.state.value, style=_COLOURS[one.state]),
                duration(one.elapsed) if ran else "",
                "" if one.state is State.PRESENT else f"about {duration(one.step.expected_seconds)}",
                one.step.purpose,
            )
        self._live.update(table, refresh=True)


def describe(progress: Progress) -> str:
    """A step's state in a few words."""
    match progress.state:
        case State.RUNNING:
            return f"started: {progress.step.purpose} (about {duration(progress.step.expected_seconds)})"
        case State.DONE | State.FAILED:
            return f"{progress.state.value} after {duration(progress.elapsed)}"
        case _:
            return progress.state.value


def duration(seconds: float) -> str:
    """Seconds as people read them: `8 s`, `2 min 05 s`."""
    whole = round(seconds)
    return f"{whole} s" if whole < 60 else f"{whole // 60} min {whole % 60:02d} s"


def print_failures(failures: list[Progress]) -> None:
    """The last lines of each failed step's log, what went wrong and what to do, on standard error."""
    console = Console(file=sys.stderr, highlight=False, markup=False, soft_wrap=True)
    for progress in failures:
        failure = progress.failure
        if failure is None:
            continue
        if isinstance(failure, StepFailed) and failure.tail:
            console.print(f"\nLast lines of {progress.log}:")
            for line in failure.tail:
                console.print(f"  | {line}")
        console.print(f"\n{progress.step.name}: {failure.message}", style="bold red")
        console.print(f"  next step: {failure.next_step}")
