"""Image archives in the docker-archive format, which `ctr images import` reads.

An archive is a tar of a configuration, one tar for each layer, and a manifest that names them. Everything
that would differ from one build to the next on the same input is fixed: order, times, names of owners.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

#: Time of every file and of the image itself: 2026-01-01T00:00:00Z.
_EPOCH: Final = 1_767_225_600
_CREATED: Final = "2026-01-01T00:00:00Z"

_CHUNK_BYTES: Final = 1 << 20


def write_layer(target: Path, root: Path, *, excluded: Callable[[str], bool] = lambda _: False) -> None:
    """Writes the tree under `root` as a layer tar.

    Modes, owners by number, symbolic and hard links are kept; sockets and device files are left out, since
    a container gets its own. `excluded` is asked with each path relative to `root`; a folder it
    excludes is left out with all that is in it.
    """
    with tarfile.open(target, "w", format=tarfile.PAX_FORMAT) as layer:
        for path in _walk(root, root, excluded):
            info = layer.gettarinfo(path, arcname=str(path.relative_to(root)))
            if info is None or info.ischr() or info.isblk() or info.isfifo():
                continue
            _fix(info)
            if info.isreg():
                with path.open("rb") as content:
                    layer.addfile(info, content)
            else:
                layer.addfile(info)


def write_archive(
    target: Path, reference: str, layers: Sequence[Path], config: Mapping[str, object], *, author: str
) -> None:
    """Writes the image `reference` made of layer tars (lowest first) for linux/amd64.

    `config` is the container part of the image configuration (`Env`, `Entrypoint`, `User`, ...); `author` is
    shown as what made each layer.
    """
    digests = [_sha256(layer) for layer in layers]
    configuration = {
        "architecture": "amd64",
        "os": "linux",
        "created": _CREATED,
        "config": dict(config),
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}" for digest in digests]},
        "history": [{"created": _CREATED, "created_by": author} for _ in layers],
    }
    encoded = json.dumps(configuration, sort_keys=True).encode()
    config_name = f"{hashlib.sha256(encoded).hexdigest()}.json"
    names = [f"{digest}/layer.tar" for digest in digests]
    manifest = [{"Config": config_name, "RepoTags": [reference], "Layers": names}]
    with tarfile.open(target, "w", format=tarfile.PAX_FORMAT) as archive:
        _add_bytes(archive, config_name, encoded)
        for name, layer in zip(names, layers, strict=True):
            info = tarfile.TarInfo(name)
            info.size = layer.stat().st_size
            _fix(info)
            with layer.open("rb") as content:
                archive.addfile(info, content)
        _add_bytes(archive, "manifest.json", json.dumps(manifest).encode())


def _walk(root: Path, folder: Path, excluded: Callable[[str], bool]) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if excluded(str(path.relative_to(root))):
            continue
        yield path
        if path.is_dir() and not path.is_symlink():
            yield from _walk(root, path, excluded)


def _fix(info: tarfile.TarInfo) -> None:
    info.mtime = _EPOCH
    info.uname = info.gname = ""


def _add_bytes(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    _fix(info)
    archive.addfile(info, io.BytesIO(data))


def _sha256(file: Path) -> str:
    digest = hashlib.sha256()
    with file.open("rb") as content:
        while chunk := content.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()
