"""Container images of the node, imported from archives on the disk: the node reaches no registry."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

from embedded.commands import run
from embedded.files import write_if_changed
from embedded.node.layout import NodeLayout
from embedded.node.worker import ctr

# Half a gigabyte takes some 10 s on a quiet machine.
_IMPORT_SECONDS = 600.0


def missing_images(layout: NodeLayout, images: Mapping[str, Path]) -> dict[str, Path]:
    """Those that containerd does not hold, or holds from another archive."""
    present = set(run(ctr(layout, "images", "list", "--quiet")).split())
    imported = _read_record(layout)
    return {
        reference: archive
        for reference, archive in images.items()
        if reference not in present or imported.get(reference) != str(archive)
    }


def import_images(
    layout: NodeLayout, images: Mapping[str, Path], announce: Callable[[str], None] = lambda _: None
) -> None:
    """Import what is missing, one after the other; the name of each is announced first.

    Raises:
        EmbeddedError: an archive is damaged, or the disk is full.
    """
    for reference, archive in missing_images(layout, images).items():
        announce(reference)
        run(ctr(layout, "images", "import", str(archive)), timeout_seconds=_IMPORT_SECONDS)
        record = {**_read_record(layout), reference: str(archive)}
        write_if_changed(_record_path(layout), json.dumps(record, indent=2, sort_keys=True) + "\n")


def _record_path(layout: NodeLayout) -> Path:
    return layout.containerd_root / "imported.json"


def _read_record(layout: NodeLayout) -> dict[str, str]:
    try:
        record = json.loads(_record_path(layout).read_text())
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}
