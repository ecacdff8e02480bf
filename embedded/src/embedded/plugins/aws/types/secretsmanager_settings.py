"""Secrets Manager: who else may use a secret, and when it is rotated; the id of both is the secret's ARN."""

from typing import Any

from embedded.plugins.aws.call import Call
from embedded.plugins.aws.mapping import from_aws
from embedded.plugins.aws.schema import ResourceType, block, document, flag, number, text
from embedded.plugins.common.values import Values


def _put_policy(call: Call) -> str:
    call.client.put_resource_policy(
        SecretId=call.values["secretArn"],
        ResourcePolicy=call.values["policy"],
        BlockPublicPolicy=bool(call.get("blockPublicPolicy")),
    )
    return str(call.values["secretArn"])


def _read_policy(call: Call) -> Values | None:
    policy = call.client.get_resource_policy(SecretId=call.id).get("ResourcePolicy")
    return {"secretArn": call.id, "policy": policy} if policy else None


SECRET_POLICY = ResourceType(
    token="aws:secretsmanager/secretPolicy:SecretPolicy",  # noqa: S106 - a type token
    page="secretsmanager_secret_policy",
    service="secretsmanager",
    properties={
        "secretArn": text(required=True, fixed=True),
        "policy": document(required=True),
        "blockPublicPolicy": flag(aws=None, write_only=True),
    },
    create=_put_policy,
    read=_read_policy,
    update=_put_policy,
    delete=lambda call: call.client.delete_resource_policy(SecretId=call.id),
    gone=("ResourceNotFoundException",),
    import_id="the secret's ARN",
)


def _rotate(call: Call) -> str:
    arguments: dict[str, Any] = call.arguments(["secretId", "rotationLambdaArn", "rotationRules"])
    call.client.rotate_secret(**arguments, RotateImmediately=bool(call.get("rotateImmediately", True)))
    return str(call.client.describe_secret(SecretId=call.values["secretId"])["ARN"])


def _read_rotation(call: Call) -> Values | None:
    found = call.client.describe_secret(SecretId=call.id)
    if found.get("DeletedDate") or not found.get("RotationEnabled"):
        return None
    return {
        **from_aws(call.kind, found),
        "secretId": call.id,
        "rotationLambdaArn": found.get("RotationLambdaARN") or None,
        "rotationEnabled": True,
    }


SECRET_ROTATION = ResourceType(
    token="aws:secretsmanager/secretRotation:SecretRotation",  # noqa: S106 - a type token
    page="secretsmanager_secret_rotation",
    service="secretsmanager",
    properties={
        "secretId": text(required=True, fixed=True),
        "rotationLambdaArn": text(aws="RotationLambdaARN"),
        "rotateImmediately": flag(aws=None, default=True, write_only=True),
        "rotationRules": block(
            {"automaticallyAfterDays": number(), "duration": text(), "scheduleExpression": text()},
            required=True,
        ),
    },
    outputs={"rotationEnabled": None},
    create=_rotate,
    read=_read_rotation,
    update=_rotate,
    delete=lambda call: call.client.cancel_rotate_secret(SecretId=call.id),
    gone=("ResourceNotFoundException",),
    import_id="the secret's ARN",
)

TYPES = (SECRET_POLICY, SECRET_ROTATION)
