"""Runs the programs of a setup step, with their output in the step's log file."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from embedded.errors import EmbeddedError
from embedded.setup.refusals import explain

#: Lines of a failed program's output that are worth showing.
_TAIL_LINES: Final = 15
_TAIL_BYTES: Final = 16_384
#: What a program gets between being asked to end and being made to.
_GRACE_SECONDS: Final = 5.0


class StepFailed(EmbeddedError):  # noqa: N818 -- what happened to a step, told to people
    """A step did not reach its end; `tail` holds the last lines of its log."""

    def __init__(self, message: str, next_step: str, tail: Sequence[str] = ()) -> None:
        super().__init__(message, next_step)
        self.tail = tuple(tail)


class Shell:
    """Runs programs for one step, and ends them all when the setup is stopped."""

    def __init__(self, log: Path, lock_descriptor: int | None = None) -> None:
        """`lock_descriptor` is handed to every program: the cache's lock then outlives a killed setup for
        as long as one of them still writes."""
        self.log = log
        self._inherited = () if lock_descriptor is None else (lock_descriptor,)
        self._running: set[subprocess.Popen[bytes]] = set()
        self._guard = threading.Lock()
        self._stopped = False
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_bytes(b"")

    def note(self, text: str) -> None:
        """A line of our own in the log."""
        with self.log.open("a") as log:
            log.write(f"{text}\n")

    def run(
        self,
        command: Sequence[str | Path],
        *,
        cwd: Path | None = None,
        environment: Mapping[str, str] | None = None,
        outlives_setup: bool = False,
    ) -> None:
        """Runs a program to its end. `environment` is added to the own one.

        A program that `outlives_setup` (apt: half a dpkg run would have to be repaired) is neither killed
        with a killed setup nor given the lock, which services that it starts would hold for ever.

        Raises StepFailed when it does not end with 0.
        """
        words = [str(word) for word in command]
        self.note(self._announcement(words))
        # `--pdeathsig`: a setup that is killed takes its programs with it.
        guarded = words if outlives_setup else ["setpriv", "--pdeathsig", "KILL", "--", *words]
        with self.log.open("ab") as log:
            try:
                process = subprocess.Popen(
                    guarded,
                    cwd=cwd,
                    env={**os.environ, **(environment or {})},
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    process_group=0,
                    pass_fds=() if outlives_setup else self._inherited,
                )
            except FileNotFoundError as error:
                raise self._failure(f"`{guarded[0]}` is not installed") from error
            with self._guard:
                self._running.add(process)
            if self._stopped:
                self._end(process)
            returncode = process.wait()
            with self._guard:
                self._running.discard(process)
        if returncode != 0:
            raise self._failure(f"`{' '.join(words[:3])} ...` ended with {returncode}")

    def output(self, command: Sequence[str | Path], environment: Mapping[str, str] | None = None) -> str:
        """What a quick program prints (standard output and error together), also kept in the log.

        Raises StepFailed when it does not end with 0.
        """
        begins = self.log.stat().st_size + len(self._announcement(command).encode()) + 1
        self.run(command, environment=environment)
        with self.log.open("rb") as log:
            log.seek(begins)
            return log.read().decode(errors="replace")

    @staticmethod
    def _announcement(command: Sequence[str | Path]) -> str:
        return f"$ {shlex.join(map(str, command))}"

    def ask_to_end(self) -> None:
        """Asks whatever runs to end, and ends at once what is started later. Does not wait; see `stop`."""
        self._stopped = True
        for process in self._processes():
            _signal_group(process, signal.SIGTERM)

    def stop(self) -> None:
        """Ends whatever runs with all that it has started, and all that is started later."""
        self.ask_to_end()
        for process in self._processes():
            self._end(process)

    def _processes(self) -> list[subprocess.Popen[bytes]]:
        with self._guard:
            return list(self._running)

    @staticmethod
    def _end(process: subprocess.Popen[bytes]) -> None:
        _signal_group(process, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE_SECONDS)
        # The program may have gone before its helpers: compilers, workers of a pool.
        _signal_group(process, signal.SIGKILL)

    def tail(self) -> list[str]:
        """The last lines of the log."""
        with self.log.open("rb") as log:
            log.seek(max(0, self.log.stat().st_size - _TAIL_BYTES))
            return log.read().decode(errors="replace").splitlines()[-_TAIL_LINES:]

    def _failure(self, what: str) -> StepFailed:
        tail = self.tail()
        refusal = explain(tail)
        if refusal:
            return StepFailed(refusal.message, refusal.next_step, tail)
        return StepFailed(f"{what}.", f"Read {self.log}, then run `make setup` again.", tail)


def _signal_group(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)
