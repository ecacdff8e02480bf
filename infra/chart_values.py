"""Values of the official Helm chart: base <- size <- what code fixes <- what settings and Outputs decide.

`build_values` is a pure function, apart from reading the files of charts/values/. Outputs stand at leaves
only, so the shape of the values is known in a preview. Keys that code decides may not stand in the files
(`infra/chart_values_rules.py`), and `check_schema` there compares the result with the chart's own schema.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pulumi

from infra import naming, task_tokens
from infra.chart_dags import REGION_VARIABLE, canary_mounts, dag_values, task_pod_environment
from infra.chart_features import (
    access_values,
    annotated,
    cleanup_values,
    network_policy_values,
    pgbouncer_values,
    statsd_values,
)
from infra.chart_values_rules import TASK_POD, Values, merge, read_files
from infra.settings import EnvironmentSettings

VALUES_DIRECTORY: Final = Path(__file__).resolve().parent.parent / "charts" / "values"

# Keys of the Secret with the database's URL: for psycopg2, and for asyncpg, which knows no `sslmode`.
CONNECTION_KEY: Final = "connection"  # the chart's own name
CONNECTION_ASYNC_KEY: Final = "connection-async"

ASYNC_VARIABLE: Final = "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC"
# asyncpg takes the CA from here only.
CA_VARIABLE: Final[Mapping[str, str]] = {"name": "PGSSLROOTCERT", "value": naming.DATABASE_CA_FILE}

# Names a service account that nobody makes: up to 1.21 the chart binds the right to launch pods to this one.
NO_SERVICE_ACCOUNT: Final = "airflow-no-launcher"


@dataclass(frozen=True, kw_only=True)
class ChartWiring:
    """Names and hashes that come out of other resources; each may be an Output.

    `checksums` maps what a hash covers ("keys", "database-ca", ...) to the hash. Every long-running pod has
    it as annotation `checksum/<what>`, so that a rotation rolls the pods: the chart covers its own Secrets
    only.
    """

    metadata_secret: pulumi.Input[str] = naming.METADATA_SECRET
    pooled_metadata_secret: pulumi.Input[str] = naming.POOLED_METADATA_SECRET
    fernet_key_secret: pulumi.Input[str] = naming.FERNET_KEY_SECRET
    api_secret_key_secret: pulumi.Input[str] = naming.API_SECRET_KEY_SECRET
    jwt_secret: pulumi.Input[str] = naming.JWT_SECRET
    database_ca_config_map: pulumi.Input[str] = naming.DATABASE_CA_CONFIG_MAP
    canary_config_map: pulumi.Input[str] = naming.CANARY_CONFIG_MAP
    checksums: Mapping[str, pulumi.Input[str]] = field(default_factory=dict)
    pgbouncer_checksum: pulumi.Input[str] = ""
    """Hash of PgBouncer's configuration and users, for its own pods."""


def build_values(
    settings: EnvironmentSettings,
    *,
    airflow_cfg: Mapping[str, Mapping[str, pulumi.Input[str]]],
    wiring: ChartWiring,
    directory: Path = VALUES_DIRECTORY,
) -> Values:
    """The values of one environment's release.

    `airflow_cfg` is the result of `airflow_cfg.build_airflow_cfg`. Raises `ChartValuesError` with every key
    that may not stand in the files of `directory`.
    """
    values = read_files(directory, settings.airflow.size.value)
    for layer in (
        _fixed(),
        _identity(settings),
        _images(settings),
        _secrets(settings, wiring),
        _pods(settings, wiring),
        _task_tokens(wiring),
        dag_values(settings.dags, canary=settings.canary, region=settings.region),
        canary_mounts(wiring.canary_config_map) if settings.canary else {},
        access_values(settings.access),
        pgbouncer_values(settings),
        cleanup_values(settings.cleanup, environment=_database_environment(wiring)),
        statsd_values(settings),
        network_policy_values(settings),
    ):
        values = merge(values, layer)
    template = (directory / TASK_POD).read_text(encoding="utf-8")
    sections = {section: dict(options) for section, options in airflow_cfg.items()}
    return merge(values, {"podTemplate": template, "config": sections})


def _fixed() -> Values:
    """What every environment relies on; a chart that is asked for something else is another program."""
    job_off = {"enabled": False, "useHelmHooks": False, "applyCustomEnv": False}
    return {
        "executor": "KubernetesExecutor",
        "fullnameOverride": naming.RELEASE,
        "useStandardNaming": True,
        "multiNamespaceMode": False,
        "allowPodLaunching": True,
        "rbac": {"create": True},
        # Charts' Jobs are hooks (which deadlock with waiting) or immutable; the program has its own.
        "createUserJob": {**job_off, "serviceAccount": {"create": False}},
        "migrateDatabaseJob": {**job_off, "serviceAccount": {"create": False}},
        "postgresql": {"enabled": False},
        "redis": {"enabled": False},
        # A Deployment: with a volume it would be a StatefulSet, and neither can be changed into the other.
        "triggerer": {"persistence": {"enabled": False}},
        "airflowLocalSettings": "",
    }


def _identity(settings: EnvironmentSettings) -> Values:
    """Service accounts by their fixed names, and a token only for pods that call Kubernetes."""
    names = naming.SERVICE_ACCOUNTS
    launches = settings.airflow.tasks_launch_pods

    def account(name: str, *, token: bool) -> Values:
        return {"serviceAccount": {"create": True, "name": name, "automountServiceAccountToken": token}}

    # Up to 1.21 the chart lets `workers.serviceAccount` launch pods, whichever account the task pods use.
    launcher = names.worker if launches else NO_SERVICE_ACCOUNT
    return {
        "scheduler": account(names.scheduler, token=True),  # starts task pods
        "apiServer": account(names.api_server, token=True),  # reads logs of running task pods
        "dagProcessor": account(names.dag_processor, token=False),
        "triggerer": account(names.triggerer, token=launches),
        "workers": {
            "serviceAccount": {
                "create": launches,
                "name": launcher,
                "automountServiceAccountToken": launches,
            },
            "kubernetes": {
                "serviceAccount": {
                    "create": not launches,
                    "name": names.worker,
                    "automountServiceAccountToken": launches,
                }
            },
        },
    }


def _images(settings: EnvironmentSettings) -> Values:
    """One image for all Airflow pods: `images.airflow` would leave out the task pods."""
    return {
        "airflowVersion": settings.airflow.version,
        "defaultAirflowRepository": settings.airflow.image.repository,
        "defaultAirflowTag": settings.airflow.image_tag,
    }


def _secrets(settings: EnvironmentSettings, wiring: ChartWiring) -> Values:
    """Secrets by name: the chart would make random ones at each render."""
    pooled = settings.pgbouncer.enabled
    return {
        "data": {
            "metadataSecretName": wiring.pooled_metadata_secret if pooled else wiring.metadata_secret,
            # Any name keeps the chart from making a Secret for a broker that is not there.
            "brokerUrlSecretName": "unused-broker-url",
        },
        "fernetKeySecretName": wiring.fernet_key_secret,
        "apiSecretKeySecretName": wiring.api_secret_key_secret,
        "jwtSecretName": wiring.jwt_secret,
        "enableBuiltInSecretEnvVars": {
            # A Connection to Airflow's own database, for tasks that must not reach it.
            "AIRFLOW_CONN_AIRFLOW_DB": False,
            # One key for all; tokens are signed by a key that can be rotated (see task_tokens.py).
            "AIRFLOW__API_AUTH__JWT_SECRET": False,
        },
        "secret": [
            {
                # Airflow would derive it from the other URL, with an option that asyncpg refuses.
                "envName": ASYNC_VARIABLE,
                "secretName": wiring.metadata_secret,
                "secretKey": CONNECTION_ASYNC_KEY,
            }
        ],
    }


def _pods(settings: EnvironmentSettings, wiring: ChartWiring) -> Values:
    """What the long-running pods share: the database's CA, hashes of what they mount, replicas by setting."""
    replicas = {
        "scheduler": settings.airflow.replicas.scheduler,
        "apiServer": settings.airflow.replicas.api_server,
        "dagProcessor": settings.airflow.replicas.dag_processor,
        "triggerer": settings.airflow.replicas.triggerer,
    }
    values: Values = {
        "env": [dict(CA_VARIABLE), {"name": REGION_VARIABLE, "value": settings.region}],
        "volumes": [{"name": "database-ca", "configMap": {"name": wiring.database_ca_config_map}}],
        "volumeMounts": [
            {"name": "database-ca", "mountPath": naming.DATABASE_CA_DIRECTORY, "readOnly": True}
        ],
    }
    for component, count in replicas.items():
        if count is not None:
            values[component] = {"replicas": count}
    values["workers"] = {"kubernetes": {"env": task_pod_environment(settings.region)}}
    values = merge(values, annotated(tuple(replicas), wiring.checksums))
    if settings.pgbouncer.enabled:
        checksums = {what: value for what, value in wiring.checksums.items() if what != "secrets"}
        checksums["pgbouncer"] = wiring.pgbouncer_checksum
        values = merge(values, annotated(("pgbouncer",), checksums))
    return values


def _task_tokens(wiring: ChartWiring) -> Values:
    """The signing keys, for the two components that sign and check tokens; no user's code runs there."""
    # 0440: the group is the image's own, by fsGroup.
    secret = {"secretName": wiring.jwt_secret, "defaultMode": 0o440}
    mounted: Values = {
        "extraVolumes": [{"name": "task-tokens", "secret": secret}],
        "extraVolumeMounts": [{"name": "task-tokens", "mountPath": task_tokens.DIRECTORY, "readOnly": True}],
    }
    return {"scheduler": mounted, "apiServer": mounted}


def _database_environment(wiring: ChartWiring) -> list[Values]:
    """Variables for a pod that has the database's URL and none of the shared ones."""
    source = {"name": wiring.metadata_secret, "key": CONNECTION_ASYNC_KEY}
    return [dict(CA_VARIABLE), {"name": ASYNC_VARIABLE, "valueFrom": {"secretKeyRef": source}}]
