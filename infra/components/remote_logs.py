"""The S3 bucket that holds task logs and large XComs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import pulumi
import pulumi_aws as aws

from infra import naming, policies
from infra.settings import LogsSettings, XcomSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteLogsArgs:
    """What RemoteLogs needs."""

    bucket: str
    key_arn: pulumi.Input[str]
    settings: LogsSettings
    xcom: XcomSettings
    force_destroy: bool
    """Remove the bucket with everything in it."""
    protected: bool


class RemoteLogs(pulumi.ComponentResource):
    """A private, encrypted, versioned bucket that refuses requests without TLS and forgets by age."""

    TOKEN: Final = "airflowinfra:index:RemoteLogs"  # noqa: S105 - a type token

    bucket: pulumi.Output[str]
    """Name of the bucket."""
    arn: pulumi.Output[str]
    """ARN of the bucket."""

    def __init__(self, name: str, args: RemoteLogsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(self.TOKEN, name, None, opts)
        # A rename would replace the bucket and lose the logs.
        bucket = aws.s3.Bucket(
            f"{name}-bucket",
            bucket=args.bucket,
            force_destroy=args.force_destroy,
            opts=pulumi.ResourceOptions(parent=self, protect=args.protected),
        )
        self._name, self._child = name, pulumi.ResourceOptions(parent=self)
        self._close(bucket)
        aws.s3.BucketServerSideEncryptionConfiguration(
            f"{name}-encryption", bucket=bucket.id, rules=[_encryption(args.key_arn)], opts=self._child
        )
        self._forget(bucket, args)
        self.bucket = bucket.bucket
        self.arn = bucket.arn
        self.register_outputs({"bucket": self.bucket, "arn": self.arn})

    def _close(self, bucket: aws.s3.Bucket) -> None:
        """Nobody but the account's own roles, and they over TLS alone."""
        aws.s3.BucketOwnershipControls(
            f"{self._name}-ownership",
            bucket=bucket.id,
            rule=aws.s3.BucketOwnershipControlsRuleArgs(object_ownership="BucketOwnerEnforced"),
            opts=self._child,
        )
        block = aws.s3.BucketPublicAccessBlock(
            f"{self._name}-public-access",
            bucket=bucket.id,
            block_public_acls=True,
            block_public_policy=True,
            ignore_public_acls=True,
            restrict_public_buckets=True,
            opts=self._child,
        )
        aws.s3.BucketPolicy(
            f"{self._name}-policy",
            bucket=bucket.id,
            policy=policies.as_json(policies.tls_only(bucket_arn=bucket.arn)),
            # S3 answers 409 when policy and public access block are written at the same time.
            opts=pulumi.ResourceOptions(parent=self, depends_on=[block]),
        )

    def _forget(self, bucket: aws.s3.Bucket, args: RemoteLogsArgs) -> None:
        """Versions of what is overwritten or deleted, and an age at which each kind of object goes."""
        versioning = aws.s3.BucketVersioning(
            f"{self._name}-versioning",
            bucket=bucket.id,
            versioning_configuration=aws.s3.BucketVersioningVersioningConfigurationArgs(status="Enabled"),
            opts=self._child,
        )
        logs, xcom = args.settings, args.xcom
        aws.s3.BucketLifecycleConfiguration(
            f"{self._name}-lifecycle",
            bucket=bucket.id,
            rules=[
                _lifecycle("expire-logs", naming.TASK_LOGS_PREFIX, logs.retention_days, logs),
                _lifecycle("expire-xcoms", naming.XCOM_PREFIX, xcom.retention_days, logs),
            ],
            # Rules on old versions are only valid in a versioned bucket.
            opts=pulumi.ResourceOptions(parent=self, depends_on=[versioning]),
        )


def _encryption(
    key_arn: pulumi.Input[str],
) -> aws.s3.BucketServerSideEncryptionConfigurationRuleArgs:
    algorithm = aws.s3.BucketServerSideEncryptionConfigurationRuleApplyServerSideEncryptionByDefaultArgs(
        sse_algorithm="aws:kms", kms_master_key_id=key_arn
    )
    # The bucket key makes one KMS call for many objects: task logs are many and small.
    return aws.s3.BucketServerSideEncryptionConfigurationRuleArgs(
        apply_server_side_encryption_by_default=algorithm, bucket_key_enabled=True
    )


def _lifecycle(
    rule: str, prefix: str, days: int, settings: LogsSettings
) -> aws.s3.BucketLifecycleConfigurationRuleArgs:
    return aws.s3.BucketLifecycleConfigurationRuleArgs(
        id=rule,
        status="Enabled",
        filter=aws.s3.BucketLifecycleConfigurationRuleFilterArgs(prefix=f"{prefix}/"),
        expiration=aws.s3.BucketLifecycleConfigurationRuleExpirationArgs(days=days),
        noncurrent_version_expiration=aws.s3.BucketLifecycleConfigurationRuleNoncurrentVersionExpirationArgs(
            noncurrent_days=settings.noncurrent_retention_days
        ),
        abort_incomplete_multipart_upload=aws.s3.BucketLifecycleConfigurationRuleAbortIncompleteMultipartUploadArgs(
            days_after_initiation=settings.abort_uploads_after_days
        ),
    )
