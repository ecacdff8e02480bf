"""The end of a cluster: refused while anything is on it, and without logs that come back."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import boto3
import pytest
from botocore.exceptions import ClientError
from kubernetes import client, config

from infra import cluster_guard
from infra.cluster_ref import kubeconfig

TEXT = json.dumps(
    kubeconfig(name="shared", endpoint="https://x", certificate_authority="Y2E=", region="eu-west-1")
)
ENVIRONMENT = {"app.kubernetes.io/part-of": "airflow-environments"}
NAMESPACES, INGRESSES, SERVICES = (
    "/api/v1/namespaces",
    "/apis/networking.k8s.io/v1/ingresses",
    "/api/v1/services",
)


class ApiServer(HTTPServer):
    """Answers lists of what it holds, with the one kind of label selector that is used."""

    held: dict[str, list[dict[str, Any]]]

    def listed(self, address: str) -> bytes:
        """The list at an address."""
        parts = urlsplit(address)
        selector = parse_qs(parts.query).get("labelSelector", [""])[0]
        key, _, value = selector.partition("=")
        found = [
            item
            for item in self.held.get(parts.path, [])
            if not key or item["metadata"].get("labels", {}).get(key) == value
        ]
        return json.dumps({"items": found}).encode()


class Handler(BaseHTTPRequestHandler):
    """GET alone."""

    def do_GET(self) -> None:
        """Answer a list."""
        assert isinstance(self.server, ApiServer)
        body = self.server.listed(self.path)
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def api_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ApiServer]:
    """An API server that the kubeconfig leads to."""
    server = ApiServer(("127.0.0.1", 0), Handler)
    server.held = {NAMESPACES: [{"metadata": {"name": "kube-system"}}]}
    setup = client.Configuration()
    setup.host = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setattr(config, "new_client_from_config_dict", lambda _: client.ApiClient(setup))
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


def answer_of_eks(monkeypatch: pytest.MonkeyPatch, code: str = "") -> None:
    """EKS says that the cluster is there, or refuses, as boto3 tells it."""
    gone = type("ResourceNotFoundException", (ClientError,), {})

    def describe_cluster(name: str) -> dict[str, Any]:
        if code:
            kind = gone if code == gone.__name__ else ClientError
            raise kind({"Error": {"Code": code, "Message": name}}, "DescribeCluster")
        return {"cluster": {"name": name}}

    exceptions = SimpleNamespace(ResourceNotFoundException=gone)
    eks = SimpleNamespace(describe_cluster=describe_cluster, exceptions=exceptions)
    monkeypatch.setattr(boto3, "client", lambda *_, **__: eks)


@pytest.fixture
def ended(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """The clusters whose logs were turned off, with their regions; EKS knows the cluster."""
    answer_of_eks(monkeypatch)
    calls: list[tuple[str, str]] = []
    monkeypatch.setattr(cluster_guard, "end_logs", lambda *call: calls.append(call))
    return calls


def delete() -> None:
    """Delete the guard, as the engine does first of all."""
    cluster_guard.ClusterGuardProvider().delete("shared", {"cluster": "shared", "kubeconfig": TEXT})


def test_the_logs_of_an_empty_cluster_end_first(ended: list[tuple[str, str]], api_server: ApiServer) -> None:
    api_server.held[SERVICES] = [{"metadata": {"name": "kubernetes", "namespace": "default"}, "spec": {}}]
    delete()
    assert ended == [("shared", "eu-west-1")]


def test_a_cluster_with_environments_is_not_touched(
    ended: list[tuple[str, str]], api_server: ApiServer
) -> None:
    api_server.held[NAMESPACES].append({"metadata": {"name": "airflow-staging", "labels": ENVIRONMENT}})
    with pytest.raises(
        cluster_guard.ClusterInUseError, match=r"1 environment\(s\): namespace airflow-staging"
    ):
        delete()
    assert ended == []


@pytest.mark.parametrize(
    ("path", "finalizer", "named"),
    [
        (INGRESSES, "ingress.eks.amazonaws.com/resources", "Ingress shop/front"),
        (SERVICES, "service.eks.amazonaws.com/resources", "Service shop/front"),
        (SERVICES, "service.kubernetes.io/load-balancer-cleanup", "Service shop/front"),
    ],
)
def test_a_cluster_with_load_balancers_is_not_touched(
    ended: list[tuple[str, str]], api_server: ApiServer, path: str, finalizer: str, named: str
) -> None:
    metadata = {"name": "front", "namespace": "shop", "finalizers": [finalizer]}
    api_server.held[path] = [{"metadata": metadata, "spec": {}}]
    with pytest.raises(cluster_guard.ClusterInUseError, match=f"load balancers, of {named}"):
        delete()
    assert ended == []


def test_a_cluster_that_was_deleted_by_hand_does_not_keep_its_stack(
    ended: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its API server can't be asked; here its name is not even a host's."""
    answer_of_eks(monkeypatch, "ResourceNotFoundException")
    delete()
    assert ended == []


def test_a_cluster_of_which_nothing_can_be_told_is_not_touched(
    ended: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    answer_of_eks(monkeypatch, "AccessDeniedException")
    with pytest.raises(ClientError):
        delete()
    assert ended == []
