"""The rows of `airflow-env policy`, from programs as they are recorded: what the state says, row by row."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from graph_recording import STACKS, Graph

from infra.lifecycle import baseline
from infra.lifecycle.report import Outcome, Row
from policy.checks import CHECKS

GraphOf = Callable[..., Graph]


def _deployed(graph: Graph, **changed: object) -> list[baseline.Deployed]:
    """The resources as a state keeps them; keywords are inputs of the database's instance."""
    instance = graph.one("metadata-database-instance")
    resources = [
        replace(one, inputs={**one.inputs, **changed}) if one is instance else one for one in graph.resources
    ]
    urn = "urn:pulumi:stack::project::"
    return [
        baseline.Deployed.of({"urn": f"{urn}{one.type}::{one.name}", "type": one.type, "inputs": one.inputs})
        for one in resources
    ]


def _persistent(graph_of: GraphOf) -> Graph:
    return graph_of(STACKS[0], durability="persistent", database="{}")


def _outcomes(rows: list[Row], number: int) -> set[Outcome]:
    return {row.outcome for row in rows if row.name.startswith(f"{number} ")}


def test_every_check_is_a_row_and_none_is_red(graph_of: GraphOf) -> None:
    rows = baseline.rows(_deployed(_persistent(graph_of)), ["persistent"])
    assert len(rows) == len(CHECKS)
    assert [row for row in rows if row.outcome is Outcome.FAILED] == []


def test_one_wrong_input_turns_exactly_its_row_red(graph_of: GraphOf) -> None:
    rows = baseline.rows(_deployed(_persistent(graph_of), publiclyAccessible=True), ["persistent"])
    [red] = [row for row in rows if row.outcome is Outcome.FAILED]
    assert red.name.startswith("1 ")
    assert "RDS.2" in red.detail
    assert "metadata-database-instance" in red.detail
    assert "waivers.yaml" in red.next_step


def test_an_accepted_finding_shows_its_reason(graph_of: GraphOf) -> None:
    program = _deployed(_persistent(graph_of), deletionProtection=False)
    assert _outcomes(baseline.rows(program, ["persistent"]), 5) == {Outcome.FAILED}
    retiring = baseline.rows(program, ["persistent", "retiring"])
    [row] = [row for row in retiring if row.name.startswith("5 ")]
    assert row.outcome is Outcome.PASSED
    assert "the final snapshot stays" in row.detail


def test_a_disposable_environment_need_not_last(graph_of: GraphOf) -> None:
    program = _deployed(_persistent(graph_of), multiAz=False, publiclyAccessible=True)
    rows = baseline.rows(program, ["disposable"])
    assert _outcomes(rows, 3) == {Outcome.NOT_APPLICABLE}
    assert _outcomes(rows, 1) == {Outcome.FAILED}


@pytest.mark.parametrize(("retire", "classes"), [(False, ["persistent"]), (True, ["persistent", "retiring"])])
def test_classes_come_from_durability_and_its_planned_end(retire: bool, classes: list[str]) -> None:
    from infra import config

    settings = config.parse(
        {
            "region": "eu-west-1",
            "accountId": "123456789012",
            "owner": "platform",
            "cluster": {"name": "shared"},
            "retire": retire,
        }
    )
    assert baseline.classes_of(settings) == classes
