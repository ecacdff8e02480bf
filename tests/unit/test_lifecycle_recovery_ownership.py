"""A resource whose creation was cut off is taken into the state only if it is this stack's by its tag."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from infra.lifecycle import half_made, recovery
from infra.lifecycle.half_made import PendingCreate, Surroundings

OWN = "airflow-one-1234"


class Account:
    """Answers for one role and one instance with tags, as IAM and RDS do."""

    def __init__(self, tags: dict[str, str]) -> None:
        self.tags = [{"Key": key, "Value": value} for key, value in tags.items()]

    def list_role_tags(self, RoleName: str) -> dict[str, Any]:  # noqa: N803 - botocore's
        if RoleName != "there":
            raise ClientError({"Error": {"Code": "NoSuchEntity"}}, "ListRoleTags")
        return {"Tags": self.tags}

    def describe_db_instances(self, **_: str) -> dict[str, Any]:
        return {"DBInstances": [{"DBInstanceArn": "arn"}]}

    def list_tags_for_resource(self, **_: str) -> dict[str, Any]:
        return {"TagList": self.tags}


def found(monkeypatch: pytest.MonkeyPatch, type_: str, inputs: dict[str, str], **tags: str) -> str | None:
    account = Account({key.replace("_", "-"): value for key, value in tags.items()})
    monkeypatch.setattr(half_made, "boto3", SimpleNamespace(client=lambda *_, **__: account))
    pending = PendingCreate("urn:pulumi:one::airflow::type::name", type_, inputs)
    return recovery._found(pending, Surroundings("eu-west-1", OWN, ()))


@pytest.mark.parametrize(
    ("type_", "inputs"),
    [
        ("aws:iam/role:Role", {"name": "there"}),
        ("aws:rds/instance:Instance", {"identifier": "there"}),
    ],
)
def test_a_taken_name_is_left_to_its_owner(
    monkeypatch: pytest.MonkeyPatch, type_: str, inputs: dict[str, str]
) -> None:
    assert found(monkeypatch, type_, inputs, deployment_id=OWN) == "there"
    assert found(monkeypatch, type_, inputs, deployment_id="airflow-two-5678") is None
    assert found(monkeypatch, type_, inputs) is None


def test_what_was_not_made_is_not_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    assert found(monkeypatch, "aws:iam/role:Role", {"name": "absent"}, deployment_id=OWN) is None


def test_settings_of_another_resource_have_no_tags(monkeypatch: pytest.MonkeyPatch) -> None:
    assert found(monkeypatch, "aws:iam/rolePolicy:RolePolicy", {"role": "there", "name": "p"}) == "there:p"
