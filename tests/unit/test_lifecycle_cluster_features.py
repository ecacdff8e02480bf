"""What a brought cluster must have: one row each, which names what to do."""

from __future__ import annotations

from typing import Any

import pytest

from infra.lifecycle.cluster_features import ingress_class_row, network_policy_row, pod_identity_row
from infra.lifecycle.report import Outcome

PLAIN: dict[str, Any] = {"name": "platform", "computeConfig": {"enabled": False}}


@pytest.mark.parametrize(
    ("cluster", "addon", "outcome"),
    [
        ({"name": "platform", "computeConfig": {"enabled": True}}, None, Outcome.PASSED),
        (PLAIN, {"status": "ACTIVE"}, Outcome.PASSED),
        (PLAIN, {"status": "DEGRADED"}, Outcome.FAILED),
        ({"name": "platform"}, None, Outcome.FAILED),
    ],
)
def test_pods_get_their_roles(
    cluster: dict[str, Any], addon: dict[str, Any] | None, outcome: Outcome
) -> None:
    row = pod_identity_row(cluster, addon)
    assert row.outcome is outcome
    if addon is None and outcome is Outcome.FAILED:
        assert (
            "aws eks create-addon --cluster-name platform --addon-name eks-pod-identity-agent" in row.detail
        )


@pytest.mark.parametrize(
    ("switch", "addon", "daemon_sets", "outcome"),
    [
        ({"enable-network-policy-controller": "true"}, None, [], Outcome.PASSED),
        ({"enable-network-policy-controller": "false"}, None, [], Outcome.FAILED),
        ({}, {"configurationValues": '{"enableNetworkPolicy": "true"}'}, [], Outcome.PASSED),
        ({}, {"configurationValues": 'enableNetworkPolicy: "true"'}, [], Outcome.PASSED),
        ({}, {"configurationValues": '{"enableNetworkPolicy": "false"}'}, [], Outcome.FAILED),
        ({}, {"configurationValues": None}, ["aws-node"], Outcome.FAILED),
        ({}, None, ["aws-node", "cilium"], Outcome.PASSED),
    ],
)
def test_something_enforces_network_policies(
    switch: dict[str, str], addon: dict[str, Any] | None, daemon_sets: list[str], outcome: Outcome
) -> None:
    assert (
        network_policy_row(wanted=True, switch=switch, addon=addon, daemon_sets=daemon_sets).outcome
        is outcome
    )


def test_switched_off_network_policies_need_nothing() -> None:
    row = network_policy_row(wanted=False, switch={}, addon=None, daemon_sets=[])
    assert row.outcome is Outcome.NOT_APPLICABLE


@pytest.mark.parametrize(
    ("host", "classes", "outcome"),
    [
        ("airflow.example.com", ["alb", "nginx"], Outcome.PASSED),
        ("airflow.example.com", ["nginx"], Outcome.FAILED),
        ("airflow.example.com", [], Outcome.FAILED),
        (None, [], Outcome.NOT_APPLICABLE),
    ],
)
def test_the_ingress_class_is_there_when_a_host_is_wanted(
    host: str | None, classes: list[str], outcome: Outcome
) -> None:
    assert ingress_class_row(host, "alb", classes).outcome is outcome
