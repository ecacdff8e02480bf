"""The migration runs once for each database, whose names may be those of an earlier one."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from graph_recording import Graph
from graph_stacks import STACKS

GraphOf = Callable[..., Graph]

DEDICATED = {"durability": "disposable", "database": "{}"}
SHARED = {"durability": "disposable", "database": '{"tenancy": "shared"}'}


@pytest.mark.parametrize(
    ("tenancy", "anew"),
    [(DEDICATED, "metadata-database-instance"), (SHARED, "tenant-role-and-database")],
    ids=["a new or restored instance", "a tenant that was dropped and made again"],
)
def test_the_same_image_migrates_a_database_that_was_made_anew(
    tenancy: dict[str, str], anew: str, graph_of: GraphOf
) -> None:
    before = graph_of(STACKS[0], **tenancy).one("migration-job").inputs
    after = graph_of(STACKS[0], lives={anew: "another-life"}, **tenancy).one("migration-job").inputs
    # Nothing else tells the two apart.
    assert after["spec"] == before["spec"]
    assert after["metadata"]["name"] != before["metadata"]["name"]


def test_a_tenant_that_is_made_anew_is_not_dropped_with_the_one_before(graph_of: GraphOf) -> None:
    """Both have the same names: made first, the new one would go when the old one is deleted."""
    assert graph_of(STACKS[0], **SHARED).one("tenant-role-and-database").delete_before_replace
