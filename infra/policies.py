"""IAM, KMS and S3 policy documents as pure functions.

One statement per need, each with a `Sid`. A document is a plain mapping whose leaves may be Outputs; a
component turns it into JSON. A `*` as resource carries its reason.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import pulumi

from infra.naming import TASK_LOGS_PREFIX, XCOM_PREFIX

Statement = dict[str, Any]
Document = dict[str, Any]
Text = pulumi.Input[str]

POLICY_VERSION: Final = "2012-10-17"
# What publishes to the alarms' topic:
# https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_Events.GrantingPermissions.html
NOTIFYING_SERVICES: Final = ("cloudwatch.amazonaws.com", "events.rds.amazonaws.com")


def partition(region: str) -> str:
    """Return the AWS partition of a region: aws or aws-us-gov; settings take no other."""
    return "aws-us-gov" if region.startswith("us-gov-") else "aws"


def document(statements: Sequence[Statement]) -> Document:
    """Return a policy document of these statements."""
    return {"Version": POLICY_VERSION, "Statement": list(statements)}


def as_json(policy: Mapping[str, Any]) -> pulumi.Output[str]:
    """Return the document as JSON text, resolving Outputs at its leaves."""
    return pulumi.Output.json_dumps(policy)


def _key_through(sid: str, actions: Sequence[str], key_arn: Text, service: str, region: str) -> Statement:
    return {
        "Sid": sid,
        "Effect": "Allow",
        "Action": list(actions),
        "Resource": key_arn,
        "Condition": {"StringEquals": {"kms:ViaService": f"{service}.{region}.amazonaws.com"}},
    }


def read_logs(*, bucket_arn: Text, key_arn: Text, region: str) -> list[Statement]:
    """Statements that list the bucket and read task logs.

    The list is of the whole bucket: without that right, S3 says "forbidden" of an object that is not there,
    and a condition on the prefix does not count for that answer:
    https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html
    """
    return [
        {"Sid": "ListBucket", "Effect": "Allow", "Action": "s3:ListBucket", "Resource": bucket_arn},
        _objects("ReadLogs", ["s3:GetObject"], bucket_arn, TASK_LOGS_PREFIX),
        _key_through("DecryptObjects", ["kms:Decrypt"], key_arn, "s3", region),
    ]


def write_logs(*, bucket_arn: Text, key_arn: Text, region: str) -> list[Statement]:
    """Statements that write task logs, besides reading them: Airflow appends to what is there."""
    return [
        *read_logs(bucket_arn=bucket_arn, key_arn=key_arn, region=region),
        _objects("WriteLogs", ["s3:PutObject"], bucket_arn, TASK_LOGS_PREFIX),
        _key_through("EncryptObjects", ["kms:GenerateDataKey"], key_arn, "s3", region),
    ]


def read_xcoms(*, bucket_arn: Text) -> list[Statement]:
    """Statement that reads large XComs, besides those of logs."""
    return [_objects("ReadXcoms", ["s3:GetObject"], bucket_arn, XCOM_PREFIX)]


def exchange_xcoms(*, bucket_arn: Text) -> list[Statement]:
    """Statement that exchanges large XComs, besides those of logs; a task's next try deletes its last."""
    actions = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"]
    return [_objects("ExchangeXcoms", actions, bucket_arn, XCOM_PREFIX)]


def _objects(sid: str, actions: Sequence[str], bucket_arn: Text, prefix: str) -> Statement:
    resource = pulumi.Output.concat(bucket_arn, f"/{prefix}/*")
    return {"Sid": sid, "Effect": "Allow", "Action": list(actions), "Resource": resource}


def read_parameters(*, secrets_prefix: str, key_arn: Text, account_id: str, region: str) -> list[Statement]:
    """Statements that read the environment's own Connections and Variables in Secrets Manager."""
    base = f"arn:{partition(region)}:secretsmanager:{region}:{account_id}:secret:{secrets_prefix}"
    return [
        {
            "Sid": "ReadParameters",
            "Effect": "Allow",
            "Action": "secretsmanager:GetSecretValue",
            "Resource": [f"{base}/connections/*", f"{base}/variables/*"],
        },
        _key_through("DecryptParameters", ["kms:Decrypt"], key_arn, "secretsmanager", region),
    ]


def read_administration_secret(*, secret_arn: Text, key_arn: Text, region: str) -> list[Statement]:
    """Statements that read the password of who makes roles and databases on an instance."""
    return [
        {
            "Sid": "ReadAdministrationSecret",
            "Effect": "Allow",
            "Action": "secretsmanager:GetSecretValue",
            "Resource": secret_arn,
        },
        _key_through("DecryptAdministrationSecret", ["kms:Decrypt"], key_arn, "secretsmanager", region),
    ]


def tls_only(*, bucket_arn: Text) -> Document:
    """Bucket policy that refuses requests without TLS, by anybody (FSBP S3.5)."""
    return document(
        [
            {
                "Sid": "RefuseWithoutTls",
                "Effect": "Deny",
                "Principal": {"AWS": "*"},
                # Everything is refused, so that no action added to S3 later slips through.
                "Action": "s3:*",
                "Resource": [bucket_arn, pulumi.Output.concat(bucket_arn, "/*")],
                "Condition": {"Bool": {"aws:SecureTransport": "false"}},
            }
        ]
    )


def key_policy(
    *, account_id: str, region: str, log_groups: Sequence[str], notifying_services: Sequence[str] = ()
) -> Document:
    """Key policy: the account's IAM policies decide, and CloudWatch Logs may encrypt the named log groups.

    `notifying_services` may publish to encrypted topics of this account.
    In a key policy the resource `*` means the key itself:
    https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-default.html
    https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/encrypt-log-data-kms.html
    https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html#compatibility-with-aws-services
    """
    arn = f"arn:{partition(region)}"
    log_arns = [f"{arn}:logs:{region}:{account_id}:log-group:{group}" for group in log_groups]
    context = {"ArnEquals": {"kms:EncryptionContext:aws:logs:arn": log_arns}}
    return document(
        [
            {
                "Sid": "PoliciesOfTheAccount",
                "Effect": "Allow",
                "Principal": {"AWS": f"{arn}:iam::{account_id}:root"},
                "Action": "kms:*",
                "Resource": "*",
            },
            {
                "Sid": "CloudWatchLogs",
                "Effect": "Allow",
                "Principal": {"Service": f"logs.{region}.amazonaws.com"},
                "Action": ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*"],
                "Resource": "*",
                "Condition": context,
            },
            {
                "Sid": "CloudWatchLogsDescribe",
                "Effect": "Allow",
                "Principal": {"Service": f"logs.{region}.amazonaws.com"},
                "Action": "kms:DescribeKey",
                "Resource": "*",
            },
            *([_notifying(notifying_services, account_id)] if notifying_services else []),
        ]
    )


def _notifying(services: Sequence[str], account_id: str) -> Statement:
    return {
        "Sid": "EncryptedTopics",
        "Effect": "Allow",
        "Principal": {"Service": list(services)},
        "Action": ["kms:Decrypt", "kms:GenerateDataKey*"],
        "Resource": "*",
        "Condition": {"StringEquals": {"aws:SourceAccount": account_id}},
    }


def snapshot_before_migration(
    *, instance: str, snapshot_prefix: str, account_id: str, region: str
) -> list[Statement]:
    """Statements that make and look at snapshots of one instance, under names of one prefix.

    None of them deletes: a pod that could would be able to remove the way back.
    https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonrds.html
    """
    base = f"arn:{partition(region)}:rds:{region}:{account_id}"
    snapshots = f"{base}:snapshot:{snapshot_prefix}-*"
    return [
        {
            "Sid": "SnapshotBeforeMigration",
            "Effect": "Allow",
            "Action": "rds:CreateDBSnapshot",
            "Resource": [f"{base}:db:{instance}", snapshots],
        },
        {
            "Sid": "WatchSnapshot",
            "Effect": "Allow",
            "Action": "rds:DescribeDBSnapshots",
            "Resource": snapshots,
        },
    ]


def publish_alarms(*, topic_arn: Text, account_id: str) -> Document:
    """Topic policy: CloudWatch and RDS of this account publish, and nobody without TLS."""
    return document(
        [
            {
                "Sid": "RefuseWithoutTls",
                "Effect": "Deny",
                "Principal": {"AWS": "*"},
                "Action": "sns:Publish",
                "Resource": topic_arn,
                "Condition": {"Bool": {"aws:SecureTransport": "false"}},
            },
            {
                "Sid": "AlarmsAndEvents",
                "Effect": "Allow",
                "Principal": {"Service": list(NOTIFYING_SERVICES)},
                "Action": "sns:Publish",
                "Resource": topic_arn,
                "Condition": {"StringEquals": {"aws:SourceAccount": account_id}},
            },
        ]
    )


def write_flow_log(*, group_arn: Text) -> list[Statement]:
    """Statements that write into one log group."""
    return [
        {
            "Sid": "WriteFlowLog",
            "Effect": "Allow",
            # No right to make the group: what is written after its deletion would bring it back.
            # https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-iam-role.html
            "Action": [
                "logs:CreateLogStream",
                "logs:PutLogEvents",
                "logs:DescribeLogGroups",
                "logs:DescribeLogStreams",
            ],
            "Resource": pulumi.Output.concat(group_arn, ":*"),
        }
    ]


def assume_roles(*, role_arns: Sequence[Text]) -> list[Statement]:
    """Statements that assume the named roles; each of them must trust who has these."""
    return [
        {
            "Sid": "AssumeDeployers",
            "Effect": "Allow",
            "Action": "sts:AssumeRole",
            "Resource": list(role_arns),
        }
    ]


def encrypt_volumes(*, key_arn: Text) -> list[Statement]:
    """Statements that encrypt disks of nodes and volumes of pods; EC2 gets a grant on the key, nobody else.

    What EKS Auto Mode asks for; its `kms:ReEncrypt*` and `kms:GenerateDataKey*` are spelled out.
    https://docs.aws.amazon.com/eks/latest/userguide/auto-kms.html
    """
    return [
        {
            "Sid": "EncryptVolumes",
            "Effect": "Allow",
            "Action": [
                "kms:Encrypt",
                "kms:Decrypt",
                "kms:ReEncryptFrom",
                "kms:ReEncryptTo",
                "kms:GenerateDataKey",
                "kms:GenerateDataKeyWithoutPlaintext",
                "kms:DescribeKey",
            ],
            "Resource": key_arn,
        },
        {
            "Sid": "GrantToVolumes",
            "Effect": "Allow",
            "Action": ["kms:CreateGrant", "kms:ListGrants", "kms:RevokeGrant"],
            "Resource": key_arn,
            "Condition": {"Bool": {"kms:GrantIsForAWSResource": "true"}},
        },
    ]
