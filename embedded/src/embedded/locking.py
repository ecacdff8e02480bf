"""One command that changes a cloud at a time."""

from __future__ import annotations

import fcntl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from embedded.errors import EmbeddedError
from embedded.identity import CloudIdentity


@contextmanager
def exclusive(identity: CloudIdentity, announce: Callable[[str], None]) -> Iterator[Path]:
    """One `up`, `down` or `reset` of a cloud at a time; a second one waits. Yields the lock's file.

    Raises:
        EmbeddedError: the state's place cannot be written.
    """
    path = identity.state_directory.with_suffix(".lock")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        opened = path.open("w")
    except OSError as error:
        raise EmbeddedError(
            f"the state cannot be kept in {path.parent}: {error.strerror}",
            "make that place writable, or name another in XDG_STATE_HOME",
        ) from error
    with opened as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            announce("another `embedded` command to end")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield path
