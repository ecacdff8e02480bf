"""The graph of every real stack file, recorded once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from graph_stacks import CLUSTER_STACKS, ROOT, STACKS, stack_configuration

# The process that hands out tests to others reads this file too: the SDKs are imported with the tests alone.
if TYPE_CHECKING:
    from graph_recording import Graph

# The stand-in knows every key that is set here, and is at hand on every machine.
CHART = ROOT / "embedded" / "charts" / "airflow"


@pytest.fixture(scope="session", autouse=True)
def _chart_at_hand() -> Iterator[None]:
    from infra.stacks import environment_plan

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(environment_plan, "CHART_DIRECTORY", CHART)
        yield


@pytest.fixture(scope="session")
def graph_of(ca_bundle: Path) -> Callable[..., Graph]:
    """Graph of an environment stack; keywords replace keys of its configuration.

    `lives` has other identities of resources, by logical name.
    """
    from graph_recording import record

    base = {stack: stack_configuration(ROOT / f"Pulumi.{stack}.yaml") for stack in STACKS}

    @cache
    def recorded(
        stack: str, changes: tuple[tuple[str, str], ...], name: str, lives: tuple[tuple[str, str], ...]
    ) -> Graph:
        configuration = base[stack] | {f"airflow:{key}": value for key, value in changes}
        return record(
            project="airflow",
            stack_name=name,
            configuration=configuration,
            ca_bundle=ca_bundle,
            lives=dict(lives),
        )

    def graph(
        stack: str, name: str | None = None, lives: Mapping[str, str] | None = None, **changes: str
    ) -> Graph:
        return recorded(stack, tuple(sorted(changes.items())), name or stack, tuple((lives or {}).items()))

    return graph


@pytest.fixture(params=STACKS)
def environment_graph(request: pytest.FixtureRequest, graph_of: Callable[..., Graph]) -> Graph:
    """Graph of each environment stack in turn."""
    return graph_of(request.param)


@pytest.fixture(scope="session")
def environment_graphs(graph_of: Callable[..., Graph]) -> list[Graph]:
    """Graphs of all environment stacks."""
    return [graph_of(stack) for stack in STACKS]


@pytest.fixture(scope="session")
def cluster_graph_of(ca_bundle: Path) -> Callable[..., Graph]:
    """Graph of a cluster stack; keywords replace keys of its configuration."""
    from graph_recording import record

    @cache
    def recorded(stack: str, changes: tuple[tuple[str, str], ...]) -> Graph:
        configuration = stack_configuration(ROOT / "cluster" / f"Pulumi.{stack}.yaml")
        return record(
            project="airflow-cluster",
            stack_name=stack,
            configuration=configuration | {f"airflow-cluster:{key}": value for key, value in changes},
            ca_bundle=ca_bundle,
        )

    def graph(stack: str, **changes: str) -> Graph:
        return recorded(stack, tuple(sorted(changes.items())))

    return graph


@pytest.fixture(scope="session", params=CLUSTER_STACKS)
def cluster_graph(request: pytest.FixtureRequest, cluster_graph_of: Callable[..., Graph]) -> Graph:
    """Graph of each cluster stack in turn."""
    return cluster_graph_of(request.param)
