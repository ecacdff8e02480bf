"""Lifecycle rules of a bucket: what expires when, and what moves to another storage class."""

from embedded.plugins.aws.call import Call
from embedded.plugins.aws.mapping import from_aws
from embedded.plugins.aws.schema import (
    Property,
    ResourceType,
    block,
    block_set,
    blocks,
    flag,
    number,
    text,
    text_map,
)
from embedded.plugins.aws.types.s3_settings import BUCKET, NO_BUCKET, OWNER, drops
from embedded.plugins.common.values import Values

_SIZES: dict[str, Property] = {
    "objectSizeGreaterThan": number(),
    "objectSizeLessThan": number(),
    "prefix": text(),
}
_RULE: dict[str, Property] = {
    "id": text(required=True, aws="ID"),
    "status": text(required=True, allowed=("Enabled", "Disabled")),
    "prefix": text(),
    "filter": block(
        {
            **_SIZES,
            "tag": block({"key": text(required=True), "value": text(required=True)}),
            "and": block({**_SIZES, "tags": text_map(aws=None)}),
        }
    ),
    "expiration": block({"date": text(), "days": number(), "expiredObjectDeleteMarker": flag()}),
    "abortIncompleteMultipartUpload": block({"daysAfterInitiation": number()}),
    "noncurrentVersionExpiration": block(
        {"noncurrentDays": number(required=True), "newerNoncurrentVersions": number()}
    ),
    "noncurrentVersionTransitions": block_set(
        {
            "noncurrentDays": number(required=True),
            "newerNoncurrentVersions": number(),
            "storageClass": text(required=True),
        }
    ),
    "transitions": block_set({"date": text(), "days": number(), "storageClass": text(required=True)}),
}
DEFAULT_MINIMUM = "all_storage_classes_128K"


def _put_lifecycle(call: Call) -> str:
    bucket = str(call.values["bucket"])
    rules = call.arguments(["rules"])["Rules"]
    for rule, said in zip(rules, call.values["rules"], strict=True):
        tags = ((said.get("filter") or {}).get("and") or {}).get("tags")
        if tags:
            rule["Filter"]["And"]["Tags"] = [{"Key": key, "Value": value} for key, value in tags.items()]
        if "Prefix" not in rule:
            # A rule without filter and prefix is for the whole bucket; S3 wants that said.
            rule.setdefault("Filter", {"Prefix": ""})
    call.client.put_bucket_lifecycle_configuration(
        Bucket=bucket,
        LifecycleConfiguration={"Rules": rules},
        TransitionDefaultMinimumObjectSize=call.get("transitionDefaultMinimumObjectSize", DEFAULT_MINIMUM),
    )
    return bucket


def _get_lifecycle(call: Call) -> Values:
    found = call.client.get_bucket_lifecycle_configuration(Bucket=call.id)
    values = from_aws(call.kind, found)
    for rule, said in zip(values["rules"], found["Rules"], strict=True):
        pairs = ((said.get("Filter") or {}).get("And") or {}).get("Tags")
        if pairs:
            rule["filter"]["and"]["tags"] = {pair["Key"]: pair["Value"] for pair in pairs}
    minimum = found.get("TransitionDefaultMinimumObjectSize", DEFAULT_MINIMUM)
    return {**values, "bucket": call.id, "transitionDefaultMinimumObjectSize": minimum}


LIFECYCLE = ResourceType(
    token="aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration",  # noqa: S106 - a type token
    page="s3_bucket_lifecycle_configuration",
    service="s3",
    properties={
        "bucket": BUCKET,
        "expectedBucketOwner": OWNER,
        "rules": blocks(_RULE, required=True),
        "transitionDefaultMinimumObjectSize": text(
            aws=None, computed=True, allowed=(DEFAULT_MINIMUM, "varies_by_storage_class")
        ),
    },
    create=_put_lifecycle,
    read=_get_lifecycle,
    update=_put_lifecycle,
    delete=drops("delete_bucket_lifecycle"),
    gone=(*NO_BUCKET, "NoSuchLifecycleConfiguration"),
    import_id="the bucket's name",
)

TYPES = (LIFECYCLE,)
