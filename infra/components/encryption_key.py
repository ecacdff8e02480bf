"""The KMS key of an environment: database, logs, their secrets and log groups are encrypted with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import pulumi
import pulumi_aws as aws

from infra import policies


@dataclass(frozen=True, slots=True, kw_only=True)
class EncryptionKeyArgs:
    """What an EncryptionKey needs."""

    alias: str
    account_id: str
    region: str
    log_groups: Sequence[str]
    """Names of the CloudWatch log groups that may use the key."""
    persistent: bool
    """Keep the key when the stack goes: the final snapshot can't be read without it."""
    protected: bool
    tags: Mapping[str, str] = field(default_factory=dict)
    """Tags of the key, besides the provider's."""
    notifying_services: Sequence[str] = ()
    """Services that publish to topics encrypted with the key, as DNS names."""


class EncryptionKey(pulumi.ComponentResource):
    """A KMS key with yearly rotation, and its alias.

    The key of a persistent environment stays in the account when the stack is destroyed, since its final
    snapshot and backups are encrypted with it. The key of a disposable one is deleted after the shortest
    wait there is.
    """

    TOKEN: Final = "airflowinfra:index:EncryptionKey"  # noqa: S105 - a type token

    arn: pulumi.Output[str]
    """ARN of the key."""

    def __init__(
        self, name: str, args: EncryptionKeyArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(self.TOKEN, name, None, opts)
        policy = policies.key_policy(
            account_id=args.account_id,
            region=args.region,
            log_groups=args.log_groups,
            notifying_services=args.notifying_services,
        )
        key = aws.kms.Key(
            f"{name}-key",
            description=f"Airflow environment {args.alias.removeprefix('alias/')}",
            enable_key_rotation=True,
            # Days; AWS allows 7 to 30.
            deletion_window_in_days=30 if args.persistent else 7,
            policy=policies.as_json(policy),
            tags=dict(args.tags),
            opts=pulumi.ResourceOptions(
                parent=self, protect=args.protected, retain_on_delete=args.persistent
            ),
        )
        aws.kms.Alias(
            f"{name}-alias",
            name=args.alias,
            target_key_id=key.key_id,
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.arn = key.arn
        self.register_outputs({"arn": self.arn})
