"""What a deployment waits for while helm is silent, and why it failed when helm says only that it did."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from embedded.plugins.common.engine_log import StatusLine
from embedded.plugins.common.errors import PluginError
from embedded.plugins.kubernetes.cluster import Cluster
from embedded.plugins.kubernetes.helm.binary import Helm
from embedded.plugins.kubernetes.helm.records import objects
from embedded.plugins.kubernetes.helm.release import Release
from embedded.plugins.kubernetes.kinds import ObjectKind
from embedded.plugins.kubernetes.waiting.observation import Observation
from embedded.plugins.kubernetes.waiting.pods import is_ready, summary, trouble

JsonMap = dict[str, Any]

_POLL_SECONDS = 2.0
_PARALLEL_READS = 8
_EXPLAINED_WORKLOADS = 4
_WATCHED = frozenset(
    {"Deployment", "StatefulSet", "DaemonSet", "Job", "Pod", "PersistentVolumeClaim", "Service"}
)
_RUNNING_WORKLOADS = frozenset({"Deployment", "StatefulSet", "DaemonSet", "Job", "Pod"})


@dataclass(frozen=True)
class Unready:
    """One object of a release that is not ready, and what it waits for."""

    kind: ObjectKind
    item: JsonMap
    reason: str

    @property
    def name(self) -> str:
        """Such as `deployment airflow-scheduler`."""
        return f"{self.kind.kind.lower()} {self.item['metadata']['name']}"


class ReleaseProgress:
    """Watches the objects of one release."""

    def __init__(self, cluster: Cluster, helm: Helm, release: Release) -> None:
        self._cluster = cluster
        self._helm = helm
        self._release = release
        self._wanted: list[tuple[ObjectKind, str, str]] = []
        self._revision = 0

    def follow(self, status: StatusLine, ended: threading.Event) -> None:
        """Show what is waited for until `ended` is set; a cluster that does not answer shows nothing."""
        while not ended.wait(_POLL_SECONDS):
            try:
                text = self._status_text()
            except PluginError:
                continue
            if text and not ended.is_set():
                status.show(text)
        status.show("")

    def _status_text(self) -> str:
        self._refresh_wanted()
        if not self._wanted:
            return ""
        unready = self.unready()
        count = f"[{len(self._wanted) - len(unready)}/{len(self._wanted)}]"
        if not unready:
            return f"{count} waiting for helm to finish"
        # Pods that are in trouble say more than those that merely start.
        first = next((one for one in unready if ": " in one.reason), unready[0])
        others = f" (and {len(unready) - 1} more)" if len(unready) > 1 else ""
        return f"{count} waiting for {first.name}: {first.reason}{others}"

    def _refresh_wanted(self) -> None:
        """Read the manifest from helm's record once; it is written before the first object is made."""
        if self._wanted:
            return
        record = self._helm.status(self._release.name, self._release.namespace)
        for item in objects(str((record or {}).get("manifest") or "")):
            kind = ObjectKind(str(item.get("apiVersion")), str(item["kind"]))
            if kind.kind in _WATCHED:
                metadata = item.get("metadata") or {}
                namespace = metadata.get("namespace") or self._release.namespace
                self._wanted.append((kind, namespace, str(metadata.get("name"))))

    def unready(self) -> list[Unready]:
        """Objects of the release that are not ready, read in parallel."""
        self._refresh_wanted()
        with ThreadPoolExecutor(_PARALLEL_READS) as threads:
            found = list(threads.map(lambda one: self._look(*one), self._wanted))
        return [one for one in found if one is not None]

    def _look(self, kind: ObjectKind, namespace: str, name: str) -> Unready | None:
        observation = Observation(self._cluster.client)
        try:
            item = self._cluster.client.get(self._cluster.discovery.resource(kind).path(namespace, name))
            readiness = observation.readiness(kind, item)
            if readiness.ready:
                return None
            waiting = [pod for pod in observation.pods(kind, item) if not is_ready(pod)]
        except PluginError as error:
            missing = {"metadata": {"name": name, "namespace": namespace}}
            return Unready(kind, missing, f"it cannot be read ({error})")
        worst = next((pod for pod in waiting if trouble(pod)), waiting[0] if waiting else None)
        reason = readiness.failed or readiness.waits_for
        return Unready(kind, item, f"{reason}: {summary(worst)}" if worst else reason)

    def explanation(self) -> str:
        """Unready objects with their conditions, pods, events and logs; empty when nothing can be told."""
        try:
            unready = self.unready()
            # Services wait for the same pods as the workloads behind them.
            unready.sort(key=lambda one: one.kind.kind not in _RUNNING_WORKLOADS)
            shown = unready[:_EXPLAINED_WORKLOADS]
            texts = [self._cluster.readiness.explanation(one.kind, one.item, one.reason) for one in shown]
        except PluginError as error:
            return f"(no more can be told: {error})"
        rest = (
            [f"and {len(unready) - len(shown)} more objects are not ready"]
            if len(unready) > len(shown)
            else []
        )
        return "\n".join([*texts, *rest])
