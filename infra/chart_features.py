"""The parts of the chart's values that a stack file switches: ingress and single sign-on, PgBouncer, network
policies, metrics, cleanup.

Pure. Every function returns values of the chart that are laid over the files of charts/values/.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pulumi

from infra import naming
from infra.chart_values_rules import Values
from infra.settings import AccessSettings, CleanupSettings, EnvironmentSettings, OidcSettings

WEBSERVER_CONFIG: Final = Path(__file__).resolve().parent.parent / "airflow_config" / "webserver_config.py"
# Variables that airflow_config/webserver_config.py reads.
OIDC_VARIABLE: Final = "AIRFLOW_OIDC"
OIDC_SECRET_VARIABLE: Final = "AIRFLOW_OIDC_CLIENT_SECRET"  # noqa: S105 - a name
OIDC_SECRET_KEY: Final = "client-secret"  # noqa: S105 - the name of a key

# The chart stops PgBouncer after Kubernetes' default of 30 s, whatever its hook waits for. So: 5 s until the
# Service has forgotten the pod, then SIGINT: no new transactions, and the end when the running ones are done.
# https://www.pgbouncer.org/usage.html#signals
PGBOUNCER_STOP: Final = "sleep 5; kill -INT 1; sleep 20"


def access_values(access: AccessSettings) -> Values:
    """The ingress, for the annotations of AWS's load balancer controller; none without a host."""
    if access.host is None:
        return {"ingress": {"apiServer": {"enabled": False}}}
    annotations = {
        **access.ingress_annotations,
        "alb.ingress.kubernetes.io/scheme": "internal",
        "alb.ingress.kubernetes.io/target-type": "ip",
        "alb.ingress.kubernetes.io/listen-ports": '[{"HTTPS": 443}]',
        "alb.ingress.kubernetes.io/healthcheck-path": "/api/v2/monitor/health",
    }
    if access.certificate_arn is not None:
        annotations["alb.ingress.kubernetes.io/certificate-arn"] = access.certificate_arn
    host: Values = {"name": access.host}
    if access.tls_secret_name is not None:
        host["tls"] = {"enabled": True, "secretName": access.tls_secret_name}
    api_server: Values = {
        "args": ["bash", "-c", "exec airflow api-server --proxy-headers"],
        "env": [{"name": "FORWARDED_ALLOW_IPS", "value": "*"}],
    }
    if access.oidc is not None:
        api_server["env"] += _oidc_environment(access.oidc)
        config = WEBSERVER_CONFIG.read_text(encoding="utf-8")
        api_server["apiServerConfig"] = config
        # Up to 1.21 the chart does not roll the API servers when this file changes.
        api_server["podAnnotations"] = {
            "checksum/webserver-config": hashlib.sha256(config.encode()).hexdigest()
        }
    ingress = {
        "enabled": True,
        "ingressClassName": access.ingress_class,
        "pathType": "Prefix",
        "hosts": [host],
        "annotations": annotations,
    }
    return {"ingress": {"apiServer": ingress}, "apiServer": api_server}


def _oidc_environment(oidc: OidcSettings) -> list[Values]:
    parameters = {
        "issuer": oidc.issuer,
        "client_id": oidc.client_id,
        "roles_claim": oidc.roles_claim,
        "roles": {group: list(roles) for group, roles in sorted(oidc.roles.items())},
    }
    secret = {"name": oidc.client_secret_name, "key": OIDC_SECRET_KEY}
    return [
        {"name": OIDC_VARIABLE, "value": json.dumps(parameters, sort_keys=True)},
        {"name": OIDC_SECRET_VARIABLE, "valueFrom": {"secretKeyRef": secret}},
    ]


def pgbouncer_values(settings: EnvironmentSettings) -> Values:
    """PgBouncer with a configuration and users that come from Secrets of the program."""
    if not settings.pgbouncer.enabled:
        return {"pgbouncer": {"enabled": False}}
    replicas = settings.pgbouncer.replicas
    return {
        "pgbouncer": {
            "enabled": True,
            "replicas": replicas,
            "podDisruptionBudget": {"enabled": replicas > 1},
            "configSecretName": naming.PGBOUNCER_SECRET,
            # The pod's user is `nobody` already, so there is no user to change to.
            "command": ["pgbouncer", "/etc/pgbouncer/pgbouncer.ini"],
            "serviceAccount": {
                "create": True,
                "name": naming.PGBOUNCER,
                "automountServiceAccountToken": False,
            },
            "containerLifecycleHooks": {"preStop": {"exec": {"command": ["/bin/sh", "-c", PGBOUNCER_STOP]}}},
            "metricsExporterSidecar": {"statsSecretName": naming.PGBOUNCER_STATISTICS_SECRET},
        }
    }


def cleanup_values(cleanup: CleanupSettings, *, environment: list[Values]) -> Values:
    """The two CronJobs; `environment` is what the chart leaves out of the first one's pods.

    The commands stand here, so that they are the same whatever a chart's own are.
    """
    pods: Values = {"enabled": cleanup.task_pods}
    if cleanup.task_pods:
        pods |= {
            "args": ["bash", "-c", "exec airflow kubernetes cleanup-pods"],
            "env": environment,
            "serviceAccount": _account(naming.CLEANUP, token=True),  # lists and deletes pods
        }
    database: Values = {"enabled": cleanup.database}
    if cleanup.database:
        before = f'"$(date --utc --date="-{cleanup.database_retention_days} days" +%Y-%m-%dT%H:%M:%S+00:00)"'
        command = f"exec airflow db clean --clean-before-timestamp {before} --yes --skip-archive"
        database |= {
            "applyCustomEnv": True,
            "args": ["bash", "-c", command],
            "serviceAccount": _account(naming.DATABASE_CLEANUP, token=False),
        }
    return {"cleanup": pods, "databaseCleanup": database}


def _account(name: str, *, token: bool) -> Values:
    return {"create": True, "name": name, "automountServiceAccountToken": token}


def statsd_values(settings: EnvironmentSettings) -> Values:
    """The exporter of metrics; it never calls Kubernetes."""
    if not settings.statsd.enabled:
        return {"statsd": {"enabled": False}}
    return {"statsd": {"enabled": True, "serviceAccount": _account(naming.STATSD, token=False)}}


def network_policy_values(settings: EnvironmentSettings) -> Values:
    """The chart's own policies; infra/network_policies.py has those that it lacks."""
    policies = settings.network_policies
    if not policies.enabled:
        return {"networkPolicies": {"enabled": False}}
    # An empty list would refuse the task pods too, and no task could report.
    tasks = {"podSelector": {"matchLabels": naming.pod_labels("worker")}}
    clients = [{"ipBlock": {"cidr": network}} for network in policies.client_networks]
    return {
        "networkPolicies": {"enabled": True},
        "apiServer": {"networkPolicy": {"ingress": {"from": [tasks, *clients]}}},
    }


def annotated(components: tuple[str, ...], checksums: Mapping[str, pulumi.Input[str]]) -> Values:
    """Hashes of what pods mount, as annotations of the components' pods."""
    annotations = {f"checksum/{what}": value for what, value in sorted(checksums.items())}
    return {component: {"podAnnotations": annotations} for component in components}
