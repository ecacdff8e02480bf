"""Images that hold one static binary and nothing else."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from embedded.images.archive import write_archive, write_layer


def make_image(aside: Path, reference: str, binary: Path, path: str, config: Mapping[str, object]) -> None:
    """Writes `image.tar` into `aside`: the image `reference` with `binary` at `path` (relative to /)."""
    root = aside / "root"
    target = root / path
    target.parent.mkdir(parents=True)
    shutil.copyfile(binary, target)
    target.chmod(0o755)
    layer = aside / "layer.tar"
    write_layer(layer, root)
    write_archive(aside / "image.tar", reference, [layer], config, author="embedded setup")
    layer.unlink()
    shutil.rmtree(root)
