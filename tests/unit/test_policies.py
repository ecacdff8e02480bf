"""Policies allow what is needed and nothing else."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pulumi
import pytest

from infra import naming, policies, trust_policies
from infra.components.workload_identity import airflow_statements

ACCOUNT, REGION = "123456789012", "eu-west-1"
BUCKET, KEY = "arn:aws:s3:::logs", f"arn:aws:kms:{REGION}:{ACCOUNT}:key/1"
MASTER = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:rds!db-1"
NAMES = naming.names_of("airflow", "team-a", account_id=ACCOUNT, region=REGION)
OTHER = naming.names_of("airflow", "team-b", account_id=ACCOUNT, region=REGION)


def resolved(build: Callable[[], Any]) -> Any:
    """The document that `build` returns, with its Outputs resolved."""

    async def run() -> Any:
        return await pulumi.Output.json_dumps(build()).future()

    return json.loads(asyncio.get_event_loop().run_until_complete(run()))


@pytest.fixture(scope="module")
def statements() -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = resolved(
        lambda: airflow_statements(
            names=NAMES,
            bucket_arn=BUCKET,
            key_arn=KEY,
            administration_secret_arn=MASTER,
            administration_key_arn=KEY,
            snapshots=True,
        )
    )
    return found


def listed(value: str | list[str]) -> list[str]:
    return value if isinstance(value, list) else [value]


def actions(found: list[dict[str, Any]]) -> set[str]:
    return {action for statement in found for action in listed(statement["Action"])}


def test_each_account_may_do_exactly_this(statements: dict[str, list[dict[str, Any]]]) -> None:
    read = {"s3:ListBucket", "s3:GetObject", "kms:Decrypt"}
    write = read | {"s3:PutObject", "kms:GenerateDataKey"}
    exchange = write | {"s3:DeleteObject"}
    secrets = {"secretsmanager:GetSecretValue", "kms:Decrypt"}
    assert {account: actions(found) for account, found in statements.items()} == {
        "airflow-api-server": read | secrets,
        "airflow-dag-processor": secrets,
        "airflow-triggerer": write | secrets,
        "airflow-worker": exchange | secrets,
        "airflow-database-administration": secrets,
        "airflow-migration": {"rds:CreateDBSnapshot", "rds:DescribeDBSnapshots"},
    }


def test_no_statement_has_a_wildcard_action_or_resource(
    statements: dict[str, list[dict[str, Any]]],
) -> None:
    for found in statements.values():
        for statement in found:
            assert statement["Effect"] == "Allow"
            assert all("*" not in action for action in listed(statement["Action"]))
            assert all(resource.startswith("arn:") for resource in listed(statement["Resource"]))


def test_statements_of_a_policy_have_names_of_their_own(
    statements: dict[str, list[dict[str, Any]]],
) -> None:
    for found in statements.values():
        names = [statement["Sid"] for statement in found]
        assert len(set(names)) == len(names)
        assert all(name.isalnum() for name in names)


def test_only_database_administration_reads_the_master_secret(
    statements: dict[str, list[dict[str, Any]]],
) -> None:
    readers = [
        account
        for account, found in statements.items()
        if any(MASTER in listed(statement["Resource"]) for statement in found)
    ]
    assert readers == ["airflow-database-administration"]


def test_secrets_of_another_environment_are_out_of_reach(
    statements: dict[str, list[dict[str, Any]]],
) -> None:
    base = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:"
    foreign = f"{base}{OTHER.secrets_prefix}/connections/warehouse-AbCdEf"
    own = f"{base}{NAMES.secrets_prefix}/connections/warehouse-AbCdEf"
    resources = [
        resource
        for statement in statements["airflow-worker"]
        if "secretsmanager:GetSecretValue" in listed(statement["Action"])
        for resource in listed(statement["Resource"])
    ]
    assert not any(foreign.startswith(resource.rstrip("*")) for resource in resources)
    assert any(own.startswith(resource.rstrip("*")) for resource in resources)


def test_each_account_has_its_part_of_the_bucket(statements: dict[str, list[dict[str, Any]]]) -> None:
    def parts(account: str) -> set[tuple[str, str]]:
        return {
            (action.removeprefix("s3:"), resource.removeprefix(BUCKET))
            for statement in statements[account]
            for action in listed(statement["Action"])
            for resource in listed(statement["Resource"])
            if action.startswith("s3:")
        }

    logs = {("ListBucket", ""), ("GetObject", "/task-logs/*")}
    assert parts("airflow-api-server") == logs
    assert parts("airflow-triggerer") == logs | {("PutObject", "/task-logs/*"), ("GetObject", "/xcom/*")}
    xcoms = {(action, "/xcom/*") for action in ("GetObject", "PutObject", "DeleteObject")}
    assert parts("airflow-worker") == logs | {("PutObject", "/task-logs/*")} | xcoms


def test_the_key_serves_through_its_service_only(statements: dict[str, list[dict[str, Any]]]) -> None:
    for found in statements.values():
        for statement in found:
            if any(action.startswith("kms:") for action in listed(statement["Action"])):
                service = statement["Condition"]["StringEquals"]["kms:ViaService"]
                assert service in (f"s3.{REGION}.amazonaws.com", f"secretsmanager.{REGION}.amazonaws.com")


def test_pod_identity_trust_is_bound_to_account_and_cluster() -> None:
    cluster = f"arn:aws:eks:{REGION}:{ACCOUNT}:cluster/shared"
    (statement,) = trust_policies.pod_identity_trust(cluster_arn=cluster, account_id=ACCOUNT)["Statement"]
    assert statement["Principal"] == {"Service": "pods.eks.amazonaws.com"}
    assert sorted(statement["Action"]) == ["sts:AssumeRole", "sts:TagSession"]
    assert statement["Condition"] == {
        "StringEquals": {"aws:SourceAccount": ACCOUNT},
        "ArnEquals": {"aws:SourceArn": cluster},
    }


def test_requests_without_tls_are_refused_for_bucket_and_objects() -> None:
    (statement,) = resolved(lambda: policies.tls_only(bucket_arn=BUCKET))["Statement"]
    assert statement["Effect"] == "Deny"
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert statement["Resource"] == [BUCKET, f"{BUCKET}/*"]


def test_no_key_policy_trusts_everybody() -> None:
    policy = policies.key_policy(account_id=ACCOUNT, region=REGION, log_groups=["/aws/rds/x"])
    principals = [json.dumps(statement["Principal"]) for statement in policy["Statement"]]
    assert not any('"*"' in principal for principal in principals)
    assert any(f"arn:aws:iam::{ACCOUNT}:root" in principal for principal in principals)


@pytest.mark.parametrize(
    ("region", "partition"),
    [("eu-west-1", "aws"), ("us-gov-west-1", "aws-us-gov")],
)
def test_partition_of_a_region(region: str, partition: str) -> None:
    assert policies.partition(region) == partition
