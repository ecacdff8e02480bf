"""What the benchmarks compute from what they see; the measuring itself is no test's."""

from __future__ import annotations

import sys
from graphlib import CycleError
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "bench"))

from critical_path import longest_path, longest_waits, makespan, waits_for
from preview import kind_of
from process_times import by_kind, kind_now

HEAD = "urn:pulumi:s::p::"


def test_the_longest_path_is_the_slowest_chain_and_not_the_one_with_most_links() -> None:
    edges = {"d": {"b", "c"}, "b": {"a"}, "c": {"a"}, "e": {"x", "d"}, "x": set(), "a": set()}
    found = longest_path(edges, {"a": 1, "b": 2, "c": 5, "e": 3, "x": 8})
    assert (found.seconds, found.urns) == (11, ("x", "e"))
    found = longest_path(edges, {"a": 1, "b": 2, "c": 5, "e": 3, "x": 4})
    assert (found.seconds, found.urns) == (9, ("a", "c", "e"))


def test_things_side_by_side_take_as_long_as_the_slowest() -> None:
    assert longest_path({"a": set(), "b": set(), "c": set()}, {"a": 3, "b": 7, "c": 5}).seconds == 7
    assert longest_path({}, {}).seconds == 0


def test_a_circle_is_an_error() -> None:
    with pytest.raises(CycleError):
        longest_path({"a": {"b"}, "b": {"a"}}, {"a": 1})


def test_every_kind_of_edge_of_the_state_counts() -> None:
    state = [
        {"urn": f"{HEAD}stack"},
        {"urn": f"{HEAD}provider", "parent": f"{HEAD}stack"},
        {"urn": f"{HEAD}read", "provider": f"{HEAD}provider::an-id"},
        {"urn": f"{HEAD}named"},
        {
            "urn": f"{HEAD}last",
            "parent": f"{HEAD}stack",
            "dependencies": [f"{HEAD}named", "urn:pulumi:other::p::elsewhere"],
            "propertyDependencies": {"name": [f"{HEAD}read"], "size": []},
        },
    ]
    names = {
        urn.removeprefix(HEAD): {other.removeprefix(HEAD) for other in earlier}
        for urn, earlier in waits_for(state).items()
    }
    assert names == {
        "stack": set(),
        "provider": {"stack"},
        "read": {"provider"},
        "named": set(),
        "last": {"stack", "named", "read"},
    }


def test_a_makespan_goes_from_the_first_resource_to_the_last() -> None:
    state = [
        {"urn": "a", "created": "2026-01-01T00:00:59.5Z"},
        {"urn": "b", "created": "2026-01-01T00:01:02.000000001Z"},
        {"urn": "c", "created": "2026-01-01T00:00:59.75Z"},
        {"urn": "read, not made"},
    ]
    assert makespan(state) == 2.5


def test_a_wait_is_what_a_resource_took_beyond_its_own_duration() -> None:
    def made(name: str, second: int, *dependencies: str, **more: object) -> dict[str, object]:
        created = f"2026-01-01T00:00:{second:02}Z"
        defaults = {"custom": True, "parent": "stack"}
        return {"urn": name, "created": created, "dependencies": list(dependencies), **defaults, **more}

    state = [
        made("stack", 0, custom=False, parent=None),
        made("first", 2),
        made("slow", 13, "first"),
        made("aside", 5, "first"),
        # Neither says anything: one has no edges, the other is made when it is needed.
        made("component", 14, custom=False),
        made("default", 15, parent=None),
        made("last", 16, "slow", "aside", "component", "default"),
    ]
    found = longest_waits(state, {"slow": 10.0, "aside": 1.0}, 5)
    assert found == [("last", 3.0), ("first", 2.0), ("slow", 1.0)]
    assert longest_waits([], {}, 5) == []


@pytest.mark.parametrize(
    ("command", "kind"),
    [
        (["/tools/pulumi", "preview"], "engine, host, program"),
        (["pulumi-language-python", "127.0.0.1:1"], None),
        (["python", "-m", "embedded.plugins.aws", "127.0.0.1:1"], "aws plugin"),
        (["python3", "-u", "-m", "pulumi.dynamic", "127.0.0.1:1"], "plugin of the dynamic providers"),
        (["/bin/helm", "template"], "helm"),
        (["python", "-m", "embedded.project_view", "--engine", "/tools/pulumi"], "embedded cloud"),
    ],
)
def test_a_process_is_known_by_its_command(command: list[str], kind: str | None) -> None:
    assert kind_of(command) == kind


def test_a_process_that_has_ended_keeps_its_kind() -> None:
    assert kind_now([], "engine, host, program", "aws plugin", kind_of) == "aws plugin"
    assert kind_now([], "engine, host, program", None, kind_of) == "engine, host, program"
    assert kind_now(["aws", "eks", "get-token"], "kubernetes plugin", None, kind_of) == "kubernetes plugin"


def test_seconds_add_up_by_kind() -> None:
    used = {(1, 0.0): ("helm", 0.5), (2, 0.0): ("aws plugin", 1.0), (1, 9.0): ("helm", 0.25)}
    assert by_kind(used) == {"helm": 0.75, "aws plugin": 1.0}
