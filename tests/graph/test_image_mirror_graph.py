"""The release takes its images where the cluster's stack says."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from graph_recording import MIRROR, Graph
from graph_stacks import STACKS

GraphOf = Callable[..., Graph]
IMAGES = ("gitSync", "pgbouncer", "pgbouncerExporter", "statsd")


def _repositories(graph: Graph) -> dict[str, str]:
    [release] = graph.of("kubernetes:helm.sh/v3:Release")
    return {name: release.inputs["values"]["images"][name]["repository"] for name in IMAGES}


@pytest.mark.parametrize("stack", STACKS)
def test_a_closed_network_has_no_image_of_another_registry(stack: str, graph_of: GraphOf) -> None:
    closed = graph_of(stack, cluster=json.dumps({"stack": "organization/airflow-cluster/closed"}))
    plain = _repositories(graph_of(stack))
    assert _repositories(closed) == {name: f"{MIRROR}/{repository}" for name, repository in plain.items()}
    assert not any(MIRROR in repository for repository in plain.values())


def test_a_brought_cluster_leaves_the_charts_own_names(graph_of: GraphOf) -> None:
    graph = graph_of(STACKS[0], cluster=json.dumps({"name": "brought"}))
    [release] = graph.of("kubernetes:helm.sh/v3:Release")
    assert not any("repository" in release.inputs["values"]["images"].get(name, {}) for name in IMAGES)
