"""One setup at a time on a cache, and a word on who is at it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path


@contextlib.contextmanager
def exclusive(file: Path, purpose: str, say: Callable[[str], None]) -> Iterator[int]:
    """Holds the lock `file` and yields its descriptor; the kernel frees it however the holder ends.

    When another process holds it, `say` is told once for what and by which process, then it is waited for.
    Programs that inherited the lock from a holder that was killed are ended: nobody waits for their work.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _acquire(file, descriptor, say)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()} {purpose}".encode(), 0)
        yield descriptor
        os.ftruncate(descriptor, 0)
    finally:
        os.close(descriptor)


def _acquire(file: Path, descriptor: int, say: Callable[[str], None]) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        text = os.pread(descriptor, 500, 0).decode(errors="replace")
        pid, _, purpose = text.strip().partition(" ")
        holders = _holders(file)
        # A setup that has just taken the lock has not written its name yet; it is no leftover.
        alive = any(_is_setup(holder) for holder in holders)
        if pid.isdigit() and holders and int(pid) not in holders and not alive:
            say(f"Ending programs that a killed setup (process {pid}) left behind.")
            for orphan in holders:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(orphan, signal.SIGKILL)
        else:
            known = pid.isdigit() and int(pid) in holders
            who = f"process {pid}: {purpose}" if known else "just begun, or in another container"
            say(f"Another setup ({who}) is running; waiting for it to end.")
        fcntl.flock(descriptor, fcntl.LOCK_EX)


def _holders(file: Path) -> set[int]:
    """Processes that hold the lock: the one that took it, and programs that inherited the descriptor."""
    identity = file.stat()
    return {
        int(process.name)
        for process in Path("/proc").iterdir()
        if process.name.isdigit() and _holds(process, identity)
    }


def _is_setup(pid: int) -> bool:
    """Whether the process is Python, as setups are; what they start to build is not."""
    try:
        return (Path("/proc") / str(pid) / "exe").readlink().name.startswith("python")
    except OSError:
        return False


def _holds(process: Path, identity: os.stat_result) -> bool:
    try:
        descriptors = list((process / "fd").iterdir())
    except OSError:  # it has ended, or is another user's
        return False
    return any(_is_locked(process, descriptor, identity) for descriptor in descriptors)


def _is_locked(process: Path, descriptor: Path, identity: os.stat_result) -> bool:
    """Whether the descriptor is of the file and of the opening that was locked (proc_pid_fdinfo(5))."""
    try:
        same = os.path.samestat(descriptor.stat(), identity)
        return same and "lock:" in (process / "fdinfo" / descriptor.name).read_text()
    except OSError:
        return False
