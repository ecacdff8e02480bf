"""Writing files only when their content changes."""

from __future__ import annotations

from pathlib import Path

from embedded.certificates import write_private


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
