"""Which permissions a request needs: IAM actions and the ARNs of what they act on."""

from urllib.parse import unquote

from embedded.aws_api import ACCOUNT_ID
from embedded.aws_api.dependent_permissions import Permission, dependents
from embedded.aws_api.operations import Operation
from embedded.aws_api.passed_roles import passed_roles
from embedded.aws_api.request_context import Values, encryption_context
from embedded.aws_api.resource_arns import kms_key_arn, resource_arns

# Signing name -> prefix of its IAM actions, where they differ.
_ACTION_PREFIXES = {"monitoring": "cloudwatch", "tagging": "tag", "email": "ses"}

# S3 operation -> IAM action, where they differ.
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html
_S3_ACTIONS = {
    "ListBuckets": "ListAllMyBuckets",
    "ListObjects": "ListBucket",
    "ListObjectsV2": "ListBucket",
    "HeadBucket": "ListBucket",
    "HeadObject": "GetObject",
    "CopyObject": "PutObject",
    "CreateMultipartUpload": "PutObject",
    "UploadPart": "PutObject",
    "UploadPartCopy": "PutObject",
    "CompleteMultipartUpload": "PutObject",
    "ListParts": "ListMultipartUploadParts",
    "ListMultipartUploads": "ListBucketMultipartUploads",
    "ListObjectVersions": "ListBucketVersions",
    "DeleteObjects": "DeleteObject",
    "GetBucketEncryption": "GetEncryptionConfiguration",
    "PutBucketEncryption": "PutEncryptionConfiguration",
    "DeleteBucketEncryption": "PutEncryptionConfiguration",
    "GetBucketLifecycleConfiguration": "GetLifecycleConfiguration",
    "PutBucketLifecycleConfiguration": "PutLifecycleConfiguration",
    "DeleteBucketLifecycle": "PutLifecycleConfiguration",
    "GetPublicAccessBlock": "GetBucketPublicAccessBlock",
    "PutPublicAccessBlock": "PutBucketPublicAccessBlock",
    "DeletePublicAccessBlock": "PutBucketPublicAccessBlock",
    "GetBucketReplication": "GetReplicationConfiguration",
    "GetBucketAccelerateConfiguration": "GetAccelerateConfiguration",
    "GetBucketCors": "GetBucketCORS",
    "PutBucketCors": "PutBucketCORS",
    "DeleteBucketCors": "PutBucketCORS",
    "GetObjectLockConfiguration": "GetBucketObjectLockConfiguration",
    "DeleteBucketTagging": "PutBucketTagging",
    "DeleteBucketOwnershipControls": "PutBucketOwnershipControls",
}

# Action on an object -> the action when the request names a version of it.
_OF_A_VERSION = {
    "s3:GetObject": "s3:GetObjectVersion",
    "s3:DeleteObject": "s3:DeleteObjectVersion",
}

# Writing opens the secret's data key as well as making one.
_SECRET_KEY_ACTIONS = {
    "GetSecretValue": ("kms:Decrypt",),
    "CreateSecret": ("kms:GenerateDataKey", "kms:Decrypt"),
    "PutSecretValue": ("kms:GenerateDataKey", "kms:Decrypt"),
    "UpdateSecret": ("kms:GenerateDataKey", "kms:Decrypt"),
}


def required(operation: Operation) -> list[Permission]:
    """Everything the caller must be allowed for the request to be served.

    Besides the operation itself, what AWS checks on the caller's behalf: KMS for objects and secrets,
    passing roles to services, and what `dependent_permissions` has.
    """
    if operation.service == "s3":
        return _s3(operation)
    prefix = _ACTION_PREFIXES.get(operation.service, operation.service)
    arns = resource_arns(operation)
    found = [Permission(f"{prefix}:{operation.name}", arn) for arn in arns]
    found += dependents(operation, arns, prefix)
    if operation.service == "secretsmanager":
        found += _secret_key(operation)
    if operation.service == "sts" and operation.parameters.get("Tags"):
        found.append(Permission("sts:TagSession", operation.text("RoleArn")))
    for role in passed_roles(operation):
        found.append(Permission("iam:PassRole", role.arn, {"iam:passedtoservice": [role.service]}))
    return found


def _s3(operation: Operation) -> list[Permission]:
    bucket, key = operation.text("Bucket"), operation.text("Key")
    action = f"s3:{_S3_ACTIONS.get(operation.name, operation.name)}"
    if not bucket:
        return [Permission(action, "*")]
    if operation.name == "DeleteObjects":
        return _deletions(bucket, operation)
    if operation.parameters.get("VersionId") and action in _OF_A_VERSION:
        action = _OF_A_VERSION[action]
    found = [Permission(action, f"arn:aws:s3:::{bucket}/{key}" if key else f"arn:aws:s3:::{bucket}")]
    if source := operation.headers.get("x-amz-copy-source"):
        path = unquote(source).lstrip("/").partition("?")[0]
        found.append(Permission("s3:GetObject", f"arn:aws:s3:::{path}"))
        found += _object_key(*path.split("/", 1)) if "/" in path else []
    if action == "s3:PutObject":
        found += _write_key(bucket, key, operation)
    if operation.name == "GetObject":
        found += _object_key(bucket, key)
    return found


def _deletions(bucket: str, operation: Operation) -> list[Permission]:
    found = []
    for one in (operation.parameters.get("Delete") or {}).get("Objects") or ():
        action = "s3:DeleteObjectVersion" if one.get("VersionId") else "s3:DeleteObject"
        found.append(Permission(action, f"arn:aws:s3:::{bucket}/{one['Key']}"))
    return found


def _through(service: str, region: str, encrypted: dict[str, str]) -> Values:
    """The condition keys of KMS when a service uses a key on the caller's behalf.

    https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html#conditions-kms-via-service
    """
    context = {"kms:viaservice": [f"{service}.{region}.amazonaws.com"], "aws:viaawsservice": ["true"]}
    return {**context, "kms:calleraccount": [ACCOUNT_ID], **encryption_context(encrypted)}


def _through_s3(bucket: str, key: str, region: str, bucket_key: bool) -> Values:
    # https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html#encryption-context
    arn = f"arn:aws:s3:::{bucket}" if bucket_key else f"arn:aws:s3:::{bucket}/{key}"
    return _through("s3", region, {"aws:s3:arn": arn})


def _object_key(bucket: str, key: str) -> list[Permission]:
    from moto.s3.models import s3_backends

    stored = s3_backends[ACCOUNT_ID]["aws"].buckets.get(bucket)
    found = stored.keys.get(key) if stored else None
    kms_key = getattr(found, "kms_key_id", None)
    if stored is None or not kms_key:
        return []
    context = _through_s3(bucket, key, stored.region_name, bool(getattr(found, "bucket_key_enabled", False)))
    return [Permission("kms:Decrypt", kms_key_arn(kms_key, stored.region_name), context)]


def _write_key(bucket: str, key: str, operation: Operation) -> list[Permission]:
    """The key a new object is encrypted with, by header or the bucket's default; none for S3's own."""
    from moto.s3.models import s3_backends

    stored = s3_backends[ACCOUNT_ID]["aws"].buckets.get(bucket)
    if stored is None:
        return []
    kms_key = operation.headers.get("x-amz-server-side-encryption-aws-kms-key-id")
    rule = default_encryption(stored)
    if not kms_key and not operation.headers.get("x-amz-server-side-encryption"):
        kms_key = rule.get("ApplyServerSideEncryptionByDefault", {}).get("KMSMasterKeyID")
    if not kms_key:
        return []
    header = operation.headers.get("x-amz-server-side-encryption-bucket-key-enabled")
    bucket_key = (header or str(rule.get("BucketKeyEnabled", "false"))).lower() == "true"
    context = _through_s3(bucket, key, stored.region_name, bucket_key)
    arn = kms_key_arn(kms_key, stored.region_name)
    # Parts are encrypted under the data key of the upload, which S3 has to open again.
    # https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html#mpuAndPermissions
    multipart = operation.name in ("CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload")
    actions = ["kms:GenerateDataKey", *(["kms:Decrypt"] if multipart else [])]
    return [Permission(action, arn, context) for action in actions]


def default_encryption(bucket: object) -> dict[str, dict[str, str]]:
    """The rule of a bucket's default encryption, as moto keeps it."""
    rules = (getattr(bucket, "encryption", None) or {}).get("Rule") or {}
    rule = rules[0] if isinstance(rules, list) else rules
    return dict(rule)


def _secret_key(operation: Operation) -> list[Permission]:
    """KMS permissions of the caller for a secret's own key.

    https://docs.aws.amazon.com/secretsmanager/latest/userguide/security-encryption.html
    """
    from moto.secretsmanager.models import secretsmanager_backends

    actions = _SECRET_KEY_ACTIONS.get(operation.name)
    if actions is None:
        return []
    if operation.name in ("CreateSecret", "UpdateSecret") and not any(
        operation.parameters.get(name) for name in ("SecretString", "SecretBinary")
    ):
        return []
    secrets = secretsmanager_backends[ACCOUNT_ID][operation.region].secrets
    secret = secrets.get(operation.text("SecretId"))
    key = operation.text("KmsKeyId") or str(getattr(secret, "kms_key_id", None) or "")
    if not key or key.endswith("alias/aws/secretsmanager"):
        return []  # the managed key's own policy lets everybody use it through Secrets Manager
    encrypted = {"SecretARN": str(secret.arn)} if secret is not None else {}
    context = _through("secretsmanager", operation.region, encrypted)
    arn = kms_key_arn(key, operation.region)
    return [Permission(action, arn, context) for action in actions]
