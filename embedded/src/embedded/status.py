"""How each part of a cloud is, asked of the part itself."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from embedded.aws_api.part import aws_api_part
from embedded.errors import EmbeddedError
from embedded.identity import CloudIdentity
from embedded.node.credentials import ensure_credentials
from embedded.node.layout import NodeLayout
from embedded.parts import cloud_parts
from embedded.plugins.common.errors import PluginError
from embedded.plugins.kubernetes.api_client import ApiClient
from embedded.processes import Part, Supervisor
from embedded.rds import probe
from embedded.setup import Toolchain

HEALTHY = "ok"
_DOWN = "down"
_ASKED_FOR_VERSION = {
    "etcd": "--version",
    "containerd": "--version",
    "coredns": "-version",
}


@dataclass(frozen=True)
class PartStatus:
    """One line of `embedded status`."""

    name: str
    version: str
    pid: int | None
    address: str | None
    memory: int
    """Bytes of proportional set size, children included."""
    health: str
    """`ok`, or why not."""

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def collect(identity: CloudIdentity, tools: Toolchain) -> list[PartStatus]:
    """Every part in the order of its start, then database instances and whatever else was started."""
    if not identity.certificate_authority.exists():
        return []
    supervisor = Supervisor(identity)
    if identity.brought:
        parts = [aws_api_part(identity, tools)]
    else:
        parts = list(cloud_parts(identity, tools, ensure_credentials(NodeLayout(identity))))
    with ThreadPoolExecutor(max_workers=len(parts)) as pool:
        statuses = list(pool.map(lambda part: _part_status(part, supervisor), parts))
    if identity.brought:
        statuses.append(_brought_status(identity))
    return statuses + _others(identity, tools, supervisor, known={part.name for part in parts})


def _brought_status(identity: CloudIdentity) -> PartStatus:
    """The cluster that was brought, asked whether it is ready and whether the cloud is registered there."""
    from embedded.brought_cluster import registration
    from embedded.brought_cluster.access import cloud_access

    server, health = None, HEALTHY
    try:
        client = ApiClient(cloud_access(identity))
        server = client.access.server
        client.text("/readyz")
        registration.check_registered(client, identity)
    except (EmbeddedError, PluginError) as error:
        health = str(error)
    return PartStatus("kubernetes", "", None, server, 0, health)


def _part_status(part: Part, supervisor: Supervisor) -> PartStatus:
    status = supervisor.status(part.name)
    return PartStatus(
        name=part.name,
        version=_version(part),
        pid=status.pid,
        address=part.address,
        memory=status.memory_bytes,
        health=_health(part) if status.alive else _not_running(part.name, supervisor),
    )


def _not_running(name: str, supervisor: Supervisor) -> str:
    return f"ended by itself: `embedded logs {name}`" if name in supervisor.names() else _DOWN


def _health(part: Part) -> str:
    try:
        part.ready()
    except EmbeddedError as reason:
        return reason.message
    return HEALTHY


def _others(
    identity: CloudIdentity, tools: Toolchain, supervisor: Supervisor, known: Iterable[str]
) -> list[PartStatus]:
    return [
        _database_status(identity, tools, supervisor, name)
        for name in (status.name for status in supervisor.statuses())
        if name not in known
    ]


def _database_status(
    identity: CloudIdentity, tools: Toolchain, supervisor: Supervisor, name: str
) -> PartStatus:
    status = supervisor.status(name)
    found = probe.signs(identity, name.removeprefix(probe.PART_PREFIX), tools.postgres_directory)
    health = HEALTHY if found.ready else f"accepts no sessions: `embedded logs {name}`"
    return PartStatus(
        name=name,
        version=_asked(tools.postgres_directory / "postgres", "--version"),
        pid=status.pid,
        address=found.address,
        memory=status.memory_bytes,
        health=health if status.alive else _not_running(name, supervisor),
    )


def _version(part: Part) -> str:
    if part.version:
        return part.version
    if part.name == "aws":
        return f"moto {version('moto')}"
    flag = _ASKED_FOR_VERSION.get(part.name)
    return _asked(part.command[0], flag) if flag else ""


def _asked(program: str | Path, flag: str) -> str:
    """The version a program prints; empty if it prints none."""
    try:
        done = subprocess.run([program, flag], capture_output=True, text=True, check=False)
    except OSError:
        return ""
    found = re.search(r"\d+\.\d+\S*", done.stdout)
    return found[0] if found else ""
