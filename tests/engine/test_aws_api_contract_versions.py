"""Versions that AWS changes by itself, seen through the Pulumi engine and the aws plugin."""

from collections.abc import Callable

import pytest
from aws_contract import DOCS
from engine_world import Cloud, Project

pytestmark = pytest.mark.engine

PROGRAM = """
import pulumi
import pulumi_aws as aws

instance = aws.rds.Instance(
    "metadata",
    identifier="metadata",
    engine="postgres",
    engine_version="15",
    instance_class="db.t4g.small",
    allocated_storage=20,
    username="administrator",
    manage_master_user_password=True,
    skip_final_snapshot=True,
)
pulumi.export("actual", instance.engine_version_actual)
"""


@pytest.mark.contract(
    "rds",
    "An engine version given by its major stays without a difference when AWS has upgraded the minor",
    f"{DOCS}/AmazonRDS/latest/UserGuide/USER_UpgradeDBInstance.PostgreSQL.Minor.html",
)
def test_a_minor_upgrade_by_aws_is_no_difference(new_project: Callable[[str], Project], cloud: Cloud) -> None:
    project = new_project(PROGRAM)
    assert project.up()["create"] == 2
    rds = cloud.client("rds")
    upgrade = {"DBInstanceIdentifier": "metadata", "EngineVersion": "15.9", "ApplyImmediately": True}
    rds.modify_db_instance(**upgrade)
    assert "update" not in project.stack.preview().change_summary
    project.refresh()
    after = project.up()
    assert project.outputs()["actual"] == "15.9"
    assert {kind for kind in after if kind != "same"} == set()
    found = rds.describe_db_instances(DBInstanceIdentifier="metadata")["DBInstances"][0]
    assert found["EngineVersion"] == "15.9"
