"""The security baseline on every stack file and variant; every check can fail."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from graph_recording import Graph, Registered
from graph_stacks import ROOT, STACKS
from policy_spoils import CLUSTER, ENVIRONMENT, LINKS, Spoil, asked

from policy.checks import CHECKS
from policy.evaluate import evaluate, waivers
from policy.model import Check, Level, Program

GraphOf = Callable[..., Graph]

VARIANTS: dict[str, dict[str, str]] = {
    "persistent": {"durability": "persistent", "database": "{}"},
    "disposable": {"durability": "disposable", "database": "{}"},
    "retiring": {"durability": "persistent", "database": "{}", "retire": "true"},
}
NAMES = [f"row{check.row:02}-{check.id.replace(' ', '-')}" for check in CHECKS]


def classes(variant: str) -> list[str]:
    return ["persistent", "retiring"] if variant == "retiring" else [variant]


def binding(program: list[Registered], of: list[str], check: Check) -> list[str]:
    return [found.text for found in evaluate(program, of, [check]) if found.waiver is None]


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("stack", STACKS)
@pytest.mark.parametrize("check", CHECKS, ids=NAMES)
def test_environments(check: Check, stack: str, variant: str, graph_of: GraphOf) -> None:
    if check.level is not Level.ADVISORY:
        assert binding(graph_of(stack, **VARIANTS[variant]).resources, classes(variant), check) == []


@pytest.mark.parametrize("check", CHECKS, ids=NAMES)
def test_stack_files_as_they_are(check: Check, environment_graph: Graph) -> None:
    protected = environment_graph.one("metadata-database-instance").inputs["deletionProtection"]
    if check.level is not Level.ADVISORY:
        of = ["persistent" if protected else "disposable"]
        assert binding(environment_graph.resources, of, check) == []


@pytest.mark.parametrize("check", CHECKS, ids=NAMES)
def test_clusters(check: Check, cluster_graph: Graph) -> None:
    if check.level is not Level.ADVISORY:
        assert binding(cluster_graph.resources, ["persistent", "cluster"], check) == []


def cases(of: dict[int, list[Spoil]]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(
        ("row", "spoil"),
        [
            pytest.param(row, spoil, id=f"{row}: {spoil.says}")
            for row, spoils in of.items()
            for spoil in spoils
        ],
    )


def found_in(program: Program, row: int) -> set[str]:
    checks = [check for check in CHECKS if check.row == row]
    return {found.text for found in evaluate(program, ["persistent"], checks)}


@cases(ENVIRONMENT)
def test_a_check_finds_what_was_spoilt(row: int, spoil: Spoil, graph_of: GraphOf) -> None:
    program = graph_of(STACKS[0], **VARIANTS["persistent"]).resources
    assert found_in(spoil.of(program), row) - found_in(program, row)


@cases(CLUSTER)
def test_a_check_finds_what_was_spoilt_of_a_cluster(row: int, spoil: Spoil, cluster_graph: Graph) -> None:
    program = cluster_graph.resources
    assert found_in(spoil.of(program), row) - found_in(program, row)


def test_everything_that_a_check_looks_at_is_spoilt_once(graph_of: GraphOf, cluster_graph: Graph) -> None:
    environment = graph_of(STACKS[0], **VARIANTS["persistent"]).resources
    for program, spoils in ((environment, ENVIRONMENT), (cluster_graph.resources, CLUSTER)):
        for row, of_row in spoils.items():
            changed = {path for spoil in of_row for path in spoil.paths}
            looked_at = asked(program, [check for check in CHECKS if check.row == row])
            assert {
                path
                for path in looked_at
                if path.rpartition(" ")[2] not in LINKS
                and not any(f"{path}.".startswith(f"{one}.") for one in changed)
            } == set(), row


def test_every_row_is_there_and_can_fail() -> None:
    rows = {check.row for check in CHECKS}
    # 42 to 44 are of rendered manifests.
    assert rows == set(range(1, 47)) - {42, 43, 44}
    # Access logs are wanted by nobody.
    assert rows - ENVIRONMENT.keys() - CLUSTER.keys() == {24}


def test_the_page_has_every_row_with_its_level_and_files_that_exist() -> None:
    page = (ROOT / "docs" / "security-baseline.md").read_text(encoding="utf-8")
    table = [line.strip("| ").split(" | ") for line in page.splitlines() if line[:3].strip("| ").isdigit()]
    named = {int(row): level for row, _, level, *_ in table}
    levels = {check.row: check.level.value for check in CHECKS}
    assert {row: level for row, level in named.items() if row in levels} == levels
    assert sorted(named) == list(range(1, 47))
    for _, _, _, where, test in table:
        for file in (text.strip("` ") for text in f"{where},{test}".split(",")):
            assert file == "-" or (ROOT / file.split("::")[0]).is_file(), file


@pytest.mark.parametrize("spoilt", [{}, {"recoveryWindowInDays": 0}], ids=["rotation", "window"])
def test_another_secret_is_not_waived_with_those_that_the_file_names(
    graph_of: GraphOf, spoilt: dict[str, Any]
) -> None:
    program = graph_of(STACKS[0], **VARIANTS["persistent"]).resources
    kept = next(found for found in program if found.name == "recovery-set-fernet-keys")
    checks = [check for check in CHECKS if check.row == 38]
    assert [found for check in checks for found in binding([kept], ["persistent"], check)] == []
    other = replace(kept, name="another", inputs={**kept.inputs, **spoilt})
    found = [text for check in checks for text in binding([other], ["persistent"], check)]
    assert len(found) == 1 + len(spoilt)


def test_no_waiver_is_left_over(graph_of: GraphOf, cluster_graph: Graph) -> None:
    programs = [(graph_of(STACKS[0], **VARIANTS[variant]), classes(variant)) for variant in VARIANTS]
    programs.append((cluster_graph, ["persistent", "cluster"]))
    used = {found.waiver for graph, of in programs for found in evaluate(graph.resources, of) if found.waiver}
    assert set(waivers()) == used
    assert all(len(waiver.reason) > 30 for waiver in waivers())
