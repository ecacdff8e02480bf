"""What a brought cluster must have: one row each, which names what to do."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import boto3
import pytest

from infra import config
from infra.lifecycle import cluster_features
from infra.lifecycle.cluster_features import ingress_class_row, network_policy_row, pod_identity_row
from infra.lifecycle.known_cluster import KnownCluster
from infra.lifecycle.report import Outcome, Row

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


def test_a_cluster_is_judged_by_what_aws_says_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own version; and it is what gives the database its subnets, where nobody names others."""
    described = {"name": "platform", "version": "1.31", "resourcesVpcConfig": {"subnetIds": ["subnet-a"]}}
    eks = SimpleNamespace(describe_cluster=lambda name: {"cluster": described} if name == "platform" else {})
    monkeypatch.setattr(boto3, "client", lambda *_, **__: eks)
    monkeypatch.setattr(cluster_features, "_inside", lambda *_: [])
    subnets = Row.judged("database subnets", True, "")
    monkeypatch.setattr(
        cluster_features.preflight_subnets, "row", lambda *given: subnets if given[2] == described else None
    )
    kubectl = '{"clientVersion": {"gitVersion": "v1.34.1"}}'
    monkeypatch.setattr(cluster_features.preflight_versions.processes, "output", lambda _: kubectl)
    account = {"region": "eu-west-1", "accountId": "123456789012", "owner": "data-platform"}
    chosen = config.parse({**account, "durability": "disposable", "cluster": {"name": "platform"}})
    found = cluster_features.rows(chosen, KnownCluster(name="platform", own=False))
    assert [(row.name, row.outcome.value) for row in found] == [
        ("Kubernetes", "passed"),
        ("kubectl", "failed"),
        ("database subnets", "passed"),
    ]
    assert "Kubernetes 1.31" in found[1].detail
