"""Which load balancers there are on this machine, for whoever must know: proxies, packet filter, resolver."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from embedded.files import write_if_changed, write_private
from embedded.identity import CloudIdentity
from embedded.node.layout import NodeLayout

# On the link's /24, behind the machine and the node, before the databases.
_FIRST = 16
_MAXIMUM = 32


@dataclass(frozen=True)
class Record:
    """One load balancer."""

    address: str
    """Where it listens on this machine, and from where it comes to its targets."""
    name: str
    """Its DNS name."""
    interfaces: tuple[str, ...]
    """Its addresses in the VPC."""
    hosts: tuple[str, ...]
    """What it answers for."""


def read(path: Path) -> dict[str, Record]:
    """Name of the group -> its load balancer; nothing where the file is missing or unreadable."""
    try:
        stored = json.loads(path.read_text())
        return {
            group: Record(
                str(one["address"]), str(one["name"]), tuple(one["interfaces"]), tuple(one["hosts"])
            )
            for group, one in stored.items()
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def write(layout: NodeLayout, records: Mapping[str, Record]) -> None:
    """Replace the list, if it changes, and the names that follow from it."""
    content = json.dumps({group: asdict(one) for group, one in sorted(records.items())}, indent=2) + "\n"
    write_if_changed(layout.load_balancers, content, 0o600)
    names = "".join(f"{one.address} {host}\n" for one in records.values() for host in (one.name, *one.hosts))
    if not layout.load_balancer_hosts.exists() or layout.load_balancer_hosts.read_text() != names:
        write_private(layout.load_balancer_hosts, names.encode(), 0o644)


def stand_ins(path: Path) -> dict[str, tuple[str, ...]]:
    """Address on this machine -> addresses in the VPC, of every load balancer."""
    return {one.address: one.interfaces for one in read(path).values()}


def free_address(identity: CloudIdentity, records: Mapping[str, Record]) -> str | None:
    """An address that no load balancer has; None when all are taken."""
    taken = {one.address for one in records.values()}
    first = identity.link_network.network_address + _FIRST
    return next((str(first + index) for index in range(_MAXIMUM) if str(first + index) not in taken), None)
