"""The condition keys that a request's context holds, or rightly lacks.

A policy that names another key cannot be evaluated here: to treat it as absent could allow what AWS
refuses, so it is an error (see `require_known`).
Keys: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
"""

from collections.abc import Mapping
from typing import Any

_SET = (
    "aws:SecureTransport",
    "aws:SourceIp",
    "aws:CurrentTime",
    "aws:EpochTime",
    "aws:RequestedRegion",
    "aws:PrincipalArn",
    "aws:PrincipalAccount",
    "aws:PrincipalType",
    "aws:PrincipalIsAWSService",
    "aws:PrincipalServiceName",
    "aws:ViaAWSService",
    "aws:userid",
    "aws:username",
    "aws:UserAgent",
    "aws:ResourceAccount",
    "aws:SourceAccount",
    "aws:SourceArn",
    "aws:TagKeys",
    "s3:ResourceAccount",
    "s3:TlsVersion",
    "s3:prefix",
    "s3:delimiter",
    "s3:max-keys",
    "s3:VersionId",
    "s3:x-amz-acl",
    "s3:x-amz-server-side-encryption",
    "s3:x-amz-server-side-encryption-aws-kms-key-id",
    "s3:x-amz-server-side-encryption-customer-algorithm",
    "s3:x-amz-content-sha256",
    "s3:x-amz-storage-class",
    "kms:ViaService",
    "kms:CallerAccount",
    "kms:EncryptionContextKeys",
    "kms:RequestAlias",
    "kms:GrantIsForAWSResource",
    "kms:ScheduleKeyDeletionPendingWindowInDays",
    "kms:BypassPolicyLockoutSafetyCheck",
    "iam:PermissionsBoundary",
    "iam:PolicyARN",
    "iam:PassedToService",
    "ec2:CreateAction",
    "secretsmanager:SecretId",
    "secretsmanager:Name",
    "secretsmanager:VersionStage",
    "secretsmanager:KmsKeyArn",
    "sts:RoleSessionName",
    "sts:ExternalId",
)

# Absent here as they are for an account without an organization, without MFA and without federation.
_ABSENT = (
    "aws:MultiFactorAuthPresent",
    "aws:MultiFactorAuthAge",
    "aws:PrincipalOrgID",
    "aws:PrincipalOrgPaths",
    "aws:ResourceOrgID",
    "aws:ResourceOrgPaths",
    "aws:SourceOrgID",
    "aws:SourceOrgPaths",
    "aws:FederatedProvider",
    "aws:referer",
)

KNOWN = frozenset(name.lower() for name in (*_SET, *_ABSENT))
KNOWN_PREFIXES = (
    "aws:requesttag/",
    "aws:resourcetag/",
    "aws:principaltag/",
    "iam:resourcetag/",
    "ec2:resourcetag/",
    "secretsmanager:resourcetag/",
    "kms:encryptioncontext:",
)


class UnknownConditionKeyError(Exception):
    """A condition key that no request's context here knows. The text is the key as the policy spells it."""


def require_known(block: Mapping[str, Any]) -> None:
    """Check every key of a Condition block.

    Raises:
        UnknownConditionKeyError: naming the first key that is not known.
    """
    for keys in block.values():
        for key in keys:
            lower = key.lower()
            if lower not in KNOWN and not lower.startswith(KNOWN_PREFIXES):
                raise UnknownConditionKeyError(key)
