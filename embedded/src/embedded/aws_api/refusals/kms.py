"""KMS: what the state of a key forbids, and key policies that lock everybody out.

The table of states: https://docs.aws.amazon.com/kms/latest/developerguide/key-state.html
"""

import json
from typing import Any

from embedded.aws_api import ACCOUNT_ID
from embedded.aws_api.application import Refusal
from embedded.aws_api.operations import Operation
from embedded.aws_api.refusals.rules import Rules, rules
from embedded.aws_api.resource_arns import resource_arns
from embedded.aws_api.trust import missing_principals

PENDING_DELETION = "PendingDeletion"


def find_key(identifier: str, region: str) -> Any | None:
    """moto's key by id, ARN or alias, or None."""
    from moto.kms.models import kms_backends

    try:
        return kms_backends[ACCOUNT_ID][region].describe_key(identifier)
    except Exception:  # noqa: BLE001 - moto raises several kinds for a key that is not there
        return None


def _keys(operation: Operation) -> list[Any]:
    arns = [arn for arn in resource_arns(operation) if ":key/" in arn]
    return [key for arn in arns if (key := find_key(arn, operation.region)) is not None]


def _enabled(operation: Operation) -> None:
    """Cryptographic operations need an enabled key."""
    _not_pending(operation)
    for key in _keys(operation):
        if not key.enabled:
            raise Refusal("DisabledException", f"{key.arn} is disabled.", 400)


def _not_pending(operation: Operation) -> None:
    for key in _keys(operation):
        if key.key_state == PENDING_DELETION:
            raise Refusal("KMSInvalidStateException", f"{key.arn} is pending deletion.", 400)


def _only_pending(operation: Operation) -> None:
    for key in _keys(operation):
        if key.key_state != PENDING_DELETION:
            raise Refusal("KMSInvalidStateException", f"{key.arn} is not pending deletion.", 400)


def _window(operation: Operation) -> None:
    """https://docs.aws.amazon.com/kms/latest/APIReference/API_ScheduleKeyDeletion.html"""
    days = operation.parameters.get("PendingWindowInDays")
    if days is not None and not 7 <= int(days) <= 30:
        message = (
            f"1 validation error detected: Value '{days}' at 'pendingWindowInDays' failed to "
            "satisfy constraint: "
            "Member must be between 7 and 30"
        )
        raise Refusal("ValidationException", message, 400)


def _policy(operation: Operation) -> None:
    """A key policy names principals that exist, and leaves somebody who can change it.

    https://docs.aws.amazon.com/kms/latest/APIReference/API_PutKeyPolicy.html
    """
    text = operation.text("Policy")
    if not text:
        return
    try:
        document = json.loads(text)
    except ValueError:
        return  # moto says what is wrong with it
    if missing := missing_principals(document):
        message = f"Policy contains a statement with one or more invalid principals: {missing[0]}"
        raise Refusal("MalformedPolicyDocumentException", message, 400)
    if not operation.parameters.get("BypassPolicyLockoutSafetyCheck") and not _can_be_changed(document):
        message = "The new key policy will not allow you to update the key policy in the future."
        raise Refusal("MalformedPolicyDocumentException", message, 400)


def _can_be_changed(document: dict[str, Any]) -> bool:
    statements = document.get("Statement") or []
    for one in [statements] if isinstance(statements, dict) else statements:
        actions = one.get("Action") or []
        listed = [actions] if isinstance(actions, str) else actions
        if one.get("Effect") == "Allow" and {"kms:*", "kms:Put*", "kms:PutKeyPolicy", "*"} & set(listed):
            return True
    return False


_CRYPTOGRAPHY = (
    "Encrypt Decrypt ReEncrypt GenerateDataKey GenerateDataKeyWithoutPlaintext GenerateMac "
    "VerifyMac Sign Verify"
)
_CHANGES = (
    "CreateAlias UpdateAlias CreateGrant EnableKey DisableKey EnableKeyRotation "
    "DisableKeyRotation TagResource "
    "UntagResource UpdateKeyDescription"
)
RULES: Rules = rules(
    "kms",
    {
        _CRYPTOGRAPHY: _enabled,
        _CHANGES: _not_pending,
        "ScheduleKeyDeletion": (_window, _not_pending),
        "CancelKeyDeletion": _only_pending,
        "CreateKey PutKeyPolicy": _policy,
    },
)
