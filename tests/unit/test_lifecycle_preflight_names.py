"""Two stacks of one account and region never claim the same names: the preflight says which do."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra.lifecycle import checkout, environments, preflight_names
from infra.lifecycle.report import Outcome, Row

STACK = """config:
  airflow:region: {region}
  airflow:accountId: "123456789012"
  airflow:owner: data-platform
  airflow:cluster: {{stack: organization/airflow-cluster/shared}}
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout whose cluster is called airflow-shared."""
    (tmp_path / "Pulumi.yaml").write_bytes((checkout.ROOT / "Pulumi.yaml").read_bytes())
    (tmp_path / "cluster").mkdir()
    for name in ("Pulumi.yaml", "Pulumi.shared.yaml"):
        (tmp_path / "cluster" / name).write_bytes((checkout.ROOT / "cluster" / name).read_bytes())
    monkeypatch.setattr(checkout, "ROOT", tmp_path)
    return tmp_path


def judged(project: Path, stack: str, more: str = "", **others: str) -> Row:
    for name, text in {stack: STACK.format(region="eu-west-1") + more, **others}.items():
        (project / f"Pulumi.{name}.yaml").write_text(text)
    return preflight_names.row(stack, environments.settings(stack))


ID = "  airflow:deploymentId: kept\n"


def test_names_of_its_own_pass(project: Path) -> None:
    other = STACK.format(region="eu-west-1")
    assert judged(project, "one", ID, two=other, broken="config: 3").outcome is Outcome.PASSED


def test_a_copied_deployment_id_is_found_in_the_same_region_alone(project: Path) -> None:
    elsewhere = STACK.format(region="eu-central-1") + ID
    assert judged(project, "one", ID, two=elsewhere).outcome is Outcome.PASSED
    found = judged(project, "one", ID, two=STACK.format(region="eu-west-1") + ID)
    assert found.outcome is Outcome.FAILED
    assert "Pulumi.two.yaml has the same deployment id, kept" in found.detail


@pytest.mark.parametrize("stack", ["shared", "shared-host"])
def test_the_clusters_names_are_taken(project: Path, stack: str) -> None:
    found = judged(project, stack)
    assert found.outcome is Outcome.FAILED
    assert f"airflow-{stack} is the name of the cluster" in found.detail
