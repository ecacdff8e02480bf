"""A persistent environment's planned end, and a new one that takes up where it ended.

The program is the project's own components, on AWS's side alone; boto3 and psycopg judge what is there.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from aws_api_server import Account, postgres_directory, running_account
from cryptography.fernet import Fernet, MultiFernet
from engine_world import REGION, engine_environment, tool_directories
from pulumi import automation

from infra.lifecycle import recovery_set

pytestmark = [
    pytest.mark.engine,
    pytest.mark.skipif(postgres_directory() is None, reason="no Postgres in /usr/lib/postgresql"),
    pytest.mark.skipif(not tool_directories(), reason="no Pulumi engine here: run `make setup`"),
]

ROOT = Path(__file__).resolve().parents[2]
PLAIN_TEXT = b"postgres://warehouse:planted-password@db.example"
PROGRAM = f"""
import json
from pathlib import Path

import pulumi

from infra import config, providers
from infra.cluster_ref import ClusterReference
from infra.components.encryption_key import EncryptionKey
from infra.components.recovery_set import RecoverySet, RecoverySetArgs
from infra.dynamic import KeyRing, RandomKind
from infra.key_ring import RingShape
from infra.stacks import database_plan, environment_plan

environment_plan.CHART_DIRECTORY = Path({str(ROOT / "embedded" / "charts" / "airflow")!r})
given = json.loads(Path(f"{{pulumi.get_stack()}}.json").read_text())
plan = environment_plan.EnvironmentPlan.of(
    config.parse(given["settings"]), project="airflow", stack=pulumi.get_stack())
text = pulumi.Output.from_input
cluster = ClusterReference(
    name=text("shared"), endpoint=text("https://cluster.example"), certificate_authority=text("Y2E="),
    vpc_id=text(given["vpc"]), private_subnet_ids=text(given["subnets"]),
    security_group_id=text(given["group"]), region=plan.settings.region, account_id=plan.settings.account_id)
tags = providers.default_tags(project="airflow", stack=plan.stack, deployment_id=plan.deployment_id,
    owner="platform", tags={{}})
aws = providers.aws_provider("aws", region=plan.settings.region, account_id=plan.settings.account_id,
    tags=tags)
on_aws = pulumi.ResourceOptions(provider=aws)
key = EncryptionKey("encryption", plan.encryption_key(), on_aws)
database = database_plan.metadata_database(plan, cluster, key, on_aws)
ring = KeyRing("fernet-key", RandomKind.FERNET, RingShape(standby=False, previous=0),
    restored=database_plan.restored_fernet_keys(plan, aws))
recovery = RecoverySet("recovery-set", RecoverySetArgs(names=plan.names, key_arn=key.arn,
    recovery_id=database.recovery_id, fernet_keys=ring.history, tags=plan.recovery_tags), on_aws)
alarms = database_plan.alarms(plan, key, database, on_aws)
database_plan.guard(plan, [key, database, ring, recovery, *alarms])
pulumi.export("ring", pulumi.Output.secret(ring.value))
pulumi.export("instance", database.identifier)
pulumi.export("resourceId", database.resource_id)
pulumi.export("key", key.arn)
pulumi.export("deploymentId", plan.deployment_id)
"""

Stack = Callable[..., automation.Stack]


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    with running_account(tmp_path_factory.mktemp("aws")) as account:
        yield account


@pytest.fixture(scope="module")
def stack(account: Account, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Select a stack and write its settings; keywords are keys of the environment's settings."""
    place = tmp_path_factory.mktemp("project")
    directory = place / "project"
    directory.mkdir()
    (directory / "Pulumi.yaml").write_text("name: airflow\nruntime: python\n")
    (directory / "__main__.py").write_text(PROGRAM)
    bundle = {"RDS_CA_BUNDLE": str(account.identity.certificate_authority)}
    environment = {**account.environment, **engine_environment(place), **bundle}
    subnets = account.subnets()
    ec2 = account.client("ec2")
    vpc = ec2.describe_subnets(SubnetIds=subnets[:1])["Subnets"][0]["VpcId"]
    group = ec2.create_security_group(GroupName="pods", Description="pods", VpcId=vpc)["GroupId"]

    def select(name: str, **settings: Any) -> automation.Stack:
        base = {
            "region": REGION,
            "accountId": "123456789012",
            "owner": "platform",
            "cluster": {"name": "shared"},
        }
        given = {"settings": {**base, **settings}, "vpc": vpc, "subnets": subnets, "group": group}
        (directory / f"{name}.json").write_text(json.dumps(given))
        options = automation.LocalWorkspaceOptions(env_vars=environment)
        return automation.create_or_select_stack(name, work_dir=str(directory), opts=options)

    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        yield select


def _there(account: Account) -> dict[str, set[str]]:
    """Everything in the account that an environment can make, by kind."""

    def names(service: str, operation: str, field: str, key: str | None, **options: Any) -> set[str]:
        pages = getattr(account.client(service), operation)(**options)[field]
        return {str(item[key]) if key else str(item) for item in pages}

    kms = account.client("kms")
    metadata = [kms.describe_key(KeyId=found["KeyId"])["KeyMetadata"] for found in kms.list_keys()["Keys"]]
    return {
        "keys": {found["Arn"] for found in metadata if found["KeyManager"] == "CUSTOMER"},
        "aliases": names("kms", "list_aliases", "Aliases", "AliasName"),
        "secrets": names("secretsmanager", "list_secrets", "SecretList", "Name", IncludePlannedDeletion=True),
        "backups": names(
            "rds", "describe_db_instance_automated_backups", "DBInstanceAutomatedBackups", "DbiResourceId"
        ),
        "instances": names("rds", "describe_db_instances", "DBInstances", "DBInstanceIdentifier"),
        "snapshots": names("rds", "describe_db_snapshots", "DBSnapshots", "DBSnapshotIdentifier"),
        "subnet groups": names("rds", "describe_db_subnet_groups", "DBSubnetGroups", "DBSubnetGroupName"),
        "events": names(
            "rds", "describe_event_subscriptions", "EventSubscriptionsList", "CustSubscriptionId"
        ),
        "parameters": names(
            "rds", "describe_db_parameter_groups", "DBParameterGroups", "DBParameterGroupName"
        ),
        "roles": names("iam", "list_roles", "Roles", "RoleName"),
        "logs": names("logs", "describe_log_groups", "logGroups", "logGroupName"),
        "topics": names("sns", "list_topics", "Topics", "TopicArn"),
        "alarms": names("cloudwatch", "describe_alarms", "MetricAlarms", "AlarmName"),
        "dashboards": names("cloudwatch", "list_dashboards", "DashboardEntries", "DashboardName"),
        "groups": names("ec2", "describe_security_groups", "SecurityGroups", "GroupId"),
    }


def _new(before: dict[str, set[str]], after: dict[str, set[str]]) -> dict[str, set[str]]:
    return {kind: after[kind] - before[kind] for kind in after if after[kind] - before[kind]}


def _assert_told(deployment_id: str, key: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    """A deployment id left this key alone, which waits; each way to ask tells AWS's date."""
    goes = key["DeletionDate"].strftime("%Y-%m-%d %H:%M")
    found = recovery_set.find(REGION, deployment_id)
    assert found.kept == ()
    assert [(item.kind, item.name, item.date) for item in found.pending] == [("key", key["KeyId"], goes)]
    capsys.readouterr()
    recovery_set.print_json(found)
    told = json.loads(capsys.readouterr().out)
    assert told["pending"] == [{"kind": "key", "name": key["KeyId"], "date": goes}]
    assert told["restorable"] == []
    recovery_set.print_waiting([key["Arn"]])
    assert f"{key['KeyId']} waits for its deletion until {goes}" in " ".join(capsys.readouterr().out.split())


def test_an_environment_ends_as_planned_and_another_takes_up_its_data(
    stack: Stack, account: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    before = _there(account)
    old = stack("old", database={"multiAz": True})
    old.up()
    outputs = {name: output.value for name, output in old.outputs().items()}
    token = MultiFernet([Fernet(one) for one in outputs["ring"].split(",")]).encrypt(PLAIN_TEXT)
    with account.connect(outputs["instance"]) as connection:
        connection.execute("CREATE TABLE connection (password text)")
        connection.execute("INSERT INTO connection VALUES (%s)", (token.decode(),))

    # The engine alone refuses, and before the first deletion.
    running = _there(account)
    with pytest.raises(automation.CommandError, match="airflow-env down old"):
        old.destroy()
    assert _there(account) == running

    stack("old", retire=True).up()
    old.destroy()
    left = _new(before, _there(account))
    assert set(left) == {"keys", "secrets", "snapshots"}
    (snapshot,), (secret,), (key,) = left["snapshots"], left["secrets"], left["keys"]
    assert key == outputs["key"]
    found = recovery_set.find(REGION, outputs["deploymentId"])
    assert {item.name for item in found.kept} == {snapshot, secret, key.rsplit("/", 1)[1]}
    [described] = account.client("rds").describe_db_snapshots(DBSnapshotIdentifier=snapshot)["DBSnapshots"]
    assert described["KmsKeyId"] == key
    assert {"Key": "recovery-set", "Value": outputs["deploymentId"]} in described["TagList"]

    disposable = {
        "durability": "disposable",
        "database": {"restore": {"snapshot": snapshot, "fernetKeysSecret": secret}, "storageGib": 50},
    }
    new = stack("new", **disposable)
    new.up()
    restored = {name: output.value for name, output in new.outputs().items()}
    with account.connect(restored["instance"]) as connection:
        [[kept]] = connection.execute("SELECT password FROM connection").fetchall()
    ring = MultiFernet([Fernet(one) for one in restored["ring"].split(",")])
    assert ring.decrypt(kept.encode()) == PLAIN_TEXT
    [instance] = account.client("rds").describe_db_instances(DBInstanceIdentifier=restored["instance"])[
        "DBInstances"
    ]
    assert instance["KmsKeyId"] == restored["key"] != key
    assert set(new.up().summary.resource_changes or {}) == {"same"}

    # Where it came from is history: without the parameter neither database nor keys change.
    stack("new", durability="disposable").up()
    after = {name: output.value for name, output in new.outputs().items()}
    assert (after["resourceId"], after["ring"]) == (restored["resourceId"], restored["ring"])
    new.destroy()
    gone = _new(before, _there(account))
    waiting = account.client("kms").describe_key(KeyId=restored["key"])["KeyMetadata"]
    assert waiting["KeyState"] == "PendingDeletion"
    assert gone == {**left, "keys": {key, restored["key"]}}
    _assert_told(restored["deploymentId"], waiting, capsys)

    # What was kept does not stand in the way of the same name.
    again = stack("old")
    again.up()
    assert again.outputs()["key"].value != key
    stack("old", retire=True).up()
    again.destroy()
    assert len(_new(before, _there(account))["snapshots"]) == 2
