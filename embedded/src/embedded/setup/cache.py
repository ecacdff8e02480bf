"""Finished artefacts, kept by content key, and how a new one gets there.

An artefact is a directory `<cache>/<kind>/<name>/<key>/`. The key is a hash of everything that went into
it, so a directory that is there and whole never needs to be made again. New ones are made aside and renamed
into place, so an interruption at any point leaves either nothing or all of it.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_MANIFEST: Final = "manifest.json"
_PARTIAL: Final = ".partial-"
#: An artefact of another version or branch is kept this long after its last use.
UNUSED_DAYS: Final = 14


def cache_root() -> Path:
    """Where downloads and builds are kept: `$AIRFLOW_IAC_CACHE`, else `$XDG_CACHE_HOME` or `~/.cache` plus
    `airflow-iac`."""
    own = os.environ.get("AIRFLOW_IAC_CACHE")
    if own:
        return Path(own).expanduser().absolute()
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "airflow-iac"


def content_key(parts: Mapping[str, str | Path]) -> str:
    """A short hash of named inputs; a `Path` stands for the file's bytes, or for a folder's whole content.

    Names and lengths are hashed too: moving a byte from one input to the next gives another key.
    """
    digest = hashlib.sha256()
    for name in sorted(parts):
        for label, data in _contents(name, parts[name]):
            digest.update(f"{label}\0{len(data)}\0".encode())
            digest.update(data)
    return digest.hexdigest()[:20]


def _contents(name: str, part: str | Path) -> Iterator[tuple[str, bytes]]:
    if isinstance(part, str):
        yield name, part.encode()
    elif part.is_dir():
        for file in sorted(p for p in part.rglob("*") if p.is_file() and "__pycache__" not in p.parts):
            yield f"{name}/{file.relative_to(part)}", file.read_bytes()
    else:
        yield name, part.read_bytes()


@dataclass(frozen=True)
class Artifact:
    """One finished thing in the cache: a tool's binaries, or an image's archive.

    `files` are the paths, relative to the directory, that its users rely on.
    """

    kind: str
    name: str
    key: str
    files: tuple[str, ...]

    @property
    def directory(self) -> Path:
        return cache_root() / self.kind / self.name / self.key

    def path(self, file: str) -> Path:
        return self.directory / file

    def is_complete(self) -> bool:
        """Whether every file is there in the size it was finished with; costs a few `stat` calls."""
        try:
            sizes: dict[str, int] = json.loads(self.path(_MANIFEST).read_text())["sizes"]
            if not set(self.files) <= set(sizes):
                return False
            return all(self.path(file).stat().st_size == size for file, size in sizes.items())
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return False

    def mark_used(self) -> None:
        """Notes that this artefact is in use, for `remove_unused` of other checkouts."""
        with contextlib.suppress(OSError):
            os.utime(self.path(_MANIFEST))

    def remove_unused(self) -> None:
        """Removes siblings (other versions, other branches) that no checkout has used for long."""
        oldest = time.time() - UNUSED_DAYS * 86_400
        for manifest in self.directory.parent.glob(f"*/{_MANIFEST}"):
            if manifest.stat().st_mtime < oldest:
                shutil.rmtree(manifest.parent, ignore_errors=True)

    @contextlib.contextmanager
    def made_aside(self) -> Iterator[Path]:
        """A fresh directory beside the final one, which takes its place when the block ends without an error.

        Leftovers of killed attempts are removed first: the caller holds the cache's lock, so nobody
        else is at work on them.
        """
        parent = self.directory.parent
        parent.mkdir(parents=True, exist_ok=True)
        for leftover in parent.glob(f"{_PARTIAL}*"):
            shutil.rmtree(leftover, ignore_errors=True)
        aside = Path(tempfile.mkdtemp(prefix=f"{_PARTIAL}{self.key}-", dir=parent))
        try:
            yield aside
            self._finish(aside)
        finally:
            shutil.rmtree(aside, ignore_errors=True)

    def _finish(self, aside: Path) -> None:
        missing = [file for file in self.files if not (aside / file).exists()]
        if missing:
            raise FileNotFoundError(f"{self.name}: the build left out {', '.join(missing)}")
        sizes = {
            str(file.relative_to(aside)): file.stat().st_size
            for file in sorted(aside.rglob("*"))
            if file.is_file()
        }
        (aside / _MANIFEST).write_text(json.dumps({"name": self.name, "key": self.key, "sizes": sizes}))
        aside.chmod(0o755)
        if self.directory.exists():  # there, but not whole: is_complete() said so
            shutil.rmtree(self.directory)
        aside.rename(self.directory)
