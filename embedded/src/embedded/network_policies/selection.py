"""Which pods and addresses a policy means. Pure; objects are the API server's JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, collapse_addresses
from typing import Any

Json = Mapping[str, Any]

_ENDED = ("Succeeded", "Failed")


@dataclass(frozen=True)
class Pod:
    """A pod with an address of its own."""

    namespace: str
    name: str
    address: str
    labels: Mapping[str, str] = field(default_factory=dict)
    ports: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """(name, protocol) -> number, of the containers."""


@dataclass(frozen=True)
class Cluster:
    """What rules are made from, at one moment."""

    pods: Sequence[Pod]
    namespaces: Mapping[str, Mapping[str, str]]
    """Name -> labels."""
    policies: Sequence[Json]
    stand_ins: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Address on this machine -> the addresses in the VPC that it stands for."""


def pods_of(manifests: Sequence[Json]) -> list[Pod]:
    """Pods that policies are about: those of the node's own network and those that ended are none."""
    return [
        _pod(manifest)
        for manifest in manifests
        if manifest["status"].get("podIP")
        and manifest["status"].get("phase") not in _ENDED
        and not manifest["spec"].get("hostNetwork")
    ]


def _pod(manifest: Json) -> Pod:
    metadata = manifest["metadata"]
    ports = {
        (port["name"], port.get("protocol", "TCP")): int(port["containerPort"])
        for container in manifest["spec"]["containers"]
        for port in container.get("ports", [])
        if "name" in port
    }
    labels = metadata.get("labels") or {}
    return Pod(metadata["namespace"], metadata["name"], manifest["status"]["podIP"], labels, ports)


def matches(selector: Json, labels: Mapping[str, str]) -> bool:
    """Whether a label selector chooses these labels; the empty one chooses all."""
    wanted: Mapping[str, str] = selector.get("matchLabels") or {}
    expressions: Sequence[Json] = selector.get("matchExpressions") or []
    return wanted.items() <= labels.items() and all(_holds(one, labels) for one in expressions)


def _holds(expression: Json, labels: Mapping[str, str]) -> bool:
    key, values = expression["key"], expression.get("values") or []
    match expression["operator"]:
        case "In":
            return labels.get(key) in values
        case "NotIn":
            return labels.get(key) not in values
        case "Exists":
            return key in labels
        case "DoesNotExist":
            return key not in labels
        case operator:
            raise ValueError(f"{operator!r} is no operator of a label selector")


def peers(cluster: Cluster, namespace: str, peer: Json) -> Iterator[str]:
    """The networks that a peer of a policy in `namespace` means; a pod is one of its address alone."""
    if "ipBlock" in peer:
        yield from map(str, _outside(cluster, _block(peer["ipBlock"])))
        return
    for pod in cluster.pods:
        if "namespaceSelector" in peer:
            inside = matches(peer["namespaceSelector"], cluster.namespaces.get(pod.namespace, {}))
        else:
            inside = pod.namespace == namespace
        if inside and matches(peer.get("podSelector") or {}, pod.labels):
            yield f"{pod.address}/32"


def _block(block: Json) -> list[IPv4Network]:
    """The block without its exceptions; nothing of a block of IPv6, which pods here do not have."""
    if ":" in block["cidr"]:
        return []
    rest = [IPv4Network(block["cidr"], strict=False)]
    for text in block.get("except") or []:
        hole = IPv4Network(text, strict=False)
        rest = [part for network in rest for part in _without(network, hole)]
    return list(collapse_addresses(rest))


def _outside(cluster: Cluster, networks: list[IPv4Network]) -> list[IPv4Network]:
    """The networks, and the addresses of this machine that come instead of one of the VPC's in them.

    What stands for an address of the VPC has nothing but that one: its own address opens no door.
    """
    found = networks
    for own, meant in cluster.stand_ins.items():
        found = [part for network in found for part in _without(network, IPv4Network(own))]
        if any(IPv4Address(address) in network for address in meant for network in networks):
            found.append(IPv4Network(own))
    return found


def _without(network: IPv4Network, hole: IPv4Network) -> list[IPv4Network]:
    if network.subnet_of(hole):
        return []
    return list(network.address_exclude(hole)) if hole.subnet_of(network) else [network]
