"""One Airflow environment, whole: database, logs, identity, keys, migration, release."""

from __future__ import annotations

import pulumi

from infra import config, naming
from infra.cluster_ref import ClusterReference
from infra.components.airflow_namespace import AirflowNamespace
from infra.components.airflow_release import AirflowRelease
from infra.components.airflow_secrets import AirflowSecrets
from infra.components.dag_parameters import DagParameters
from infra.components.database_migration import DatabaseMigration
from infra.components.database_tenant import DatabaseTenant
from infra.components.encryption_key import EncryptionKey
from infra.components.metadata_connection import MetadataConnection, MetadataConnectionArgs
from infra.components.network_policies import NetworkPolicies
from infra.components.pgbouncer_secrets import PgbouncerSecrets
from infra.components.recovery_set import RecoverySet
from infra.components.remote_logs import RemoteLogs
from infra.components.workload_identity import WorkloadIdentity
from infra.database_endpoint import DatabaseEndpoint
from infra.stacks import database_plan, platform_plan
from infra.stacks.environment_plan import EnvironmentPlan


def deploy() -> None:
    """Register the running stack's environment, or stop with every mistake before anything is registered."""
    plan = EnvironmentPlan.of(config.load(), project=pulumi.get_project(), stack=pulumi.get_stack())
    aws, kubernetes, cluster = plan.platform()
    on_aws = pulumi.ResourceOptions(provider=aws)

    key = EncryptionKey("encryption", plan.encryption_key(), on_aws)
    database = database_plan.metadata_database(plan, cluster, key, on_aws)
    alarms = database_plan.alarms(plan, key, database, on_aws)
    logs = RemoteLogs("remote-logs", plan.remote_logs(key), on_aws)
    identity = WorkloadIdentity("identity", plan.identity(cluster, key, database, logs), on_aws)
    parameters = DagParameters("dag-parameters", plan.dag_parameters(key), on_aws)
    # The last pods write logs and close sessions while they die: the namespace goes before all of this.
    namespace = AirflowNamespace(
        "namespace",
        plan.airflow_namespace(),
        pulumi.ResourceOptions(provider=kubernetes, depends_on=[*own(database), logs, identity]),
    )
    on_kubernetes = pulumi.ResourceOptions(provider=kubernetes)
    network = NetworkPolicies(
        "network-policies", platform_plan.network_policies(plan, namespace), on_kubernetes
    )
    restored = database_plan.restored_fernet_keys(plan, aws)
    secrets = AirflowSecrets("secrets", plan.airflow_secrets(namespace, database, restored), on_kubernetes)
    recovery = RecoverySet("recovery-set", database_plan.recovery_set(plan, key, database, secrets), on_aws)
    # Pods mount Secrets and ConfigMaps by name, and name their account: no datum says that these are there.
    mounted = pulumi.ResourceOptions(provider=kubernetes, depends_on=[namespace, secrets])
    tenant = DatabaseTenant(
        "tenant", database_plan.database_tenant(plan, cluster, namespace, database, secrets), mounted
    )
    # Whoever reads these logs in: the role is there before, in a rotation too.
    known = pulumi.ResourceOptions(provider=kubernetes, depends_on=[tenant])
    connection = MetadataConnection(
        "metadata-connection",
        MetadataConnectionArgs(namespace=namespace.name, urls=secrets.connection),
        known,
    )
    pgbouncer = PgbouncerSecrets(
        "pgbouncer", platform_plan.pgbouncer_secrets(plan, namespace, database, secrets), known
    )
    migration = DatabaseMigration(
        "migration",
        database_plan.database_migration(plan, namespace, database, tenant),
        pulumi.ResourceOptions(provider=kubernetes, depends_on=[namespace, secrets, connection]),
    )
    # No pod of the new release starts on a database that was not migrated, encrypts with a key that is not
    # kept, or parses a DAG without its Connections.
    release = AirflowRelease(
        "airflow",
        plan.airflow_release(cluster, namespace, secrets, pgbouncer),
        pulumi.ResourceOptions(provider=kubernetes, depends_on=[migration, parameters, recovery, pgbouncer]),
    )
    # Deleted before anything else, so that a refusal finds the environment whole.
    database_plan.guard(plan, [key, *own(database), *alarms, logs, identity, network, recovery, release])
    export(plan, cluster, namespace, database, logs, release)
    # Once the release has come to where the rings are: a rotation that was cut off shows by the difference.
    pulumi.export("keyGenerations", pulumi.Output.all(secrets.key_generations, release.name)[0])


def export(
    plan: EnvironmentPlan,
    cluster: ClusterReference,
    namespace: AirflowNamespace,
    database: DatabaseEndpoint,
    logs: RemoteLogs,
    release: AirflowRelease,
) -> None:
    """Export what docs/exports.md promises; nothing of it is secret."""
    pulumi.export("namespace", namespace.name)
    pulumi.export("releaseName", release.name)
    pulumi.export("airflowUrl", plan.airflow_url)
    pulumi.export("apiServerService", naming.API_SERVER_SERVICE)
    pulumi.export("logsBucket", logs.bucket)
    pulumi.export("secretsPrefix", plan.names.secrets_prefix)
    pulumi.export("metadataDatabaseEndpoint", pulumi.Output.format("{}:{}", database.host, database.port))
    pulumi.export("clusterName", cluster.name)
    pulumi.export("region", plan.settings.region)
    pulumi.export("adminSecretName", naming.ADMINISTRATOR_SECRET if plan.administrator else "")
    pulumi.export("chartVersion", plan.settings.chart_version)
    pulumi.export("airflowVersion", plan.settings.airflow.version)


def own(database: DatabaseEndpoint) -> list[pulumi.Resource]:
    """Return the database as a resource to wait for, if this stack makes it."""
    return [database] if isinstance(database, pulumi.Resource) else []
