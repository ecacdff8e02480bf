"""The picture of what both programs make is what they make.

UPDATE_PICTURE=1 .venv/bin/pytest tests/graph/test_resource_picture.py      draws it anew
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable

from graph_recording import Graph
from graph_stacks import ROOT

PAGE = ROOT / "docs" / "resources.md"
HEAD = """# What the two programs make

Drawn from the programs: `UPDATE_PICTURE=1 .venv/bin/pytest tests/graph/test_resource_picture.py`.
A box is a component with the resources that it registers; an arrow leads from what is made first to what
waits for it.
"""
ENVIRONMENT, CLUSTER = "prod", "shared"


def test_the_picture_shows_what_the_programs_make(
    graph_of: Callable[..., Graph], cluster_graph_of: Callable[..., Graph]
) -> None:
    drawn = page(graph_of(ENVIRONMENT), cluster_graph_of(CLUSTER))
    if os.environ.get("UPDATE_PICTURE"):
        PAGE.write_text(drawn, encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == drawn, "draw it anew, see the head of this file"


def test_an_arrow_that_a_longer_way_says_is_left_out() -> None:
    assert _shortest({("a", "b"), ("b", "c"), ("a", "c")}) == {("a", "b"), ("b", "c")}


def picture(graph: Graph) -> str:
    """A Mermaid flowchart of a recorded program; the same text for the same program."""
    components = {resource.name for resource in graph.resources if not resource.custom}
    owner = {
        resource.urn: resource.parent_name if resource.parent_name in components else resource.name
        for resource in graph.resources
        if not resource.type.startswith("pulumi:")
    }
    kinds: dict[str, Counter[str]] = {name: Counter() for name in owner.values()}
    edges = set()
    for resource in graph.resources:
        if resource.urn not in owner:
            continue
        if resource.custom:
            kinds[owner[resource.urn]][resource.type.rsplit(":", 1)[-1]] += 1
        for urn in resource.dependencies & owner.keys():
            if owner[urn] != owner[resource.urn]:
                edges.add((owner[urn], owner[resource.urn]))
    boxes = [f'  {name}["<b>{name}</b><br/>{_listed(kinds[name])}"]' for name in sorted(kinds)]
    arrows = [f"  {first} --> {later}" for first, later in sorted(_shortest(edges))]
    return "\n".join(["```mermaid", "flowchart LR", *boxes, *arrows, "```"])


def _listed(kinds: Counter[str]) -> str:
    return "<br/>".join(f"{count} {kind}" if count > 1 else kind for kind, count in sorted(kinds.items()))


def _shortest(edges: set[tuple[str, str]]) -> set[tuple[str, str]]:
    """Leave out arrows that a longer way says already."""
    after: dict[str, set[str]] = {}
    for first, later in edges:
        after.setdefault(first, set()).add(later)

    def reachable(start: str) -> set[str]:
        seen: set[str] = set()
        todo = [start]
        while todo:
            for name in after.get(todo.pop(), set()) - seen:
                seen.add(name)
                todo.append(name)
        return seen

    return {
        (first, later)
        for first, later in edges
        if not any(later in reachable(other) for other in after[first] - {later})
    }


def page(environment: Graph, cluster: Graph) -> str:
    """The whole page."""
    return (
        f"{HEAD}\n## An environment (`Pulumi.{ENVIRONMENT}.yaml`)\n\n{picture(environment)}\n\n"
        f"## The cluster (`cluster/Pulumi.{CLUSTER}.yaml`)\n\n{picture(cluster)}\n"
    )
