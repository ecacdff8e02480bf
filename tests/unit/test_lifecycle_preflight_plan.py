"""The preflight sees what the program would refuse, all of it at once and before a cluster is made."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra.lifecycle import chart_source, environments, preflight_plan
from infra.lifecycle.report import Outcome

STACK = """config:
  airflow:region: eu-west-1
  airflow:accountId: "123456789012"
  airflow:owner: data-platform
  airflow:cluster: {stack: organization/airflow-cluster/shared}
"""
BUNDLE = "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"


@pytest.fixture
def project(two_projects: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout with a chart that takes everything, and a bundle."""
    (two_projects / "rds-ca-bundle.pem").write_text(BUNDLE)
    chart = two_projects / chart_source.PLACE
    chart.mkdir(parents=True)
    (chart / "values.schema.json").write_text("{}")
    monkeypatch.delenv("RDS_CA_BUNDLE", raising=False)
    return two_projects


def outcomes(project: Path, more: str = "") -> dict[str, tuple[Outcome, str]]:
    (project / "Pulumi.one.yaml").write_text(STACK + more)
    rows = preflight_plan.rows("one", environments.settings("one"))
    return {row.name: (row.outcome, row.detail) for row in rows}


def test_a_right_stack_passes_in_all_rows(project: Path) -> None:
    found = outcomes(project)
    assert tuple(found) == preflight_plan.NAMES
    assert {outcome for outcome, _ in found.values()} == {Outcome.PASSED}


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("nat: single", "nat: one", "airflow-cluster:nat"),
        ("region: eu-west-1", "region: eu-central-1", "cluster: account 123456789012, eu-central-1"),
        ("nat: single", "nat: single\n  airflow:owner: x", "its keys belong in Pulumi.STACK.yaml"),
        ("nat: single", "nat: single\n  airflow-cluster:nat: single", "stands twice"),
    ],
)
def test_the_clusters_file_is_judged_before_it_is_made(project: Path, old: str, new: str, said: str) -> None:
    file = project / "cluster" / "Pulumi.shared.yaml"
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))
    outcome, detail = outcomes(project)["cluster file"]
    assert outcome is Outcome.FAILED
    assert said in detail


def test_all_that_is_wrong_is_red_at_once(project: Path) -> None:
    (project / "rds-ca-bundle.pem").unlink()
    (project / chart_source.PLACE / "values.schema.json").write_text('{"required": ["nothing"]}')
    found = outcomes(project, "  airflow:pgbouncer: {replicas: 10, poolSize: 500}\n")
    assert found["airflow.cfg"][0] is Outcome.PASSED
    assert [name for name, (outcome, _) in found.items() if outcome is Outcome.FAILED] == [
        "chart values",
        "connections",
        "certificate authorities",
    ]
    assert "'nothing' is a required property" in found["chart values"][1]
    assert "airflow:pgbouncer.poolSize" in found["connections"][1]
    assert "curl --fail --output" in found["certificate authorities"][1]
