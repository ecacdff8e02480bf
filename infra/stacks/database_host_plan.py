"""The optional instance of the cluster project that takes tenants: short-lived environments share it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import pulumi
import pulumi_aws as aws
import pulumi_kubernetes as kubernetes

from infra import naming, policies
from infra.ca_bundle import read_ca_bundle
from infra.cluster_ref import ClusterReference
from infra.cluster_settings import ClusterProjectSettings
from infra.components.airflow_namespace import AirflowNamespace, AirflowNamespaceArgs
from infra.components.database_tenant import AdministrationJob
from infra.components.encryption_key import EncryptionKey
from infra.components.metadata_database import EXPORTED_LOGS, MetadataDatabase, MetadataDatabaseArgs
from infra.components.tenant_administration import TenantAdministration, TenantAdministrationArgs
from infra.components.workload_identity import WorkloadIdentity, WorkloadIdentityArgs
from infra.database_endpoint import DatabaseHost
from infra.naming import SERVICE_ACCOUNTS, Names

ROOT: Final = Path(__file__).resolve().parents[2]
# Limits as an environment has by default.
INSTANCE_MINUTES: Final = 60
JOB_SECONDS: Final = 900


def names_of(settings: ClusterProjectSettings) -> Names:
    """Return the names of the host's resources."""
    return Names(
        environment=naming.database_host(settings.name),
        account_id=settings.account_id,
        region=settings.region,
    )


def log_groups(settings: ClusterProjectSettings) -> list[str]:
    """Return the log groups of the instance; none without a host."""
    if not settings.database_host.enabled:
        return []
    return [names_of(settings).database_log_group(log) for log in EXPORTED_LOGS]


def database_host(
    settings: ClusterProjectSettings,
    cluster: ClusterReference,
    key: EncryptionKey,
    on_aws: aws.Provider,
    on_kubernetes: kubernetes.Provider,
) -> tuple[DatabaseHost, list[pulumi.Resource]]:
    """Register the host; return what it exports, and its components."""
    names, host = names_of(settings), settings.database_host
    aws_options = pulumi.ResourceOptions(provider=on_aws)
    database = MetadataDatabase("host-database", _instance(settings, names, cluster, key), aws_options)
    identity = WorkloadIdentity("host-identity", _identity(settings, cluster, key, database), aws_options)
    authorities = read_ca_bundle(
        host.instance.ca_bundle, root=ROOT, region=settings.region, environment=os.environ
    )
    namespace = AirflowNamespace(
        "host-namespace",
        AirflowNamespaceArgs(namespace=names.namespace, database_ca=authorities, environment=False),
        # Its Job's pod has the role while it dies.
        pulumi.ResourceOptions(provider=on_kubernetes, depends_on=[identity]),
    )
    administration = TenantAdministration(
        "host-administration",
        TenantAdministrationArgs(
            names=names,
            job=_job(settings, cluster, namespace, database),
            instance_resource_id=database.resource_id,
            key_arn=key.arn,
            aws_provider=on_aws,
            kubernetes_provider=on_kubernetes,
        ),
        # Its Job's pod mounts what the namespace holds by name.
        pulumi.ResourceOptions(depends_on=[namespace]),
    )
    endpoint = DatabaseHost(
        host=database.host,
        port=database.port,
        resource_id=database.resource_id,
        administration_secret_arn=administration.secret_arn,
        administration_key_arn=key.arn,
    )
    return endpoint, [database, identity, namespace, administration]


def _instance(
    settings: ClusterProjectSettings, names: Names, cluster: ClusterReference, key: EncryptionKey
) -> MetadataDatabaseArgs:
    return MetadataDatabaseArgs(
        names=names,
        settings=settings.database_host.instance,
        cluster=cluster,
        key_arn=key.arn,
        log_retention_days=settings.log_retention_days,
        timeout_minutes=INSTANCE_MINUTES,
        permissions_boundary=settings.permissions_boundary or None,
        # Tenants are disposable, so the instance goes without a snapshot.
        persistent=False,
        protected=settings.protected,
    )


def _identity(
    settings: ClusterProjectSettings,
    cluster: ClusterReference,
    key: EncryptionKey,
    database: MetadataDatabase,
) -> WorkloadIdentityArgs:
    names = names_of(settings)
    reading = policies.read_administration_secret(
        secret_arn=database.administration_secret_arn, key_arn=key.arn, region=settings.region
    )
    return WorkloadIdentityArgs(
        names=names,
        cluster_name=cluster.name,
        cluster_arn=cluster.arn,
        namespace=names.namespace,
        statements={SERVICE_ACCOUNTS.database_administration: reading},
        permissions_boundary=settings.permissions_boundary or None,
    )


def _job(
    settings: ClusterProjectSettings,
    cluster: ClusterReference,
    namespace: AirflowNamespace,
    database: MetadataDatabase,
) -> AdministrationJob:
    return AdministrationJob(
        kubeconfig=cluster.kubeconfig,
        namespace=namespace.name,
        image=settings.database_host.image,
        host=database.host,
        port=database.port,
        secret_arn=database.administration_secret_arn,
        timeout_seconds=JOB_SECONDS,
    )
