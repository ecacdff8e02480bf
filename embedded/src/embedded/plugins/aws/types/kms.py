"""Key Management Service: keys and their aliases."""

from typing import Any, Final

from embedded.plugins.aws.call import Call
from embedded.plugins.aws.mapping import from_aws
from embedded.plugins.aws.schema import ResourceType, Tags, document, flag, names, number, text
from embedded.plugins.common.errors import PluginError
from embedded.plugins.common.values import Values

WAITING_FOR_DELETION: Final = ("PendingDeletion", "PendingReplicaDeletion")
DELETION_WINDOW_DAYS: Final = 30
"""AWS's default. https://docs.aws.amazon.com/kms/latest/APIReference/API_ScheduleKeyDeletion.html"""


def _create_key(call: Call) -> str:
    tags = [{"TagKey": key, "TagValue": value} for key, value in call.tags.items()]
    made = call.client.create_key(**call.arguments(), **({"Tags": tags} if tags else {}))
    key_id = str(made["KeyMetadata"]["KeyId"])
    if call.get("enableKeyRotation"):
        _set_rotation(call, key_id)
    if call.get("isEnabled") is False:
        call.client.disable_key(KeyId=key_id)
    return key_id


def _set_rotation(call: Call, key_id: str) -> None:
    if not call.get("enableKeyRotation"):
        call.client.disable_key_rotation(KeyId=key_id)
        return
    period = call.get("rotationPeriodInDays")
    more = {"RotationPeriodInDays": period} if period else {}
    call.client.enable_key_rotation(KeyId=key_id, **more)


def _read_key(call: Call) -> Values | None:
    metadata = call.client.describe_key(KeyId=call.id)["KeyMetadata"]
    if metadata["KeyState"] in WAITING_FOR_DELETION:
        return None
    rotation = call.client.get_key_rotation_status(KeyId=call.id)
    return {
        **from_aws(call.kind, metadata),
        "policy": call.client.get_key_policy(KeyId=call.id, PolicyName="default")["Policy"],
        "enableKeyRotation": rotation["KeyRotationEnabled"],
        "rotationPeriodInDays": rotation.get("RotationPeriodInDays")
        if rotation["KeyRotationEnabled"]
        else None,
        "isEnabled": metadata["Enabled"],
    }


def _update_key(call: Call) -> None:
    client = call.client
    if "isEnabled" in call.changed and call.get("isEnabled"):
        client.enable_key(KeyId=call.id)
    if "description" in call.changed:
        client.update_key_description(KeyId=call.id, Description=call.get("description", ""))
    if "policy" in call.changed:
        client.put_key_policy(KeyId=call.id, PolicyName="default", Policy=call.values["policy"])
    if call.changed & {"enableKeyRotation", "rotationPeriodInDays"}:
        _set_rotation(call, call.id)
    if "isEnabled" in call.changed and not call.get("isEnabled"):
        client.disable_key(KeyId=call.id)


def _delete_key(call: Call) -> None:
    if call.client.describe_key(KeyId=call.id)["KeyMetadata"]["KeyState"] in WAITING_FOR_DELETION:
        return
    days = call.get("deletionWindowInDays", DELETION_WINDOW_DAYS)
    call.client.schedule_key_deletion(KeyId=call.id, PendingWindowInDays=days)


def _check_key(values: Values) -> list[tuple[str, str]]:
    limits = (("deletionWindowInDays", 7, 30), ("rotationPeriodInDays", 90, 2560))
    return [
        (prop, f"{prop} is {values[prop]}; AWS allows {low} to {high} days")
        for prop, low, high in limits
        if isinstance(values.get(prop), int) and not low <= values[prop] <= high
    ]


def _key_tags(call: Call) -> dict[str, str]:
    pages = call.client.get_paginator("list_resource_tags").paginate(KeyId=call.id)
    return {tag["TagKey"]: tag["TagValue"] for page in pages for tag in page["Tags"]}


def _add_key_tags(call: Call, tags: dict[str, str]) -> None:
    pairs = [{"TagKey": key, "TagValue": value} for key, value in tags.items()]
    call.client.tag_resource(KeyId=call.id, Tags=pairs)


KEY = ResourceType(
    token="aws:kms/key:Key",  # noqa: S106 - a type token
    page="kms_key",
    service="kms",
    properties={
        "description": text(computed=True),
        "keyUsage": text(fixed=True, default="ENCRYPT_DECRYPT"),
        "customerMasterKeySpec": text(aws="KeySpec", fixed=True, default="SYMMETRIC_DEFAULT"),
        "policy": document(computed=True),
        "multiRegion": flag(fixed=True, computed=True),
        "bypassPolicyLockoutSafetyCheck": flag(default=False, write_only=True),
        "deletionWindowInDays": number(aws=None, write_only=True),
        "enableKeyRotation": flag(aws=None, default=False),
        "rotationPeriodInDays": number(aws=None, computed=True),
        "isEnabled": flag(aws=None, default=True),
    },
    outputs={"arn": "Arn", "keyId": "KeyId"},
    create=_create_key,
    read=_read_key,
    update=_update_key,
    delete=_delete_key,
    tags=Tags(
        read=_key_tags,
        add=_add_key_tags,
        remove=lambda call, names: call.client.untag_resource(KeyId=call.id, TagKeys=names),
    ),
    gone=("NotFoundException",),
    validate=_check_key,
)


def _same_key(left: Any, right: Any) -> bool:
    # A key may be named by id or by ARN, which ends in the id.
    return str(left).rsplit("/", 1)[-1] == str(right).rsplit("/", 1)[-1]


def _find_alias(call: Call) -> dict[str, Any] | None:
    pages = call.client.get_paginator("list_aliases").paginate()
    return next((alias for page in pages for alias in page["Aliases"] if alias["AliasName"] == call.id), None)


def _create_alias(call: Call) -> str:
    call.client.create_alias(AliasName=call.values["name"], TargetKeyId=call.values["targetKeyId"])
    return str(call.values["name"])


def _read_alias(call: Call) -> Values | None:
    found = _find_alias(call)
    if found is None or "TargetKeyId" not in found:
        return None
    key = call.client.describe_key(KeyId=found["TargetKeyId"])["KeyMetadata"]
    return {**from_aws(call.kind, found), "targetKeyArn": key["Arn"]}


def _delete_alias(call: Call) -> None:
    if not call.id.startswith("alias/"):
        raise PluginError(f"alias '{call.id}' does not begin with 'alias/'")
    call.client.delete_alias(AliasName=call.id)


def _check_alias(values: Values) -> list[tuple[str, str]]:
    given = values.get("name")
    if isinstance(given, str) and not given.startswith("alias/"):
        return [("name", f"name is '{given}'; AWS wants it to begin with 'alias/'")]
    return []


ALIAS = ResourceType(
    token="aws:kms/alias:Alias",  # noqa: S106 - a type token
    page="kms_alias",
    service="kms",
    properties={
        **names("name", 250, aws="AliasName", form=lambda made: f"alias/{made}"),
        "targetKeyId": text(required=True, equal=_same_key),
    },
    outputs={"arn": "AliasArn", "targetKeyArn": None},
    volatile=("targetKeyArn",),
    create=_create_alias,
    read=_read_alias,
    update=lambda call: call.client.update_alias(AliasName=call.id, TargetKeyId=call.values["targetKeyId"]),
    delete=_delete_alias,
    gone=("NotFoundException",),
    validate=_check_alias,
    import_id="alias/NAME",
)

TYPES = (KEY, ALIAS)
