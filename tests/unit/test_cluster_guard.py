"""The end of a cluster: refused while environments are on it, and without logs that come back."""

from __future__ import annotations

import json

import pytest

from infra import cluster_guard
from infra.cluster_ref import kubeconfig

TEXT = json.dumps(
    kubeconfig(name="shared", endpoint="https://x", certificate_authority="Y2E=", region="eu-west-1")
)


@pytest.fixture
def ended(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """The clusters whose logs were turned off, with their regions."""
    calls: list[tuple[str, str]] = []
    monkeypatch.setattr(cluster_guard, "end_logs", lambda *call: calls.append(call))
    return calls


def test_the_logs_of_an_empty_cluster_end_first(
    ended: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster_guard, "environment_namespaces", lambda _: [])
    monkeypatch.setattr(cluster_guard, "balanced_objects", lambda _: [])
    cluster_guard.ClusterGuardProvider().delete("shared", {"cluster": "shared", "kubeconfig": TEXT})
    assert ended == [("shared", "eu-west-1")]


def test_a_cluster_with_environments_is_not_touched(
    ended: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster_guard, "environment_namespaces", lambda _: ["airflow-staging"])
    with pytest.raises(cluster_guard.EnvironmentsRemainError, match="airflow-staging"):
        cluster_guard.ClusterGuardProvider().delete("shared", {"cluster": "shared", "kubeconfig": TEXT})
    assert ended == []
