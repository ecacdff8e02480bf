"""No edge without a reason, and no reason without an edge."""

from __future__ import annotations

from edge_reasons import left_over, without_reason
from graph_recording import Graph


def test_every_named_edge_has_a_reason(environment_graph: Graph, cluster_graph: Graph) -> None:
    assert without_reason(environment_graph) | without_reason(cluster_graph) == set()


def test_no_reason_is_left_over(environment_graphs: list[Graph], cluster_graph: Graph) -> None:
    assert left_over([*environment_graphs, cluster_graph]) == set()
