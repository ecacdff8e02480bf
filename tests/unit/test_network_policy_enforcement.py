"""The node's rules let through what Kubernetes says of policies: two readings of the same pages are compared.

https://kubernetes.io/docs/concepts/services-networking/network-policies/
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Any

import pytest
from embedded.network_policies import rules
from embedded.network_policies.selection import Cluster, Pod, pods_of
from hypothesis import example, given
from hypothesis import strategies as st

Json = dict[str, Any]

NAMESPACES = {"one": {"team": "a"}, "two": {"team": "b"}}
OUTSIDE = "192.168.7.7"
PODS = [
    Pod("one", "api", "10.1.0.1", {"app": "api"}, {("http", "TCP"): 80}),
    Pod("one", "worker", "10.1.0.2", {"app": "worker", "tier": "back"}, {("http", "TCP"): 81}),
    Pod("one", "bare", "10.1.0.3"),
    Pod("two", "api", "10.1.0.4", {"app": "api"}, {("http", "UDP"): 81}),
]
BY_ADDRESS = {pod.address: pod for pod in PODS}


@dataclass(frozen=True)
class Packet:
    """The first one of a connection."""

    source: str
    target: str
    protocol: str
    port: int


PACKETS = [
    Packet(source, target, protocol, port)
    for source in (*BY_ADDRESS, OUTSIDE)
    for target in (*BY_ADDRESS, OUTSIDE)
    for protocol in ("TCP", "UDP")
    for port in (80, 81, 82)
]


def passes(made: dict[str, list[list[str]]], packet: Packet, chain: str = rules.ENTRY) -> bool:
    """What iptables does with a packet."""
    for rule in made[chain]:
        pairs = list(zip(rule[::2], rule[1::2], strict=True))
        if not all(_matches(name, value, packet) for name, value in pairs):
            continue
        target = dict(pairs)["-j"]
        if target == "RETURN":
            return True
        if target == "DROP" or not passes(made, packet, target):
            return False
    return True


def _matches(name: str, value: str, packet: Packet) -> bool:
    if name in ("-s", "-d"):
        address = packet.source if name == "-s" else packet.target
        return ipaddress.ip_address(address) in ipaddress.ip_network(value)
    if name == "-p":
        return packet.protocol.lower() == value
    if name == "--dport":
        first, last = value.split(":")
        return int(first) <= packet.port <= int(last)
    if name == "--ctstate":
        return "NEW" in value.split(",")
    assert name in ("-m", "--comment", "-j"), name
    return True


def allowed(policies: list[Json], packet: Packet) -> bool:
    """What Kubernetes says: both sides must let it through, and who no policy isolates lets through all."""
    source, target = BY_ADDRESS.get(packet.source), BY_ADDRESS.get(packet.target)
    if source is not None and source is target:
        return True
    leaves = _lets(policies, source, "Egress", "egress", "to", packet.target, packet)
    return leaves and _lets(policies, target, "Ingress", "ingress", "from", packet.source, packet)


def _lets(
    policies: list[Json], pod: Pod | None, kind: str, key: str, side: str, other: str, packet: Packet
) -> bool:
    if pod is None:
        return True
    isolating = [
        policy
        for policy in policies
        if policy["metadata"]["namespace"] == pod.namespace
        and _chooses(policy["spec"]["podSelector"], pod.labels)
        and kind in policy["spec"]["policyTypes"]
    ]
    return not isolating or any(
        (not rule.get(side) or any(_means(peer, policy, other) for peer in rule[side]))
        and (not rule.get("ports") or any(_port(port, packet) for port in rule["ports"]))
        for policy in isolating
        for rule in policy["spec"].get(key, [])
    )


def _means(peer: Json, policy: Json, address: str) -> bool:
    if "ipBlock" in peer:
        block = peer["ipBlock"]
        inside = ipaddress.ip_address(address)
        holes = [ipaddress.ip_network(hole) for hole in block.get("except", [])]
        return inside in ipaddress.ip_network(block["cidr"]) and not any(inside in hole for hole in holes)
    pod = BY_ADDRESS.get(address)
    if pod is None:
        return False
    if "namespaceSelector" in peer:
        if not _chooses(peer["namespaceSelector"], NAMESPACES[pod.namespace]):
            return False
    elif pod.namespace != policy["metadata"]["namespace"]:
        return False
    return _chooses(peer.get("podSelector", {}), pod.labels)


def _chooses(selector: Json, labels: Any) -> bool:
    for name, value in selector.get("matchLabels", {}).items():
        if labels.get(name) != value:
            return False
    for one in selector.get("matchExpressions", []):
        present = one["key"] in labels
        among = present and labels[one["key"]] in one.get("values", [])
        verdict = {"In": among, "NotIn": not among, "Exists": present, "DoesNotExist": not present}
        if not verdict[one["operator"]]:
            return False
    return True


def _port(port: Json, packet: Packet) -> bool:
    protocol = port.get("protocol", "TCP")
    number = port.get("port", packet.port)
    if isinstance(number, str):
        receiver = BY_ADDRESS.get(packet.target)
        number = receiver.ports.get((number, protocol)) if receiver else None
    return (
        protocol == packet.protocol
        and number is not None
        and (number <= packet.port <= port.get("endPort", number))
    )


_EXPRESSION = st.builds(
    lambda key, operator: (
        {"key": key, "operator": operator} | ({"values": ["api", "a"]} if operator.endswith("In") else {})
    ),
    st.sampled_from(["app", "tier", "team"]),
    st.sampled_from(["In", "NotIn", "Exists", "DoesNotExist"]),
)
_SELECTOR = st.one_of(
    st.just({}),
    st.sampled_from([{"matchLabels": {"app": "api"}}, {"matchLabels": {"team": "a"}}]),
    st.builds(lambda one: {"matchExpressions": [one]}, _EXPRESSION),
)
_PEER = st.one_of(
    st.fixed_dictionaries({"podSelector": _SELECTOR}),
    st.fixed_dictionaries({"namespaceSelector": _SELECTOR}, optional={"podSelector": _SELECTOR}),
    st.sampled_from(
        [
            {"ipBlock": {"cidr": "10.1.0.0/24", "except": ["10.1.0.2/31", "10.1.0.4/32"]}},
            {"ipBlock": {"cidr": "192.168.0.0/16"}},
            {"ipBlock": {"cidr": "0.0.0.0/0", "except": ["0.0.0.0/0"]}},
        ]
    ),
)
_PORT = st.one_of(
    st.sampled_from([{"port": 80}, {"protocol": "UDP", "port": 81}, {"port": 81, "endPort": 82}]),
    st.sampled_from([{"protocol": "TCP"}, {"port": "http"}, {"protocol": "UDP", "port": "http"}]),
)


def _rules(side: str) -> st.SearchStrategy[list[Json]]:
    rule = st.fixed_dictionaries(
        {}, optional={side: st.lists(_PEER, max_size=2), "ports": st.lists(_PORT, max_size=2)}
    )
    return st.lists(rule, max_size=2)


_SPEC = st.fixed_dictionaries(
    {
        "podSelector": _SELECTOR,
        "policyTypes": st.sampled_from([["Ingress"], ["Egress"], ["Ingress", "Egress"]]),
    },
    optional={"ingress": _rules("from"), "egress": _rules("to")},
)
_POLICY = st.builds(
    lambda namespace, spec: {"metadata": {"namespace": namespace, "name": "policy"}, "spec": spec},
    st.sampled_from(list(NAMESPACES)),
    _SPEC,
)


# The named port of another pod than the peer's, which chance finds too seldom.
_NAMED_PORT = {
    "podSelector": {},
    "policyTypes": ["Egress"],
    "egress": [{"to": [{"podSelector": {"matchLabels": {"app": "api"}}}], "ports": [{"port": "http"}]}],
}


@given(st.lists(_POLICY, max_size=4))
@example([{"metadata": {"namespace": "one", "name": "policy"}, "spec": _NAMED_PORT}])
def test_packets_pass_as_kubernetes_says(policies: list[Json]) -> None:
    made = rules.chains(Cluster(PODS, NAMESPACES, policies))
    wrong = [packet for packet in PACKETS if passes(made, packet) != allowed(policies, packet)]
    assert wrong == []


@pytest.mark.parametrize(
    ("spec", "types"),
    [
        ({}, ["Ingress"]),
        ({"ingress": [{}]}, ["Ingress"]),
        ({"egress": [{"ports": [{"port": 80}]}]}, ["Ingress", "Egress"]),
    ],
)
def test_a_policy_without_types_is_about_what_its_rules_are_about(spec: Json, types: list[str]) -> None:
    def made(policy: Json) -> dict[str, list[list[str]]]:
        metadata = {"namespace": "one", "name": "policy"}
        return rules.chains(Cluster(PODS, NAMESPACES, [{"metadata": metadata, "spec": policy}]))

    spec = {"podSelector": {}, **spec}
    assert made(spec) == made({**spec, "policyTypes": types})


def test_pods_that_ended_or_use_the_nodes_network_are_not_restricted() -> None:
    def manifest(name: str, phase: str = "Running", **spec: Any) -> Json:
        return {
            "metadata": {"namespace": "one", "name": name},
            "spec": {"containers": [{"ports": [{"name": "http", "containerPort": 80}]}], **spec},
            "status": {"podIP": "10.1.0.9", "phase": phase},
        }

    waiting = {**manifest("waiting", "Pending"), "status": {"phase": "Pending"}}
    given = [manifest("runs"), manifest("done", "Succeeded"), manifest("on-node", hostNetwork=True), waiting]
    (pod,) = pods_of(given)
    assert (pod.name, pod.ports) == ("runs", {("http", "TCP"): 80})


def test_chains_of_pods_that_went_are_removed_in_the_same_step() -> None:
    text = rules.table(rules.chains(Cluster([], {}, [])), ["NP-INGRESS-0123456789abcdef"])
    assert text.splitlines()[-3:] == [
        "-F NP-INGRESS-0123456789abcdef",
        "-X NP-INGRESS-0123456789abcdef",
        "COMMIT",
    ]


def test_names_of_chains_fit_the_kernel() -> None:
    policy = {"metadata": {"namespace": "one", "name": "all"}, "spec": {"podSelector": {}}}
    long = Pod("one", "x" * 253, "10.1.0.8")
    made = rules.chains(Cluster([long], NAMESPACES, [policy]))
    assert max(map(len, made)) <= 28
