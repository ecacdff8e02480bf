"""Every parameter of an environment: its type, unit, default and reason.

Models are frozen and refuse unknown keys. They hold plain values only, so a mistake is found before anything
is registered. Keys in stack files are the camelCase form of the field names. `infra/config.py` is the only
code that makes these models from a stack file; nothing here reads configuration, files, clocks or networks.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field, model_validator

from infra import versions
from infra.settings_access import AccessSettings, AdministratorSettings, OidcSettings
from infra.settings_airflow import (
    AirflowSettings,
    DagSource,
    DagsSettings,
    ImageSettings,
    ReplicaSettings,
    Size,
)
from infra.settings_alarms import AlarmSettings
from infra.settings_arns import arn_mistakes
from infra.settings_dag_parameters import (
    CANARY_CONNECTION,
    ConnectionSettings,
    ParameterName,
    VariableSettings,
    XcomSettings,
)
from infra.settings_database import DatabaseSettings, LogsSettings, RestoreSettings, Tenancy
from infra.settings_model import (
    Model,
    Region,
    SubnetId,
    TagKey,
    TagText,
    inconsistent,
    optional_text,
    tag_mistakes,
)
from infra.settings_platform import (
    CleanupSettings,
    NetworkPolicySettings,
    PgbouncerSettings,
    StatsdSettings,
    TimeoutSettings,
)
from infra.settings_without_effect import unheard_alarms, unused_networks

__all__ = [
    "AccessSettings",
    "AdministratorSettings",
    "AirflowSettings",
    "AlarmSettings",
    "CleanupSettings",
    "ClusterSettings",
    "ConnectionSettings",
    "DagSource",
    "DagsSettings",
    "DatabaseSettings",
    "Durability",
    "EnvironmentSettings",
    "ImageSettings",
    "LogsSettings",
    "NetworkPolicySettings",
    "OidcSettings",
    "PgbouncerSettings",
    "ReplicaSettings",
    "RestoreSettings",
    "Size",
    "StatsdSettings",
    "Tenancy",
    "TimeoutSettings",
    "VariableSettings",
    "XcomSettings",
]


# Of FSBP's RDS.11, which asks for 7: a mistake that is found after a holiday is older than a week.
LEAST_BACKUP_DAYS = 14


class Durability(StrEnum):
    """How precious an environment is. It alone decides protection, final snapshot and recovery windows."""

    PERSISTENT = "persistent"
    DISPOSABLE = "disposable"


class ClusterSettings(Model):
    """Where to deploy: exactly one of a cluster stack's outputs, or an EKS cluster that exists already."""

    stack: str | None = Field(
        default=None,
        min_length=1,
        description="Stack of the cluster project to read outputs from, as organization/project/stack.",
        pattern=r"^[\w.-]+/[\w.-]+/[\w.-]+$",
    )
    name: str | None = Field(
        default=None,
        description="Name of an existing EKS cluster to look up; its agent for Pod Identity must run.",
        pattern=r"^[0-9A-Za-z][A-Za-z0-9_-]{0,99}$",
    )
    database_subnet_ids: tuple[SubnetId, ...] = Field(
        default=(),
        description="Private subnets for the database, in at least two zones; only with `name`. "
        "Without it the subnets of the cluster are used.",
    )

    @model_validator(mode="after")
    def _exactly_one_source(self) -> Self:
        if (self.stack is None) == (self.name is None):
            raise inconsistent(("", self.stack and self.name, "set exactly one of: stack, name"))
        if self.stack is not None and self.database_subnet_ids:
            raise inconsistent(
                (
                    "databaseSubnetIds",
                    self.database_subnet_ids,
                    "goes with name; a cluster stack exports its own",
                )
            )
        if self.database_subnet_ids and len(set(self.database_subnet_ids)) < 2:
            raise inconsistent(
                ("databaseSubnetIds", self.database_subnet_ids, "needs two different subnets or more")
            )
        return self


class EnvironmentSettings(Model):
    """One environment, whole."""

    region: Region = Field(description="AWS region of database, bucket and cluster.")
    account_id: str = Field(
        pattern=r"^[0-9]{12}$", description="The AWS account; credentials of another account are refused."
    )
    owner: TagText = Field(min_length=1, description="Team or person to ask; tag `owner` of every resource.")
    deployment_id: Annotated[
        str | None,
        optional_text(
            r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?",
            "up to 40 of a-z, 0-9 and -, or empty for one from the stack",
        ),
    ] = Field(
        default=None,
        description="Tag `deployment-id` of every resource, by which leftovers are found. Empty: made from "
        "the names of project and stack.",
    )
    tags: dict[TagKey, TagText] = Field(
        default_factory=dict, max_length=40, description="More tags for every resource, e.g. a cost centre."
    )
    durability: Durability = Field(
        default=Durability.PERSISTENT,
        description="persistent: protected, final snapshot, recovery windows. disposable: leaves no trace.",
    )
    retire: bool = Field(
        default=False,
        description="true lifts the protection of a persistent environment for its planned end; "
        "the final snapshot stays.",
    )
    cluster: ClusterSettings = Field(description="The EKS cluster to deploy on.")
    database: DatabaseSettings = Field(default_factory=DatabaseSettings, description="The metadata database.")
    logs: LogsSettings = Field(default_factory=LogsSettings, description="Remote task logs.")
    alarms: AlarmSettings = Field(
        default_factory=AlarmSettings, description="Alarms and events of the metadata database."
    )
    airflow: AirflowSettings = Field(default_factory=AirflowSettings, description="Airflow itself.")
    access: AccessSettings = Field(default_factory=AccessSettings, description="How people reach Airflow.")
    dags: DagsSettings = Field(default_factory=DagsSettings, description="Where DAG files come from.")
    xcom: XcomSettings = Field(default_factory=XcomSettings, description="Where tasks' results are kept.")
    variables: dict[ParameterName, VariableSettings] = Field(
        default_factory=dict, description="Variables for DAGs, name -> value; kept in Secrets Manager."
    )
    connections: dict[ParameterName, ConnectionSettings] = Field(
        default_factory=dict, description="Connections for DAGs, id -> fields; kept in Secrets Manager."
    )
    administrator: AdministratorSettings = Field(
        default_factory=AdministratorSettings, description="The first administrator."
    )
    pgbouncer: PgbouncerSettings = Field(
        default_factory=PgbouncerSettings, description="Connection pooling before the metadata database."
    )
    network_policies: NetworkPolicySettings = Field(
        default_factory=NetworkPolicySettings, description="Who may talk to the pods of the namespace."
    )
    statsd: StatsdSettings = Field(default_factory=StatsdSettings, description="Metrics of Airflow.")
    cleanup: CleanupSettings = Field(
        default_factory=CleanupSettings, description="Removal of old task pods and of old rows."
    )
    permissions_boundary: Annotated[
        str | None,
        optional_text(
            r"arn:aws[a-z-]*:iam::[0-9]{12}:policy/[\w+=,.@/-]+", "ARN of an IAM policy, or empty for none"
        ),
    ] = Field(default=None, description="ARN of the policy that bounds every role made here. Empty: none.")
    canary: bool = Field(
        default=True, description="Deploy the canary DAG, by which a deployment proves itself."
    )
    chart_version: str = Field(
        default=versions.CHART,
        json_schema_extra={"enum": list(versions.SUPPORTED_CHARTS)},
        description=f"Version of the official chart. Allowed: {', '.join(versions.SUPPORTED_CHARTS)}.",
    )
    timeouts: TimeoutSettings = Field(default_factory=TimeoutSettings, description="Limits of each step.")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        mistakes = [
            *self._durability_mistakes(),
            *self._tenancy_mistakes(),
            *tag_mistakes(self.tags),
            *self._arn_mistakes(),
            *self._network_mistakes(),
            *unheard_alarms(self.alarms, made=self.alarmed, shared=self.database.shared),
        ]
        if self.chart_version not in versions.SUPPORTED_CHARTS:
            allowed = ", ".join(versions.SUPPORTED_CHARTS)
            mistakes.append(("chartVersion", self.chart_version, f"allowed: {allowed}"))
        if CANARY_CONNECTION in self.connections:
            taken = "is the canary's own Connection, also while canary is false; take another id"
            mistakes.append((f"connections.{CANARY_CONNECTION}", None, taken))
        if mistakes:
            raise inconsistent(*mistakes)
        return self

    def _durability_mistakes(self) -> list[tuple[str, object, str]]:
        mistakes: list[tuple[str, object, str]] = []
        if not self.persistent and self.retire:
            mistakes.append(("retire", True, "has no effect with durability disposable; remove it"))
        return [*mistakes, *(self._persistent_mistakes() if self.persistent else [])]

    def _persistent_mistakes(self) -> list[tuple[str, object, str]]:
        """What must not be switched off where data must not be lost; numbers are FSBP's controls."""
        database, only = self.database, "allowed with durability persistent"
        wrong: list[tuple[bool, str, object, str]] = [
            (database.shared, "tenancy", database.tenancy.value, "dedicated"),  # a final snapshot of its own
            (not database.multi_az, "multiAz", False, "true"),  # RDS.5
            (
                database.backup_retention_days < LEAST_BACKUP_DAYS,
                "backupRetentionDays",
                database.backup_retention_days,
                f"{LEAST_BACKUP_DAYS} to 35",
            ),  # RDS.11
            (not database.monitoring_interval_seconds, "monitoringIntervalSeconds", 0, "1 to 60"),  # RDS.6
            (not database.performance_insights, "performanceInsights", False, "true"),  # CKV_AWS_353
        ]
        return [(f"database.{key}", value, f"{only}: {allowed}") for bad, key, value, allowed in wrong if bad]

    def _tenancy_mistakes(self) -> list[tuple[str, object, str]]:
        if self.database.shared and self.cluster.stack is None:
            return [("database.tenancy", "shared", "needs cluster.stack, whose instance is the host")]
        if self.database.shared and self.alarms.enabled:
            return [("alarms.enabled", True, "the host's instance has its own alarms; use tenancy dedicated")]
        return []

    def _network_mistakes(self) -> list[tuple[str, object, str]]:
        policies = self.network_policies
        mistakes: list[tuple[str, object, str]] = []
        if policies.enabled and self.access.host is not None and not policies.client_networks:
            mistakes.append(
                (
                    "networkPolicies.clientNetworks",
                    [],
                    "access.host needs the networks of its load balancer and clients, e.g. [10.0.0.0/16]",
                )
            )
        metrics = self.statsd.enabled or self.pgbouncer.enabled
        return mistakes + unused_networks(policies, metrics=metrics)

    def _arn_mistakes(self) -> list[tuple[str, object, str]]:
        return arn_mistakes(
            region=self.region,
            account_id=self.account_id,
            access=self.access,
            permissions_boundary=self.permissions_boundary,
            restore=self.database.restore,
            parameters={
                **{f"variables.{name}": entry for name, entry in self.variables.items()},
                **{f"connections.{name}": entry for name, entry in self.connections.items()},
            },
        )

    @property
    def persistent(self) -> bool:
        """Whether data must outlive mistakes: decides final snapshot, recovery windows and force-destroy."""
        return self.durability is Durability.PERSISTENT

    @property
    def protected(self) -> bool:
        """Whether deletion is refused: persistent, and not in its planned end."""
        return self.persistent and not self.retire

    @property
    def alarmed(self) -> bool:
        """Whether the database has alarms: as the parameter says, or else where data must not be lost."""
        wanted = self.persistent if self.alarms.enabled is None else self.alarms.enabled
        return wanted and not self.database.shared
