"""Where everything that setup installs is found."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from embedded.errors import EmbeddedError
from embedded.setup import catalogue

#: Where Debian's packages put what is not on every user's PATH.
_POSTGRES_DIRECTORIES: Final = Path("/usr/lib/postgresql")
_CNI_DIRECTORY: Final = Path("/usr/lib/cni")
_NEXT_STEP_WITHOUT_NODE: Final = (
    "Run `embedded setup --no-node`; a Postgres server comes with Debian's postgresql-15."
)
_NODE_PROGRAMS: Final = ("kubernetes", "coredns")
_NEXT_STEP: Final = "Run `make setup`; it makes only what is missing."


@dataclass(frozen=True)
class Toolchain:
    """Programs and images of the embedded cloud, all of them there.

    The Python language host lies beside `pulumi`, where the engine looks first. `kubernetes` is the one
    binary of all node daemons, told apart by the name it is started under. `images` maps an image's
    reference to its archive (docker-archive, as `ctr images import` reads). What only a node needs is there
    when the toolchain was asked for with one.
    """

    pulumi: Path
    helm: Path
    kubectl: Path
    kubernetes: Path
    coredns: Path
    images: Mapping[str, Path]
    postgres_directory: Path
    containerd: Path
    runc: Path
    cni_directory: Path


def toolchain(*, node: bool = True) -> Toolchain:
    """The installed tools; without a `node` those of a cloud whose cluster is brought.

    Raises EmbeddedError naming everything that is missing.
    """
    missing: list[str] = []
    binaries = _cached_binaries(missing, node=node)
    needed = {name: path for name, path in binaries.items() if node or name not in _NODE_PROGRAMS}
    missing.extend(f"{name} ({path})" for name, path in needed.items() if not path.exists())
    images = {}
    for reference, artifact in catalogue.images().items() if node else ():
        if artifact.is_complete():
            images[reference] = artifact.path("image.tar")
        else:
            missing.append(f"image {reference}")
    postgres = _postgres_directory(missing)
    unneeded: list[str] = []
    system = {name: _system_program(name, missing if node else unneeded) for name in ("containerd", "runc")}
    if node and not _CNI_DIRECTORY.is_dir():
        missing.append(f"the CNI plugins ({_CNI_DIRECTORY})")
    for artifact in catalogue.artifacts():
        artifact.mark_used()
    if missing:
        next_step = _NEXT_STEP if node else _NEXT_STEP_WITHOUT_NODE
        raise EmbeddedError(f"Not installed yet: {', '.join(missing)}.", next_step=next_step)
    return Toolchain(
        **binaries,
        images=images,
        postgres_directory=postgres,
        containerd=system["containerd"],
        runc=system["runc"],
        cni_directory=_CNI_DIRECTORY,
    )


def _cached_binaries(missing: list[str], *, node: bool) -> dict[str, Path]:
    tools = {
        "pulumi": catalogue.pulumi(),
        "helm": catalogue.helm(),
        "kubectl": catalogue.kubectl(),
        "kubernetes": catalogue.kubernetes(),
        "coredns": catalogue.coredns(),
    }
    needed = {name: artifact for name, artifact in tools.items() if node or name not in _NODE_PROGRAMS}
    missing.extend(name for name, artifact in needed.items() if not artifact.is_complete())
    if missing:
        return {}
    return {name: artifact.path(name) for name, artifact in tools.items()}


def _postgres_directory(missing: list[str]) -> Path:
    """The newest Postgres major that is installed as a server."""
    servers = sorted(_POSTGRES_DIRECTORIES.glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]))
    if not servers:
        missing.append(f"a Postgres server ({_POSTGRES_DIRECTORIES}/*/bin)")
        return _POSTGRES_DIRECTORIES
    return servers[-1].parent


def _system_program(name: str, missing: list[str]) -> Path:
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin")
    if not found:
        missing.append(name)
    return Path(found or name)
