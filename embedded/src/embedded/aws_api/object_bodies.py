"""The bytes of S3 objects, on disk and addressed by their content.

moto keeps object bodies in memory. Here they are files named by their SHA-256, so that memory stays
flat however many logs are written, and the saved state holds names instead of bytes.
"""

import hashlib
import os
import threading
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any


class BodyStore:
    """All bodies of one cloud. A body nobody refers to goes away after the next save of the state.

    Deleting at once would let a crash leave a saved state that names a missing file.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._lock = threading.Lock()
        self._references: Counter[str] = Counter()
        self._unused: set[str] = set()
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)

    def write(self, content: bytes) -> str:
        """Store `content` and return its name; the caller holds one reference to it."""
        name = hashlib.sha256(content).hexdigest()
        path = self._directory / name
        with self._lock:
            if not path.exists():
                temporary = path.with_suffix(f".{threading.get_ident()}")
                temporary.write_bytes(content)
                temporary.replace(path)
            self._references[name] += 1
            self._unused.discard(name)
        return name

    def read(self, name: str, start: int, length: int) -> bytes:
        """Read at most `length` bytes (-1: all) of a body from `start`."""
        with (self._directory / name).open("rb") as file:
            file.seek(start)
            return file.read(length)

    def retain(self, name: str) -> None:
        """Count one more reference, as a loaded or copied object makes it."""
        with self._lock:
            self._references[name] += 1
            self._unused.discard(name)

    def release(self, name: str) -> None:
        """Count one reference less."""
        with self._lock:
            self._references[name] -= 1
            if self._references[name] <= 0:
                del self._references[name]
                self._unused.add(name)

    def remove_unused(self) -> None:
        """Delete bodies without references; called right after the state was saved."""
        with self._lock:
            for name in self._unused:
                (self._directory / name).unlink(missing_ok=True)
            self._unused.clear()

    def remove_unknown(self) -> None:
        """Delete files no loaded object refers to; called once after the state was loaded."""
        with self._lock:
            for entry in os.scandir(self._directory):
                if entry.name not in self._references:
                    Path(entry.path).unlink(missing_ok=True)


_store: BodyStore | None = None


def _current_store() -> BodyStore:
    if _store is None:
        raise RuntimeError("object bodies are used before object_bodies.install()")
    return _store


class StoredBody:
    """A file-like object as moto uses it for a body: truncate and write once, then seek and read."""

    def __init__(self, *_: Any, **__: Any) -> None:
        self._name = _current_store().write(b"")
        self._position = 0
        self._closed = False

    def seek(self, position: int) -> None:
        self._position = position

    def truncate(self) -> None:
        self._replace(self._content()[: self._position])

    def write(self, data: bytes) -> None:
        self._replace(self._content()[: self._position] + data)
        self._position += len(data)

    def read(self, length: int = -1) -> bytes:
        if self._closed:
            raise ValueError("read of a deleted S3 object")
        data = _current_store().read(self._name, self._position, length)
        self._position += len(data)
        return data

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            _current_store().release(self._name)

    def duplicate(self) -> "StoredBody":
        """A second handle on the same bytes, with a reference and a position of its own."""
        twin = StoredBody.__new__(StoredBody)
        twin.__setstate__({"name": self._name, "closed": self._closed})
        return twin

    def _content(self) -> bytes:
        return _current_store().read(self._name, 0, -1)

    def _replace(self, content: bytes) -> None:
        previous = self._name
        self._name = _current_store().write(content)
        _current_store().release(previous)

    def __getstate__(self) -> dict[str, Any]:
        return {"name": self._name, "closed": self._closed}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._name, self._closed, self._position = state["name"], state["closed"], 0
        if not self._closed:
            _current_store().retain(self._name)


def install(directory: Path) -> BodyStore:
    """Make moto keep S3 bodies in `directory` from now on."""
    global _store
    _store = BodyStore(directory)
    import moto.s3.models as s3_models

    def getstate(key: Any) -> dict[str, Any]:
        return {name: value for name, value in key.__dict__.items() if name != "lock"}

    def setstate(key: Any, state: dict[str, Any]) -> None:
        key.__dict__.update(state)
        key._value_buffer = state["_value_buffer"].duplicate()
        key.lock = threading.Lock()

    s3_models.tempfile = SimpleNamespace(SpooledTemporaryFile=StoredBody)  # type: ignore[attr-defined, assignment]
    s3_models.FakeKey.__getstate__ = getstate  # type: ignore[method-assign, assignment]
    s3_models.FakeKey.__setstate__ = setstate  # type: ignore[method-assign, assignment]
    # moto disposes of every version that is deleted, markers too, which have no body.
    s3_models.FakeDeleteMarker.dispose = lambda *_: None  # type: ignore[attr-defined]
    return _store
