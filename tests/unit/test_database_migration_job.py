"""The migration script apart from Airflow: what is refused, when a snapshot is taken, what a failure says."""

from __future__ import annotations

import sys
import types
from dataclasses import dataclass, field
from typing import Any

import pytest

from infra.jobs import database_migration as job
from infra.jobs.database_migration import Schema

KNOWN = frozenset({"one", "two"})


def schema(current: str | None, head: str = "two", name: str = "airflow") -> Schema:
    return Schema(name=name, current=current, head=head, known=KNOWN)


@dataclass
class FakeRds:
    """Snapshots by name -> statuses that calls see one after the other; the last one stays."""

    snapshots: dict[str, list[str]] = field(default_factory=dict)
    taken: list[tuple[str, str]] = field(default_factory=list)

    class exceptions:  # noqa: N801 - boto3's name
        class DBSnapshotNotFoundFault(Exception):  # noqa: N818 - boto3's name
            pass

    def describe_db_snapshots(self, *, DBSnapshotIdentifier: str) -> dict[str, Any]:  # noqa: N803
        if DBSnapshotIdentifier not in self.snapshots:
            raise self.exceptions.DBSnapshotNotFoundFault
        statuses = self.snapshots[DBSnapshotIdentifier]
        status = statuses.pop(0) if len(statuses) > 1 else statuses[0]
        return {"DBSnapshots": [{"Status": status}]}

    def create_db_snapshot(self, *, DBInstanceIdentifier: str, DBSnapshotIdentifier: str) -> None:  # noqa: N803
        self.taken.append((DBInstanceIdentifier, DBSnapshotIdentifier))
        self.snapshots[DBSnapshotIdentifier] = ["creating", "creating", "available"]


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job.time, "sleep", lambda _: None)


@pytest.mark.parametrize(
    ("schemas", "wanted"),
    [
        ([schema("two")], False),
        ([schema("one")], True),
        ([schema(None)], False),
        ([schema(None), schema(None, name="fab")], False),
        ([schema("two"), schema("one", name="fab")], True),
        ([schema("two"), schema(None, name="fab")], True),
    ],
    ids=["same head", "older", "empty", "empty with fab", "fab alone changes", "fab is new"],
)
def test_a_snapshot_precedes_a_change_of_a_database_with_something_in_it(
    schemas: list[Schema], wanted: bool
) -> None:
    assert job.needs_snapshot(schemas) is wanted


def test_a_newer_database_is_refused_and_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        job.refuse_unknown_revision([schema("two"), schema("newer", name="fab")])
    assert ended.value.code == job.UNKNOWN_REVISION
    assert "newer of fab" in capsys.readouterr().err
    job.refuse_unknown_revision([schema("one"), schema(None)])


def test_the_name_says_which_migration(capsys: pytest.CaptureFixture[str]) -> None:
    base = job.snapshot_base("env-metadata-before", [schema("two"), schema("one", name="fab")])
    assert base == "env-metadata-before-two-from-one"
    assert job.snapshot_base("env-metadata-before", [schema("two"), schema("one", name="fab")]) == base


def test_a_snapshot_is_awaited() -> None:
    rds = FakeRds()
    assert job.take_snapshot(rds, "db", "base") == "base"
    assert rds.taken == [("db", "base")]
    assert rds.snapshots["base"] == ["available"]


def test_another_attempt_takes_its_own_since_the_old_release_wrote_on() -> None:
    rds = FakeRds({"base": ["available"], "base-2": ["available"]})
    assert job.take_snapshot(rds, "db", "base") == "base-3"
    assert rds.snapshots["base"] == ["available"]


def test_a_snapshot_that_a_killed_pod_began_is_not_taken_twice() -> None:
    rds = FakeRds({"base": ["creating", "creating", "available"]})
    assert job.take_snapshot(rds, "db", "base") == "base"
    assert rds.taken == []


def test_a_failed_snapshot_stops_before_the_migration() -> None:
    rds = FakeRds({"base": ["creating", "failed"]})
    with pytest.raises(SystemExit, match="failed; the database was not touched"):
        job.take_snapshot(rds, "db", "base")


@pytest.mark.parametrize("error", [RuntimeError("disk full\nmore"), SystemExit(1)], ids=["error", "exit"])
def test_a_failed_migration_ends_with_the_snapshots_name(
    error: BaseException, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def upgradedb() -> None:
        raise error

    module = types.ModuleType("airflow.utils.db")
    module.upgradedb = upgradedb  # type: ignore[attr-defined]
    for name in ("airflow", "airflow.utils"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    monkeypatch.setitem(sys.modules, "airflow.utils.db", module)
    with pytest.raises(SystemExit) as ended:
        job.migrate("env-metadata-before-two-from-one")
    assert ended.value.code == job.MIGRATION_FAILED
    last = capsys.readouterr().err.splitlines()[-1]
    assert "env-metadata-before-two-from-one" in last
    assert "untouched" in last


def test_an_incomplete_image_is_refused_by_name_before_anything_else(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # Without Airflow at hand, whatever comes after the check would be another error.
    monkeypatch.setenv("REQUIRED_MODULES", "json,json.decoder,no_such_package.part,json.no_such_part")
    with pytest.raises(SystemExit) as ended:
        job.main()
    assert ended.value.code == job.IMAGE_INCOMPLETE
    said = capsys.readouterr().err
    assert "lacks no_such_package.part, json.no_such_part" in said
    assert "image/requirements.txt" in said


def test_a_complete_image_passes() -> None:
    job.refuse_incomplete_image(["json", "json.decoder"])
