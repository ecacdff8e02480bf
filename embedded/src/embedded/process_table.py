"""What the kernel tells about processes, read from /proc, and their end by force.

A process is named by its pid and its start time in clock ticks since boot. Libraries offer the start as
wall-clock time, which moves when the clock is set; this pair never does.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from embedded.errors import EmbeddedError

_PROC = Path("/proc")
_BOOT_ID = _PROC / "sys" / "kernel" / "random" / "boot_id"


@dataclass(frozen=True)
class Process:
    """One line of the process table."""

    pid: int
    state: str
    """One letter; Z and X are processes that have ended."""
    parent: int
    session: int
    start_ticks: int

    @property
    def ended(self) -> bool:
        return self.state in "ZX"


def boot_id() -> str:
    """A text that differs for every boot of the machine: pids and ticks compare within one boot only."""
    return _BOOT_ID.read_text().strip()


def find(pid: int) -> Process | None:
    """The process with this pid, or None."""
    try:
        text = (_PROC / str(pid) / "stat").read_text()
    except OSError:
        return None
    # proc(5): the second field is the name in brackets and may itself hold blanks and brackets.
    fields = text.rpartition(")")[2].split()
    return Process(pid, fields[0], int(fields[1]), int(fields[3]), int(fields[19]))


def every_process() -> Iterator[Process]:
    """All processes, without order."""
    for entry in _PROC.iterdir():
        if entry.name.isdigit() and (process := find(int(entry.name))) is not None:
            yield process


def kill_until_gone(living: Callable[[], Collection[int]], what: str, seconds: float = 10.0) -> None:
    """Kill what `living` finds until it finds nothing: a process may start another while it dies.

    Raises:
        EmbeddedError: some do not die (they wait for a disk); `what` names them.
    """
    deadline = time.monotonic() + seconds
    while found := living():
        for pid in found:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if time.monotonic() > deadline:
            raise EmbeddedError(
                f"{what} {', '.join(map(str, sorted(found)))} do not end", "run `embedded down` again"
            )
        time.sleep(0.05)


def command_line(pid: int) -> list[str]:
    """The arguments the process was started with; empty if it has ended or is the kernel's."""
    try:
        return (_PROC / str(pid) / "cmdline").read_text(errors="replace").rstrip("\0").split("\0")
    except OSError:
        return []


def memory_bytes(pid: int) -> int:
    """Proportional set size in bytes: a page shared by n processes counts for one n-th. 0 if it has ended."""
    try:
        lines = (_PROC / str(pid) / "smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), 0)
