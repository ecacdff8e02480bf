"""What the components around the metadata database are given; the other half of environment_plan.py."""

from __future__ import annotations

from collections.abc import Sequence

import pulumi
import pulumi_aws as aws

from infra.cluster_ref import ClusterReference
from infra.components.airflow_namespace import AirflowNamespace
from infra.components.airflow_secrets import AirflowSecrets
from infra.components.alarms import Alarms, AlarmsArgs
from infra.components.database_migration import DatabaseMigrationArgs, MigrationSnapshot
from infra.components.database_tenant import AdministrationJob, DatabaseTenant, DatabaseTenantArgs
from infra.components.encryption_key import EncryptionKey
from infra.components.metadata_database import MetadataDatabase
from infra.components.recovery_set import RecoverySetArgs
from infra.database_alarms import database_alarms
from infra.database_endpoint import DatabaseEndpoint, database_host
from infra.environment_guard import EnvironmentGuard
from infra.image_modules import required_modules
from infra.stacks.environment_plan import EnvironmentPlan


def metadata_database(
    plan: EnvironmentPlan, cluster: ClusterReference, key: EncryptionKey, opts: pulumi.ResourceOptions
) -> DatabaseEndpoint:
    """Return where the database is: an instance of its own, or the cluster's host."""
    if plan.settings.database.shared:
        return database_host(cluster.database_host, stack=plan.settings.cluster.stack)
    return MetadataDatabase("metadata-database", plan.metadata_database(cluster, key), opts)


def alarms(
    plan: EnvironmentPlan, key: EncryptionKey, database: DatabaseEndpoint, opts: pulumi.ResourceOptions
) -> list[pulumi.Resource]:
    """Return the alarms of the environment's own instance, if it has any."""
    settings = plan.settings.database
    if not (plan.settings.alarmed and isinstance(database, MetadataDatabase)):
        return []
    args = AlarmsArgs(
        names=plan.names,
        settings=plan.settings.alarms,
        key_arn=key.arn,
        instance=database.identifier,
        parameter_group=plan.names.parameter_group(settings.postgres_major),
        alarms=database_alarms(plan.settings.alarms, settings),
    )
    return [Alarms("alarms", args, opts)]


def guard(plan: EnvironmentPlan, whole: Sequence[pulumi.Resource]) -> None:
    """Keep a persistent environment from going by mistake.

    Args:
        plan: the environment.
        whole: every component of it; none is deleted before the guard.
    """
    if plan.settings.persistent:
        EnvironmentGuard(
            "guard",
            stack=plan.stack,
            protected=plan.settings.protected,
            opts=pulumi.ResourceOptions(depends_on=whole),
        )


def restored_fernet_keys(plan: EnvironmentPlan, provider: aws.Provider) -> pulumi.Output[str] | None:
    """Return the Fernet keys of the environment that the database comes from; secret. None for a new one."""
    secret = plan.settings.database.restore.fernet_keys_secret
    if secret is None:
        return None
    found = aws.secretsmanager.get_secret_version_output(
        secret_id=secret, opts=pulumi.InvokeOutputOptions(provider=provider)
    )
    return pulumi.Output.secret(found.secret_string)


def recovery_set(
    plan: EnvironmentPlan, key: EncryptionKey, database: DatabaseEndpoint, secrets: AirflowSecrets
) -> RecoverySetArgs:
    """Args of what outlives the environment."""
    return RecoverySetArgs(
        names=plan.names,
        key_arn=key.arn,
        recovery_id=database.recovery_id,
        fernet_keys=secrets.fernet_keys,
        tags=plan.recovery_tags,
    )


def database_tenant(
    plan: EnvironmentPlan,
    cluster: ClusterReference,
    namespace: AirflowNamespace,
    database: DatabaseEndpoint,
    secrets: AirflowSecrets,
) -> DatabaseTenantArgs:
    """Args of role and database."""
    settings = plan.settings
    return DatabaseTenantArgs(
        job=AdministrationJob(
            kubeconfig=cluster.kubeconfig,
            namespace=namespace.name,
            image=settings.airflow.image_reference,
            host=database.host,
            port=database.port,
            secret_arn=database.administration_secret_arn,
            timeout_seconds=settings.timeouts.statement_seconds,
        ),
        instance_resource_id=database.resource_id,
        password_digest=secrets.password_digest,
        login_role=secrets.database_login,
        closed_login_role=secrets.closed_database_login,
        # An instance that ends with the environment has a final snapshot, which must hold the database.
        drop_on_delete=settings.database.shared,
        tenant=plan.tenant,
        connection_limit=settings.database.tenant_connections if settings.database.shared else -1,
        protected=settings.protected,
    )


def database_migration(
    plan: EnvironmentPlan, namespace: AirflowNamespace, database: DatabaseEndpoint, tenant: DatabaseTenant
) -> DatabaseMigrationArgs:
    """Args of the migration."""
    settings, names = plan.settings, plan.names
    snapshot = MigrationSnapshot(
        instance=names.database_instance, prefix=names.migration_snapshot, region=names.region
    )
    return DatabaseMigrationArgs(
        namespace=namespace.name,
        image=settings.airflow.image_reference,
        chart_version=settings.chart_version,
        instance_resource_id=database.resource_id,
        database=tenant.identity,
        administrator=plan.administrator,
        renew_administrator=settings.database.restore.wanted,
        canary=settings.canary,
        snapshot=snapshot if settings.persistent else None,
        airflow_cfg=plan.airflow_cfg,
        required_modules=required_modules(settings),
        timeout_seconds=settings.timeouts.migration_seconds,
    )
