"""What a living environment can't become is one red row before anything is touched."""

from __future__ import annotations

from typing import Any

import pytest

from infra import config
from infra.lifecycle import preflight_living
from infra.lifecycle.known_cluster import KnownCluster
from infra.lifecycle.report import Outcome

STACK_FILE: dict[str, Any] = {
    "region": "eu-west-1",
    "accountId": "123456789012",
    "owner": "data-platform",
    "durability": "disposable",
    "cluster": {"stack": "organization/airflow-cluster/shared"},
    "database": {"storageGib": 50, "postgresMajor": 15},
}
# As a state keeps them: numbers are fractions, mappings of providers are text.
STATE: list[dict[str, Any]] = [
    {"type": "pulumi:pulumi:Stack", "outputs": {"clusterName": "shared"}},
    {
        "type": "pulumi:providers:aws",
        "inputs": {"region": "eu-west-1", "allowedAccountIds": '["123456789012"]'},
    },
    {"type": "aws:rds/instance:Instance", "inputs": {"allocatedStorage": 50.0, "engineVersion": "15"}},
]


def judge(
    cluster: str | None = "shared", state: Any = STATE, unreadable: str = "", **changed: Any
) -> preflight_living.Row:
    known = KnownCluster(name=cluster, own=not unreadable, unreadable=unreadable)
    return preflight_living.row(config.parse({**STACK_FILE, **changed}), state, known)


def database(**changed: Any) -> dict[str, Any]:
    return {**STACK_FILE["database"], **changed}


def test_what_is_not_deployed_can_become_anything() -> None:
    assert judge(state=[], cluster=None).outcome is Outcome.NOT_APPLICABLE


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"database": database(storageGib=80)},
        {"database": database(postgresMajor=16, applyImmediately=True)},
        {"database": {"tenancy": "shared"}},
        {"owner": "somebody-else", "deploymentId": "other"},
    ],
)
def test_what_aws_does_is_let_through(changed: dict[str, Any]) -> None:
    assert judge(**changed).outcome is Outcome.PASSED


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"database": database(storageGib=49)}, "storageGib: 49: it was made with 50 GiB"),
        ({"database": database(postgresMajor=14)}, "postgresMajor: 14: it runs 15"),
        ({"database": database(postgresMajor=16)}, "takes airflow:database.applyImmediately: true"),
        ({"region": "eu-central-1"}, "region: eu-central-1: it was deployed in eu-west-1"),
        ({"accountId": "210987654321"}, "accountId: 210987654321: it was deployed in"),
        ({"cluster": "other"}, "cluster other: it is on cluster shared"),
        ({"cluster": None}, "cluster of a stack that is not deployed: it is on cluster shared"),
    ],
)
def test_what_aws_refuses_or_loses_is_refused(changed: dict[str, Any], said: str) -> None:
    row = judge(**changed)
    assert row.outcome is Outcome.FAILED
    assert said in row.detail
    assert row.next_step


def test_a_cluster_that_cannot_be_told_is_no_other_cluster() -> None:
    """A stack of another project that may not be read: neither a refusal of every run, nor a promise."""
    row = judge(cluster=None, unreadable="stack acme/platform/live can't be read: 403")
    assert row.outcome is Outcome.NOT_JUDGED
    assert "acme/platform/live can't be read: 403" in row.detail


def test_what_is_wrong_beside_a_cluster_that_cannot_be_told_stays_red() -> None:
    row = judge(cluster=None, unreadable="403", region="eu-central-1")
    assert row.outcome is Outcome.FAILED
    assert "airflow:region" in row.detail
    assert "cluster" not in row.detail


def test_all_of_it_is_told_at_once() -> None:
    row = judge(region="eu-central-1", database=database(storageGib=20, postgresMajor=14))
    assert all(key in row.detail for key in ("airflow:region", "storageGib", "postgresMajor"))


def test_a_restored_instance_names_no_size() -> None:
    restored = {**STATE[2], "inputs": {"engineVersion": "15"}}
    assert judge(state=[*STATE[:2], restored], database=database(storageGib=20)).outcome is Outcome.PASSED


def test_an_instance_that_was_replaced_does_not_count() -> None:
    old = {**STATE[2], "inputs": {"allocatedStorage": 500.0, "engineVersion": "17"}, "delete": True}
    assert judge(state=[*STATE, old]).outcome is Outcome.PASSED
