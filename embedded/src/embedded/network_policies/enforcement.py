"""Keeps the node's rules as the cluster's policies say.

Watches only tell that something changed; what there is, is listed. So a watch that breaks loses nothing, and
a burst of changes is one new set of rules.
"""

from __future__ import annotations

import http.client
import json
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from embedded.certificates import CertificateFiles
from embedded.commands import run
from embedded.errors import EmbeddedError, NotReady
from embedded.identity import CloudIdentity
from embedded.network_policies import rules
from embedded.network_policies.selection import Cluster, pods_of
from embedded.node.kubernetes_api import ask, client_context

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
_WATCH_SECONDS = 300
_PAUSE_SECONDS = 1.0

_log = logging.getLogger("embedded.network_policies")


@dataclass(frozen=True)
class Source:
    """The API server, as this part's own user."""

    identity: CloudIdentity
    client: CertificateFiles

    def items(self, path: str) -> list[Any]:
        """The objects of a list.

        Raises:
            NotReady: the server does not answer, or refuses.
        """
        answer = ask(self.identity, self.identity.kubernetes_port, path, self.client)
        if answer.status != http.HTTPStatus.OK:
            raise NotReady(f"{path}: {answer.status} {answer.body[:200].decode(errors='replace')}")
        return list(json.loads(answer.body)["items"])

    def cluster(self) -> Cluster:
        """What rules are made from; without policies where EKS would not enforce them."""
        switch = [one.get("data", {}).get(SWITCH_KEY) for one in self.items(SWITCH)]
        return Cluster(
            pods=pods_of(self.items(PODS)),
            namespaces={
                one["metadata"]["name"]: one["metadata"].get("labels") or {} for one in self.items(NAMESPACES)
            },
            policies=self.items(POLICIES) if switch == ["true"] else [],
        )

    def wait_for_change(self, path: str, changed: Callable[[], None]) -> None:
        """Call `changed` for everything that is told of these objects, until the server ends the watch.

        Raises:
            OSError, http.client.HTTPException: the server does not answer, or goes.
        """
        connection = http.client.HTTPSConnection(
            self.identity.node_address,
            self.identity.kubernetes_port,
            timeout=_WATCH_SECONDS + 30,
            context=client_context(self.identity, self.client),
        )
        try:
            separator = "&" if "?" in path else "?"
            connection.request("GET", f"{path}{separator}watch=true&timeoutSeconds={_WATCH_SECONDS}")
            for _ in connection.getresponse():
                changed()
        finally:
            connection.close()


def enforce(source: Source, rules_file: Path, stop: threading.Event) -> None:
    """Follow the cluster until `stop` is set. The rules stay; the node's namespace takes them away."""
    changed = threading.Event()
    for path in (PODS, NAMESPACES, POLICIES, SWITCH):
        threading.Thread(target=_watch, args=(source, path, changed.set), daemon=True).start()
    while not stop.is_set():
        try:
            apply(source.cluster(), rules_file)
        except (NotReady, EmbeddedError) as error:
            _log.warning("%s", error)
            changed.set()
            time.sleep(_PAUSE_SECONDS)
        changed.wait(_RESYNC_SECONDS)
        # What changes comes in bursts: a pod's status alone is written several times.
        time.sleep(_SETTLE_SECONDS)
        changed.clear()


def _watch(source: Source, path: str, changed: Callable[[], None]) -> None:
    while True:
        try:
            source.wait_for_change(path, changed)
        except (OSError, http.client.HTTPException) as error:
            _log.warning("watch of %s: %s", path, error)
            time.sleep(_PAUSE_SECONDS)
        changed()


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
