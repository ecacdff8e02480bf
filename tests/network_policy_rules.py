"""What network policies let through, after the rules of Kubernetes; it knows nothing of the code under test.

https://kubernetes.io/docs/concepts/services-networking/network-policies/
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Pod:
    labels: dict[str, str]
    namespace: dict[str, str] = field(default_factory=lambda: {"kubernetes.io/metadata.name": "airflow"})
    address: str = "10.9.9.9"


def airflow(component: str) -> Pod:
    return Pod({"tier": "airflow", "component": component, "release": "airflow"})


STRANGER = Pod({"app": "x"}, {"kubernetes.io/metadata.name": "elsewhere"})
SCRAPER = Pod({"app": "prometheus"}, {"kubernetes.io/metadata.name": "monitoring"})


def selects(selector: dict[str, Any] | None, labels: dict[str, str]) -> bool:
    return (selector or {}).get("matchLabels", {}).items() <= labels.items()


def admits(peer: dict[str, Any], source: Pod, namespace: dict[str, str]) -> bool:
    if "ipBlock" in peer:
        return ipaddress.ip_address(source.address) in ipaddress.ip_network(peer["ipBlock"]["cidr"])
    if "namespaceSelector" in peer:
        inside = selects(peer["namespaceSelector"], source.namespace)
    else:
        inside = source.namespace == namespace
    return inside and selects(peer.get("podSelector"), source.labels)


def allowed(specs: list[dict[str, Any]], source: Pod, target: Pod, port: int) -> bool:
    """Whether a connection gets through: no policy selects the target, or a rule of one lets it in."""
    chosen = [spec for spec in specs if selects(spec["podSelector"], target.labels)]
    if not chosen:
        return True
    return any(
        any(entry["port"] == port for entry in rule["ports"])
        and any(admits(peer, source, target.namespace) for peer in rule["from"])
        for spec in chosen
        for rule in spec.get("ingress", [])
    )
