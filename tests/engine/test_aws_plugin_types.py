"""Every declared type lives: previews with unknowns, creation, drift, update, replacement, import, end."""

from __future__ import annotations

import gc
import json
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import aws_type_records_access
import aws_type_records_network
import aws_type_records_storage
import pytest
from aws_api_server import Account, postgres_directory, running_account
from aws_type_life import Life, Never, Observed, Record, filled
from aws_type_world import make_world
from embedded.plugins.aws import registry
from engine_world import engine_environment, tool_directories

pytestmark = [
    pytest.mark.engine,
    pytest.mark.skipif(postgres_directory() is None, reason="no Postgres in /usr/lib/postgresql"),
    pytest.mark.skipif(not tool_directories(), reason="no Pulumi engine here: run `make setup`"),
]

STACKS: Mapping[str, tuple[Record, ...]] = {
    # A run of the engine costs more than what it does, so there are few stacks with many types.
    "network-access": (*aws_type_records_network.RECORDS, *aws_type_records_access.RECORDS),
    "storage": aws_type_records_storage.RECORDS,
}
RECORDS = {record.name: (stack, record) for stack, records in STACKS.items() for record in records}
NAMES = sorted(RECORDS)


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    """The embedded AWS API in a process of its own, with nothing in it but what `world` makes."""
    with running_account(tmp_path_factory.mktemp("aws")) as account:
        yield account


@pytest.fixture(scope="module")
def world(account: Account) -> dict[str, str]:
    """What the records refer to."""
    return make_world(account)


@pytest.fixture(scope="module")
def workspace(account: Account, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the engine runs, with its environment in a file."""
    where = tmp_path_factory.mktemp("engine")
    environment = {**account.environment, **engine_environment(where)}
    (where / "environment.json").write_text(json.dumps(environment))
    return where


@pytest.fixture(scope="module")
def observed(account: Account, world: dict[str, str], workspace: Path) -> Callable[[str], Observed]:
    """What a record's stack went through; it lives once, when the first of its records is asked for."""
    lived: dict[str, Observed] = {}

    def live(stack: str) -> Observed:
        if stack not in lived:
            with warnings.catch_warnings(), pytest.MonkeyPatch.context() as patch:
                patch.setenv("PATH", json.loads((workspace / "environment.json").read_text())["PATH"])
                # The SDK leaves the event loops of programs that run inside of this process open.
                warnings.simplefilter("ignore", ResourceWarning)
                lived[stack] = Life(stack, STACKS[stack], world, account, workspace).live()
                gc.collect()
        return lived[stack]

    return live


@pytest.fixture
def life(request: pytest.FixtureRequest, observed: Callable[[str], Observed]) -> tuple[Record, Observed]:
    """A record, and what its stack went through."""
    stack, record = RECORDS[request.param]
    return record, observed(stack)


each = pytest.mark.parametrize("life", NAMES, indirect=True)
Lived = tuple[Record, Observed]


@pytest.mark.parametrize("stack", STACKS)
def test_no_step_of_a_stack_fails(stack: str, observed: Callable[[str], Observed]) -> None:
    assert observed(stack).failed == []


# AWS does not tell of a copy what it was copied from, so a copy cannot be imported, and a life has that step;
# tests/engine/test_recovery.py makes and deletes one.
NOT_IMPORTABLE = {"aws:rds/snapshotCopy:SnapshotCopy"}


def test_every_declared_type_has_a_record() -> None:
    tokens = [record.token for records in STACKS.values() for record in records]
    assert sorted([*tokens, *NOT_IMPORTABLE]) == sorted(registry.all_types())


@pytest.mark.parametrize("name", NAMES)
def test_a_record_goes_through_every_step_or_says_why_not(name: str) -> None:
    _, record = RECORDS[name]
    for step in (record.update, record.replace, record.behind):
        assert len(step) > 10 if isinstance(step, Never) else step
    assert isinstance(record.behind, Never) or record.drifted


@pytest.mark.parametrize("stack", STACKS)
def test_a_preview_asks_aws_for_nothing_but_who_is_asking(
    stack: str, observed: Callable[[str], Observed]
) -> None:
    lines = observed(stack).requests["preview with unknowns"]
    asked = [line for line in lines if " 200 " in line]
    assert asked
    assert [line for line in asked if "GetCallerIdentity" not in line] == []


@each
def test_unknown_inputs_are_planned_as_a_creation(life: Lived) -> None:
    record, observed = life
    assert observed.operations["preview with unknowns"][record.name] == {"create"}


@each
def test_it_is_made_as_the_program_says(life: Lived, world: dict[str, str]) -> None:
    record, observed = life
    assert observed.operations["create"][record.name] == {"create"}
    _assert_shows(observed.shown["made"][record.name], record.shown_at("made"), world)


@each
def test_the_same_program_changes_nothing(life: Lived) -> None:
    record, observed = life
    assert observed.operations["same"][record.name] == {"same"}


@each
def test_a_refresh_sees_what_was_changed_behind_its_back(life: Lived, world: dict[str, str]) -> None:
    record, observed = life
    state = observed.state["drifted"][record.name]
    expected = filled(record.drifted, world)
    assert {name: _meant(state.get(name)) for name in expected} == {
        name: _meant(value) for name, value in expected.items()
    }


@each
def test_unknown_inputs_of_an_existing_one_are_planned_as_a_change(life: Lived) -> None:
    record, observed = life
    done = observed.operations["update with unknowns"][record.name]
    assert done <= {"update", "replace", "create-replacement", "delete-replaced"}


@each
def test_it_is_updated_in_place_and_drift_is_put_right(life: Lived, world: dict[str, str]) -> None:
    record, observed = life
    done = observed.operations["update"][record.name]
    expected = {"same", "update"} if isinstance(record.update, Never) else {"update"}
    assert done <= expected
    assert observed.ids["updated"][record.name] == observed.ids["made"][record.name]
    _assert_shows(observed.shown["updated"][record.name], record.shown_at("updated"), world)


@each
def test_it_is_replaced_where_it_cannot_be_changed(life: Lived, world: dict[str, str]) -> None:
    record, observed = life
    done = observed.operations["replace"][record.name]
    if isinstance(record.replace, Never):
        assert done == {"same"}
    else:
        assert "replace" in done
    _assert_shows(observed.shown["replaced"][record.name], record.shown_at("replaced"), world)
    moved = observed.ids["replaced"][record.name] != observed.ids["updated"][record.name]
    if moved and not record.stays:
        assert observed.shown["before the replacement"][record.name] is None


@each
def test_it_is_imported_by_its_id_without_a_change(life: Lived) -> None:
    record, observed = life
    assert observed.operations["import"][record.name] == {"import"}
    after = {"same", "update"} if record.unread else {"same"}
    assert observed.operations["after the import"][record.name] <= after


@each
def test_an_import_knows_what_the_one_who_made_it_knows(life: Lived) -> None:
    record, observed = life
    made, imported = (observed.state[phase][record.name] for phase in ("replaced", "imported"))
    assert sorted(set(made) - set(imported) - set(record.unread)) == []


@each
def test_nothing_of_it_is_left_when_it_is_deleted(life: Lived) -> None:
    record, observed = life
    assert record.stays or observed.shown["deleted"][record.name] is None


@each
def test_a_refresh_sees_that_it_is_gone(life: Lived) -> None:
    record, observed = life
    assert (record.name in observed.state["gone"]) == bool(record.stays)


def _assert_shows(
    found: Mapping[str, object] | None, expected: Mapping[str, object], world: dict[str, str]
) -> None:
    assert found is not None
    assert {name: found.get(name) for name in expected} == filled(expected, world)


def _meant(value: object) -> object:
    """A document as what it says, since services write them in their own way; others as they are."""
    return json.loads(value) if isinstance(value, str) and value.startswith("{") else value
