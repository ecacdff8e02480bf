"""The node's own network: a namespace joined to the machine by a pair of links.

Everything Kubernetes does to a machine's network (iptables, forwarding, ports 53 and 6443) happens inside
the namespace. The machine itself gets one link and two routes, which go when the link goes.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any

from embedded.commands import run, succeeds
from embedded.errors import EmbeddedError
from embedded.identity import CloudIdentity

# Where EKS's Pod Identity agent answers pods.
# https://docs.aws.amazon.com/eks/latest/userguide/pod-id-how-it-works.html
POD_IDENTITY_ADDRESS = "169.254.170.23"
_POD_IDENTITY_PORT = 80
# Wider routes (a default route, a VPN that claims all of 10.0.0.0/8) lead somewhere without saying that these
# very addresses exist there; refusing them would leave no range to choose from.
_WIDEST_PREFIX = 12


def check_free(identity: CloudIdentity) -> None:
    """Refuse to start in an address range that something else on this machine uses.

    Raises:
        EmbeddedError: naming every route and address in the way.
    """
    taken = occupied(
        identity,
        json.loads(run(["ip", "-json", "-4", "address", "show"])),
        json.loads(run(["ip", "-json", "-4", "route", "show", "table", "main"])),
    )
    if taken:
        raise EmbeddedError(
            f"the addresses of this cloud ({identity.block}) are in use by {'; '.join(taken)}",
            "remove what uses them, or use a checkout at another path: the range follows from the path",
        )


def occupied(
    identity: CloudIdentity,
    addresses: Sequence[Mapping[str, Any]],
    routes: Sequence[Mapping[str, Any]],
) -> list[str]:
    """What overlaps the cloud's block and does not belong to the cloud, as short texts.

    `addresses` and `routes` are what `ip -json` prints.
    """
    return _overlapping(
        identity,
        [link for link in addresses if link["ifname"] != identity.host_link],
        [route for route in routes if route.get("dev") != identity.host_link],
    )


def occupied_by_cloud(
    identity: CloudIdentity,
    addresses: Sequence[Mapping[str, Any]],
    routes: Sequence[Mapping[str, Any]],
) -> list[str]:
    """The addresses and routes that are the cloud's own, as short texts; arguments as in `occupied`."""
    return _overlapping(
        identity,
        [link for link in addresses if link["ifname"] == identity.host_link],
        [route for route in routes if route.get("dev") == identity.host_link],
    )


def _overlapping(
    identity: CloudIdentity,
    addresses: Sequence[Mapping[str, Any]],
    routes: Sequence[Mapping[str, Any]],
) -> list[str]:
    found = [
        f"address {one['local']} of link {link['ifname']}"
        for link in addresses
        for one in link.get("addr_info", [])
        if one.get("family") == "inet"
        # Its network, where that is more than this address, is among the routes.
        and IPv4Address(one["local"]) in identity.block
    ]
    found += [
        f"route {route['dst']} of link {route.get('dev', '(none)')}"
        for route in routes
        if (destination := _destination(route)).prefixlen >= _WIDEST_PREFIX
        and destination.overlaps(identity.block)
    ]
    return sorted(set(found))


def _destination(route: Mapping[str, Any]) -> IPv4Network:
    return IPv4Network("0.0.0.0/0" if route["dst"] == "default" else route["dst"])


def up(identity: CloudIdentity) -> None:
    """Make the namespace, links, addresses, routes and the redirection of Pod Identity; safe to repeat.

    Raises:
        EmbeddedError: the address range is in use, or the kernel refuses.
    """
    check_free(identity)
    _make_namespace(identity)
    if not succeeds(["ip", "link", "show", "dev", identity.host_link]):
        link = ["ip", "link", "add", identity.host_link, "type", "veth", "peer", "name", identity.node_link]
        run([*link, "netns", identity.name])
    run(["ip", "address", "replace", f"{identity.host_address}/24", "dev", identity.host_link])
    run(["ip", "link", "set", identity.host_link, "up"])
    _configure_node_side(identity)
    for network in (identity.pod_cidr, identity.service_cidr):
        route = [network, "via", identity.node_address, "dev", identity.host_link]
        run(["ip", "route", "replace", *route])


def _make_namespace(identity: CloudIdentity) -> None:
    """Hold a new namespace open by a bind mount, where `ip netns` looks for it.

    `ip netns add` would leave a shared mount of /run/netns behind, which nothing ever removes.
    """
    if _is_mount_point(identity.network_namespace):
        return
    with _namespaces_locked(identity.network_namespace.parent):
        identity.network_namespace.touch()
        run(["unshare", f"--net={identity.network_namespace}", "true"])


@contextmanager
def _namespaces_locked(directory: Path) -> Iterator[None]:
    """One cloud may remove the empty directory just when another one wants to use it."""
    while True:
        directory.mkdir(mode=0o755, parents=True, exist_ok=True)
        descriptor = os.open(directory, os.O_RDONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if directory.exists() and os.fstat(descriptor).st_ino == directory.stat().st_ino:
                yield
                return
        finally:
            os.close(descriptor)


def _configure_node_side(identity: CloudIdentity) -> None:
    link = identity.node_link
    in_node(identity, ["ip", "link", "set", "lo", "up"])
    in_node(identity, ["ip", "address", "replace", f"{identity.node_address}/24", "dev", link])
    in_node(identity, ["ip", "link", "set", link, "up"])
    in_node(identity, ["ip", "route", "replace", "default", "via", identity.host_address, "dev", link])
    # /proc/sys/net shows the namespace of whoever opens it: this changes the node alone.
    in_node(identity, ["sysctl", "--quiet", "--write", "net.ipv4.ip_forward=1"])
    in_node(identity, ["ip", "address", "replace", f"{POD_IDENTITY_ADDRESS}/32", "dev", "lo"])
    # PREROUTING is for pods, OUTPUT for pods on the node's own network.
    for chain in ("PREROUTING", "OUTPUT"):
        rule = _redirection(identity, chain)
        if not succeeds(node_command(identity, ["iptables", "--wait", "-t", "nat", "-C", *rule])):
            in_node(identity, ["iptables", "--wait", "-t", "nat", "-A", *rule])


def _redirection(identity: CloudIdentity, chain: str) -> list[str]:
    match = ["-d", f"{POD_IDENTITY_ADDRESS}/32", "-p", "tcp", "--dport", str(_POD_IDENTITY_PORT)]
    target = f"{identity.host_address}:{identity.pod_identity_port}"
    return [chain, *match, "-j", "DNAT", "--to-destination", target]


def down(identity: CloudIdentity) -> None:
    """Remove the links (their addresses and routes go with them) and the namespace; safe to repeat."""
    if succeeds(["ip", "link", "show", "dev", identity.host_link]):
        run(["ip", "link", "delete", identity.host_link])
    directory = identity.network_namespace.parent
    if not directory.exists():
        return
    with _namespaces_locked(directory):
        if _is_mount_point(identity.network_namespace):
            run(["umount", "--lazy", str(identity.network_namespace)])
        identity.network_namespace.unlink(missing_ok=True)
        # Other clouds and other users of `ip netns` may be at home there.
        with suppress(OSError):
            directory.rmdir()


def is_up(identity: CloudIdentity) -> bool:
    """Whether the namespace and the machine's end of the link are there."""
    present = _is_mount_point(identity.network_namespace)
    return present and succeeds(["ip", "link", "show", "dev", identity.host_link])


def in_node(identity: CloudIdentity, command: Iterable[str]) -> str:
    """Run a tool in the node's network namespace; its output."""
    return run(node_command(identity, command))


def node_command(identity: CloudIdentity, command: Iterable[str]) -> list[str]:
    """The command line that runs a tool in the node's network namespace."""
    return ["nsenter", f"--net={identity.network_namespace}", "--", *command]


def _is_mount_point(path: Path) -> bool:
    return any(line.split()[4] == str(path) for line in Path("/proc/self/mountinfo").read_text().splitlines())
