"""S3: names that others own, and policies and ACLs that the bucket's own settings forbid."""

import json
from typing import Any

from embedded.aws_api import ACCOUNT_ID
from embedded.aws_api.application import Refusal
from embedded.aws_api.operations import Operation
from embedded.aws_api.refusals.rules import Rules, rules
from embedded.aws_api.s3_defaults import OWNED_BY_OTHERS
from embedded.aws_api.trust import missing_principals

# A statement with one of these keys, compared with fixed values, is not public.
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html#access-control-block-public-access-policy-status
_NARROWING = frozenset(
    name.lower()
    for name in (
        "aws:PrincipalArn",
        "aws:PrincipalAccount",
        "aws:PrincipalOrgID",
        "aws:PrincipalOrgPaths",
        "aws:SourceAccount",
        "aws:SourceArn",
        "aws:SourceOwner",
        "aws:SourceVpc",
        "aws:SourceVpce",
        "aws:userid",
        "aws:username",
        "s3:DataAccessPointAccount",
        "s3:DataAccessPointArn",
        "s3:x-amz-server-side-encryption-aws-kms-key-id",
        "aws:SourceIp",
    )
)


def _bucket(operation: Operation) -> Any | None:
    from moto.s3.models import s3_backends

    return s3_backends[ACCOUNT_ID]["aws"].buckets.get(operation.text("Bucket"))


def _name_of_others(operation: Operation) -> None:
    """Bucket names are shared by all accounts.

    https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html
    """
    if operation.text("Bucket") in OWNED_BY_OTHERS:
        message = (
            "The requested bucket name is not available. The bucket namespace is shared by "
            "all users of the system. "
            "Please select a different name and try again."
        )
        raise Refusal("BucketAlreadyExists", message, 409)


def _acl_of_new_bucket(operation: Operation) -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/userguide/about-object-ownership.html"""
    enforced = (operation.text("ObjectOwnership") or "BucketOwnerEnforced") == "BucketOwnerEnforced"
    if enforced and operation.text("ACL") not in ("", "private"):
        message = "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting"
        raise Refusal("InvalidBucketAclWithObjectOwnership", message, 400)


def _bucket_of_others(operation: Operation) -> None:
    if operation.text("Bucket") in OWNED_BY_OTHERS:
        raise Refusal("AccessDenied", "Access Denied", 403)


def _policy(operation: Operation) -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketPolicy.html"""
    bucket, text = _bucket(operation), operation.parameters.get("Policy") or ""
    if bucket is None:
        return
    try:
        document = json.loads(text)
    except ValueError as error:
        raise Refusal(
            "MalformedPolicy", "Policies must be valid JSON and the first byte must be '{'", 400
        ) from error
    if missing_principals(document):
        raise Refusal("MalformedPolicy", "Invalid principal in policy", 400)
    arn = f"arn:aws:s3:::{bucket.name}"
    for statement in _statements(document):
        for resource in _as_list(statement.get("Resource", [])):
            if resource != arn and not resource.startswith(f"{arn}/") and resource not in ("*", f"{arn}*"):
                raise Refusal("MalformedPolicy", "Policy has invalid resource", 400)
    block = bucket.public_access_block
    if block is not None and block.block_public_policy and is_public(document):
        message = (
            f"User is not authorized to perform: s3:PutBucketPolicy on resource: {arn} because public "
            "policies are prevented by the BlockPublicPolicy setting in S3 Block Public Access."
        )
        raise Refusal("AccessDenied", message, 403)


def is_public(document: dict[str, Any]) -> bool:
    """Whether a bucket policy allows everybody something without a narrowing condition.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html
    """
    for statement in _statements(document):
        if statement.get("Effect") != "Allow" or not _is_everybody(statement):
            continue
        keys = {key.lower() for block in (statement.get("Condition") or {}).values() for key in block}
        if not keys & _NARROWING:
            return True
    return False


def _is_everybody(statement: dict[str, Any]) -> bool:
    principal = statement.get("Principal")
    if "NotPrincipal" in statement or principal == "*":
        return True
    return isinstance(principal, dict) and any("*" in _as_list(one) for one in principal.values())


def _acl(operation: Operation) -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/userguide/about-object-ownership.html"""
    bucket, acl = _bucket(operation), operation.text("ACL")
    if bucket is None:
        return
    given = bool(acl) or any(name.startswith("x-amz-grant-") for name in operation.headers)
    if operation.name in ("PutBucketAcl", "PutObjectAcl"):
        given = True
    if given and bucket.ownership_rule == "BucketOwnerEnforced" and acl != "bucket-owner-full-control":
        raise Refusal("AccessControlListNotSupported", "The bucket does not allow ACLs", 400)
    block = bucket.public_access_block
    if acl.startswith("public-") and block is not None and block.block_public_acls:
        raise Refusal("AccessDenied", "Access Denied", 403)


def _statements(document: dict[str, Any]) -> list[dict[str, Any]]:
    statements = document.get("Statement", [])
    return [statements] if isinstance(statements, dict) else list(statements)


def _as_list(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value)


_READS = "HeadBucket GetBucketLocation ListObjects ListObjectsV2 GetObject HeadObject PutObject DeleteBucket"
_WITH_ACL = "PutBucketAcl PutObjectAcl PutObject CopyObject CreateMultipartUpload"
RULES: Rules = rules(
    "s3", {"CreateBucket": (_name_of_others, _acl_of_new_bucket), "PutBucketPolicy": _policy}
)
for _name in {*_READS.split(), *_WITH_ACL.split()}:
    RULES["s3", _name] = (_bucket_of_others, *((_acl,) if _name in _WITH_ACL.split() else ()))
