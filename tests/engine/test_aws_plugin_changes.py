"""Drift, change in place, replacement, errors and secrets, as the real engine sees them."""

import json
from collections.abc import Callable

import pytest
from engine_world import Cloud, Project
from pulumi import automation

pytestmark = pytest.mark.engine

PROGRAM = """
import json
import pulumi
import pulumi_aws as aws

bucket = aws.s3.Bucket("logs", bucket={bucket!r}, tags={tags!r})
role = aws.iam.Role("role", name="worker", description={description!r}, assume_role_policy=json.dumps(
    {{"Version": "2012-10-17", "Statement": []}}))
secret = aws.secretsmanager.Secret("key", name="key", description={secret!r}, recovery_window_in_days=0)
aws.secretsmanager.SecretVersion("key", secret_id=secret.id, secret_string="in the program's text")
pulumi.export("description", secret.description)
"""
BASE = {"bucket": "logs-one", "tags": {"part": "logs"}, "description": "one", "secret": "plain"}


def program(**changes: object) -> str:
    return PROGRAM.format(**{**BASE, **changes})


def test_a_change_behind_its_back_is_seen_and_put_right(
    new_project: Callable[[str], Project], cloud: Cloud
) -> None:
    project = new_project(program())
    project.up()
    iam, s3 = cloud.client("iam"), cloud.client("s3")
    iam.update_role(RoleName="worker", Description="changed by hand")
    s3.put_bucket_tagging(Bucket="logs-one", Tagging={"TagSet": [{"Key": "part", "Value": "other"}]})
    assert project.refresh()["update"] == 2
    assert project.up()["update"] == 2
    assert iam.get_role(RoleName="worker")["Role"]["Description"] == "one"
    assert s3.get_bucket_tagging(Bucket="logs-one")["TagSet"] == [{"Key": "part", "Value": "logs"}]

    s3.delete_bucket(Bucket="logs-one")
    assert project.refresh()["delete"] == 1
    assert project.up()["create"] == 1
    assert [item["Name"] for item in s3.list_buckets()["Buckets"]] == ["logs-one"]


def test_a_change_is_made_in_place_or_by_replacement(
    new_project: Callable[[str], Project], cloud: Cloud
) -> None:
    project = new_project(program())
    project.up()
    before = cloud.client("iam").get_role(RoleName="worker")["Role"]["RoleId"]
    project.write(program(description="two", bucket="logs-two"))
    preview = project.stack.preview().change_summary
    done = project.up()
    assert {str(getattr(kind, "value", kind)): count for kind, count in preview.items()} == done
    assert (done["update"], done["replace"]) == (1, 1)
    assert cloud.client("iam").get_role(RoleName="worker")["Role"]["RoleId"] == before
    assert [item["Name"] for item in cloud.client("s3").list_buckets()["Buckets"]] == ["logs-two"]


def test_secrets_are_not_in_the_state(new_project: Callable[[str], Project]) -> None:
    secret = "pulumi.Output.secret('a hidden description')"
    project = new_project(program().replace("description='plain'", f"description={secret}"))
    project.up()
    assert project.outputs()["description"] == "a hidden description"
    assert project.stack.outputs()["description"].secret
    state = project.state_text()
    assert "a hidden description" not in state
    assert "in the program's text" not in json.dumps(state)


def test_an_error_is_aws_own_with_the_resource_and_no_traceback(
    new_project: Callable[[str], Project], cloud: Cloud
) -> None:
    cloud.client("iam").create_role(RoleName="worker", AssumeRolePolicyDocument="{}")
    project = new_project(program())
    with pytest.raises(automation.CommandError) as caught:
        project.up()
    said = str(caught.value)
    assert "creating aws:iam/role:Role 'role': EntityAlreadyExists" in said
    assert "Traceback" not in said
    assert "botocore" not in said


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            "aws.s3.Bucket('b', website={'index_document': 'i'})",
            "aws:s3/bucket:Bucket: property 'website' is not emulated",
        ),
        (
            "aws.sqs.Queue('q')",
            "resource type aws:sqs/queue:Queue is not emulated",
        ),
        (
            "aws.s3.Bucket('b', opts=pulumi.ResourceOptions(provider=aws.Provider('p', region='eu-west-1', "
            "allowed_account_ids=['000000000000'])))",
            "AWS account ID not allowed: 123456789012",
        ),
    ],
)
def test_what_is_refused_is_named_before_anything_is_made(
    new_project: Callable[[str], Project], cloud: Cloud, line: str, expected: str
) -> None:
    project = new_project(f"import pulumi\nimport pulumi_aws as aws\n{line}\n")
    with pytest.raises(automation.CommandError) as caught:
        project.stack.preview()
    assert expected in str(caught.value)
    assert "Traceback" not in str(caught.value)
    assert cloud.client("s3").list_buckets()["Buckets"] == []


def test_an_existing_resource_is_imported_without_a_change(
    new_project: Callable[[str], Project], cloud: Cloud
) -> None:
    cloud.client("s3").create_bucket(
        Bucket="was-there", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
    )
    lines = "import pulumi\nimport pulumi_aws as aws\naws.s3.Bucket('b', bucket='was-there'{})\n"
    project = new_project(lines.format(", opts=pulumi.ResourceOptions(import_='was-there')"))
    assert project.up()["import"] == 1
    project.write(lines.format(""))
    assert set(project.up()) == {"same"}
    project.destroy()
    assert cloud.client("s3").list_buckets()["Buckets"] == []
