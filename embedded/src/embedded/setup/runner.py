"""Runs steps side by side, as far as they do not need one another."""

from __future__ import annotations

import enum
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path

from embedded.errors import EmbeddedError
from embedded.setup.go_build import CONCURRENT_BUILDS
from embedded.setup.shell import Shell, StepFailed
from embedded.setup.steps import Step

#: How often the display is brought up to date while steps run.
_TICK_SECONDS = 0.5


class State(enum.StrEnum):
    WAITING = "waiting"
    RUNNING = "running"
    PRESENT = "there already"
    DONE = "done"
    FAILED = "failed"
    SKIPPED = "not tried"


@dataclass
class Progress:
    """Where one step stands. Times are of a monotonic clock, in seconds."""

    step: Step
    log: Path
    state: State = State.WAITING
    started: float | None = None
    ended: float | None = None
    failure: EmbeddedError | None = None

    @property
    def elapsed(self) -> float:
        if self.started is None:
            return 0.0
        return (self.ended or time.monotonic()) - self.started


@dataclass
class Runner:
    """`changed` is told of each change of a step's state, `ticked` twice a second while steps run."""

    steps: Sequence[Step]
    logs_directory: Path
    changed: Callable[[Progress], None]
    ticked: Callable[[], None] = lambda: None
    lock_descriptor: int | None = None
    progress: dict[str, Progress] = field(init=False)

    def __post_init__(self) -> None:
        self.progress = {
            step.name: Progress(step, self.logs_directory / f"{step.name}.log") for step in self.steps
        }
        self._shells: list[Shell] = []

    def run(self) -> list[Progress]:
        """Runs everything that is not done, and returns the failures.

        A failure does not stop steps that do not need it: what they finish is kept, and further problems
        come to light at once. An interruption ends all programs before it is passed on.
        """
        running: dict[Future[None], Progress] = {}
        with ThreadPoolExecutor(max_workers=max(1, len(self.steps))) as pool:
            try:
                while True:
                    self._start_ready(pool, running)
                    if not running:
                        break
                    ended, _ = wait(running, timeout=_TICK_SECONDS, return_when=FIRST_COMPLETED)
                    for future in ended:
                        self._settle(running.pop(future), future)
                    self.ticked()
            except BaseException:
                # All at once: each may take its time.
                for shell in self._shells:
                    shell.ask_to_end()
                for shell in self._shells:
                    shell.stop()
                raise
        return [progress for progress in self.progress.values() if progress.failure]

    def _start_ready(self, pool: ThreadPoolExecutor, running: dict[Future[None], Progress]) -> None:
        for progress in self.progress.values():
            if progress.state is not State.WAITING:
                continue
            needs = [self.progress[name].state for name in progress.step.needs]
            if any(state in (State.FAILED, State.SKIPPED) for state in needs):
                self._become(progress, State.SKIPPED)
            elif not all(state in (State.DONE, State.PRESENT) for state in needs):
                continue
            elif progress.step.is_done():
                self._become(progress, State.PRESENT)
            elif not (progress.step.compiles and self._compiling() >= CONCURRENT_BUILDS):
                progress.started = time.monotonic()
                self._become(progress, State.RUNNING)
                shell = Shell(progress.log, self.lock_descriptor)
                self._shells.append(shell)
                running[pool.submit(progress.step.run, shell)] = progress

    def _compiling(self) -> int:
        return sum(p.state is State.RUNNING and p.step.compiles for p in self.progress.values())

    def _settle(self, progress: Progress, future: Future[None]) -> None:
        progress.ended = time.monotonic()
        error = future.exception()
        if error is None:
            self._become(progress, State.DONE)
            return
        if isinstance(error, EmbeddedError):
            progress.failure = error
        elif isinstance(error, Exception):
            # A full disk, a file of unexpected shape: the log gets the details, the user the sentence.
            progress.failure = StepFailed(
                f"{type(error).__name__}: {error}.", f"Read {progress.log}, then run `make setup` again."
            )
        else:
            raise error
        self._become(progress, State.FAILED)

    def _become(self, progress: Progress, state: State) -> None:
        progress.state = state
        self.changed(progress)
