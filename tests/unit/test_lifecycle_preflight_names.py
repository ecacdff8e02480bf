"""Two stacks of one account and region never claim the same names: the preflight says which do."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra.lifecycle import environments, preflight_names
from infra.lifecycle.report import Outcome, Row

STACK = """config:
  airflow:region: {region}
  airflow:accountId: "123456789012"
  airflow:owner: data-platform
  airflow:cluster: {{stack: organization/airflow-cluster/shared}}
"""


def judged(two_projects: Path, stack: str, more: str = "", **others: str) -> Row:
    for name, text in {stack: STACK.format(region="eu-west-1") + more, **others}.items():
        (two_projects / f"Pulumi.{name}.yaml").write_text(text)
    return preflight_names.row(stack, environments.settings(stack))


ID = "  airflow:deploymentId: kept\n"


def test_names_of_its_own_pass(two_projects: Path) -> None:
    other = STACK.format(region="eu-west-1")
    assert judged(two_projects, "one", ID, two=other, broken="config: 3").outcome is Outcome.PASSED


def test_a_copied_deployment_id_is_found_in_the_same_region_alone(two_projects: Path) -> None:
    elsewhere = STACK.format(region="eu-central-1") + ID
    assert judged(two_projects, "one", ID, two=elsewhere).outcome is Outcome.PASSED
    found = judged(two_projects, "one", ID, two=STACK.format(region="eu-west-1") + ID)
    assert found.outcome is Outcome.FAILED
    assert "Pulumi.two.yaml has the same deployment id, kept" in found.detail


@pytest.mark.parametrize("stack", ["shared", "shared-host"])
def test_the_clusters_names_are_taken(two_projects: Path, stack: str) -> None:
    found = judged(two_projects, stack)
    assert found.outcome is Outcome.FAILED
    assert f"airflow-{stack} is the name of the cluster" in found.detail
