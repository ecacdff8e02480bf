"""What the contract tests share: how AWS refuses, judged by boto3 and by botocore's own service models.

The contract itself is the marker of each test: `@pytest.mark.contract(service, behaviour, source)`. The page
docs/aws-contract.md is made of these markers (see aws_contract_page.py).
"""

import json
from typing import Any

import pytest
from aws_api_server import ACCOUNT, Account
from botocore.exceptions import ClientError

# Errors that any operation of a service may give, so that its model does not list them.
# https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/CommonErrors.html and its siblings;
# S3 and EC2 list no errors in their models at all.
COMMON_ERRORS = {
    "AccessDenied": 403,
    "AccessDeniedException": 400,
    "InvalidParameterCombination": 400,
    "InvalidParameterValue": 400,
    "ValidationError": 400,
    "ValidationException": 400,
    "NotImplemented": 501,
    # CreateRole tells it of a boundary, as PutRolePermissionsBoundary does.
    "NoSuchEntity": 404,
    "ResourceAlreadyExistsException": 400,
}
UNLISTED = ("s3", "ec2")
DOCS = "https://docs.aws.amazon.com"


def refused(client: Any, method: str, **parameters: Any) -> tuple[str, int]:
    """Code and HTTP status with which a call is refused; both must be ones that the operation can give."""
    with pytest.raises(ClientError) as caught:
        getattr(client, method)(**parameters)
    response = caught.value.response
    code, status = response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]
    check_declared(client, method, code, status)
    return code, status


def check_declared(client: Any, method: str, code: str, status: int) -> None:
    """The error is in the operation's model, with this HTTP status, or common to all operations."""
    model = client.meta.service_model
    if model.service_name in UNLISTED:
        return
    operation = model.operation_model(client.meta.method_to_api_mapping[method])
    for shape in operation.error_shapes:
        error = shape.metadata.get("error", {})
        if code in (shape.name, error.get("code")):
            # Services that speak JSON answer 400 unless their model says otherwise.
            assert status == error.get("httpStatusCode", 400), (code, status, error)
            return
    assert code in COMMON_ERRORS, f"{operation.name} of {model.service_name} knows no error {code}"


def message_of(client: Any, method: str, **parameters: Any) -> str:
    """The text with which a call is refused."""
    with pytest.raises(ClientError) as caught:
        getattr(client, method)(**parameters)
    return str(caught.value.response["Error"]["Message"])


def document(*statements: dict[str, Any]) -> str:
    """A policy document."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(action: Any, resource: Any = "*", **more: Any) -> dict[str, Any]:
    """An Allow statement."""
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def trust(service: str = "", arn: str = "", **more: Any) -> str:
    """A trust policy for a service, or for principals of the account."""
    principal = {"Service": service} if service else {"AWS": arn or f"arn:aws:iam::{ACCOUNT}:root"}
    statement = {"Effect": "Allow", "Principal": principal, "Action": ["sts:AssumeRole", "sts:TagSession"]}
    return document({**statement, **more})


def make_role(account: Account, name: str, policy: str | None = None, **options: Any) -> str:
    """A role; its ARN. By default the account's users may assume it."""
    role = account.client("iam").create_role(
        RoleName=name, AssumeRolePolicyDocument=policy or trust(), **options
    )
    return str(role["Role"]["Arn"])


def make_bucket(account: Account, name: str) -> str:
    """A bucket in the account's region."""
    account.client("s3").create_bucket(
        Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
    )
    return name


def make_key(account: Account, **options: Any) -> str:
    """A KMS key; its ARN."""
    return str(account.client("kms").create_key(**options)["KeyMetadata"]["Arn"])


def session(account: Account, role_arn: str, **options: Any) -> dict[str, str]:
    """Credentials of a session of a role, as `Account.client` takes them."""
    answer = account.client("sts").assume_role(RoleArn=role_arn, RoleSessionName="test", **options)[
        "Credentials"
    ]
    return {
        "aws_access_key_id": answer["AccessKeyId"],
        "aws_secret_access_key": answer["SecretAccessKey"],
        "aws_session_token": answer["SessionToken"],
    }


def can(account: Account, role: str, *statements: dict[str, Any]) -> None:
    """Give a role exactly these statements."""
    account.client("iam").put_role_policy(
        RoleName=role, PolicyName="only", PolicyDocument=document(*statements)
    )
