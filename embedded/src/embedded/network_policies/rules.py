"""Policies as rules of iptables. Pure.

They stand in the table `mangle`: its chains see packets after Services were resolved and before kube-proxy's
filter lets any pass, and kube-proxy keeps nothing there that has an order. A packet that leaves a pod and one
that reaches a pod are judged apart, each by a chain of that pod; what no rule of its chain lets through is
dropped without an answer, as on EKS. A pod that no policy selects has no chain.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from typing import Final

from embedded.network_policies.selection import Cluster, Json, Pod, matches, peers

ENTRY: Final = "NETWORK-POLICIES"
POD_CHAIN: Final = "NP-"
"""How the chains of pods begin."""

Rule = list[str]
"""Arguments of `iptables -A CHAIN`, without these two."""


@dataclass(frozen=True)
class _Direction:
    """What differs between traffic into a pod and out of it."""

    type: str
    rules: str
    peers: str
    pod_match: str
    peer_match: str


_DIRECTIONS: Final = (
    _Direction("Egress", "egress", "to", "-s", "-d"),
    _Direction("Ingress", "ingress", "from", "-d", "-s"),
)


def chains(cluster: Cluster) -> dict[str, list[Rule]]:
    """Chain -> its rules; ENTRY is the one that packets are sent to."""
    # Answers, and what belongs to a connection that was let through.
    entry: list[Rule] = [["-m", "conntrack", "--ctstate", "RELATED,ESTABLISHED", "-j", "RETURN"]]
    made = {ENTRY: entry}
    for pod in cluster.pods:
        address = f"{pod.address}/32"
        jumps: list[Rule] = []
        for direction in _DIRECTIONS:
            policies = _selecting(cluster, pod, direction)
            if policies:
                chain = _chain_name(pod, direction)
                made[chain] = [*_allowed(cluster, pod, direction, policies), ["-j", "DROP"]]
                jumps.append([direction.pod_match, address, "-j", chain])
        if jumps:
            # A pod always reaches itself, by way of a Service too.
            entry += [["-s", address, "-d", address, "-j", "RETURN"], *jumps]
    return made


def table(made: Mapping[str, Sequence[Rule]], stale: Iterable[str]) -> str:
    """The text by which `iptables-restore --noflush` makes these chains and removes stale ones, at once."""
    lines = ["*mangle", *(f":{chain} - [0:0]" for chain in made)]
    lines += [f"-A {chain} {' '.join(rule)}" for chain, rules in made.items() for rule in rules]
    for chain in stale:
        lines += [f"-F {chain}", f"-X {chain}"]
    return "\n".join([*lines, "COMMIT", ""])


def _selecting(cluster: Cluster, pod: Pod, direction: _Direction) -> list[Json]:
    return [
        policy
        for policy in cluster.policies
        if policy["metadata"]["namespace"] == pod.namespace
        and direction.type in _types(policy["spec"])
        and matches(policy["spec"].get("podSelector") or {}, pod.labels)
    ]


def _types(spec: Json) -> Sequence[str]:
    """Without `policyTypes` a policy is about ingress, and about egress where it has such rules."""
    return spec.get("policyTypes") or ["Ingress", *(["Egress"] if spec.get("egress") else [])]


def _chain_name(pod: Pod, direction: _Direction) -> str:
    """Names of chains have 28 characters at most."""
    digest = hashlib.sha256(f"{pod.namespace}/{pod.name}".encode()).hexdigest()[:16]
    return f"{POD_CHAIN}{direction.type.upper()}-{digest}"


def _allowed(cluster: Cluster, pod: Pod, direction: _Direction, policies: Sequence[Json]) -> Iterator[Rule]:
    for policy in policies:
        namespace = policy["metadata"]["namespace"]
        comment = ["-m", "comment", "--comment", f"{namespace}/{policy['metadata']['name']}"]
        for rule in policy["spec"].get(direction.rules) or []:
            for peer in _peers(cluster, namespace, rule.get(direction.peers)):
                for port in rule.get("ports") or [{"protocol": None}]:
                    for address, match in _ports(cluster, pod, direction, peer, port):
                        yield [direction.peer_match, address, *match, *comment, "-j", "RETURN"]


def _peers(cluster: Cluster, namespace: str, given: Sequence[Json] | None) -> Iterator[str]:
    """Networks of the peers; none given mean everybody."""
    if not given:
        yield "0.0.0.0/0"
    for peer in given or []:
        yield from peers(cluster, namespace, peer)


def _ports(
    cluster: Cluster, pod: Pod, direction: _Direction, peer: str, port: Json
) -> Iterator[tuple[str, list[str]]]:
    """The peer, narrowed to who has a port of that name, and the match of the port.

    A port's name is the name that the receiver has for it, so that it may be another number for each.
    """
    protocol, number = port.get("protocol", "TCP"), port.get("port")
    if not isinstance(number, str):
        yield peer, _match(protocol, number, port.get("endPort", number))
    elif direction.type == "Ingress":
        if (own := pod.ports.get((number, protocol))) is not None:
            yield peer, _match(protocol, own, own)
    else:
        for receiver in cluster.pods:
            own = receiver.ports.get((number, protocol))
            if own is not None and IPv4Address(receiver.address) in IPv4Network(peer):
                yield f"{receiver.address}/32", _match(protocol, own, own)


def _match(protocol: str | None, first: int | None, last: int | None) -> list[str]:
    if protocol is None:
        return []
    match = ["-p", protocol.lower()]
    return match if first is None else [*match, "-m", protocol.lower(), "--dport", f"{first}:{last}"]
