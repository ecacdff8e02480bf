"""The deployer's policies: small enough for IAM, and nothing in them reaches beyond the stack's own names."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from infra import deployer_rights, naming
from infra.deployer_rights import State
from infra.deployer_statements import Scope
from infra.lifecycle import rights
from infra.lifecycle.errors import LifecycleError

ACCOUNT, BOUNDARY = "123456789012", "arn:aws:iam::123456789012:policy/" + "b" * 64
# As long as every name may be.
NAMES = naming.Names(environment="e" * 24, account_id=ACCOUNT, region="ap-southeast-1")
SCOPE = Scope(names=NAMES, deployment_id=f"{'e' * 24}-01234567", permissions_boundary=BOUNDARY)
CLUSTER = replace(SCOPE, names=replace(NAMES, environment="c" * 35))
STATE = State(bucket=f"{'s' * 63}/prefix", key=f"alias/{'k' * 60}")
ENVIRONMENT = deployer_rights.environment_policies(SCOPE, cluster="c" * 35, state=STATE, restores=True)
SHARED = deployer_rights.cluster_policies(CLUSTER, host=SCOPE, state=STATE)
EVERY = {**ENVIRONMENT, **SHARED}

# What says of `*` in AWS's service authorization reference: no resource type, or a list of what has no name.
NO_RESOURCE = {
    *("kms:CreateKey", "eks:CreateCluster"),
    *("sns:Unsubscribe", "sns:GetSubscriptionAttributes", "sns:SetSubscriptionAttributes"),
}


def statements(policies: dict[str, Any]) -> list[dict[str, Any]]:
    return [one for policy in policies.values() for one in policy["Statement"]]


def granting(policies: dict[str, Any], action: str) -> list[dict[str, Any]]:
    return [one for one in statements(policies) if action in one["Action"]]


@pytest.mark.parametrize("policy", [*ENVIRONMENT.values(), *SHARED.values()])
def test_a_policy_is_one_that_iam_takes(policy: dict[str, Any]) -> None:
    """6144 characters without white space: AWS's quota of a managed policy. Ids are unique, and plain."""
    assert len("".join(json.dumps(policy).split())) <= 6144
    ids = [one["Sid"] for one in policy["Statement"]]
    assert len(set(ids)) == len(ids)
    assert all(one.isalnum() for one in ids)


def test_a_role_takes_all_policies_of_an_environment_and_a_cluster() -> None:
    """Ten managed policies a role: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html"""
    assert len(ENVIRONMENT) + len(SHARED) <= 10


@pytest.mark.parametrize("statement", statements(ENVIRONMENT) + statements(SHARED))
def test_no_action_has_a_wildcard_and_everywhere_is_for_what_has_no_name(statement: dict[str, Any]) -> None:
    assert not any("*" in action for action in statement["Action"])
    if statement["Resource"] != "*":
        return
    for action in statement["Action"]:
        verb = action.partition(":")[2]
        assert verb.startswith(("Describe", "List")) or action in NO_RESOURCE, action
    assert "Condition" in statement


def test_the_preflight_of_a_brought_cluster_may_look_at_its_network() -> None:
    for action in ("ec2:DescribeSubnets", "ec2:DescribeRouteTables", "eks:DescribeCluster"):
        assert granting(ENVIRONMENT, action), action


@pytest.mark.parametrize("policies", [ENVIRONMENT, SHARED])
def test_roles_are_passed_to_named_services_and_never_without_the_boundary(policies: dict[str, Any]) -> None:
    for one in granting(policies, "iam:PassRole"):
        assert one["Condition"]["StringEquals"].keys() == {"iam:PassedToService"}
        assert all(arn.startswith(f"arn:aws:iam::{ACCOUNT}:role/{arn[31]}") for arn in one["Resource"])
    for action in ("iam:CreateRole", "iam:PutRolePolicy", "iam:AttachRolePolicy"):
        for one in granting(policies, action):
            assert one["Condition"]["StringEquals"] == {"iam:PermissionsBoundary": BOUNDARY}
    assert granting(policies, "iam:DeleteRolePermissionsBoundary") == []
    for one in granting(policies, "iam:CreateServiceLinkedRole"):
        assert one["Condition"]["StringEquals"].keys() == {"iam:AWSServiceName"}


def test_another_environments_things_are_out_of_reach() -> None:
    """What is granted by name holds the environment's; what AWS names itself is told apart by its tag."""
    shared = ("ReadDatabases", "ListAlarms", "MasterSecret", "Cluster", "MakeGroupIn", "Rules", "ReadVpc")
    of_state = ("ListState", "State", "StateKey")
    plain = deployer_rights.environment_policies(SCOPE, cluster="shared", state=STATE)
    for one in statements(plain):
        if one["Sid"] in (*shared, *of_state) or one["Sid"].startswith("FirstUse") or one["Resource"] == "*":
            continue
        resources = one["Resource"] if isinstance(one["Resource"], list) else [one["Resource"]]
        named = all(NAMES.environment in arn or ":og:default:" in arn for arn in resources)
        tagged = any(
            key.startswith(("aws:ResourceTag/", "aws:RequestTag/")) and SCOPE.deployment_id == value
            for block in one.get("Condition", {}).values()
            for key, value in block.items()
        )
        assert named or tagged, one


def test_rights_to_restore_are_given_to_who_restores_alone() -> None:
    plain = deployer_rights.environment_policies(SCOPE, cluster="shared", state=None)
    assert "restore" in ENVIRONMENT
    assert "restore" not in plain


def test_a_file_backend_and_a_passphrase_need_no_rights() -> None:
    assert deployer_rights.state_of("file:///tmp", "awskms://alias/k") is None
    found = deployer_rights.state_of("s3://bucket/a/b?region=eu-west-1", None)
    assert found == State(bucket="bucket/a/b")
    named = deployer_rights.state_of("s3://bucket", f"awskms:///arn:aws:kms:eu-west-1:{ACCOUNT}:key/1?a=b")
    assert named == State(bucket="bucket", key=f"arn:aws:kms:eu-west-1:{ACCOUNT}:key/1")


def test_policies_of_a_stack_are_files_for_the_aws_cli(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PULUMI_BACKEND_URL", "s3://my-state")
    for path in rights.write(rights.of_environment("staging"), tmp_path / "rights"):
        assert json.loads(path.read_text())["Version"] == "2012-10-17"
        assert path.name.startswith("airflow-staging-deployer-")
    assert any("my-state" in path.read_text() for path in (tmp_path / "rights").iterdir())


def test_policies_for_every_stack_of_a_prefix_cover_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PULUMI_BACKEND_URL", raising=False)
    text = json.dumps(rights.of_environment("staging", every="pr-"))
    assert "airflow-pr-*-metadata" in text
    assert "staging" not in text
    with pytest.raises(LifecycleError, match="PR"):
        rights.of_environment("staging", every="PR ")
