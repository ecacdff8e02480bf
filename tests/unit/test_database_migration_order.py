"""The migration's Job as its pod has it: the scripts' directory alone, and what happens in which order.

Airflow, AWS and the database are recorders; their order of calls is the oracle.
"""

from __future__ import annotations

import runpy
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from infra import job_pod

REVISIONS = ("one", "two")
NAME = "env-metadata-before-two-from-one"
TAKEN = [f"snapshot {NAME} of env-metadata", f"{NAME} is available"]


@dataclass
class World:
    """What the Job meets, and what it did, in order."""

    revision: str | None = "one"
    snapshot_ends: str = "available"
    migration: Callable[[], None] = lambda: None
    steps: list[str] = field(default_factory=list)
    _statuses: dict[str, list[str]] = field(default_factory=dict)

    class exceptions:  # noqa: N801 - boto3's name
        class DBSnapshotNotFoundFault(Exception):  # noqa: N818 - boto3's name
            pass

    def describe_db_snapshots(self, *, DBSnapshotIdentifier: str) -> dict[str, Any]:  # noqa: N803
        if DBSnapshotIdentifier not in self._statuses:
            raise self.exceptions.DBSnapshotNotFoundFault
        statuses = self._statuses[DBSnapshotIdentifier]
        status = statuses.pop(0) if len(statuses) > 1 else statuses[0]
        if status == "available":
            self.steps.append(f"{DBSnapshotIdentifier} is available")
        return {"DBSnapshots": [{"Status": status}]}

    def create_db_snapshot(self, *, DBInstanceIdentifier: str, DBSnapshotIdentifier: str) -> None:  # noqa: N803
        self.steps.append(f"snapshot {DBSnapshotIdentifier} of {DBInstanceIdentifier}")
        self._statuses[DBSnapshotIdentifier] = ["creating", "creating", self.snapshot_ends]

    def upgradedb(self) -> None:
        self.steps.append("migrate")
        self.migration()

    def find_user(self, *, username: str) -> None:
        self.steps.append(f"look for user {username}")

    def modules(self) -> dict[str, dict[str, Any]]:
        """Modules that the scripts import, with what they take from them."""
        script = SimpleNamespace(
            walk_revisions=lambda: [SimpleNamespace(revision=name) for name in REVISIONS],
            get_current_head=lambda: REVISIONS[-1],
        )
        context = SimpleNamespace(get_current_revision=lambda: self.revision)
        fab = "airflow.providers.fab.auth_manager.cli_commands"
        parents = ("airflow", "airflow.utils", "alembic", "sqlalchemy")
        packages = [*parents, *(fab.rsplit(".", number)[0] for number in range(4))]
        return {
            **{name: {} for name in packages},
            "airflow": {
                "settings": SimpleNamespace(
                    engine=SimpleNamespace(connect=nullcontext), Session=lambda: nullcontext()
                )
            },
            "airflow.providers_manager": {
                "ProvidersManager": lambda: SimpleNamespace(initialize_providers_configuration=lambda: None)
            },
            "airflow.utils.db": {"_get_script_object": lambda: script, "upgradedb": self.upgradedb},
            "airflow.utils.db_manager": {"RunDBManager": lambda: SimpleNamespace(_managers=[])},
            "alembic.migration": {"MigrationContext": SimpleNamespace(configure=lambda _: context)},
            "sqlalchemy.exc": {"OperationalError": OSError},
            "boto3": {"client": lambda *_, **__: self},
            f"{fab}.utils": {
                "get_application_builder": lambda: nullcontext(SimpleNamespace(sm=self)),
            },
        }


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., int]]:
    """Run the Job in a world; returns its exit code."""
    for name, source in job_pod.scripts().items():
        (tmp_path / name).write_text(source, encoding="utf-8")
    # Python puts the script's own directory there.
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(time, "sleep", lambda _: None)
    variables = {
        "SNAPSHOT_INSTANCE": "env-metadata",
        "SNAPSHOT_PREFIX": "env-metadata-before",
        "SNAPSHOT_REGION": "eu-west-1",
        "CANARY_USER": "canary",
        "CANARY_ROLE": "Canary",
    }

    def job(world: World, *, snapshots: bool = True) -> int:
        for name, content in world.modules().items():
            module = ModuleType(name)
            vars(module).update(content)
            monkeypatch.setitem(sys.modules, name, module)
        for name, value in variables.items():
            if snapshots or not name.startswith("SNAPSHOT"):
                monkeypatch.setenv(name, value)
        try:
            runpy.run_path(str(tmp_path / "database_migration.py"), run_name="__main__")
        except SystemExit as ended:
            return ended.code if isinstance(ended.code, int) else 1
        return 0

    yield job
    sys.modules.pop("airflow_users", None)


def test_the_snapshot_is_available_before_the_migration_begins(run: Callable[..., int]) -> None:
    world = World()
    assert run(world) == 0
    assert world.steps == [*TAKEN, "migrate", "look for user canary"]


def test_a_failed_migration_names_its_snapshot_and_makes_no_users(
    run: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    def fail() -> None:
        raise RuntimeError("disk full")

    world = World(migration=fail)
    assert run(world) != 0
    assert world.steps == [*TAKEN, "migrate"]
    # A failing deployment shows the end of the Job's output.
    assert NAME in capsys.readouterr().err.splitlines()[-1]


def test_an_unknown_revision_is_refused_before_anything_else(run: Callable[..., int]) -> None:
    world = World(revision="of-a-newer-airflow")
    assert run(world) != 0
    assert world.steps == []


def test_a_failed_snapshot_leaves_the_database_as_it_is(run: Callable[..., int]) -> None:
    world = World(snapshot_ends="failed")
    assert run(world) != 0
    assert world.steps == TAKEN[:1]


@pytest.mark.parametrize(
    ("revision", "snapshots"),
    [("two", True), (None, True), ("one", False)],
    ids=["same", "empty", "disposable"],
)
def test_where_nothing_can_be_lost_no_snapshot_is_taken(
    run: Callable[..., int], revision: str | None, snapshots: bool
) -> None:
    world = World(revision=revision)
    assert run(world, snapshots=snapshots) == 0
    assert world.steps == ["migrate", "look for user canary"]
