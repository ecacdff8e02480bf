"""A host and its tenant: the cluster program with an instance for many, and an environment on it."""

from __future__ import annotations

import json
from collections.abc import Callable

from edge_reasons import REASONS, left_over, without_reason
from graph_recording import HOST_OUTPUTS, Graph
from graph_stacks import CLUSTER_STACKS, STACKS

from infra.database_endpoint import EXPORT
from policy.evaluate import evaluate
from policy.model import Level

Of = Callable[..., Graph]
SHARED = {"durability": "disposable", "database": '{"tenancy": "shared"}'}

HOST_REASONS = {
    ("host-namespace", "host-identity"): "the Job's pod uses its role while it dies",
    ("host-administration", "host-namespace"): "its Job's pod mounts and names what the namespace holds",
    ("host-administration-role", "host-administration-mounted-password"): "its Job's pod mounts it by name",
    ("host-administration-secret-value", "host-administration-role"): "a tenant may use what it can read",
}


def host(cluster_graph_of: Of) -> Graph:
    return cluster_graph_of(CLUSTER_STACKS[0], databaseHost='{"enabled": true}')


def test_a_host_exports_what_tenants_read_and_never_the_masters_secret(cluster_graph_of: Of) -> None:
    exported = host(cluster_graph_of).exports[EXPORT]
    assert exported.keys() == HOST_OUTPUTS.keys()
    assert "master" not in json.dumps(exported)


def test_a_hosts_namespace_does_not_keep_the_cluster_and_takes_restricted_pods_alone(
    cluster_graph_of: Of,
) -> None:
    labels = host(cluster_graph_of).one("host-namespace-namespace").inputs["metadata"]["labels"]
    assert "app.kubernetes.io/part-of" not in labels
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"


def test_a_host_meets_the_baseline(cluster_graph_of: Of) -> None:
    found = evaluate(host(cluster_graph_of).resources, ["disposable", "cluster"])
    assert [one.text for one in found if one.waiver is None and one.check.level is Level.MANDATORY] == []


def test_a_tenant_has_a_database_of_its_own_and_no_instance(graph_of: Of) -> None:
    graph = graph_of(STACKS[0], **SHARED)
    assert graph.of("aws:rds/instance:Instance") == []
    tenant = graph.one("tenant-role-and-database").inputs
    assert tenant["dropOnDelete"] is True
    assert tenant["connectionLimit"] > 0
    assert tenant["database"] == tenant["role"] == graph.exports["namespace"]
    urls = graph.one("metadata-connection-secret").inputs["stringData"]
    assert f"@host.example:5432/{tenant['database']}?sslmode=verify-full" in urls["connection"]


def test_a_tenants_administration_reads_the_hosts_secret_alone(graph_of: Of) -> None:
    graph = graph_of(STACKS[0], **SHARED)
    policy = json.loads(graph.one("identity-database-administration-policy").inputs["policy"])
    resources = {statement["Resource"] for statement in policy["Statement"]}
    assert resources == {"arn:aws:secretsmanager:::secret:tenant", "arn:aws:kms:::key/host"}


def test_two_tenants_have_different_names(graph_of: Of) -> None:
    names = {
        graph_of(STACKS[0], name, **SHARED).one("tenant-role-and-database").inputs["database"]
        for name in ("one", "two")
    }
    assert len(names) == 2


def test_the_administrations_password_is_secret_wherever_it_stands(cluster_graph_of: Of) -> None:
    graph = host(cluster_graph_of)
    assert graph.one("host-administration-secret-value").secret_inputs == {"secretString"}
    assert graph.one("host-administration-mounted-password").secret_inputs == {"stringData"}


def test_every_named_edge_of_a_host_and_of_a_tenant_has_a_reason(cluster_graph_of: Of, graph_of: Of) -> None:
    of_host = host(cluster_graph_of)
    assert without_reason(of_host, REASONS | HOST_REASONS) == set()
    assert left_over([of_host], HOST_REASONS) == set()
    assert without_reason(graph_of(STACKS[0], **SHARED)) == set()
