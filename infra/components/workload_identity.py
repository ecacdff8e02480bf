"""What the environment's pods may do in AWS: a role for each service account, by EKS Pod Identity."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import pulumi
import pulumi_aws as aws

from infra import policies, trust_policies
from infra.naming import SERVICE_ACCOUNTS, Names
from infra.policies import Statement


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkloadIdentityArgs:
    """What WorkloadIdentity needs."""

    names: Names
    cluster_name: pulumi.Input[str]
    cluster_arn: pulumi.Input[str]
    namespace: str
    statements: Mapping[str, Sequence[Statement]]
    """Service account -> statements of its policy."""
    permissions_boundary: str | None


class WorkloadIdentity(pulumi.ComponentResource):
    """A role, its policy and a Pod Identity association for each service account that needs AWS.

    An association names namespace and service account, and both may be made later.
    """

    TOKEN: Final = "airflowinfra:index:WorkloadIdentity"  # noqa: S105 - a type token

    role_arns: Mapping[str, pulumi.Output[str]]
    """Service account -> ARN of its role."""

    def __init__(
        self, name: str, args: WorkloadIdentityArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(self.TOKEN, name, None, opts)
        trust = policies.as_json(
            trust_policies.pod_identity_trust(cluster_arn=args.cluster_arn, account_id=args.names.account_id)
        )
        self.role_arns = {
            account: self._identity(name, args, account, statements, trust)
            for account, statements in args.statements.items()
        }
        self.register_outputs({"roleArns": dict(self.role_arns)})

    def _identity(
        self,
        name: str,
        args: WorkloadIdentityArgs,
        account: str,
        statements: Sequence[Statement],
        trust: pulumi.Output[str],
    ) -> pulumi.Output[str]:
        purpose = account.removeprefix("airflow-")
        role = aws.iam.Role(
            f"{name}-{purpose}-role",
            name=args.names.role(account),
            description=f"Pods of {args.namespace}/{account}",
            assume_role_policy=trust,
            permissions_boundary=args.permissions_boundary,
            opts=pulumi.ResourceOptions(parent=self),
        )
        policy = aws.iam.RolePolicy(
            f"{name}-{purpose}-policy",
            name=purpose,
            role=role.name,
            policy=policies.as_json(policies.document(statements)),
            opts=pulumi.ResourceOptions(parent=self),
        )
        aws.eks.PodIdentityAssociation(
            f"{name}-{purpose}-association",
            cluster_name=args.cluster_name,
            namespace=args.namespace,
            service_account=account,
            role_arn=role.arn,
            # Pods must not get credentials before they may use them, nor keep them longer.
            opts=pulumi.ResourceOptions(parent=self, depends_on=[policy]),
        )
        return role.arn


def airflow_statements(
    *,
    names: Names,
    bucket_arn: pulumi.Input[str],
    key_arn: pulumi.Input[str],
    administration_secret_arn: pulumi.Input[str],
    administration_key_arn: pulumi.Input[str],
    snapshots: bool,
) -> dict[str, list[Statement]]:
    """Return what each service account may do, and no more.

    Task pods and triggerers write task logs, the API server shows them. Tasks exchange large XComs. Airflow
    looks Connections and Variables up where they are used: in the process of the task, the trigger or the
    parsed DAG file, and in the API server for what these do not find. The scheduler uses none of it, so it
    gets no role. Only database administration reads the instance's administrative password, and it does
    nothing else. The migration takes snapshots where `snapshots` says so, and needs no role otherwise.
    """
    region, account_id = names.region, names.account_id
    parameters = policies.read_parameters(
        secrets_prefix=names.secrets_prefix, key_arn=key_arn, account_id=account_id, region=region
    )
    reading = policies.read_logs(bucket_arn=bucket_arn, key_arn=key_arn, region=region)
    writing = policies.write_logs(bucket_arn=bucket_arn, key_arn=key_arn, region=region)
    accounts = SERVICE_ACCOUNTS
    snapshot = policies.snapshot_before_migration(
        instance=names.database_instance,
        snapshot_prefix=names.migration_snapshot,
        account_id=account_id,
        region=region,
    )
    return {
        accounts.api_server: [*reading, *parameters],
        accounts.dag_processor: parameters,
        accounts.triggerer: [*writing, *policies.read_xcoms(bucket_arn=bucket_arn), *parameters],
        accounts.worker: [*writing, *policies.exchange_xcoms(bucket_arn=bucket_arn), *parameters],
        accounts.database_administration: policies.read_administration_secret(
            secret_arn=administration_secret_arn, key_arn=administration_key_arn, region=region
        ),
        **({accounts.migration: snapshot} if snapshots else {}),
    }
