"""Writing files: at once, for their owner alone, and only when their content changes."""

from __future__ import annotations

import os
from pathlib import Path


def write_private(path: Path, content: bytes, mode: int = 0o600) -> None:
    """Replace the file at once, never readable by others in between."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            os.fchmod(file.fileno(), mode)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_if_changed(path: Path, content: str, mode: int = 0o600) -> bool:
    """Write the text unless the file holds it already; True if it was written.

    kube-proxy ends itself as soon as its file is rewritten, even with the same content, and CoreDNS and
    kubelet watch theirs: an idempotent `up` must not touch them.
    """
    try:
        if path.read_text() == content:
            return False
    except FileNotFoundError:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_private(path, content.encode(), mode)
    return True
