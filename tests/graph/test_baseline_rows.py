"""The rows of `airflow-env policy`, from programs as they are recorded: what the state says, row by row."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from graph_recording import Graph
from graph_stacks import STACKS

from infra.lifecycle import baseline
from infra.lifecycle.report import Outcome, Row
from policy.checks import CHECKS, RENDERED
from policy.model import resources_of

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
    assert len(rows) == len(CHECKS) + len(RENDERED)
    numbers = [int(row.name.split()[0]) for row in rows]
    assert sorted(set(numbers)) == list(range(1, 47))
    assert numbers == sorted(numbers)
    assert [row for row in rows if row.outcome is Outcome.FAILED] == []


def test_a_check_without_anything_to_look_at_does_not_pass(graph_of: GraphOf, cluster_graph: Graph) -> None:
    environment = baseline.rows(_deployed(_persistent(graph_of)), ["persistent"])
    for row in (11, 27, 28, 29, 30, 31, 32, 34, 41):
        assert _outcomes(environment, row) == {Outcome.NO_RESOURCES}, row
    cluster = baseline.rows(cluster_graph.resources, ["persistent", "cluster"])
    for row in (1, 2, 14, 19, 45):
        assert _outcomes(cluster, row) == {Outcome.NO_RESOURCES}, row
    assert _outcomes(cluster, 27) == {Outcome.PASSED}
    said = baseline.counts(environment)
    assert "9 no resources" in said
    assert "3 not judged" in said
    assert "0 failed" not in said


def test_every_check_has_something_to_look_at_in_one_of_the_programs(
    graph_of: GraphOf, cluster_graph: Graph
) -> None:
    programs = [_persistent(graph_of).resources, cluster_graph.resources]
    assert [check.title for check in CHECKS if not any(resources_of(check, one) for one in programs)] == []


def test_a_database_is_for_groups_and_every_rule_of_a_bucket_is_looked_at(graph_of: GraphOf) -> None:
    program = _persistent(graph_of).resources

    def spoilt(name: str, **inputs: object) -> list[Row]:
        changed = [
            replace(one, inputs={**one.inputs, **inputs}) if one.name == name else one for one in program
        ]
        return baseline.rows(changed, ["persistent"])

    open_to_a_network = {"referencedSecurityGroupId": None, "cidrIpv4": "10.0.0.0/8"}
    assert _outcomes(spoilt("metadata-database-access-from-pods", **open_to_a_network), 33) == {
        Outcome.FAILED
    }
    [lifecycle] = [one for one in program if one.name == "remote-logs-lifecycle"]
    first, second = lifecycle.inputs["rules"]
    endless = {key: value for key, value in second.items() if key != "expiration"}
    assert _outcomes(spoilt("remote-logs-lifecycle", rules=[first, endless]), 23) == {Outcome.FAILED}


@pytest.mark.parametrize(
    ("secret", "texts"),
    [
        ("metadata-connection-secret", {"connection": "postgresql://a:b@some-host/x?sslmode=require"}),
        (
            "metadata-connection-secret",
            {"connection-async": "postgresql+asyncpg://a:b@some-host/x?ssl=require"},
        ),
        ("pgbouncer-config-secret", {"pgbouncer.ini": "server_tls_sslmode = prefer"}),
    ],
)
def test_a_session_that_is_not_verified_is_found(
    secret: str, texts: dict[str, str], graph_of: GraphOf
) -> None:
    program = _persistent(graph_of).resources
    changed = [replace(one, inputs={"stringData": texts}) if one.name == secret else one for one in program]
    assert changed != list(program)
    assert _outcomes(baseline.rows(changed, ["persistent"]), 45) == {Outcome.FAILED}


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
