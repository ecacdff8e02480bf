"""When an object counts as ready, and what is told of one that is not."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from embedded.plugins.common.errors import PluginError
from embedded.plugins.kubernetes.api_client import ApiClient
from embedded.plugins.kubernetes.discovery import Discovery
from embedded.plugins.kubernetes.kinds import ObjectKind
from embedded.plugins.kubernetes.kubeconfig import Access
from embedded.plugins.kubernetes.waiting import readiness
from embedded.plugins.kubernetes.waiting.observation import Observation, label_selector
from embedded.plugins.kubernetes.waiting.patience import CancelledError, Patience, timeout_seconds
from embedded.plugins.kubernetes.waiting.pods import trouble
from embedded.plugins.kubernetes.waiting.until_gone import DeletionWait
from kubernetes_plugin_api_server import FakeApiServer


def _item(spec: dict[str, Any] | None = None, generation: int = 1, **status: Any) -> dict[str, Any]:
    metadata = {"name": "x", "namespace": "n", "generation": generation}
    return {"metadata": metadata, "spec": spec or {}, "status": status}


def _condition(kind: str, value: str = "True", **more: str) -> dict[str, Any]:
    return {"conditions": [{"type": kind, "status": value, **more}]}


ROLLED_OUT = {"observedGeneration": 1, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 2}
TWO = {"replicas": 2}


@pytest.mark.parametrize(
    ("item", "waits_for"),
    [
        (_item(TWO, **ROLLED_OUT), ""),
        (_item(TWO, **{**ROLLED_OUT, "availableReplicas": 1}), "available (1 of 2)"),
        (_item(TWO, **{**ROLLED_OUT, "updatedReplicas": 1}), "new template (1 of 2)"),
        (_item(TWO, **{**ROLLED_OUT, "replicas": 3}), "old replicas to end (1 left)"),
        (_item(TWO, generation=2, **ROLLED_OUT), "controller"),
        (_item({"replicas": 0}, observedGeneration=1), ""),
    ],
)
def test_a_deployment_is_ready_when_rolled_out(item: dict[str, Any], waits_for: str) -> None:
    found = readiness.deployment(item)
    assert found.ready is (waits_for == "")
    assert waits_for in found.waits_for


def test_a_stopped_roll_out_fails_at_once() -> None:
    status = _condition("Progressing", "False", reason="ProgressDeadlineExceeded", message="too slow")
    assert "too slow" in readiness.deployment(_item(observedGeneration=1, **status)).failed


@pytest.mark.parametrize(
    ("spec", "status", "ready"),
    [
        (TWO, {"readyReplicas": 2, "currentRevision": "a", "updateRevision": "a"}, True),
        (TWO, {"readyReplicas": 1, "currentRevision": "a", "updateRevision": "a"}, False),
        (
            TWO,
            {"readyReplicas": 2, "currentRevision": "a", "updateRevision": "b", "updatedReplicas": 1},
            False,
        ),
        (
            {**TWO, "updateStrategy": {"rollingUpdate": {"partition": 1}}},
            {"readyReplicas": 2, "currentRevision": "a", "updateRevision": "b", "updatedReplicas": 1},
            True,
        ),
        (
            {**TWO, "updateStrategy": {"type": "OnDelete"}},
            {"readyReplicas": 2, "currentRevision": "a", "updateRevision": "b"},
            True,
        ),
    ],
)
def test_a_stateful_set_follows_its_update_strategy(
    spec: dict[str, Any], status: dict[str, Any], ready: bool
) -> None:
    assert readiness.stateful_set(_item(spec, observedGeneration=1, **status)).ready is ready


@pytest.mark.parametrize(("available", "ready"), [(3, True), (2, False)])
def test_a_daemon_set_needs_every_node(available: int, ready: bool) -> None:
    status = {"desiredNumberScheduled": 3, "updatedNumberScheduled": 3, "numberAvailable": available}
    assert readiness.daemon_set(_item(observedGeneration=1, **status)).ready is ready


@pytest.mark.parametrize(
    ("status", "ready", "failed"),
    [
        (_condition("Complete"), True, False),
        (_condition("Failed", reason="DeadlineExceeded"), False, True),
        ({"active": 1, "failed": 1}, False, False),
    ],
)
def test_a_job_is_done_when_it_is_complete(status: dict[str, Any], ready: bool, failed: bool) -> None:
    found = readiness.job(_item(**status))
    assert (found.ready, bool(found.failed)) == (ready, failed)


@pytest.mark.parametrize(
    ("spec", "needs"),
    [
        ({"selector": {"a": "b"}, "clusterIP": "10.0.0.1"}, True),
        ({"selector": {"a": "b"}, "clusterIP": "None"}, False),
        ({"clusterIP": "10.0.0.1"}, False),
        ({"selector": {"a": "b"}, "type": "ExternalName"}, False),
    ],
)
def test_only_services_that_promise_pods_wait_for_them(
    server: FakeApiServer, spec: dict[str, Any], needs: bool
) -> None:
    kind, observation = ObjectKind("v1", "Service"), Observation(_client(server))
    assert observation.readiness(kind, _item(spec)).ready is not needs
    endpoints = "/apis/discovery.k8s.io/v1/namespaces/n/endpointslices"
    ready = {"addresses": ["10.1.1.1"], "conditions": {"ready": True}}
    server.answers["GET", endpoints] = (200, {"items": [{"endpoints": [ready]}]})
    assert observation.readiness(kind, _item(spec)).ready


@pytest.mark.parametrize(("mode", "ready"), [("WaitForFirstConsumer", True), ("Immediate", False)])
def test_a_claim_that_waits_for_its_pod_is_not_waited_for(
    server: FakeApiServer, mode: str, ready: bool
) -> None:
    server.answers["GET", "/apis/storage.k8s.io/v1/storageclasses/fast"] = (200, {"volumeBindingMode": mode})
    claim = _item({"storageClassName": "fast"}, phase="Pending")
    found = Observation(_client(server)).readiness(ObjectKind("v1", "PersistentVolumeClaim"), claim)
    assert found.ready is ready


@pytest.mark.parametrize(
    ("status", "told"),
    [
        ({"phase": "Running"}, None),
        (
            {"containerStatuses": [{"name": "c", "state": {"waiting": {"reason": "ContainerCreating"}}}]},
            None,
        ),
        (
            {
                "containerStatuses": [
                    {"name": "c", "state": {"waiting": {"reason": "ImagePullBackOff", "message": "no image"}}}
                ]
            },
            "pod x: container c: ImagePullBackOff: no image",
        ),
        (
            {
                "initContainerStatuses": [
                    {
                        "name": "wait",
                        "state": {"waiting": {"reason": "CrashLoopBackOff"}},
                        "lastState": {"terminated": {"exitCode": 1, "reason": "Error"}},
                    }
                ]
            },
            "pod x: container wait: CrashLoopBackOff (last run ended with exit code 1 (Error))",
        ),
        (
            _condition("PodScheduled", "False", reason="Unschedulable", message="0/1 nodes are available"),
            "pod x: Unschedulable: 0/1 nodes are available",
        ),
    ],
)
def test_a_pods_trouble_in_one_line(status: dict[str, Any], told: str | None) -> None:
    assert trouble(_item(**status)) == told


def test_selectors_are_written_as_list_requests_take_them() -> None:
    selector = {
        "matchLabels": {"b": "2", "a": "1"},
        "matchExpressions": [
            {"key": "tier", "operator": "In", "values": ["x", "y"]},
            {"key": "old", "operator": "DoesNotExist"},
        ],
    }
    assert label_selector(selector) == "a=1,b=2,tier in (x,y),!old"


def test_a_stuck_namespace_names_what_is_left_in_it(server: FakeApiServer) -> None:
    held = {"metadata": {"name": "kept", "finalizers": ["shop.io/hold"]}}
    server.answers["GET", "/apis"] = (200, {"groups": []})
    for plural in ("configmaps", "secrets", "services", "pods"):
        items = [held] if plural == "configmaps" else []
        server.answers["GET", f"/api/v1/namespaces/shop/{plural}"] = (200, {"items": items})
    client = _client(server)
    contents = DeletionWait(client, Discovery(client)).contents("shop")
    assert contents == "left in it: configmaps/kept (finalizers shop.io/hold)"


@pytest.mark.parametrize(
    ("custom", "annotation", "seconds"), [(0, None, 600), (0, "30", 30), (7.0, "30", 7), (7.0, None, 7)]
)
def test_the_resources_own_time_out_goes_before_its_annotation(
    custom: float, annotation: str | None, seconds: float
) -> None:
    annotations = {"pulumi.com/timeoutSeconds": annotation} if annotation else {}
    assert timeout_seconds(custom, {"metadata": {"annotations": annotations}}) == seconds


def test_a_time_out_that_is_no_number_is_told_with_its_name() -> None:
    with pytest.raises(PluginError, match=r"pulumi.com/timeoutSeconds is 'soon'"):
        timeout_seconds(0, {"metadata": {"annotations": {"pulumi.com/timeoutSeconds": "soon"}}})


def test_cancelling_ends_a_wait() -> None:
    cancelled = threading.Event()
    patience = Patience(3600, cancelled)
    cancelled.set()
    with pytest.raises(CancelledError):
        patience.pause()


def _client(server: FakeApiServer) -> ApiClient:
    return ApiClient(Access(server=server.url, token="t"), sleep=lambda _: None)
