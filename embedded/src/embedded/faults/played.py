"""How often each fault was played; kept beside the settings, so that a killed part goes on counting."""

from __future__ import annotations

import json
import threading
from pathlib import Path

from embedded.files import write_private


def played_path(settings: Path) -> Path:
    """The file of counts that belongs to a file of settings."""
    return settings.with_name("faults-played.json")


def read_played(path: Path) -> dict[str, int]:
    """Fault id -> how often it was played; empty if nothing was."""
    try:
        return {str(name): int(count) for name, count in json.loads(path.read_text()).items()}
    except (OSError, ValueError, AttributeError):
        return {}


class Played:
    """The counts, written by the AWS part alone. Ids are never used twice, so no count is ever reset."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._counts = read_played(path)

    def take(self, fault_id: str, limit: int | None) -> bool:
        """Count one more, unless the limit is reached; whether it was counted."""
        with self._lock:
            count = self._counts.get(fault_id, 0)
            if limit is not None and count >= limit:
                return False
            self._counts[fault_id] = count + 1
            write_private(self._path, json.dumps(self._counts).encode())
            return True
