"""Each AWS resource of the real programs can be found again after a killed run; exports are documented."""

from __future__ import annotations

import re

from graph_recording import Graph, Registered
from graph_stacks import ROOT

from infra.lifecycle.half_made import BY_NAME, EC2_KINDS, FINDERS, REPEATABLE


def lost(resources: list[Registered]) -> set[str]:
    """Types of resources that `recover` could neither find nor make again."""
    found = set()
    for resource in resources:
        if not resource.type.startswith("aws:"):
            continue
        if template := BY_NAME.get(resource.type):
            named = set(re.findall(r"{(\w+)}", template))
            if not named <= resource.inputs.keys():
                found.add(f"{resource.type}: its inputs lack {named - resource.inputs.keys()}")
        elif resource.type not in {*EC2_KINDS, *FINDERS, *REPEATABLE}:
            found.add(resource.type)
    return found


def test_no_resource_of_an_environment_is_lost(environment_graph: Graph) -> None:
    assert lost(environment_graph.custom) == set()


def test_no_resource_of_a_cluster_is_lost(cluster_graph: Graph) -> None:
    assert lost(cluster_graph.custom) == set()


def test_the_page_of_exports_names_those_that_there_are(environment_graph: Graph) -> None:
    page = (ROOT / "docs" / "exports.md").read_text(encoding="utf-8")
    documented = re.findall(r"^\| `(\w+)` \|", page, flags=re.MULTILINE)
    assert sorted(documented) == sorted(environment_graph.exports)
