"""`recover` looks at helm's release on whichever cluster the environment is, and says where it could not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from infra import config
from infra.lifecycle import recovery
from infra.lifecycle.cluster_access import ClusterAccess
from infra.lifecycle.known_cluster import KnownCluster

CHOSEN = config.parse(
    {
        "region": "eu-west-1",
        "accountId": "123456789012",
        "owner": "data-platform",
        "durability": "disposable",
        "cluster": {"stack": "acme/platform/live"},
    }
)


@pytest.fixture
def looked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Clusters whose releases were settled."""
    found: list[str] = []

    @contextmanager
    def access(cluster: str, _region: str, namespace: str) -> Iterator[ClusterAccess]:
        found.append(cluster)
        yield ClusterAccess(tmp_path / "kubeconfig", namespace)

    monkeypatch.setattr(recovery, "cluster_access", access)
    settled = "release airflow: half made, uninstalled"
    monkeypatch.setattr(recovery.half_made_release, "settle", lambda _access, known: settled)
    return found


def _settle(monkeypatch: pytest.MonkeyPatch, cluster: KnownCluster) -> None:
    monkeypatch.setattr(recovery.known_cluster, "find", lambda _chosen: cluster)
    recovery._settle_release("team-a", CHOSEN, known=True)


def test_a_release_on_another_projects_cluster_is_settled(
    looked: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _settle(monkeypatch, KnownCluster(name="platform", own=False))
    assert looked == ["platform"]
    assert "half made, uninstalled" in capsys.readouterr().out


def test_a_release_that_nobody_can_look_at_is_told(
    looked: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    why = "stack acme/platform/live can't be read: 403"
    _settle(monkeypatch, KnownCluster(name=None, own=False, unreadable=why))
    assert looked == []
    assert f"not looked at: {why}" in capsys.readouterr().out
