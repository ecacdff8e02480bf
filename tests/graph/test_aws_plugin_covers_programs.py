"""What the two programs register is what the embedded cloud's aws plugin declares."""

from __future__ import annotations

from embedded.plugins.aws import registry
from embedded.plugins.aws.checking import check
from embedded.plugins.aws.configuration import unsupported
from graph_recording import Graph


def _refused(graph: Graph) -> list[str]:
    """What the plugin says against the inputs of every resource of AWS, before anything would be made."""
    said: list[str] = []
    for resource in graph.custom:
        if resource.type == "pulumi:providers:aws":
            said += [text for _, text in unsupported(resource.inputs)]
        if resource.type.startswith("aws:"):
            kind = registry.resource_type(resource.type)
            said += [text for _, text in check(kind, resource.name, resource.inputs, {}, b"seed")[1]]
    return said


def test_every_type_and_property_of_an_environment_is_declared(environment_graph: Graph) -> None:
    assert any(resource.type == "aws:rds/instance:Instance" for resource in environment_graph.custom)
    assert _refused(environment_graph) == []


def test_every_type_and_property_of_a_cluster_is_declared(cluster_graph: Graph) -> None:
    assert any(resource.type == "aws:eks/cluster:Cluster" for resource in cluster_graph.custom)
    assert _refused(cluster_graph) == []
