"""Objects around an object: the pods of a workload, endpoints of a service, events, logs."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from embedded.plugins.common.errors import PluginError
from embedded.plugins.common.properties import value_at
from embedded.plugins.kubernetes.api_client import ApiClient
from embedded.plugins.kubernetes.api_errors import ApiError
from embedded.plugins.kubernetes.kinds import ObjectKind
from embedded.plugins.kubernetes.waiting import readiness
from embedded.plugins.kubernetes.waiting.pods import failing_containers
from embedded.plugins.kubernetes.waiting.readiness import RULES, Readiness

JsonMap = dict[str, Any]

LOG_LINES = 20
"""Last lines of a failing container's log that go into an error."""
_EVENTS_SHOWN = 8
_PODS_EXPLAINED = 5
_WORKLOADS = frozenset({"Deployment", "StatefulSet", "DaemonSet", "Job", "ReplicaSet"})


class Observation:
    """Reads the surroundings of objects from one cluster."""

    def __init__(self, client: ApiClient) -> None:
        self._client = client

    def readiness(self, kind: ObjectKind, item: JsonMap) -> Readiness:
        """How far the object is; kinds without a rule are ready."""
        if (kind.group, kind.kind) == ("", "Service"):
            return self._service(item)
        if (kind.group, kind.kind) == ("", "PersistentVolumeClaim"):
            return readiness.persistent_volume_claim(item, self._binds_to_first_consumer(item))
        rule = RULES.get((kind.group, kind.kind))
        return rule(item) if rule else readiness.READY

    def _service(self, item: JsonMap) -> Readiness:
        if readiness.needs_endpoints(item) and not self._has_endpoints(item):
            return Readiness(False, "a ready pod behind its selector")
        return readiness.service_without_endpoints(item)

    def _has_endpoints(self, item: JsonMap) -> bool:
        namespace, name = item["metadata"]["namespace"], item["metadata"]["name"]
        slices = self._client.get(
            f"/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices",
            {"labelSelector": f"kubernetes.io/service-name={name}"},
        )
        endpoints = [end for one in slices.get("items") or [] for end in one.get("endpoints") or []]
        return any((end.get("conditions") or {}).get("ready") is not False for end in endpoints)

    def _binds_to_first_consumer(self, claim: JsonMap) -> bool:
        name = value_at(claim, ("spec", "storageClassName"))
        if not name:
            return False
        try:
            storage_class = self._client.get(f"/apis/storage.k8s.io/v1/storageclasses/{name}")
        except ApiError:
            return False
        return storage_class.get("volumeBindingMode") == "WaitForFirstConsumer"

    def pods(self, kind: ObjectKind, item: JsonMap) -> list[JsonMap]:
        """Pods that belong to the object; empty for kinds that have none."""
        if kind.kind == "Pod":
            return [item]
        if kind.kind not in _WORKLOADS:
            return []
        selector = label_selector(value_at(item, ("spec", "selector")) or {})
        if not selector:
            return []
        return self.pods_in(item["metadata"]["namespace"], selector)

    def pods_in(self, namespace: str, selector: str) -> list[JsonMap]:
        """Pods by label selector, newest first: they show the troubles of the current template."""
        path = f"/api/v1/namespaces/{namespace}/pods"
        found: list[JsonMap] = self._client.get(path, {"labelSelector": selector}).get("items") or []
        return sorted(found, key=_creation_time, reverse=True)

    def events_about(self, namespace: str | None, names: set[str]) -> list[str]:
        """The latest events about the named objects, oldest first: warnings, else the others."""
        path = f"/api/v1/namespaces/{namespace}/events" if namespace else "/api/v1/events"
        events = self._client.get(path).get("items") or []
        about = [event for event in events if value_at(event, ("involvedObject", "name")) in names]
        warnings = [event for event in about if event.get("type") == "Warning"]
        lines = [_event_line(event) for event in sorted(warnings or about, key=_event_time)]
        return list(dict.fromkeys(lines))[-_EVENTS_SHOWN:]

    def log_tail(self, pod: JsonMap, container: str, previous: bool) -> str:
        """Last lines of a container's log; why they cannot be had when the server refuses."""
        metadata = pod["metadata"]
        query = {"container": container, "tailLines": str(LOG_LINES), "previous": str(previous).lower()}
        path = f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}/log"
        try:
            return self._client.text(path, query).rstrip()
        except PluginError as error:
            return f"(no log: {error})"

    def failing_logs(self, pods: list[JsonMap]) -> list[str]:
        """Log tails of what fails in these pods, each under a title; read in parallel."""
        wanted = [(pod, *each) for pod in pods[:_PODS_EXPLAINED] for each in failing_containers(pod)]
        if not wanted:
            return []
        with ThreadPoolExecutor(max_workers=4) as threads:
            tails = list(threads.map(lambda one: self.log_tail(*one), wanted))
        return [
            f"last lines of pod {pod['metadata']['name']}, container {container}:\n{tail}"
            for (pod, container, _), tail in zip(wanted, tails, strict=True)
            if tail
        ]


def label_selector(selector: JsonMap) -> str:
    """A selector object as the text that list requests take."""
    parts = [f"{key}={value}" for key, value in sorted((selector.get("matchLabels") or {}).items())]
    for one in selector.get("matchExpressions") or []:
        key, values = one["key"], ",".join(one.get("values") or [])
        parts.append(
            {
                "In": f"{key} in ({values})",
                "NotIn": f"{key} notin ({values})",
                "Exists": key,
                "DoesNotExist": f"!{key}",
            }[one["operator"]]
        )
    return ",".join(parts)


def _creation_time(item: JsonMap) -> str:
    return str(item["metadata"].get("creationTimestamp"))


def _event_time(event: JsonMap) -> str:
    metadata = event.get("metadata") or {}
    return str(
        event.get("lastTimestamp") or event.get("eventTime") or metadata.get("creationTimestamp") or ""
    )


def _event_line(event: JsonMap) -> str:
    involved = event.get("involvedObject") or {}
    kind = str(involved.get("kind", "")).lower()
    count = event.get("count") or value_at(event, ("series", "count")) or 1
    times = f" ({count} times)" if count > 1 else ""
    return f"{kind} {involved.get('name')}: {event.get('reason')}: {event.get('message', '').strip()}{times}"
