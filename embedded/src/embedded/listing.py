"""What a cloud has on this machine outside of its state directory.

`down` ends with this question, so that something that refuses to go is named instead of left behind.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import suppress

from embedded import process_table
from embedded.commands import run
from embedded.identity import CloudIdentity
from embedded.network import occupied_by_cloud
from embedded.node import cgroups
from embedded.node.containers import mounts_below, shims
from embedded.node.layout import NodeLayout
from embedded.processes import Supervisor


def residue(identity: CloudIdentity) -> list[str]:
    """Every process, mount, link, route, namespace and control group of the cloud, one short text each."""
    return [
        *_processes(identity),
        *(f"mount {point}" for point in mounts_below(identity.state_directory)),
        *_network(identity),
        *(f"control group {directory}" for directory in cgroups.directories(identity.name)),
    ]


def processes(identity: CloudIdentity) -> set[int]:
    """All processes of the cloud by what they are and where they run, whatever pid files say."""
    return {
        *processes_in_node(identity),
        *shims(NodeLayout(identity)),
        *cgroups.processes(identity.name),
        *strays(identity),
    }


def processes_in_node(identity: CloudIdentity) -> list[int]:
    """All processes in the node's network namespace: daemons, shims, pods on the node's own network."""
    try:
        namespace = identity.network_namespace.stat()
    except OSError:
        return []
    return [
        process.pid
        for process in process_table.every_process()
        if not process.ended and _network_namespace_of(process.pid) == (namespace.st_dev, namespace.st_ino)
    ]


def _network_namespace_of(pid: int) -> tuple[int, int] | None:
    try:
        found = os.stat(f"/proc/{pid}/ns/net")  # noqa: PTH116 -- Path would resolve the link by name
    except OSError:
        return None
    return found.st_dev, found.st_ino


def strays(identity: CloudIdentity) -> list[int]:
    """Processes on the machine's side that belong to the cloud by what they are, whatever pid files say."""
    servers = [
        process.pid
        for process in process_table.every_process()
        if not process.ended and _serves(process_table.command_line(process.pid), identity)
    ]
    return servers + [pid for pid in _postgres_pids(identity) if _is_postgres(pid)]


def _serves(words: list[str], identity: CloudIdentity) -> bool:
    modules = {"embedded.aws_api", "embedded.load_balancer"}
    return bool(modules & set(words)) and str(identity.checkout) in words


def _postgres_pids(identity: CloudIdentity) -> Iterator[int]:
    """What the servers wrote of themselves into their data directories; the file may be a dead one's."""
    for file in (identity.state_directory / "rds").glob("*/data/postmaster.pid"):
        with suppress(OSError, ValueError, IndexError):
            yield int(file.read_text().splitlines()[0])


def _is_postgres(pid: int) -> bool:
    words = process_table.command_line(pid)
    process = process_table.find(pid)
    return bool(words) and "postgres" in words[0] and process is not None and not process.ended


def _processes(identity: CloudIdentity) -> Iterator[str]:
    supervisor = Supervisor(identity)
    yield from (f"process {name}" for name in supervisor.names() if supervisor.alive(name))
    for pid in sorted(processes(identity)):
        yield f"process {pid} ({' '.join(process_table.command_line(pid))[:80]})"


def _network(identity: CloudIdentity) -> Iterator[str]:
    if identity.network_namespace.exists():
        yield f"network namespace {identity.name}"
    addresses = json.loads(run(["ip", "-json", "-4", "address", "show"]))
    routes = json.loads(run(["ip", "-json", "-4", "route", "show", "table", "main"]))
    yield from occupied_by_cloud(identity, addresses, routes)
