"""What outlives a persistent environment: with it, a new environment takes up where this one ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import pulumi
import pulumi_aws as aws

from infra.naming import Names

# Days; AWS allows 7 to 30. Only somebody who deletes the secret by hand ever meets it.
RECOVERY_WINDOW_DAYS: Final = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoverySetArgs:
    """What a RecoverySet needs."""

    names: Names
    key_arn: pulumi.Input[str]
    recovery_id: pulumi.Input[str] | None
    """Text that ties snapshot and secret together, made once; None for an environment without trace."""
    fernet_keys: pulumi.Input[str]
    """The ring of Fernet keys, newest first, separated by commas; secret."""
    tags: Mapping[str, str]


class RecoverySet(pulumi.ComponentResource):
    """The ring of Fernet keys in Secrets Manager, beside the final snapshot and the key that encrypts both.

    The snapshot holds Airflow's Connections encrypted with Fernet, so without the ring they are lost. The
    secret follows every rotation and stays in the account when the stack goes. Its name ends in an id of
    this life of the environment, so that what was kept never blocks another one of the same name. A
    disposable environment has an empty set.
    """

    TOKEN: Final = "airflowinfra:index:RecoverySet"  # noqa: S105 - a type token

    def __init__(self, name: str, args: RecoverySetArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(self.TOKEN, name, None, opts)
        if args.recovery_id is not None:
            self._fernet_keys(name, args)
        self.register_outputs({})

    def _fernet_keys(self, name: str, args: RecoverySetArgs) -> None:
        kept = pulumi.ResourceOptions(parent=self, retain_on_delete=True)
        secret = aws.secretsmanager.Secret(
            f"{name}-fernet-keys",
            name=pulumi.Output.concat(args.names.recovery_secret, "/", args.recovery_id or ""),
            description=f"Fernet keys of Airflow environment {args.names.environment}, newest first: "
            "they decrypt the Connections in its snapshots",
            kms_key_id=args.key_arn,
            recovery_window_in_days=RECOVERY_WINDOW_DAYS,
            tags=dict(args.tags),
            opts=kept,
        )
        aws.secretsmanager.SecretVersion(
            f"{name}-fernet-keys-value",
            secret_id=secret.id,
            secret_string=args.fernet_keys,
            opts=kept,
        )
