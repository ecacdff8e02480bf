"""What is written into an engine's state is in an order that the engine reads back."""

from __future__ import annotations

from infra.lifecycle.state_additions import imported, with_added


def test_what_is_new_comes_last() -> None:
    assert with_added([{"urn": "a"}], [{"urn": "b", "id": "1"}]) == [{"urn": "a"}, {"urn": "b", "id": "1"}]


def test_what_was_to_be_replaced_is_behind_its_successor_and_goes() -> None:
    """The engine refuses a second resource of one URN, unless it comes later and waits for its deletion."""
    state = [{"urn": "a"}, {"urn": "b", "id": "old"}, {"urn": "c", "dependencies": ["b"]}]
    assert with_added(state, [{"urn": "b", "id": "new"}]) == [
        {"urn": "a"},
        {"urn": "b", "id": "new"},
        {"urn": "b", "id": "old", "delete": True},
        {"urn": "c", "dependencies": ["b"]},
    ]


def test_what_a_service_never_tells_again_is_known_to_the_refresh() -> None:
    inputs = {"name": "shared", "bootstrapSelfManagedAddons": False}
    found = imported({"urn": "cluster", "inputs": inputs}, "shared")
    assert found == {"urn": "cluster", "id": "shared", "inputs": inputs, "outputs": inputs}
