"""Settings of what stands around Airflow: connection pooling, network policies, metrics, cleanup, time."""

from __future__ import annotations

from pydantic import Field

from infra.settings_model import DnsLabel, Model, Network


class PgbouncerSettings(Model):
    """PgBouncer between Airflow and the database: many clients share few connections."""

    enabled: bool = Field(
        default=True,
        description="Pool connections. Without it every process of Airflow keeps connections of its own, of "
        "which a small instance has too few.",
    )
    replicas: int = Field(
        default=2, ge=1, le=10, description="PgBouncers. With two, one may be away while Airflow works on."
    )
    pool_size: int = Field(
        default=20,
        ge=2,
        le=500,
        description="Connections to the database that each PgBouncer opens at most: transactions that run at "
        "the same time. A client waits for a free one.",
    )


class NetworkPolicySettings(Model):
    """NetworkPolicies of the namespace; they have an effect where the cluster's network enforces them."""

    enabled: bool = Field(
        default=True,
        description="Refuse traffic into the namespace's pods, apart from what Airflow needs to work.",
    )
    client_networks: tuple[Network, ...] = Field(
        default=(),
        description="IPv4 networks of the load balancer and of clients that reach the API server; needed "
        "with access.host. A load balancer with target type ip comes from its own subnets.",
    )
    scraper_namespaces: tuple[DnsLabel, ...] = Field(
        default=(),
        description="Namespaces whose pods may read metrics of statsd's exporter (TCP port 9102) and of "
        "PgBouncer's (TCP port 9127).",
    )


class StatsdSettings(Model):
    """Metrics of Airflow, in Prometheus's format at port 9102 of one exporter."""

    enabled: bool = Field(
        default=True,
        description="Send metrics to an exporter in the namespace. The Airflow image needs the extra "
        "`statsd`.",
    )


class CleanupSettings(Model):
    """What is removed again and again, so that it does not pile up."""

    task_pods: bool = Field(
        default=True,
        description="Remove pods of tasks that ended or never started, every 15 minutes. The scheduler "
        "removes those it knows of; this finds the rest.",
    )
    database: bool = Field(
        default=True,
        description="Remove old runs, logs and events from the metadata database, once a week.",
    )
    database_retention_days: int = Field(
        default=180,
        ge=7,
        le=3650,
        description="Days until a run, with all that belongs to it, is removed from the metadata database.",
    )


class TimeoutSettings(Model):
    """How long one step may take before the deployment fails."""

    release_seconds: int = Field(
        default=900,
        ge=60,
        le=7200,
        description="Helm waits this long for all pods of the release to be ready, s.",
    )
    migration_seconds: int = Field(
        default=1200,
        ge=60,
        le=86400,
        description="The migration Job may take this long, s; big tables take time.",
    )
    database_minutes: int = Field(
        default=60,
        ge=10,
        le=720,
        description="RDS may take this long to create, change or remove an instance, min.",
    )
    statement_seconds: int = Field(
        default=900,
        ge=30,
        le=3600,
        description="The Job that makes or drops role and database may take this long, s; the first one "
        "waits for a node and for the image.",
    )
