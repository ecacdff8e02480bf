"""Which permissions a request needs: IAM actions and the ARNs of what they act on."""

import json
import re
from typing import Any
from urllib.parse import parse_qs, unquote

from embedded.aws_api import ACCOUNT_ID
from embedded.aws_api.request_reading import AwsRequest

Permission = tuple[str, str]
"""(action, resource ARN or `*`)."""

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
}


def required(request: AwsRequest, operation: str, environ: dict[str, Any], body: bytes) -> list[Permission]:
    """Everything the caller must be allowed for the request to be served.

    Besides the operation itself, what AWS checks on the caller's behalf: KMS for objects and secrets.
    """
    if request.service == "s3":
        return _s3(operation, request, environ, body)
    prefix = _ACTION_PREFIXES.get(request.service, request.service)
    parameters = _parameters(environ, body)
    permission = (f"{prefix}:{operation}", _resource(request, parameters))
    if request.service == "secretsmanager" and operation in ("GetSecretValue", "PutSecretValue"):
        return [permission, *_secret_key(request, parameters, operation)]
    return [permission]


def _s3(operation: str, request: AwsRequest, environ: dict[str, Any], body: bytes) -> list[Permission]:
    bucket, _, key = unquote(request.path).lstrip("/").partition("/")
    action = f"s3:{_S3_ACTIONS.get(operation, operation)}"
    if not bucket:
        return [(action, "*")]
    if operation == "DeleteObjects":
        keys = re.findall(r"<Key>(.*?)</Key>", body.decode("utf-8", "replace"))
        return [(action, f"arn:aws:s3:::{bucket}/{one}") for one in keys]
    permissions = [(action, f"arn:aws:s3:::{bucket}/{key}" if key else f"arn:aws:s3:::{bucket}")]
    if source := environ.get("HTTP_X_AMZ_COPY_SOURCE"):
        path = unquote(source).lstrip("/").partition("?")[0]
        permissions.append(("s3:GetObject", f"arn:aws:s3:::{path}"))
        permissions += _object_key(*path.split("/", 1))
    if action == "s3:PutObject" and (kms_key := _write_key(bucket, environ)):
        permissions.append(("kms:GenerateDataKey", kms_key))
    if operation == "GetObject":
        permissions += _object_key(bucket, key)
    return permissions


def _object_key(bucket: str, key: str) -> list[Permission]:
    from moto.s3.models import s3_backends

    stored = s3_backends[ACCOUNT_ID]["aws"].buckets.get(bucket)
    found = stored.keys.get(key) if stored else None
    kms_key = getattr(found, "kms_key_id", None)
    return [("kms:Decrypt", _kms_arn(kms_key, stored.region_name))] if kms_key and stored else []


def _write_key(bucket: str, environ: dict[str, Any]) -> str | None:
    """The key a new object is encrypted with, by header or the bucket's default; None for S3's own."""
    from moto.s3.models import s3_backends

    stored = s3_backends[ACCOUNT_ID]["aws"].buckets.get(bucket)
    if stored is None:
        return None
    key = environ.get("HTTP_X_AMZ_SERVER_SIDE_ENCRYPTION_AWS_KMS_KEY_ID")
    if not key and not environ.get("HTTP_X_AMZ_SERVER_SIDE_ENCRYPTION") and stored.encryption:
        rules = stored.encryption.get("Rule") or {}
        rule = rules[0] if isinstance(rules, list) else rules
        key = rule.get("ApplyServerSideEncryptionByDefault", {}).get("KMSMasterKeyID")
    return _kms_arn(str(key), stored.region_name) if key else None


def _secret_key(request: AwsRequest, parameters: dict[str, Any], operation: str) -> list[Permission]:
    from moto.secretsmanager.models import secretsmanager_backends

    secret = secretsmanager_backends[ACCOUNT_ID][request.region].secrets.get(str(parameters.get("SecretId")))
    key = getattr(secret, "kms_key_id", None)
    if not key or str(key).endswith("alias/aws/secretsmanager"):
        return []
    action = "kms:Decrypt" if operation == "GetSecretValue" else "kms:GenerateDataKey"
    return [(action, _kms_arn(str(key), request.region))]


def _parameters(environ: dict[str, Any], body: bytes) -> dict[str, Any]:
    text = body.decode("utf-8", "replace")
    try:
        parsed = json.loads(text) if text.lstrip().startswith("{") else None
    except ValueError:
        parsed = None
    if isinstance(parsed, dict):
        return parsed
    form = {**parse_qs(environ.get("QUERY_STRING", "")), **parse_qs(text)}
    return {name: values[0] for name, values in form.items()}


def _resource(request: AwsRequest, parameters: dict[str, Any]) -> str:
    """The ARN a request acts on; `*` for operations without one and for those not known here."""
    region, service = request.region, request.service
    if service == "secretsmanager":
        return _secret_arn(region, str(parameters.get("SecretId") or ""), str(parameters.get("Name") or ""))
    if service == "kms":
        return _kms_arn(str(parameters["KeyId"]), region) if "KeyId" in parameters else "*"
    if service == "sts":
        return str(parameters.get("RoleArn", "*"))
    if service == "iam":
        for name, kind in (("RoleName", "role"), ("UserName", "user"), ("PolicyName", "policy")):
            if name in parameters:
                return f"arn:aws:iam::{ACCOUNT_ID}:{kind}/{parameters[name]}"
        return str(parameters.get("PolicyArn", "*"))
    if service == "logs" and "logGroupName" in parameters:
        stream = parameters.get("logStreamName")
        suffix = f":log-stream:{stream}" if stream else ":*"
        return f"arn:aws:logs:{region}:{ACCOUNT_ID}:log-group:{parameters['logGroupName']}{suffix}"
    if service == "rds" and "DBInstanceIdentifier" in parameters:
        return f"arn:aws:rds:{region}:{ACCOUNT_ID}:db:{parameters['DBInstanceIdentifier']}"
    if service == "eks" and (match := re.match(r"^/clusters/([^/]+)", request.path)):
        return f"arn:aws:eks:{region}:{ACCOUNT_ID}:cluster/{match[1]}"
    return "*"


def _secret_arn(region: str, identifier: str, new_name: str) -> str:
    from moto.secretsmanager.models import secretsmanager_backends

    prefix = f"arn:aws:secretsmanager:{region}:{ACCOUNT_ID}:secret:"
    if not identifier:
        return f"{prefix}{new_name}-000000" if new_name else "*"
    secret = secretsmanager_backends[ACCOUNT_ID][region].secrets.get(identifier)
    if secret is not None:
        return str(secret.arn)
    return identifier if identifier.startswith("arn:") else f"{prefix}{identifier}"


def _kms_arn(key: str, region: str) -> str:
    from moto.kms.models import kms_backends

    backend = kms_backends[ACCOUNT_ID][region]
    try:
        return str(backend.describe_key(key).arn)
    except Exception:  # noqa: BLE001 - moto raises several kinds; the operation itself will say what is wrong
        return key if key.startswith("arn:") else f"arn:aws:kms:{region}:{ACCOUNT_ID}:key/{key}"
