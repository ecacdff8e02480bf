"""Network policies that the program adds: who gets through, and who does not.

Oracle: the rules of Kubernetes, in network_policy_rules.py.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from network_policy_rules import SCRAPER, STRANGER, Pod, airflow, allowed

from infra import network_policies
from infra.settings import EnvironmentSettings


def specs(**policies: Any) -> list[dict[str, Any]]:
    given = {"region": "eu-west-1", "accountId": "123456789012", "owner": "x", "cluster": {"stack": "a/b/c"}}
    document = {**given, "networkPolicies": policies}
    settings = EnvironmentSettings.model_validate_json(json.dumps(document))
    return list(network_policies.policy_specs(settings).values())


def test_logs_of_deferred_and_running_tasks_reach_the_api_server() -> None:
    ours = specs()
    assert allowed(ours, airflow("api-server"), airflow("triggerer"), 8794)
    assert allowed(ours, airflow("api-server"), airflow("worker"), 8793)


@pytest.mark.parametrize("source", [STRANGER, airflow("worker"), airflow("scheduler")])
@pytest.mark.parametrize(
    ("target", "port"),
    [("triggerer", 8794), ("worker", 8793), ("dag-processor", 8080), ("environment-job", 22)],
)
def test_nobody_else_reaches_them(source: Pod, target: str, port: int) -> None:
    assert not allowed(specs(), source, airflow(target), port)


def test_metrics_are_for_named_namespaces_and_for_no_other_port() -> None:
    ours = specs(scraperNamespaces=["monitoring"])
    for target, port in (("statsd", 9102), ("pgbouncer", 9127)):
        assert allowed(ours, SCRAPER, airflow(target), port)
        assert not allowed(ours, STRANGER, airflow(target), port)
        assert not allowed(specs(), SCRAPER, airflow(target), port)
    assert not allowed(ours, SCRAPER, airflow("pgbouncer"), 6543)


def test_without_policies_there_are_none() -> None:
    assert specs(enabled=False) == []
