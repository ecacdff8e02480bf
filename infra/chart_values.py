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
from infra.chart_dags import TASK_POD_ENVIRONMENT, canary_mounts, dag_values
from infra.chart_values_rules import Values, merge, read_files
from infra.settings import EnvironmentSettings

VALUES_DIRECTORY: Final = Path(__file__).resolve().parent.parent / "charts" / "values"

# Where the CA of the database is in every pod that opens a session; the ConfigMap has this one key.
DATABASE_CA_DIRECTORY: Final = "/etc/rds-ca"
DATABASE_CA_KEY: Final = "ca.pem"
DATABASE_CA_FILE: Final = f"{DATABASE_CA_DIRECTORY}/{DATABASE_CA_KEY}"

# Keys of the Secret with the database's URL: for psycopg2, and for asyncpg, which knows no `sslmode`.
CONNECTION_KEY: Final = "connection"  # the chart's own name
CONNECTION_ASYNC_KEY: Final = "connection-async"

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
    fernet_key_secret: pulumi.Input[str] = naming.FERNET_KEY_SECRET
    api_secret_key_secret: pulumi.Input[str] = naming.API_SECRET_KEY_SECRET
    jwt_secret: pulumi.Input[str] = naming.JWT_SECRET
    database_ca_config_map: pulumi.Input[str] = naming.DATABASE_CA_CONFIG_MAP
    canary_config_map: pulumi.Input[str] = naming.CANARY_CONFIG_MAP
    checksums: Mapping[str, pulumi.Input[str]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class ChartFeatures:
    """Parts of the chart that an environment may switch."""

    # NetworkPolicies for ingress to Airflow's pods; `client_networks` (CIDRs) then reach the API server.
    network_policies: bool = False
    client_networks: tuple[str, ...] = ()
    # The exporter of metrics; needs its image and the `statsd` extra in Airflow's.
    statsd: bool = False
    # Whether tasks may start pods (KubernetesPodOperator). Who may start pods can mount any Secret of the
    # namespace, the database's too, so it is off.
    tasks_launch_pods: bool = False


def build_values(
    settings: EnvironmentSettings,
    *,
    airflow_cfg: Mapping[str, Mapping[str, pulumi.Input[str]]],
    wiring: ChartWiring,
    features: ChartFeatures | None = None,
    directory: Path = VALUES_DIRECTORY,
) -> Values:
    """The values of one environment's release.

    `airflow_cfg` is the result of `airflow_cfg.build_airflow_cfg`. Raises `ChartValuesError` with every key
    that may not stand in the files of `directory`.
    """
    features = features or ChartFeatures()
    values = read_files(directory, settings.airflow.size.value)
    for layer in (
        _fixed(),
        _identity(features),
        _images(settings),
        _secrets(wiring),
        _pods(settings, wiring),
        _task_tokens(wiring),
        dag_values(settings.dags, canary=settings.canary),
        canary_mounts(wiring.canary_config_map) if settings.canary else {},
        _access(settings),
        _features(features),
    ):
        values = merge(values, layer)
    template = (directory / "task_pod.yaml.tpl").read_text(encoding="utf-8")
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


def _identity(features: ChartFeatures) -> Values:
    """Service accounts by their fixed names, and a token only for pods that call Kubernetes."""
    names = naming.SERVICE_ACCOUNTS
    launches = features.tasks_launch_pods

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


def _secrets(wiring: ChartWiring) -> Values:
    """Secrets by name: the chart would make random ones at each render."""
    return {
        "data": {
            "metadataSecretName": wiring.metadata_secret,
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
                "envName": "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC",
                "secretName": wiring.metadata_secret,
                "secretKey": CONNECTION_ASYNC_KEY,
            }
        ],
    }


def _pods(settings: EnvironmentSettings, wiring: ChartWiring) -> Values:
    """What the long-running pods share: the database's CA, hashes of what they mount, replicas by setting."""
    annotations = {f"checksum/{what}": value for what, value in sorted(wiring.checksums.items())}
    replicas = {
        "scheduler": settings.airflow.replicas.scheduler,
        "apiServer": settings.airflow.replicas.api_server,
        "dagProcessor": settings.airflow.replicas.dag_processor,
        "triggerer": settings.airflow.replicas.triggerer,
    }
    values: Values = {
        # asyncpg takes the CA from here only.
        "env": [{"name": "PGSSLROOTCERT", "value": DATABASE_CA_FILE}],
        "volumes": [{"name": "database-ca", "configMap": {"name": wiring.database_ca_config_map}}],
        "volumeMounts": [{"name": "database-ca", "mountPath": DATABASE_CA_DIRECTORY, "readOnly": True}],
    }
    for component, count in replicas.items():
        values[component] = {"podAnnotations": annotations}
        if count is not None:
            values[component]["replicas"] = count
    values["workers"] = {"kubernetes": {"env": list(TASK_POD_ENVIRONMENT)}}
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


def _access(settings: EnvironmentSettings) -> Values:
    """The ingress, for the annotations of AWS's load balancer controller; none without a host."""
    access = settings.access
    if access.host is None:
        return {"ingress": {"apiServer": {"enabled": False}}}
    annotations = {
        "alb.ingress.kubernetes.io/scheme": "internal",
        "alb.ingress.kubernetes.io/target-type": "ip",
        "alb.ingress.kubernetes.io/listen-ports": '[{"HTTPS": 443}]',
        "alb.ingress.kubernetes.io/healthcheck-path": "/api/v2/monitor/health",
    }
    if access.certificate_arn is not None:
        annotations["alb.ingress.kubernetes.io/certificate-arn"] = access.certificate_arn
    return {
        "ingress": {
            "apiServer": {
                "enabled": True,
                "ingressClassName": access.ingress_class,
                "pathType": "Prefix",
                "hosts": [{"name": access.host}],
                "annotations": annotations,
            }
        },
        "apiServer": {
            "args": ["bash", "-c", "exec airflow api-server --proxy-headers"],
            "env": [{"name": "FORWARDED_ALLOW_IPS", "value": "*"}],
        },
    }


def _features(features: ChartFeatures) -> Values:
    values: Values = {
        "statsd": {"enabled": features.statsd},
        "networkPolicies": {"enabled": features.network_policies},
    }
    if features.network_policies:
        # An empty list would refuse the task pods too, and no task could report.
        airflow = {"podSelector": {"matchLabels": {"tier": "airflow", "release": naming.RELEASE}}}
        clients = [{"ipBlock": {"cidr": cidr}} for cidr in features.client_networks]
        values["apiServer"] = {"networkPolicy": {"ingress": {"from": [airflow, *clients]}}}
    return values
