"""Log groups that came back after their deletion go before a deployment; what is somebody's stays."""

from __future__ import annotations

import pytest
from engine_world import REGION, Cloud

from infra import config, naming
from infra.lifecycle import trailing_logs

pytestmark = pytest.mark.engine

GIVEN = {
    "region": REGION,
    "accountId": "123456789012",
    "owner": "x",
    "durability": "disposable",
    "cluster": {"stack": "organization/airflow-cluster/shared"},
}


def test_a_group_that_is_nobodys_makes_way(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    for key, value in cloud.environment.items():
        monkeypatch.setenv(key, value)
    logs = cloud.client("logs")
    names = naming.names_of("airflow", "staging", account_id="123456789012", region=REGION)
    wanted = trailing_logs.expected_names(config.parse(GIVEN), names)
    mine, other = sorted(wanted)
    assert (mine, other) == tuple(
        f"/aws/rds/instance/airflow-staging-metadata/{log}" for log in ("postgresql", "upgrade")
    )
    beside = f"{mine}-of-another"
    for name in (mine, other, beside):
        logs.create_log_group(logGroupName=name)
    said: list[str] = []

    trailing_logs.settle(REGION, wanted, lambda: {other}, said.append)
    assert [group["logGroupName"] for group in logs.describe_log_groups()["logGroups"]] == [beside, other]
    assert [mine in line for line in said] == [True]

    logs.put_retention_policy(logGroupName=other, retentionInDays=30)
    logs.create_log_group(logGroupName=mine, tags={"owner": "somebody"})
    trailing_logs.settle(REGION, wanted, set, said.append)
    assert {group["logGroupName"] for group in logs.describe_log_groups()["logGroups"]} == {
        mine,
        other,
        beside,
    }
    assert len(said) == 1


def test_the_log_of_an_instance_that_lives_stays(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    for key, value in cloud.environment.items():
        monkeypatch.setenv(key, value)
    cloud.client("rds").create_db_instance(
        DBInstanceIdentifier="airflow-one-metadata",
        DBInstanceClass="db.t4g.micro",
        Engine="postgres",
        AllocatedStorage=20,
        MasterUsername="somebody",
        ManageMasterUserPassword=True,
    )
    groups = [f"/aws/rds/instance/airflow-{name}-metadata/postgresql" for name in ("one", "two")]
    for group in groups:
        cloud.client("logs").create_log_group(logGroupName=group)
    trailing_logs.settle(REGION, groups, set, lambda _: None)
    left = cloud.client("logs").describe_log_groups()["logGroups"]
    assert [group["logGroupName"] for group in left] == groups[:1]


def test_a_tenant_has_no_log_group() -> None:
    names = naming.names_of("airflow", "staging", account_id="123456789012", region=REGION)
    shared = config.parse({**GIVEN, "database": {"tenancy": "shared"}})
    assert trailing_logs.expected_names(shared, names) == set()
