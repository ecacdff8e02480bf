"""Permissions that a request needs besides that of its own operation: tags of what it makes, keys, secrets.

Services ask for them in the caller's name, under the caller's policies.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from embedded.aws_api import ACCOUNT_ID
from embedded.aws_api.operations import Operation
from embedded.aws_api.resource_arns import kms_key_arn


@dataclass(frozen=True)
class Permission:
    """One thing the caller must be allowed to do."""

    action: str
    resource: str
    """An ARN, or `*`."""
    context: Mapping[str, list[str]] = field(default_factory=dict)
    """Condition keys that hold for this permission beyond those of the request."""


# Service -> the action that tags; each operation of the service that takes tags for what it makes needs it.
# https://docs.aws.amazon.com/IAM/latest/UserGuide/access_tags.html and each service's authorization page:
# https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
_TAGGING = {
    "cloudwatch": "TagResource",
    "ecr": "TagResource",
    "eks": "TagResource",
    "logs": "TagResource",
    "monitoring": "TagResource",
    "rds": "AddTagsToResource",
    "secretsmanager": "TagResource",
    "sns": "TagResource",
}
_CREATING = ("Create", "Put", "Restore", "Copy", "Subscribe")
# IAM has one for each kind.
_IAM_TAGGING = {
    "CreateRole": "TagRole",
    "CreateInstanceProfile": "TagInstanceProfile",
    "CreatePolicy": "TagPolicy",
}
_TAG_PARAMETERS = ("Tags", "tags")
# Operation of RDS -> parameter that names what it makes, and the ARN's kind; others make what they name.
_RDS_MADE = {
    "CreateDBInstance": ("DBInstanceIdentifier", "db"),
    "RestoreDBInstanceFromDBSnapshot": ("DBInstanceIdentifier", "db"),
    "CreateDBSnapshot": ("DBSnapshotIdentifier", "snapshot"),
    "CopyDBSnapshot": ("TargetDBSnapshotIdentifier", "snapshot"),
    "CreateDBSubnetGroup": ("DBSubnetGroupName", "subgrp"),
    "CreateDBParameterGroup": ("DBParameterGroupName", "pg"),
    "CreateEventSubscription": ("SubscriptionName", "es"),
}


def dependents(operation: Operation, arns: list[str], prefix: str) -> list[Permission]:
    """Everything besides the operation's own permission that is not about objects of S3 or passed roles.

    Args:
        operation: the request.
        arns: what it acts on.
        prefix: of the service's IAM actions.
    """
    found = _tags(operation, arns, prefix)
    if operation.service == "rds":
        found += _encrypted_database(operation)
    if (operation.service, operation.name) == ("eks", "CreateCluster"):
        for one in operation.parameters.get("encryptionConfig") or ():
            found += _grants("eks", operation.region, str(one.get("provider", {}).get("keyArn") or ""))
    return found


def _tags(operation: Operation, arns: list[str], prefix: str) -> list[Permission]:
    if operation.service == "ec2":
        return _ec2_tags(operation)
    if not any(operation.parameters.get(name) for name in _TAG_PARAMETERS):
        return []
    if operation.service == "kms" and operation.name == "CreateKey":
        return [Permission("kms:TagResource", f"arn:aws:kms:{operation.region}:{ACCOUNT_ID}:key/*")]
    if operation.service == "iam":
        action = _IAM_TAGGING.get(operation.name)
        return [Permission(f"iam:{action}", arns[0])] if action else []
    action = _TAGGING.get(operation.service)
    if action is None or not operation.name.startswith(_CREATING):
        return []
    return [Permission(f"{prefix}:{action}", _made(operation, arns))]


def _made(operation: Operation, arns: list[str]) -> str:
    """The ARN of what the operation makes."""
    base = f"arn:aws:{operation.service}:{operation.region}:{ACCOUNT_ID}"
    if operation.service == "rds" and operation.name in _RDS_MADE:
        name, kind = _RDS_MADE[operation.name]
        return f"{base}:{kind}:{operation.text(name)}"
    if operation.service == "eks" and operation.name == "CreatePodIdentityAssociation":
        # Its id is not known before.
        return f"{base}:podidentityassociation/{operation.text('clusterName')}/*"
    if operation.service == "eks" and operation.name == "CreateAccessEntry":
        return f"{base}:access-entry/{operation.text('clusterName')}/*"
    # Tags are of a log group, not of its streams.
    return arns[0].removesuffix(":*") if operation.service == "logs" else arns[0]


def _ec2_tags(operation: Operation) -> list[Permission]:
    """CreateTags, for the kinds that the request tags while it makes them.

    https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/supported-iam-actions-tagging.html
    """
    base, making = f"arn:aws:ec2:{operation.region}:{ACCOUNT_ID}", {"ec2:createaction": [operation.name]}
    kinds = {str(one.get("ResourceType")) for one in operation.parameters.get("TagSpecifications") or ()}
    return [Permission("ec2:CreateTags", f"{base}:{kind}/*", making) for kind in sorted(kinds)]


def _encrypted_database(operation: Operation) -> list[Permission]:
    """A key that RDS uses for the instance, and the secret that it makes for the master user.

    https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/Overview.Encryption.Keys.html
    https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/rds-secrets-manager.html#rds-secrets-manager-permissions
    """
    if operation.name not in ("CreateDBInstance", "CopyDBSnapshot"):
        return []
    found = _grants("rds", operation.region, operation.text("KmsKeyId"))
    if operation.parameters.get("ManageMasterUserPassword"):
        secret = f"arn:aws:secretsmanager:{operation.region}:{ACCOUNT_ID}:secret:rds!db-*"
        found += [
            Permission(f"secretsmanager:{action}", secret) for action in ("CreateSecret", "TagResource")
        ]
        found += _secret_key(operation)
    return found


def _secret_key(operation: Operation) -> list[Permission]:
    key = operation.text("MasterUserSecretKmsKeyId")
    if not key:
        return []
    context = {"kms:viaservice": [f"secretsmanager.{operation.region}.amazonaws.com"]}
    arn = kms_key_arn(key, operation.region)
    return [
        Permission("kms:DescribeKey", arn),
        *(Permission(f"kms:{action}", arn, context) for action in ("Decrypt", "GenerateDataKey")),
    ]


def _grants(service: str, region: str, key: str) -> list[Permission]:
    """What a service needs to use a key later on its own: to look at it, and a grant."""
    if not key:
        return []
    arn, via = kms_key_arn(key, region), {"kms:viaservice": [f"{service}.{region}.amazonaws.com"]}
    granted = {**via, "kms:grantisforawsresource": ["true"]}
    return [Permission("kms:DescribeKey", arn, via), Permission("kms:CreateGrant", arn, granted)]
