"""What the components between Airflow and its surroundings are given: pooling, network policies."""

from __future__ import annotations

from infra.components.airflow_namespace import AirflowNamespace
from infra.components.airflow_secrets import AirflowSecrets
from infra.components.network_policies import NetworkPoliciesArgs
from infra.components.pgbouncer_secrets import PgbouncerSecretsArgs
from infra.database_endpoint import DatabaseEndpoint
from infra.network_policies import policy_specs
from infra.pgbouncer_config import PgbouncerPool
from infra.stacks.environment_plan import EnvironmentPlan


def pgbouncer_secrets(
    plan: EnvironmentPlan, namespace: AirflowNamespace, database: DatabaseEndpoint, secrets: AirflowSecrets
) -> PgbouncerSecretsArgs:
    """Args of PgBouncer's configuration and of the URLs through it."""
    pgbouncer = plan.settings.pgbouncer
    pool = PgbouncerPool(
        database=plan.tenant.database,
        pool_size=pgbouncer.pool_size,
        max_clients=plan.connections.client_total,
    )
    return PgbouncerSecretsArgs(
        namespace=namespace.name,
        pool=pool if pgbouncer.enabled else None,
        database_host=database.host,
        database_port=database.port,
        users=secrets.database_users,
    )


def network_policies(plan: EnvironmentPlan, namespace: AirflowNamespace) -> NetworkPoliciesArgs:
    """Args of the network policies."""
    return NetworkPoliciesArgs(namespace=namespace.name, specs=policy_specs(plan.settings))
