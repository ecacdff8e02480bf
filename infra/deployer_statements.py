"""Statements of the deployer's policies, by what they are about. Pure functions, as in infra/policies.py.

Which actions exist, on which resources and with which keys, is in AWS's service authorization reference:
https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
An action that is granted on `*` has no resource type there, or lists what has no name yet. What EC2 and KMS
name themselves is told apart by the tag `deployment-id`, which the program gives with the creation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from infra.naming import RECOVERY_SET_TAG, Names
from infra.policies import Statement, partition

TAG: Final = "deployment-id"
MASTER_SECRETS: Final = "rds!db-*"
"""Names that RDS gives to the secrets that it keeps for master users."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What the rights are limited to."""

    names: Names
    """Physical names; the environment's may end in `*`, for all whose names begin alike."""
    deployment_id: str
    """Value of the tag; may end in `*` likewise."""
    permissions_boundary: str | None = None
    """ARN of the policy that every role must carry; None: roles are unbounded."""

    @property
    def partition(self) -> str:
        """AWS partition of the region."""
        return partition(self.names.region)

    def arn(self, service: str, rest: str, *, region: str | None = None) -> str:
        """An ARN of the account; `region` is that of the scope if not given."""
        place = self.names.region if region is None else region
        return f"arn:{self.partition}:{service}:{place}:{self.names.account_id}:{rest}"

    def role(self, purpose: str) -> str:
        """ARN of a role, or of several by a `*`."""
        return self.arn("iam", f"role/{self.names.role(purpose)}", region="")

    @property
    def made(self) -> Mapping[str, Any]:
        """Condition: the request gives the tag to what it makes."""
        return {"StringLike": {f"aws:RequestTag/{TAG}": self.deployment_id}}

    @property
    def own(self) -> Mapping[str, Any]:
        """Condition: the resource carries the tag."""
        return {"StringLike": {f"aws:ResourceTag/{TAG}": self.deployment_id}}

    @property
    def adopted(self) -> Mapping[str, Any]:
        """Condition: the request gives the tag to what carries none, or this one."""
        mine = {f"aws:ResourceTag/{TAG}": self.deployment_id}
        return {**self.made, "StringLikeIfExists": mine}

    @property
    def here(self) -> Mapping[str, Any]:
        """Condition: the request goes to the scope's region."""
        return {"StringEquals": {"aws:RequestedRegion": self.names.region}}


def allow(
    sid: str, service: str, actions: str, resource: str | Sequence[str], condition: Mapping[str, Any] = {}
) -> Statement:
    """Return an Allow statement.

    Args:
        sid: what it is for, letters and digits.
        service: prefix of the actions.
        actions: names of the actions, apart by white space.
        resource: ARNs, or `*`.
        condition: its Condition block; empty for none.
    """
    named = [f"{service}:{action}" for action in actions.split()]
    resources = resource if isinstance(resource, str) else list(resource)
    statement: Statement = {"Sid": sid, "Effect": "Allow", "Action": named, "Resource": resources}
    return {**statement, "Condition": dict(condition)} if condition else statement


def bucket(scope: Scope) -> list[Statement]:
    """The bucket of remote logs with its settings; a disposable one is emptied when it goes."""
    arn = f"arn:{scope.partition}:s3:::{scope.names.logs_bucket}"
    # The provider reads every setting that a bucket can have, whether or not the program has it.
    settings = (
        "CreateBucket DeleteBucket ListBucket ListBucketVersions PutBucketTagging PutBucketVersioning "
        "PutBucketOwnershipControls PutBucketPublicAccessBlock PutEncryptionConfiguration PutBucketPolicy "
        "DeleteBucketPolicy PutLifecycleConfiguration GetBucketAcl GetBucketCORS GetBucketLocation "
        "GetBucketLogging GetBucketObjectLockConfiguration GetBucketOwnershipControls GetBucketPolicy "
        "GetBucketPublicAccessBlock GetBucketRequestPayment GetBucketTagging GetBucketVersioning "
        "GetBucketWebsite GetAccelerateConfiguration GetEncryptionConfiguration GetLifecycleConfiguration "
        "GetReplicationConfiguration"
    )
    return [
        allow("Bucket", "s3", settings, arn),
        allow("Objects", "s3", "GetObject DeleteObject DeleteObjectVersion", f"{arn}/*"),
    ]


def secrets(scope: Scope) -> list[Statement]:
    """Connections, Variables, Fernet keys of the recovery set; and what RDS keeps for the master user."""
    prefix = scope.arn("secretsmanager", "secret:")
    return [
        allow(
            "Secrets",
            "secretsmanager",
            "CreateSecret DeleteSecret RestoreSecret DescribeSecret UpdateSecret GetSecretValue "
            "PutSecretValue UpdateSecretVersionStage GetResourcePolicy TagResource UntagResource",
            f"{prefix}{scope.names.secrets_prefix}/*",
        ),
        # https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/rds-secrets-manager.html#rds-secrets-manager-permissions
        allow("MasterSecret", "secretsmanager", "CreateSecret TagResource", prefix + MASTER_SECRETS),
        allow("ListSecrets", "secretsmanager", "ListSecrets", "*", scope.here),
    ]


def keys(scope: Scope, aliases: Sequence[str], through: Sequence[str]) -> list[Statement]:
    """KMS keys that carry the tag, and their aliases; services named in `through` use them for the caller.

    A key gets its tags with its creation, for which KMS wants the right to tag any key: so a key without the
    tag can be taken, and one with another's can't.
    https://docs.aws.amazon.com/kms/latest/developerguide/tag-permissions.html
    """
    key, region = scope.arn("kms", "key/*"), scope.names.region
    services = [f"{service}.{region}.amazonaws.com" for service in through]
    administration = (
        "DescribeKey GetKeyPolicy PutKeyPolicy GetKeyRotationStatus EnableKeyRotation ListResourceTags "
        "TagResource UntagResource UpdateKeyDescription ScheduleKeyDeletion "
        "CreateAlias UpdateAlias DeleteAlias"
    )
    grants = {**scope.own, "Bool": {"kms:GrantIsForAWSResource": "true"}}
    use = {**scope.own, "StringEquals": {"kms:ViaService": services}}
    return [
        allow("MakeKey", "kms", "CreateKey", "*", scope.made),
        allow("TagNewKey", "kms", "TagResource", key, scope.adopted),
        allow("OwnKeys", "kms", administration, key, scope.own),
        allow("GrantKeys", "kms", "CreateGrant", key, grants),
        allow("UseKeys", "kms", "Decrypt GenerateDataKey", key, use),
        allow(
            "Aliases",
            "kms",
            "CreateAlias UpdateAlias DeleteAlias",
            [scope.arn("kms", alias) for alias in aliases],
        ),
        allow("ListKeys", "kms", "ListKeys ListAliases", "*", scope.here),
    ]


def database(scope: Scope) -> list[Statement]:
    """The instance with its groups, subscriptions and snapshots, by name; reading is of the account's."""
    names = scope.names
    own = [
        f"db:{names.database_instance}",
        f"subgrp:{names.database_instance}",
        f"snapshot:{names.database_instance}-*",
        f"pg:{names.environment}-postgres*",
        f"es:{names.alarm('events-*')}",
        # Instances without an option group of their own get this one.
        "og:default:postgres-*",
    ]
    changes = (
        "CreateDBInstance ModifyDBInstance DeleteDBInstance RestoreDBInstanceFromDBSnapshot "
        "CreateDBSnapshot CopyDBSnapshot DeleteDBSnapshot "
        "CreateDBSubnetGroup ModifyDBSubnetGroup DeleteDBSubnetGroup CreateDBParameterGroup "
        "ModifyDBParameterGroup ResetDBParameterGroup DeleteDBParameterGroup CreateEventSubscription "
        "ModifyEventSubscription DeleteEventSubscription AddTagsToResource RemoveTagsFromResource"
    )
    reads = (
        "DescribeDBInstances DescribeDBSnapshots DescribeDBSubnetGroups DescribeDBParameterGroups "
        "DescribeDBParameters DescribeEventSubscriptions ListTagsForResource"
    )
    return [
        allow("Database", "rds", changes, [scope.arn("rds", one) for one in own]),
        # Lists of all that there are name no ARN.
        allow("ReadDatabases", "rds", reads, "*", scope.here),
    ]


def log_groups(scope: Scope, groups: Sequence[str]) -> list[Statement]:
    """Log groups by name; a `*` at the end is for several."""
    # Tagging names the group alone, other actions its streams too: `GROUP:*`.
    arns = [scope.arn("logs", f"log-group:{group}{end}") for group in groups for end in ("", ":*")]
    actions = (
        "CreateLogGroup DeleteLogGroup PutRetentionPolicy DeleteRetentionPolicy AssociateKmsKey "
        "DisassociateKmsKey TagResource UntagResource ListTagsForResource"
    )
    return [
        allow("LogGroups", "logs", actions, arns),
        allow("ListLogGroups", "logs", "DescribeLogGroups", "*", scope.here),
    ]


def alarms(scope: Scope) -> list[Statement]:
    """Alarms and dashboard, and the topic with its subscribers."""
    names = scope.names
    topic, alarm = scope.arn("sns", names.alarm("alarms")), scope.arn("cloudwatch", "alarm:")
    dashboard = scope.arn("cloudwatch", f"dashboard/{names.alarm('database')}", region="")
    topics = (
        "CreateTopic DeleteTopic GetTopicAttributes SetTopicAttributes Subscribe ListSubscriptionsByTopic "
        "TagResource UntagResource ListTagsForResource"
    )
    # Subscriptions are no type of resource to SNS's permissions.
    subscribers = "Unsubscribe GetSubscriptionAttributes SetSubscriptionAttributes ListTopics"
    return [
        allow("Topic", "sns", topics, topic),
        allow("Subscribers", "sns", subscribers, "*", scope.here),
        allow(
            "Alarms",
            "cloudwatch",
            "PutMetricAlarm DeleteAlarms TagResource UntagResource ListTagsForResource",
            alarm + names.alarm("*"),
        ),
        allow("ListAlarms", "cloudwatch", "DescribeAlarms", f"{alarm}*"),
        allow("Dashboard", "cloudwatch", "PutDashboard GetDashboard DeleteDashboards", dashboard),
    ]


def roles(scope: Scope, managed: Sequence[str]) -> list[Statement]:
    """Roles by name, to which of AWS's managed policies only `managed` can be attached.

    With a permissions boundary no role can be made, given a policy, or freed from the boundary without it.
    https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_boundaries.html#access_policies_boundaries-delegate
    """
    own, boundary = scope.role("*"), scope.permissions_boundary
    bounded = {"StringEquals": {"iam:PermissionsBoundary": boundary}} if boundary else {}
    attached = [f"arn:{scope.partition}:iam::aws:policy/{policy}" for policy in managed]
    plain = (
        "GetRole DeleteRole UpdateRole UpdateRoleDescription UpdateAssumeRolePolicy TagRole UntagRole "
        "ListRoleTags ListRolePolicies GetRolePolicy ListAttachedRolePolicies ListInstanceProfilesForRole"
    )
    filled = "CreateRole PutRolePolicy DeleteRolePolicy PutRolePermissionsBoundary"
    free = "" if boundary else " DeleteRolePermissionsBoundary"
    policies = {**bounded, "ArnEquals": {"iam:PolicyARN": attached}}
    return [
        allow("Roles", "iam", plain + free, own),
        allow("RolesWithRights", "iam", filled, own, bounded),
        allow("ManagedPolicies", "iam", "AttachRolePolicy DetachRolePolicy", own, policies),
    ]


def pass_roles(scope: Scope, passed: Mapping[str, Sequence[str]]) -> list[Statement]:
    """Hand roles to services: service principal -> purposes of the roles."""
    return [
        allow(
            f"PassRoleTo{''.join(part.capitalize() for part in service.split('.')[0].split('-'))}{number}",
            "iam",
            "PassRole",
            [scope.role(purpose) for purpose in purposes],
            {"StringEquals": {"iam:PassedToService": service}},
        )
        for number, (service, purposes) in enumerate(passed.items())
    ]


def service_roles(scope: Scope, services: Mapping[str, str]) -> list[Statement]:
    """Make the service-linked roles that an account gets with the first use: service -> name of the role."""
    return [
        allow(
            f"FirstUse{number}",
            "iam",
            "CreateServiceLinkedRole",
            scope.arn("iam", f"role/aws-service-role/{service}/{role}", region=""),
            {"StringEquals": {"iam:AWSServiceName": service}},
        )
        for number, (service, role) in enumerate(services.items())
    ]


def restore(scope: Scope) -> list[Statement]:
    """Read what a persistent environment left behind, whichever it was: snapshots, keys, Fernet keys."""
    left = {"StringLike": {f"aws:ResourceTag/{RECOVERY_SET_TAG}": "*"}}
    prefix = scope.arn("secretsmanager", "secret:airflow/*/recovery/*")
    key, region = scope.arn("kms", "key/*"), scope.names.region
    through = {"kms:ViaService": [f"{name}.{region}.amazonaws.com" for name in ("rds", "secretsmanager")]}
    return [
        allow("SnapshotsLeft", "rds", "CopyDBSnapshot", scope.arn("rds", "snapshot:*"), left),
        allow("FernetKeysLeft", "secretsmanager", "DescribeSecret GetSecretValue", prefix, left),
        allow("KeysLeft", "kms", "DescribeKey", key, left),
        allow("UseKeysLeft", "kms", "Decrypt CreateGrant", key, {**left, "StringEquals": through}),
    ]
