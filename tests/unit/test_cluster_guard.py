"""A cluster stays while environments are on it, or load balancers that would outlive it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from infra import cluster_guard
from infra.cluster_guard import ClusterGuardProvider, EnvironmentsRemainError, LoadBalancersRemainError

PROPERTIES = {"cluster": "shared", "kubeconfig": "{}"}


def _object(name: str, *finalizers: str) -> Any:
    return SimpleNamespace(
        metadata=SimpleNamespace(namespace="team", name=name, finalizers=list(finalizers) or None)
    )


def _end(
    monkeypatch: pytest.MonkeyPatch, namespaces: list[str], balanced: list[str]
) -> list[tuple[str, ...]]:
    """Whose logs a deletion ended."""
    ended: list[tuple[str, ...]] = []
    monkeypatch.setattr(cluster_guard, "environment_namespaces", lambda _: namespaces)
    monkeypatch.setattr(cluster_guard, "balanced_objects", lambda _: balanced)
    monkeypatch.setattr(cluster_guard, "region_of", lambda _: "eu-west-1")
    monkeypatch.setattr(cluster_guard, "end_logs", lambda *given: ended.append(given))
    ClusterGuardProvider().delete("shared", PROPERTIES)
    return ended


def test_environments_are_named_before_load_balancers(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(EnvironmentsRemainError, match="namespace airflow-a"):
        _end(monkeypatch, ["airflow-a"], ["Ingress team/web"])


def test_a_load_balancer_of_somebody_else_keeps_the_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(LoadBalancersRemainError, match="Ingress team/web") as error:
        _end(monkeypatch, [], ["Ingress team/web"])
    assert "Nothing of the cluster was deleted" in str(error.value)


def test_an_empty_cluster_may_go_without_its_logs(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _end(monkeypatch, [], []) == [("shared", "eu-west-1")]


def test_what_a_controller_holds_has_a_load_balancer() -> None:
    """Finalizers of Auto Mode, of the controller that one installs, and of Kubernetes itself."""
    ingresses = [
        _object("auto", "group.ingress.eks.amazonaws.com/airflow"),
        _object("own", "ingress.k8s.aws/resources"),
        _object("nginx"),
        _object("other", "example.com/backup"),
    ]
    services = [_object("old", "service.kubernetes.io/load-balancer-cleanup"), _object("plain")]
    assert cluster_guard.held("Ingress", ingresses) == ["Ingress team/auto", "Ingress team/own"]
    assert cluster_guard.held("Service", services) == ["Service team/old"]
