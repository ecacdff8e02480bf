"""The settings as they are now, for the AWS part: read again whenever the file changes."""

from __future__ import annotations

import logging
import threading
from pathlib import Path

from embedded.errors import EmbeddedError
from embedded.faults.settings import FaultSettings, read_settings

_log = logging.getLogger("embedded.faults")


class LiveSettings:
    """A file of settings that is looked at (one stat) each time it is asked for."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._stamp: tuple[int, int, int] | None = None
        self._settings = FaultSettings()

    def current(self) -> FaultSettings:
        """The settings as they are now; an unreadable file keeps those before it."""
        try:
            found = self._path.stat()
            stamp = (found.st_ino, found.st_mtime_ns, found.st_size)
        except OSError:
            stamp = None
        with self._lock:
            if stamp != self._stamp:
                self._stamp = stamp
                try:
                    self._settings = read_settings(self._path)
                except EmbeddedError as error:
                    _log.error("%s", error.message)
            return self._settings


_live: LiveSettings | None = None


def install(path: Path) -> LiveSettings:
    """From now on `settings()` is what this file holds."""
    global _live
    _live = LiveSettings(path)
    return _live


def settings() -> FaultSettings:
    """The settings of this process' cloud; without faults in a process that has none installed."""
    return _live.current() if _live is not None else FaultSettings()


def consistency_seconds() -> float:
    """How long changes of IAM, pod identity associations and access entries take to take effect."""
    return settings().consistency_seconds
