"""The longest way through a deployment, which no order and no number of hands could shorten."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from graphlib import TopologicalSorter
from typing import Any

Resource = Mapping[str, Any]
"""A resource as the engine's state writes it."""


@dataclass(frozen=True)
class LongestPath:
    """The chain of resources whose durations add up to most."""

    seconds: float
    urns: tuple[str, ...]
    """From first to last, those that take time alone."""


def waits_for(resources: Sequence[Resource]) -> dict[str, set[str]]:
    """URN -> URNs of what is there before it: its parent, its provider, what it names and what it reads."""
    known = {str(resource["urn"]) for resource in resources}
    found = {}
    for resource in resources:
        earlier = {resource.get("parent"), *resource.get("dependencies", ())}
        for urns in (resource.get("propertyDependencies") or {}).values():
            earlier.update(urns)
        # A provider is named with its id behind its URN.
        earlier.add(str(resource.get("provider", "")).rpartition("::")[0])
        found[str(resource["urn"])] = {urn for urn in earlier if urn in known}
    return found


def longest_path(edges: Mapping[str, set[str]], seconds: Mapping[str, float]) -> LongestPath:
    """The longest path of a graph whose nodes take time.

    Args:
        edges: node -> the nodes that end before it begins.
        seconds: how long a node takes; those that are not there take none.

    Raises:
        graphlib.CycleError: a node waits for itself.
    """
    best = LongestPath(0.0, ())
    ends: dict[str, LongestPath] = {}
    for node in TopologicalSorter(edges).static_order():
        before = max(
            (ends[earlier] for earlier in edges.get(node, ())),
            key=lambda path: path.seconds,
            default=LongestPath(0.0, ()),
        )
        own = seconds.get(node, 0.0)
        ends[node] = LongestPath(before.seconds + own, (*before.urns, node) if own else before.urns)
        best = max(best, ends[node], key=lambda path: path.seconds)
    return best


def makespan(resources: Sequence[Resource]) -> float:
    """Seconds from the first resource of a run, the stack itself, to the last one."""
    moments = [moment(str(resource["created"])) for resource in resources if resource.get("created")]
    return (max(moments) - min(moments)).total_seconds()


def longest_waits(
    resources: Sequence[Resource], played: Mapping[str, float], count: int
) -> list[tuple[str, float]]:
    """The resources of the chain that ended last which took most beyond their own duration, in s.

    The chain goes back from the last resource, each time to what ended last of what it waited for.
    """
    ends = {str(one["urn"]): moment(str(one["created"])) for one in resources if _tells(one)}
    edges, found = waits_for(resources), {}
    node = max(ends, key=lambda urn: ends[urn], default=None)
    while node is not None:
        earlier = max(edges[node] & ends.keys(), key=lambda urn: ends[urn], default=None)
        if earlier is not None:
            found[node] = (ends[node] - ends[earlier]).total_seconds() - played.get(node, 0.0)
        node = earlier
    return sorted(found.items(), key=lambda item: -item[1])[:count]


def _tells(resource: Resource) -> bool:
    """Whether the moment of a resource says when others could begin.

    Not so with a component that depends on nothing, which is registered whenever its provider is there, and
    with a default provider, which has no parent and is made when it is first needed.
    """
    if resource.get("custom"):
        return bool(resource.get("created") and resource.get("parent"))
    return bool(resource.get("created") and (resource.get("dependencies") or not resource.get("parent")))


def moment(text: str) -> datetime:
    """A moment as the engine writes it, in UTC with up to nine digits of a second; microseconds are kept."""
    whole, _, fraction = text.removesuffix("Z").partition(".")
    return datetime.fromisoformat(f"{whole}.{fraction[:6]:0<6}+00:00")
