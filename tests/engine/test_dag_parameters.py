"""Variables and Connections through the real engine: they come, go, come back, and are nowhere in plain."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import planted
import pytest
from engine_world import REGION, Cloud, Project

from infra.lifecycle import parameter_secrets

pytestmark = pytest.mark.engine

PREFIX = "airflow/airflow-probe"
PROGRAM = """
import pulumi
import pulumi_aws as aws
from infra.components.dag_parameters import DagParameters, DagParametersArgs
from infra.naming import Names
from infra.settings import ConnectionSettings, VariableSettings

provider = aws.Provider("aws", region="eu-west-1")
key = aws.kms.Key("key", deletion_window_in_days=7, opts=pulumi.ResourceOptions(provider=provider))
DagParameters("parameters", DagParametersArgs(
    names=Names(environment="airflow-probe", account_id="123456789012", region="eu-west-1"),
    key_arn=key.arn,
    variables={{name: VariableSettings.model_validate(value) for name, value in {variables!r}.items()}},
    connections={{name: ConnectionSettings.model_validate(value) for name, value in {connections!r}.items()}},
    canary=False, protected={protected!r}), pulumi.ResourceOptions(provider=provider))
pulumi.export("key", key.arn)
"""
VARIABLES = {"schema": {"value": "planted-variable"}}
CONNECTIONS = {"warehouse": {"type": "postgres", "password": "planted-password", "port": 5432}}
SECRETS = {text: text for text in ("planted-variable", "planted-old", "planted-password")}


def program(
    variables: dict[str, Any] | None = None,
    connections: dict[str, Any] | None = None,
    *,
    protected: bool = False,
) -> str:
    return PROGRAM.format(variables=variables or {}, connections=connections or {}, protected=protected)


def secrets(cloud: Cloud) -> dict[str, dict[str, Any]]:
    listed = cloud.client("secretsmanager").list_secrets(IncludePlannedDeletion=True)["SecretList"]
    return {secret["Name"]: secret for secret in listed}


def text(cloud: Cloud, name: str) -> str:
    return str(cloud.client("secretsmanager").get_secret_value(SecretId=f"{PREFIX}/{name}")["SecretString"])


def _ids(project: Project) -> set[str]:
    return {str(item.get("id")) for item in project.stack.export_stack().deployment["resources"]}


def test_parameters_come_go_and_come_back(new_project: Callable[[str], Project], cloud: Cloud) -> None:
    existing = cloud.client("secretsmanager").create_secret(Name="team/partner", SecretString="planted-old")
    project = new_project(program({**VARIABLES, "partner": {"secret": existing["ARN"]}}, CONNECTIONS))
    up = project.stack.up()
    found = secrets(cloud)
    names = {f"{PREFIX}/variables/{name}" for name in ("schema", "partner")}
    names.add(f"{PREFIX}/connections/warehouse")
    assert set(found) == names | {"team/partner"}
    assert {found[name]["KmsKeyId"] for name in names} == {project.outputs()["key"]}
    assert text(cloud, "variables/schema") == "planted-variable"
    assert text(cloud, "variables/partner") == "planted-old"
    connection = json.loads(text(cloud, "connections/warehouse"))
    assert connection == {"conn_type": "postgres", "password": "planted-password", "port": 5432}
    # Neither what the engine keeps nor what it prints has a text in plain.
    assert planted.found(SECRETS, {"state": project.state_text(), "up": up.stdout + up.stderr}) == []
    assert project.up().keys() == {"same"}

    project.write(program(VARIABLES))
    assert planted.found(SECRETS, {"preview": project.stack.preview(diff=True).stdout}) == []
    project.up()
    assert set(secrets(cloud)) == {f"{PREFIX}/variables/schema", "team/partner"}

    project.write(program({"schema": {"value": "planted-new"}}, CONNECTIONS))
    project.up()
    assert text(cloud, "connections/warehouse")
    assert text(cloud, "variables/schema") == "planted-new"
    project.destroy()
    assert set(secrets(cloud)) == {"team/partner"}


def test_a_parameter_that_was_deleted_by_hand_comes_back(
    new_project: Callable[[str], Project], cloud: Cloud
) -> None:
    """AWS keeps its name for days; `airflow-env up` brings it back before it deploys."""
    project = new_project(program(VARIABLES))
    project.up()
    name = f"{PREFIX}/variables/schema"
    client = boto3.client("secretsmanager", region_name=REGION)
    client.delete_secret(SecretId=name, RecoveryWindowInDays=30)
    said: list[str] = []
    parameter_secrets.settle(REGION, {name}, lambda: _ids(project), said.append)
    project.up()
    assert text(cloud, "variables/schema") == "planted-variable"
    assert [name in line for line in said] == [True]
    assert project.refresh().keys() == {"same"}


def test_a_removed_parameter_waits_where_it_is_protected_and_can_come_back(
    new_project: Callable[[str], Project], cloud: Cloud
) -> None:
    """A removed one is in no state any more; `airflow-env up` frees its name before it deploys."""
    project = new_project(program(VARIABLES, protected=True))
    project.up()
    name = f"{PREFIX}/variables/schema"
    project.write(program(protected=True))
    before = datetime.now(UTC)
    project.up()
    waits = secrets(cloud)[name]["DeletedDate"] - before
    assert abs(waits - timedelta(days=7)) < timedelta(minutes=5)
    project.write(program({"schema": {"value": "planted-new"}}, protected=True))
    said: list[str] = []
    parameter_secrets.settle(REGION, {name}, lambda: _ids(project), said.append)
    project.up()
    assert text(cloud, "variables/schema") == "planted-new"
    assert [name in line for line in said] == [True]
    # A planned end leaves nothing that holds the name.
    project.write(program({"schema": {"value": "planted-new"}}))
    project.up()
    project.destroy()
    assert name not in secrets(cloud)


def test_what_the_next_deployment_does_not_have_stays_deleted(cloud: Cloud, monkeypatch: Any) -> None:
    for key, value in cloud.environment.items():
        monkeypatch.setenv(key, value)
    client = cloud.client("secretsmanager")
    client.create_secret(Name=f"{PREFIX}/variables/removed", SecretString="x")
    client.delete_secret(SecretId=f"{PREFIX}/variables/removed", RecoveryWindowInDays=7)
    parameter_secrets.settle(REGION, {f"{PREFIX}/variables/kept"}, set, print)
    assert secrets(cloud)[f"{PREFIX}/variables/removed"]["DeletedDate"]
