"""Simple Storage Service: buckets. Their settings are types of their own, in `s3_settings`."""

from typing import Any, Final

from embedded.plugins.aws.call import Call, key_value_tags, tags_from_pairs
from embedded.plugins.aws.errors import code_of
from embedded.plugins.aws.schema import ResourceType, Tags, flag, names
from embedded.plugins.common.errors import PluginError
from embedded.plugins.common.values import Values

# S3 website endpoints' zones: https://docs.aws.amazon.com/general/latest/gr/s3.html#s3_website_region_endpoints
HOSTED_ZONES: Final = {
    "us-east-1": "Z3AQBSTGFYJSTF",
    "us-east-2": "Z2O1EMRO9K5GLX",
    "us-west-2": "Z3BJ6K6RIION7M",
    "eu-west-1": "Z1BKCTXD74EZPE",
    "eu-central-1": "Z21DNDUVLTQW6Q",
}
DELETE_BATCH: Final = 1000
"""Most objects that one call deletes. https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html"""


def _create(call: Call) -> str:
    bucket = str(call.values["bucket"])
    # In us-east-1 S3 answers 200 to whoever owns the bucket already; the provider must not take it for new.
    # https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html
    if call.region == "us-east-1":
        _refuse_existing(call, bucket)
    arguments: dict[str, Any] = {"Bucket": bucket}
    if call.region != "us-east-1":
        arguments["CreateBucketConfiguration"] = {"LocationConstraint": call.region}
    if call.get("objectLockEnabled"):
        arguments["ObjectLockEnabledForBucket"] = True
    call.client.create_bucket(**arguments)
    return bucket


def _refuse_existing(call: Call, bucket: str) -> None:
    try:
        call.client.head_bucket(Bucket=bucket)
    except Exception as error:
        if code_of(error) in ("404", "NoSuchBucket"):
            return
        raise
    raise PluginError(
        f"BucketAlreadyOwnedByYou: bucket '{bucket}' exists already and you own it (CreateBucket)"
    )


def _settled(call: Call) -> None:
    if call.tags:
        _put_tags(call, call.tags)


def _put_tags(call: Call, tags: dict[str, str]) -> None:
    if tags:
        call.client.put_bucket_tagging(Bucket=call.id, Tagging={"TagSet": key_value_tags(tags)})
    else:
        call.client.delete_bucket_tagging(Bucket=call.id)


def _tags(call: Call) -> dict[str, str]:
    try:
        return tags_from_pairs(call.client.get_bucket_tagging(Bucket=call.id)["TagSet"])
    except Exception as error:
        if code_of(error) == "NoSuchTagSet":
            return {}
        raise


def _read(call: Call) -> Values:
    client, suffix = call.client, call.session.dns_suffix
    client.head_bucket(Bucket=call.id)
    location = client.get_bucket_location(Bucket=call.id).get("LocationConstraint") or "us-east-1"
    return {
        "bucket": call.id,
        "objectLockEnabled": _has_object_lock(call),
        "arn": f"arn:{call.session.partition}:s3:::{call.id}",
        "bucketDomainName": f"{call.id}.s3.{suffix}",
        "bucketRegion": location,
        "bucketRegionalDomainName": f"{call.id}.s3.{location}.{suffix}",
        "hostedZoneId": HOSTED_ZONES.get(location),
    }


def _has_object_lock(call: Call) -> bool:
    try:
        answer = call.client.get_object_lock_configuration(Bucket=call.id)
    except Exception as error:
        if code_of(error) == "ObjectLockConfigurationNotFoundError":
            return False
        raise
    return bool(answer["ObjectLockConfiguration"].get("ObjectLockEnabled") == "Enabled")


def _delete(call: Call) -> None:
    if call.get("forceDestroy"):
        empty_bucket(call, call.id)
    elif _holds_anything(call):
        # S3 counts versions and delete markers too; said here since an emulation may look at live keys only.
        raise PluginError(
            f"BucketNotEmpty: The bucket you tried to delete is not empty (DeleteBucket); '{call.id}' holds "
            "objects or versions. Empty it, or set forceDestroy and update first"
        )
    call.client.delete_bucket(Bucket=call.id)


def _holds_anything(call: Call) -> bool:
    answer = call.client.list_object_versions(Bucket=call.id, MaxKeys=1)
    return bool(answer.get("Versions") or answer.get("DeleteMarkers"))


def empty_bucket(call: Call, bucket: str) -> None:
    """Delete every version and delete marker. Raises PluginError naming the first that S3 refuses."""
    pages = call.client.get_paginator("list_object_versions").paginate(
        Bucket=bucket, PaginationConfig={"PageSize": DELETE_BATCH}
    )
    for page in pages:
        found = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
        objects = [{"Key": item["Key"], "VersionId": item["VersionId"]} for item in found]
        if not objects:
            continue
        answer = call.client.delete_objects(Bucket=bucket, Delete={"Objects": objects, "Quiet": True})
        for refused in answer.get("Errors", []):
            raise PluginError(
                f"{refused.get('Code')}: {refused.get('Message')}: '{refused.get('Key')}' in '{bucket}'"
            )


# The inline settings that its page calls deprecated are types of their own in pulumi-aws 7.
BUCKET = ResourceType(
    token="aws:s3/bucket:Bucket",  # noqa: S106 - a type token
    page="s3_bucket",
    service="s3",
    properties={
        **names("bucket", 63, form=str.lower),
        "forceDestroy": flag(aws=None, default=False, write_only=True),
        "objectLockEnabled": flag(aws=None, fixed=True, computed=True),
    },
    outputs=dict.fromkeys(
        ("arn", "bucketDomainName", "bucketRegion", "bucketRegionalDomainName", "hostedZoneId")
    ),
    create=_create,
    settled=_settled,
    read=_read,
    delete=_delete,
    tags=Tags(
        read=_tags,
        add=lambda call, _: _put_tags(call, call.tags),
        remove=lambda call, _: _put_tags(call, call.tags),
    ),
    gone=("NoSuchBucket", "404"),
    import_id="the bucket's name",
)

TYPES = (BUCKET,)
