"""Versions that must fit: judged beside the cluster that is there, not beside one that the project makes."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra.lifecycle import preflight_versions
from infra.lifecycle.report import Outcome


def _program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, answer: str) -> None:
    program = tmp_path / name
    program.write_text(f"#!/bin/sh\ncat <<'END'\n{answer}\nEND\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")


@pytest.mark.parametrize(
    ("helm", "outcome"),
    [("v3.20.2", Outcome.PASSED), ("v4.1.4", Outcome.PASSED), ("v2.17.0", Outcome.FAILED)],
)
def test_helm_2_is_too_old(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, helm: str, outcome: Outcome
) -> None:
    _program(tmp_path, monkeypatch, "helm", helm)
    assert preflight_versions.helm().outcome is outcome


@pytest.mark.parametrize(
    ("cluster", "kubectl", "outcome"),
    [
        ("1.34", "v1.33.2", "passed"),
        ("1.34", "v1.34.0", "passed"),
        ("1.34", "v1.35.1", "passed"),
        ("1.34", "v1.32.9", "failed"),
        ("1.34", "v1.36.0", "failed"),
        ("1.31", "v1.34.0", "failed"),
        ("1.31", "v1.30.0", "passed"),
        (None, "v1.34.0", "not judged"),
    ],
)
def test_kubectl_is_within_one_minor_of_the_clusters_own_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cluster: str | None, kubectl: str, outcome: str
) -> None:
    _program(tmp_path, monkeypatch, "kubectl", f'{{"clientVersion": {{"gitVersion": "{kubectl}"}}}}')
    row = preflight_versions.kubectl(cluster)
    assert row.outcome.value == outcome
    assert kubectl in row.detail


@pytest.mark.parametrize(
    ("kubernetes", "outcome"),
    [
        # The chart's README wants 1.30 at least; Airflow 3.2.2 names 1.30 to 1.35 as tested.
        ("1.29", "failed"),
        ("1.30", "passed"),
        ("1.35", "passed"),
        # EKS raised it by itself: no reason to stop deployments, and none to call it supported.
        ("1.36", "not judged"),
    ],
)
def test_a_kubernetes_that_is_too_old_is_red_and_one_that_nobody_tried_is_not_judged(
    kubernetes: str, outcome: str
) -> None:
    assert preflight_versions.kubernetes_row(kubernetes).outcome.value == outcome
