"""Settings of a bucket, each a type of its own whose id is the bucket's name."""

from collections.abc import Callable
from typing import Any

from embedded.plugins.aws.call import Call
from embedded.plugins.aws.mapping import dig, from_aws
from embedded.plugins.aws.schema import (
    ResourceType,
    block,
    block_set,
    document,
    flag,
    text,
)
from embedded.plugins.common.values import Values

BUCKET = text(required=True, fixed=True)
OWNER = text(aws=None, fixed=True, write_only=True)
NO_BUCKET = ("NoSuchBucket", "404")


def _puts(method: str, argument: str, names: tuple[str, ...] = ()) -> Callable[[Call], str]:
    """Write the setting: all mapped properties but the bucket, wrapped as S3 wants them."""

    def put(call: Call) -> str:
        bucket = str(call.values["bucket"])
        arguments = call.arguments(names or None)
        arguments.pop("Bucket", None)
        getattr(call.client, method)(Bucket=bucket, **{argument: arguments})
        return bucket

    return put


def _gets(method: str, at: str) -> Callable[[Call], Values | None]:
    def get(call: Call) -> Values | None:
        found = dig(getattr(call.client, method)(Bucket=call.id), at)
        return {**from_aws(call.kind, found), "bucket": call.id} if found else None

    return get


def drops(method: str) -> Callable[[Call], None]:
    """Take the setting away by a method that wants the bucket alone."""

    def drop(call: Call) -> None:
        getattr(call.client, method)(Bucket=call.id)

    return drop


_put_access = _puts("put_public_access_block", "PublicAccessBlockConfiguration")


def _drop_access(call: Call) -> None:
    if not call.get("skipDestroy"):
        call.client.delete_public_access_block(Bucket=call.id)


PUBLIC_ACCESS_BLOCK = ResourceType(
    token="aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock",  # noqa: S106 - a type token
    page="s3_bucket_public_access_block",
    service="s3",
    properties={
        "bucket": BUCKET,
        "blockPublicAcls": flag(default=False),
        "blockPublicPolicy": flag(default=False),
        "ignorePublicAcls": flag(default=False),
        "restrictPublicBuckets": flag(default=False),
        "skipDestroy": flag(aws=None, write_only=True),
    },
    create=_put_access,
    read=_gets("get_public_access_block", "PublicAccessBlockConfiguration"),
    update=_put_access,
    delete=_drop_access,
    gone=(*NO_BUCKET, "NoSuchPublicAccessBlockConfiguration"),
    import_id="the bucket's name",
)

_put_encryption = _puts("put_bucket_encryption", "ServerSideEncryptionConfiguration")

ENCRYPTION = ResourceType(
    token="aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",  # noqa: S106
    page="s3_bucket_server_side_encryption_configuration",
    service="s3",
    properties={
        "bucket": BUCKET,
        "expectedBucketOwner": OWNER,
        "rules": block_set(
            {
                "applyServerSideEncryptionByDefault": block(
                    {
                        "sseAlgorithm": text(
                            required=True, aws="SSEAlgorithm", allowed=("AES256", "aws:kms", "aws:kms:dsse")
                        ),
                        "kmsMasterKeyId": text(aws="KMSMasterKeyID"),
                    }
                ),
                "bucketKeyEnabled": flag(),
            },
            required=True,
        ),
    },
    create=_put_encryption,
    read=_gets("get_bucket_encryption", "ServerSideEncryptionConfiguration"),
    update=_put_encryption,
    delete=drops("delete_bucket_encryption"),
    gone=(*NO_BUCKET, "ServerSideEncryptionConfigurationNotFoundError"),
    import_id="the bucket's name",
)


def _put_versioning(call: Call) -> str:
    bucket, wanted = str(call.values["bucket"]), call.values["versioningConfiguration"]
    # "Disabled" is how the page calls a bucket that never had versioning; S3 has no such status to set.
    if wanted["status"] != "Disabled":
        configuration = call.arguments(["versioningConfiguration"])["VersioningConfiguration"]
        more = {"MFA": call.values["mfa"]} if call.get("mfa") else {}
        call.client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration=configuration, **more)
    return bucket


def _get_versioning(call: Call) -> Values:
    found = call.client.get_bucket_versioning(Bucket=call.id)
    status = {"status": found.get("Status", "Disabled")}
    if found.get("MFADelete"):
        status["mfaDelete"] = found["MFADelete"]
    return {"bucket": call.id, "versioningConfiguration": status}


def _drop_versioning(call: Call) -> None:
    # Versioning cannot be taken back, only suspended.
    # https://docs.aws.amazon.com/AmazonS3/latest/userguide/Versioning.html
    if call.client.get_bucket_versioning(Bucket=call.id).get("Status") == "Enabled":
        call.client.put_bucket_versioning(Bucket=call.id, VersioningConfiguration={"Status": "Suspended"})


def _same_versioning(left: Any, right: Any) -> bool:
    return all(
        ((left or {}).get(part) or "Disabled") == ((right or {}).get(part) or "Disabled")
        for part in ("status", "mfaDelete")
    )


VERSIONING = ResourceType(
    token="aws:s3/bucketVersioning:BucketVersioning",  # noqa: S106 - a type token
    page="s3_bucket_versioning",
    service="s3",
    properties={
        "bucket": BUCKET,
        "expectedBucketOwner": OWNER,
        "mfa": text(aws=None, write_only=True),
        "versioningConfiguration": block(
            {
                "status": text(required=True, allowed=("Enabled", "Suspended", "Disabled")),
                "mfaDelete": text(aws="MFADelete", computed=True, allowed=("Enabled", "Disabled")),
            },
            required=True,
            equal=_same_versioning,
        ),
    },
    create=_put_versioning,
    read=_get_versioning,
    update=_put_versioning,
    delete=_drop_versioning,
    gone=NO_BUCKET,
    import_id="the bucket's name",
)


def _ownership(call: Call) -> str:
    rule = call.values["rule"]["objectOwnership"]
    bucket = str(call.values["bucket"])
    controls = {"Rules": [{"ObjectOwnership": rule}]}
    call.client.put_bucket_ownership_controls(Bucket=bucket, OwnershipControls=controls)
    return bucket


def _get_ownership(call: Call) -> Values:
    rules = call.client.get_bucket_ownership_controls(Bucket=call.id)["OwnershipControls"]["Rules"]
    return {"bucket": call.id, "rule": {"objectOwnership": rules[0]["ObjectOwnership"]}}


OWNERSHIP = ResourceType(
    token="aws:s3/bucketOwnershipControls:BucketOwnershipControls",  # noqa: S106 - a type token
    page="s3_bucket_ownership_controls",
    service="s3",
    properties={
        "bucket": BUCKET,
        "rule": block(
            {
                "objectOwnership": text(
                    required=True, allowed=("BucketOwnerPreferred", "ObjectWriter", "BucketOwnerEnforced")
                )
            },
            required=True,
            aws=None,
        ),
    },
    create=_ownership,
    read=_get_ownership,
    update=_ownership,
    delete=drops("delete_bucket_ownership_controls"),
    gone=(*NO_BUCKET, "OwnershipControlsNotFoundError"),
    import_id="the bucket's name",
)


def _put_policy(call: Call) -> str:
    bucket = str(call.values["bucket"])
    call.client.put_bucket_policy(Bucket=bucket, Policy=call.values["policy"])
    return bucket


POLICY = ResourceType(
    token="aws:s3/bucketPolicy:BucketPolicy",  # noqa: S106 - a type token
    page="s3_bucket_policy",
    service="s3",
    properties={"bucket": BUCKET, "policy": document(required=True)},
    create=_put_policy,
    read=lambda call: {
        "bucket": call.id,
        "policy": call.client.get_bucket_policy(Bucket=call.id)["Policy"],
    },
    update=_put_policy,
    delete=drops("delete_bucket_policy"),
    gone=(*NO_BUCKET, "NoSuchBucketPolicy"),
    import_id="the bucket's name",
)


def _put_logging(call: Call) -> str:
    bucket = str(call.values["bucket"])
    enabled = call.arguments(["targetBucket", "targetPrefix"])
    call.client.put_bucket_logging(Bucket=bucket, BucketLoggingStatus={"LoggingEnabled": enabled})
    return bucket


LOGGING = ResourceType(
    token="aws:s3/bucketLogging:BucketLogging",  # noqa: S106 - a type token
    page="s3_bucket_logging",
    service="s3",
    properties={
        "bucket": BUCKET,
        "expectedBucketOwner": OWNER,
        "targetBucket": text(required=True),
        "targetPrefix": text(required=True),
    },
    create=_put_logging,
    read=_gets("get_bucket_logging", "LoggingEnabled"),
    update=_put_logging,
    delete=lambda call: call.client.put_bucket_logging(Bucket=call.id, BucketLoggingStatus={}),
    gone=NO_BUCKET,
    import_id="the bucket's name",
)

TYPES = (PUBLIC_ACCESS_BLOCK, ENCRYPTION, VERSIONING, OWNERSHIP, POLICY, LOGGING)
