"""Keeps the node's rules as the cluster's policies say."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from embedded.commands import run
from embedded.errors import EmbeddedError, NotReady
from embedded.load_balancer.records import stand_ins
from embedded.network_policies import rules
from embedded.network_policies.selection import Cluster, pods_of
from embedded.node.watching import ClusterObjects

PODS: Final = "/api/v1/pods"
NAMESPACES: Final = "/api/v1/namespaces"
POLICIES: Final = "/apis/networking.k8s.io/v1/networkpolicies"
# EKS Auto Mode enforces where this says so: https://docs.aws.amazon.com/eks/latest/userguide/auto-net-pol.html
SWITCH: Final = "/api/v1/namespaces/kube-system/configmaps?fieldSelector=metadata.name%3Damazon-vpc-cni"
SWITCH_KEY: Final = "enable-network-policy-controller"

# INPUT is for what pods ask of the node itself. What the node asks of pods (OUTPUT) is never restricted.
HOOKS: Final = ("FORWARD", "INPUT")
_SETTLE_SECONDS = 0.1
_RESYNC_SECONDS = 60.0
_PAUSE_SECONDS = 1.0

_log = logging.getLogger("embedded.network_policies")


def cluster_of(objects: ClusterObjects, load_balancers: Path) -> Cluster:
    """What rules are made from; without policies where EKS would not enforce them.

    Raises:
        NotReady: the API server does not answer, or refuses.
    """
    switch = [one.get("data", {}).get(SWITCH_KEY) for one in objects.items(SWITCH)]
    return Cluster(
        pods=pods_of(objects.items(PODS)),
        namespaces={
            one["metadata"]["name"]: one["metadata"].get("labels") or {} for one in objects.items(NAMESPACES)
        },
        policies=objects.items(POLICIES) if switch == ["true"] else [],
        stand_ins=stand_ins(load_balancers),
    )


def enforce(objects: ClusterObjects, rules_file: Path, load_balancers: Path, stop: threading.Event) -> None:
    """Follow the cluster until `stop` is set. The rules stay; the node's namespace takes them away.

    `load_balancers` is the list that the part of that name keeps.
    """
    changed = threading.Event()
    objects.follow((PODS, NAMESPACES, POLICIES, SWITCH), changed.set)
    threading.Thread(target=_follow_file, args=(load_balancers, changed.set), daemon=True).start()
    while not stop.is_set():
        try:
            apply(cluster_of(objects, load_balancers), rules_file)
        except (NotReady, EmbeddedError) as error:
            _log.warning("%s", error)
            changed.set()
            time.sleep(_PAUSE_SECONDS)
        changed.wait(_RESYNC_SECONDS)
        # What changes comes in bursts: a pod's status alone is written several times.
        time.sleep(_SETTLE_SECONDS)
        changed.clear()


def _follow_file(file: Path, changed: Callable[[], None]) -> None:
    known = None
    while True:
        try:
            found: int | None = file.stat().st_mtime_ns
        except OSError:
            found = None
        if found != known:
            known = found
            changed()
        time.sleep(_PAUSE_SECONDS)


def apply(cluster: Cluster, rules_file: Path) -> None:
    """Bring the node's rules to what the cluster's policies say, in one step.

    Raises:
        EmbeddedError: iptables refuses them.
    """
    made = rules.chains(cluster)
    present = run(["iptables", "--wait", "-t", "mangle", "-S"]).splitlines()
    chains = [line.removeprefix("-N ") for line in present if line.startswith(f"-N {rules.POD_CHAIN}")]
    stale = [chain for chain in chains if chain not in made]
    missing = [hook for hook in HOOKS if f"-A {hook} -j {rules.ENTRY}" not in present]
    text = rules.table(made, stale)
    if not stale and not missing and rules_file.exists() and rules_file.read_text() == text:
        return
    rules_file.write_text(text)
    run(["iptables-restore", "--wait", "--noflush", str(rules_file)])
    for hook in missing:
        run(["iptables", "--wait", "-t", "mangle", "-A", hook, "-j", rules.ENTRY])
    _log.info("%d policies restrict pods by %d chains", len(cluster.policies), len(made) - 1)
