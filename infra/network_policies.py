"""Specs of the network policies that the chart's own leave out, by name. Pure.

Policies add up: a pod that any of them selects accepts what one of them allows, and nothing else. Restricted
is traffic into pods; out of them goes what tasks need, which only their authors know.
https://kubernetes.io/docs/concepts/services-networking/network-policies/
"""

from __future__ import annotations

from typing import Any, Final

from infra import naming
from infra.settings import EnvironmentSettings

Spec = dict[str, Any]

TRIGGERER_LOGS_PORT: Final = 8794
TASK_LOGS_PORT: Final = 8793
STATSD_METRICS_PORT: Final = 9102
PGBOUNCER_METRICS_PORT: Final = 9127


def policy_specs(settings: EnvironmentSettings) -> dict[str, Spec]:
    """Return name -> spec of every policy; none where an environment has no policies."""
    if not settings.network_policies.enabled:
        return {}
    api_server = {"podSelector": {"matchLabels": naming.pod_labels("api-server")}}
    specs = {
        # DAG processors, task pods and Jobs, which the chart has no policy for: nobody calls them.
        "default-deny": _spec({}, []),
        # The chart lets in the web server of Airflow 2 only, so logs of deferred tasks could not be read:
        # https://github.com/apache/airflow/pull/65754
        "triggerer-logs": _into("triggerer", [api_server], TRIGGERER_LOGS_PORT),
        # Nothing listens there with KubernetesExecutor. The API server asks nevertheless when a running pod's
        # log can't be had from Kubernetes, and is to be refused at once, not after a timeout.
        "task-logs": _into("worker", [api_server], TASK_LOGS_PORT),
    }
    scrapers = [
        {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}}}
        for namespace in settings.network_policies.scraper_namespaces
    ]
    if scrapers and settings.statsd.enabled:
        specs["statsd-metrics"] = _into("statsd", scrapers, STATSD_METRICS_PORT)
    if scrapers and settings.pgbouncer.enabled:
        specs["pgbouncer-metrics"] = _into("pgbouncer", scrapers, PGBOUNCER_METRICS_PORT)
    return specs


def _into(component: str, sources: list[Spec], port: int) -> Spec:
    rule = {"from": sources, "ports": [{"protocol": "TCP", "port": port}]}
    return _spec({"matchLabels": naming.pod_labels(component)}, [rule])


def _spec(pods: Spec, ingress: list[Spec]) -> Spec:
    spec: Spec = {"podSelector": pods, "policyTypes": ["Ingress"]}
    return spec | {"ingress": ingress} if ingress else spec
