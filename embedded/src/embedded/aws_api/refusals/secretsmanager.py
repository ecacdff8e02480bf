"""Secrets Manager: what a secret in its recovery window refuses."""

from embedded.aws_api import ACCOUNT_ID
from embedded.aws_api.application import Refusal
from embedded.aws_api.operations import Operation
from embedded.aws_api.refusals.rules import Rules, rules


def _secret(operation: Operation, identifier: str) -> object | None:
    from moto.secretsmanager.models import secretsmanager_backends

    found: object | None = secretsmanager_backends[ACCOUNT_ID][operation.region].secrets.get(identifier)
    return found


def _creation(operation: Operation) -> None:
    """https://docs.aws.amazon.com/secretsmanager/latest/userguide/manage_delete-secret.html"""
    secret = _secret(operation, operation.text("Name"))
    if secret is not None and getattr(secret, "deleted_date", None):
        message = (
            "You can't create this secret because a secret with this name is already scheduled for deletion."
        )
        raise Refusal("InvalidRequestException", message, 400)


def _use(operation: Operation) -> None:
    """https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html"""
    secret = _secret(operation, operation.text("SecretId"))
    if secret is not None and getattr(secret, "deleted_date", None):
        message = "You can't perform this operation on the secret because it was marked for deletion."
        raise Refusal("InvalidRequestException", message, 400)


def _window(operation: Operation) -> None:
    """https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_DeleteSecret.html"""
    days, force = (
        operation.parameters.get("RecoveryWindowInDays"),
        operation.parameters.get("ForceDeleteWithoutRecovery"),
    )
    if days is not None and force:
        message = "You can't use ForceDeleteWithoutRecovery in conjunction with RecoveryWindowInDays."
        raise Refusal("InvalidParameterException", message, 400)
    if days is not None and not 7 <= int(days) <= 30:
        message = "The RecoveryWindowInDays value must be between 7 and 30 days (inclusive)."
        raise Refusal("InvalidParameterException", message, 400)


def _deletion(operation: Operation) -> None:
    if not operation.parameters.get("ForceDeleteWithoutRecovery"):
        _use(operation)


_USES = (
    "GetSecretValue PutSecretValue UpdateSecret RotateSecret TagResource UntagResource PutResourcePolicy "
    "DeleteResourcePolicy UpdateSecretVersionStage"
)
RULES: Rules = rules(
    "secretsmanager",
    {"CreateSecret": _creation, _USES: _use, "DeleteSecret": (_window, _deletion)},
)
