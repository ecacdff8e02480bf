"""Secrets Manager: secrets and their versions."""

from typing import Any, Final

from embedded.plugins.aws.call import Call, key_value_tags, tags_from_pairs
from embedded.plugins.aws.errors import code_of
from embedded.plugins.aws.mapping import from_aws
from embedded.plugins.aws.operations import creates
from embedded.plugins.aws.schema import ResourceType, Tags, document, flag, names, number, text, text_set
from embedded.plugins.common.errors import PluginError
from embedded.plugins.common.values import Values

RECOVERY_DAYS: Final = 30
"""secretsmanager_secret, `recovery_window_in_days`: 0 (at once) or 7 to 30; default 30."""


def _create_secret(call: Call) -> str:
    return creates("create_secret", "ARN")(call)


def _settled(call: Call) -> None:
    if call.get("policy"):
        call.client.put_resource_policy(SecretId=call.id, ResourcePolicy=call.values["policy"])


def _read_secret(call: Call) -> Values | None:
    found = call.client.describe_secret(SecretId=call.id)
    if found.get("DeletedDate"):
        return None
    policy = call.client.get_resource_policy(SecretId=call.id).get("ResourcePolicy")
    return {
        **from_aws(call.kind, found),
        "policy": policy,
        "tagsAll": tags_from_pairs(found.get("Tags")),
    }


def _update_secret(call: Call) -> None:
    changed = call.changed & {"description", "kmsKeyId"}
    if changed:
        arguments = {"Description": call.get("description", ""), "KmsKeyId": call.get("kmsKeyId")}
        given = {key: value for key, value in arguments.items() if value is not None}
        call.client.update_secret(SecretId=call.id, **given)
    if "policy" in call.changed:
        if call.get("policy"):
            _settled(call)
        else:
            call.client.delete_resource_policy(SecretId=call.id)


def _delete_secret(call: Call) -> None:
    days = call.get("recoveryWindowInDays", RECOVERY_DAYS)
    if call.client.describe_secret(SecretId=call.id).get("DeletedDate") and days != 0:
        return
    how: dict[str, Any] = (
        {"ForceDeleteWithoutRecovery": True} if days == 0 else {"RecoveryWindowInDays": days}
    )
    call.client.delete_secret(SecretId=call.id, **how)


def _check_secret(values: Values) -> list[tuple[str, str]]:
    days = values.get("recoveryWindowInDays")
    if isinstance(days, int) and days != 0 and not 7 <= days <= 30:
        return [("recoveryWindowInDays", f"recoveryWindowInDays is {days}; AWS allows 0 or 7 to 30 days")]
    return []


SECRET = ResourceType(
    token="aws:secretsmanager/secret:Secret",  # noqa: S106 - a type token
    page="secretsmanager_secret",
    service="secretsmanager",
    properties={
        **names("name", 512),
        "description": text(),
        "kmsKeyId": text(),
        "policy": document(aws=None, computed=True),
        "forceOverwriteReplicaSecret": flag(default=False, aws=None, write_only=True),
        "recoveryWindowInDays": number(aws=None, default=RECOVERY_DAYS, write_only=True),
    },
    outputs={"arn": "ARN"},
    create=_create_secret,
    settled=_settled,
    read=_read_secret,
    update=_update_secret,
    delete=_delete_secret,
    tags=Tags(
        read=lambda call: tags_from_pairs(call.client.describe_secret(SecretId=call.id).get("Tags")),
        add=lambda call, tags: call.client.tag_resource(SecretId=call.id, Tags=key_value_tags(tags)),
        remove=lambda call, names: call.client.untag_resource(SecretId=call.id, TagKeys=names),
    ),
    gone=("ResourceNotFoundException",),
    validate=_check_secret,
    import_id="the secret's ARN",
)

CURRENT: Final = "AWSCURRENT"


def _value(call: Call) -> dict[str, Any]:
    for prop, argument in (("secretString", "SecretString"), ("secretStringWo", "SecretString")):
        if call.get(prop) is not None:
            return {argument: call.values[prop]}
    if call.get("secretBinary") is not None:
        import base64

        return {"SecretBinary": base64.b64decode(call.values["secretBinary"])}
    return {"SecretString": ""}


def _put_version(call: Call) -> str:
    stages = call.get("versionStages")
    more = {"VersionStages": stages} if stages else {}
    made = call.client.put_secret_value(SecretId=call.values["secretId"], **_value(call), **more)
    return f"{made['ARN']}|{made['VersionId']}"


def _read_version(call: Call) -> Values | None:
    arn, _, version = call.id.partition("|")
    try:
        found = call.client.get_secret_value(SecretId=arn, VersionId=version)
    except Exception as error:
        # A secret that waits for its deletion has no readable versions.
        if code_of(error) == "InvalidRequestException" and "delet" in str(error):
            return None
        raise
    binary = found.get("SecretBinary")
    values: Values = {
        "secretId": arn,
        "secretArn": arn,
        "arn": arn,
        "versionId": found["VersionId"],
        "versionStages": found.get("VersionStages", []),
        "hasSecretStringWo": call.get("secretStringWoVersion") is not None,
    }
    if binary is not None:
        import base64

        values["secretBinary"] = base64.b64encode(binary).decode()
    elif call.get("secretStringWoVersion") is None:
        values["secretString"] = found.get("SecretString")
    return values


def _update_version(call: Call) -> None:
    if "versionStages" in call.changed:
        raise PluginError("versionStages cannot be changed here; make a new version instead")


def _drop_version(call: Call) -> None:
    """Take the version's stages away; the current one stays until the secret itself goes, as AWS demands."""
    arn, _, version = call.id.partition("|")
    found = call.client.describe_secret(SecretId=arn)
    if found.get("DeletedDate"):
        return
    for stage in found.get("VersionIdsToStages", {}).get(version, []):
        if stage != CURRENT:
            call.client.update_secret_version_stage(
                SecretId=arn, VersionStage=stage, RemoveFromVersionId=version
            )


def _same_secret(left: Any, right: Any) -> bool:
    # A secret may be named by ARN or by name; the ARN ends in the name and six characters.
    short, long = sorted((str(left), str(right)), key=len)
    return short == long or (":secret:" in long and long.split(":secret:")[1][:-7] == short)


SECRET_VERSION = ResourceType(
    token="aws:secretsmanager/secretVersion:SecretVersion",  # noqa: S106 - a type token
    page="secretsmanager_secret_version",
    service="secretsmanager",
    properties={
        "secretId": text(required=True, fixed=True, equal=_same_secret),
        "secretString": text(fixed=True, secret=True),
        "secretBinary": text(fixed=True, secret=True),
        # Only a new secretStringWoVersion says that the text is another one.
        "secretStringWo": text(secret=True, write_only=True, equal=lambda _left, _right: True),
        "secretStringWoVersion": number(fixed=True, write_only=True),
        "versionStages": text_set(computed=True),
    },
    outputs=dict.fromkeys(("arn", "secretArn", "versionId", "hasSecretStringWo")),
    secret_outputs=("secretString", "secretBinary", "secretStringWo"),
    create=_put_version,
    read=_read_version,
    update=_update_version,
    delete=_drop_version,
    gone=("ResourceNotFoundException",),
    import_id="ARN|VERSION_ID",
)

TYPES = (SECRET, SECRET_VERSION)
