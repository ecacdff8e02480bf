"""CloudWatch Logs: log groups."""

from typing import Any, Final

from embedded.plugins.aws.call import Call
from embedded.plugins.aws.mapping import from_aws
from embedded.plugins.aws.operations import mapped_tags, with_mapped_tags
from embedded.plugins.aws.schema import ResourceType, flag, names, number, text
from embedded.plugins.common.values import Values

# https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html
# 0 is "for ever".
_DAYS: Final = (
    *(0, 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731),
    *(1096, 1827, 2192, 2557, 2922, 3288, 3653),
)


def _create(call: Call) -> str:
    call.client.create_log_group(**with_mapped_tags(call))
    return str(call.values["name"])


def _set_retention(call: Call) -> None:
    days = call.get("retentionInDays")
    if days:
        call.client.put_retention_policy(logGroupName=call.id, retentionInDays=days)


def _find(call: Call) -> dict[str, Any] | None:
    pages = call.client.get_paginator("describe_log_groups").paginate(logGroupNamePrefix=call.id)
    groups = (group for page in pages for group in page["logGroups"])
    return next((group for group in groups if group["logGroupName"] == call.id), None)


def _read(call: Call) -> Values | None:
    found = _find(call)
    if found is None:
        return None
    arn = str(found["arn"]).removesuffix(":*")
    return {
        **from_aws(call.kind, found),
        "arn": arn,
        "retentionInDays": found.get("retentionInDays", 0),
        "tagsAll": call.client.list_tags_for_resource(resourceArn=arn)["tags"],
    }


def _update(call: Call) -> None:
    if "retentionInDays" in call.changed:
        if call.get("retentionInDays"):
            _set_retention(call)
        else:
            call.client.delete_retention_policy(logGroupName=call.id)
    if "kmsKeyId" in call.changed:
        if call.get("kmsKeyId"):
            call.client.associate_kms_key(logGroupName=call.id, kmsKeyId=call.values["kmsKeyId"])
        else:
            call.client.disassociate_kms_key(logGroupName=call.id)


def _delete(call: Call) -> None:
    if not call.get("skipDestroy"):
        call.client.delete_log_group(logGroupName=call.id)


LOG_GROUP = ResourceType(
    token="aws:cloudwatch/logGroup:LogGroup",  # noqa: S106 - a type token
    page="cloudwatch_log_group",
    service="logs",
    style="camel",
    properties={
        **names("name", 512, aws="logGroupName"),
        "kmsKeyId": text(),
        "logGroupClass": text(fixed=True, computed=True),
        "retentionInDays": number(aws=None, default=0, allowed=_DAYS),
        "skipDestroy": flag(aws=None, default=False, write_only=True),
    },
    outputs={"arn": None},
    create=_create,
    settled=_set_retention,
    read=_read,
    update=_update,
    delete=_delete,
    tags=mapped_tags(lambda call: call.session.arn("logs", f"log-group:{call.id}", call.region)),
    gone=("ResourceNotFoundException",),
    import_id="the group's name",
)

TYPES = (LOG_GROUP,)
