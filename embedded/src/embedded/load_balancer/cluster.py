"""What the controller reads of the cluster, and the little that it writes there."""

from __future__ import annotations

import datetime as dt
import http
import json
import logging
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from embedded.errors import NotReady
from embedded.load_balancer.rules import TargetGroup
from embedded.node.kubernetes_api import Answer
from embedded.node.watching import ClusterObjects

Json = Mapping[str, Any]

INGRESSES: Final = "/apis/networking.k8s.io/v1/ingresses"
CLASSES: Final = "/apis/networking.k8s.io/v1/ingressclasses"
PARAMETERS: Final = "/apis/eks.amazonaws.com/v1/ingressclassparams"
SERVICES: Final = "/api/v1/services"
ENDPOINTS: Final = "/apis/discovery.k8s.io/v1/endpointslices"
WATCHED: Final = (INGRESSES, CLASSES, PARAMETERS, SERVICES, ENDPOINTS)

_COMPONENT: Final = "eks-auto-mode/ingress"
_MERGE: Final = "application/merge-patch+json"
_SERVICE_LABEL: Final = "kubernetes.io/service-name"

_log = logging.getLogger("embedded.load_balancer")


@dataclass(frozen=True)
class Snapshot:
    """The cluster at one moment, as far as load balancers depend on it."""

    classes: Sequence[Json]
    parameters: Sequence[Json]
    ingresses: Sequence[Json]
    services: Sequence[Json]
    endpoint_slices: Sequence[Json]


def take(objects: ClusterObjects) -> Snapshot:
    """List what there is.

    Raises:
        NotReady: the API server does not answer.
    """
    return Snapshot(
        classes=objects.items(CLASSES),
        parameters=objects.items(PARAMETERS),
        ingresses=objects.items(INGRESSES),
        services=objects.items(SERVICES),
        endpoint_slices=objects.items(ENDPOINTS),
    )


def targets(snapshot: Snapshot, group: TargetGroup) -> tuple[tuple[str, int], ...]:
    """Address and port of every pod that is ready behind the Service's port. Pure."""
    name = _port_name(snapshot, group)
    found = {
        (address, int(port["port"]))
        for one in snapshot.endpoint_slices
        if one["metadata"]["namespace"] == group.namespace
        and (one["metadata"].get("labels") or {}).get(_SERVICE_LABEL) == group.service
        and one.get("addressType") == "IPv4"
        for port in one.get("ports") or []
        if port.get("name", "") == name and port.get("port") is not None
        for endpoint in one.get("endpoints") or []
        # Absent means ready, by the API's own words.
        if (endpoint.get("conditions") or {}).get("ready") is not False
        for address in endpoint.get("addresses") or []
    }
    return tuple(sorted(found))


def _port_name(snapshot: Snapshot, group: TargetGroup) -> str | None:
    """The name by which endpoint slices know the port; the empty one for a port without a name."""
    for service in snapshot.services:
        metadata = service["metadata"]
        if (metadata["namespace"], metadata["name"]) == (group.namespace, group.service):
            for port in service["spec"].get("ports") or []:
                if group.port in (port.get("name"), port["port"]):
                    return str(port.get("name") or "")
    return None


@dataclass(frozen=True)
class ClusterWriter:
    """Finalizers, statuses and events of Ingresses."""

    objects: ClusterObjects

    def hold(self, ingress: Json, finalizer: str) -> None:
        """Keep the Ingress from going before its load balancer does."""
        present = ingress["metadata"].get("finalizers") or []
        if finalizer not in present:
            self._patch(ingress, [*present, finalizer])

    def release(self, ingress: Json, finalizer: str) -> None:
        """Let it go."""
        present = ingress["metadata"].get("finalizers") or []
        if finalizer in present:
            self._patch(ingress, [one for one in present if one != finalizer])

    def _patch(self, ingress: Json, finalizers: list[str]) -> None:
        # With the version that was read: another writer's finalizer must not get lost.
        version = ingress["metadata"]["resourceVersion"]
        content = {"metadata": {"finalizers": finalizers, "resourceVersion": version}}
        self._accepted(self.objects.send("PATCH", _path(ingress), content, _MERGE))

    def publish(self, ingress: Json, hostname: str | None) -> None:
        """Write the load balancer's name into the status; None: there is none."""
        wanted = [{"hostname": hostname}] if hostname else []
        status = (ingress.get("status") or {}).get("loadBalancer") or {}
        if [one.get("hostname") for one in status.get("ingress") or []] == [hostname] * bool(hostname):
            return
        content = {"status": {"loadBalancer": {"ingress": wanted or None}}}
        self._accepted(self.objects.send("PATCH", f"{_path(ingress)}/status", content, _MERGE))

    def tell(self, ingress: Json, kind: str, reason: str, message: str) -> None:
        """Write an event of the Ingress; `kind` is Normal or Warning."""
        metadata = ingress["metadata"]
        now = dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        event = {
            "metadata": {
                "name": f"{metadata['name']}.{secrets.token_hex(8)}",
                "namespace": metadata["namespace"],
            },
            "involvedObject": {
                "apiVersion": "networking.k8s.io/v1",
                "kind": "Ingress",
                "name": metadata["name"],
                "namespace": metadata["namespace"],
                "uid": metadata["uid"],
            },
            "type": kind,
            "reason": reason,
            "message": message[:1024],
            "source": {"component": _COMPONENT},
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
        }
        path = f"/api/v1/namespaces/{metadata['namespace']}/events"
        answer = self.objects.send("POST", path, event)
        if answer.status >= http.HTTPStatus.BAD_REQUEST:
            _log.warning("event of %s: %s", metadata["name"], answer.body[:200].decode(errors="replace"))

    def _accepted(self, answer: Answer) -> None:
        """An Ingress that changed or went meanwhile is looked at again.

        Raises:
            NotReady: the server refuses.
        """
        if answer.status >= http.HTTPStatus.BAD_REQUEST and answer.status != http.HTTPStatus.NOT_FOUND:
            reason = json.loads(answer.body).get("message", "") if answer.body.startswith(b"{") else ""
            raise NotReady(f"the API server answers {answer.status}: {reason}")


def _path(ingress: Json) -> str:
    metadata = ingress["metadata"]
    return f"/apis/networking.k8s.io/v1/namespaces/{metadata['namespace']}/ingresses/{metadata['name']}"
