"""What each component of an environment is given: settings and earlier components' outputs -> args.

Everything that can be wrong without AWS (files, airflow.cfg, chart values) is computed when the plan is made.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

import pulumi
import pulumi_aws as aws
import pulumi_kubernetes as kubernetes

from infra import airflow_cfg, chart_values, image_mirror, naming, providers
from infra.ca_bundle import read_ca_bundle
from infra.chart_values_rules import check_schema, load_schema, merge
from infra.cluster_ref import ClusterReference, cluster_reference
from infra.components.airflow_namespace import AirflowNamespace, AirflowNamespaceArgs
from infra.components.airflow_release import CHART, AirflowReleaseArgs
from infra.components.airflow_secrets import AirflowSecrets, AirflowSecretsArgs, digest
from infra.components.dag_parameters import DagParametersArgs
from infra.components.encryption_key import EncryptionKey, EncryptionKeyArgs
from infra.components.metadata_database import EXPORTED_LOGS, MetadataDatabaseArgs
from infra.components.pgbouncer_secrets import PgbouncerSecrets
from infra.components.remote_logs import RemoteLogs, RemoteLogsArgs
from infra.components.workload_identity import WorkloadIdentityArgs, airflow_statements
from infra.connection_budget import ConnectionBudget, connection_budget
from infra.database_endpoint import DatabaseEndpoint
from infra.key_ring import RotatedKey, requests_of
from infra.policies import NOTIFYING_SERVICES
from infra.settings import AdministratorSettings, EnvironmentSettings

ROOT: Final = Path(__file__).resolve().parents[2]
CANARY: Final = ROOT / "dags" / "canary.py"
CHART_DIRECTORY = ROOT / CHART


@dataclass(frozen=True, kw_only=True)
class EnvironmentPlan:
    """The settings of one environment, its names, and the texts that its components are given."""

    settings: EnvironmentSettings
    names: naming.Names
    project: str
    stack: str
    database_ca: str
    airflow_cfg: airflow_cfg.AirflowCfg
    connections: ConnectionBudget
    canary: str | None
    rotations: Mapping[RotatedKey, str]
    """What this run rotates; nothing in an ordinary run."""

    @classmethod
    def of(cls, settings: EnvironmentSettings, *, project: str, stack: str) -> Self:
        """Return the plan for a stack.

        Raises:
            pulumi.RunError: a file is missing, or an option of airflow.cfg or the chart is wrong.
        """
        names = naming.names_of(project, stack, account_id=settings.account_id, region=settings.region)
        database_ca = read_ca_bundle(
            settings.database.ca_bundle, root=ROOT, region=settings.region, environment=os.environ
        )
        try:
            cfg = airflow_cfg.build_airflow_cfg(
                airflow_cfg.config_files(),
                parameters=airflow_cfg.config_parameters(
                    settings, remote_logs_bucket=names.logs_bucket, secrets_prefix=names.secrets_prefix
                ),
                overrides=settings.airflow.config,
                catalogue=airflow_cfg.load_catalogue(settings.airflow.version),
            )
            values = chart_values.build_values(settings, airflow_cfg=cfg, wiring=chart_values.ChartWiring())
            check_schema(values, load_schema(CHART_DIRECTORY))
            connections = connection_budget(settings, values=values, airflow_cfg=cfg)
            connections.check()
            rotations = requests_of(os.environ)
        # All three errors of ours are ValueErrors.
        except ValueError as error:
            raise pulumi.RunError(str(error)) from None
        return cls(
            settings=settings,
            names=names,
            project=project,
            stack=stack,
            database_ca=database_ca,
            airflow_cfg=cfg,
            connections=connections,
            canary=CANARY.read_text(encoding="utf-8") if settings.canary else None,
            rotations=rotations,
        )

    @property
    def airflow_url(self) -> str:
        """Where people open Airflow; without an ingress a port-forward serves this address."""
        return self.airflow_cfg["api"]["base_url"]  # type: ignore[return-value]

    @property
    def administrator(self) -> AdministratorSettings | None:
        """The first administrator; with single sign-on, a group at the provider has that role."""
        return None if self.settings.access.oidc is not None else self.settings.administrator

    def platform(self) -> tuple[aws.Provider, kubernetes.Provider, ClusterReference]:
        """Return both providers and the cluster."""
        settings = self.settings
        tags = providers.default_tags(
            project=self.project,
            stack=self.stack,
            deployment_id=self.deployment_id,
            owner=settings.owner,
            tags=settings.tags,
        )
        on_aws = providers.aws_provider(
            "aws", region=settings.region, account_id=settings.account_id, tags=tags
        )
        cluster = cluster_reference(
            settings.cluster, region=settings.region, account_id=settings.account_id, provider=on_aws
        )
        return on_aws, providers.kubernetes_provider("kubernetes", cluster=cluster), cluster

    @property
    def deployment_id(self) -> str:
        """Tag by which everything of this environment is found."""
        return naming.deployment_id(self.project, self.stack, given=self.settings.deployment_id)

    @property
    def recovery_tags(self) -> dict[str, str]:
        """Tags of what outlives the environment; none where nothing does."""
        return {naming.RECOVERY_SET_TAG: self.deployment_id} if self.settings.persistent else {}

    @property
    def tenant(self) -> naming.Tenant:
        """Database and role."""
        return self.names.shared_tenant if self.settings.database.shared else naming.Tenant()

    def encryption_key(self) -> EncryptionKeyArgs:
        """Args of the environment's key."""
        return EncryptionKeyArgs(
            alias=self.names.key_alias,
            account_id=self.settings.account_id,
            region=self.settings.region,
            log_groups=[self.names.database_log_group(log) for log in EXPORTED_LOGS],
            persistent=self.settings.persistent,
            protected=self.settings.protected,
            tags=self.recovery_tags,
            notifying_services=NOTIFYING_SERVICES if self.settings.alarmed else (),
        )

    def metadata_database(self, cluster: ClusterReference, key: EncryptionKey) -> MetadataDatabaseArgs:
        """Args of the instance."""
        return MetadataDatabaseArgs(
            names=self.names,
            settings=self.settings.database,
            cluster=cluster,
            key_arn=key.arn,
            log_retention_days=self.settings.logs.database_log_retention_days,
            timeout_minutes=self.settings.timeouts.database_minutes,
            permissions_boundary=self.settings.permissions_boundary,
            persistent=self.settings.persistent,
            protected=self.settings.protected,
            tags=self.recovery_tags,
        )

    def remote_logs(self, key: EncryptionKey) -> RemoteLogsArgs:
        """Args of the bucket."""
        return RemoteLogsArgs(
            bucket=self.names.logs_bucket,
            key_arn=key.arn,
            settings=self.settings.logs,
            xcom=self.settings.xcom,
            # The recovery set is the database; who wants old task logs copies them before the end.
            force_destroy=not self.settings.protected,
            protected=self.settings.protected,
        )

    def dag_parameters(self, key: EncryptionKey) -> DagParametersArgs:
        """Args of the Variables and Connections."""
        return DagParametersArgs(
            names=self.names,
            key_arn=key.arn,
            variables=self.settings.variables,
            connections=self.settings.connections,
            canary=self.settings.canary,
            protected=self.settings.protected,
        )

    def identity(
        self, cluster: ClusterReference, key: EncryptionKey, database: DatabaseEndpoint, logs: RemoteLogs
    ) -> WorkloadIdentityArgs:
        """Args of the pods' roles."""
        return WorkloadIdentityArgs(
            names=self.names,
            cluster_name=cluster.name,
            cluster_arn=cluster.arn,
            namespace=self.names.namespace,
            statements=airflow_statements(
                names=self.names,
                bucket_arn=logs.arn,
                key_arn=key.arn,
                administration_secret_arn=database.administration_secret_arn,
                administration_key_arn=database.administration_key_arn,
                snapshots=self.settings.persistent,
            ),
            permissions_boundary=self.settings.permissions_boundary,
        )

    def airflow_namespace(self) -> AirflowNamespaceArgs:
        """Args of the namespace."""
        return AirflowNamespaceArgs(namespace=self.names.namespace, database_ca=self.database_ca)

    def airflow_secrets(
        self,
        namespace: AirflowNamespace,
        database: DatabaseEndpoint,
        restored_fernet_keys: pulumi.Output[str] | None,
    ) -> AirflowSecretsArgs:
        """Args of keys and passwords."""
        return AirflowSecretsArgs(
            namespace=namespace.name,
            database_host=database.host,
            database_port=database.port,
            administrator=None if self.administrator is None else self.administrator.username,
            canary=self.settings.canary,
            protected=self.settings.protected,
            requests=self.rotations,
            tenant=self.tenant,
            restored_fernet_keys=restored_fernet_keys,
        )

    def airflow_release(
        self,
        cluster: ClusterReference,
        namespace: AirflowNamespace,
        secrets: AirflowSecrets,
        pgbouncer: PgbouncerSecrets,
    ) -> AirflowReleaseArgs:
        """Args of the release: chart values with what other components made."""
        wiring = chart_values.ChartWiring(
            checksums={"secrets": secrets.checksum, "database-ca": digest(self.database_ca)},
            pgbouncer_checksum=pgbouncer.checksum,
        )
        values = chart_values.build_values(self.settings, airflow_cfg=self.airflow_cfg, wiring=wiring)
        if cluster.image_mirror is not None:
            repositories = image_mirror.chart_repositories(CHART_DIRECTORY)
            values = merge(values, image_mirror.mirrored(values, repositories, cluster.image_mirror))
        return AirflowReleaseArgs(
            namespace=namespace.name,
            chart_version=self.settings.chart_version,
            values=values,
            canary=self.canary,
            timeout_seconds=self.settings.timeouts.release_seconds,
        )
