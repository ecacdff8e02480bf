"""Migrates Airflow's database and has its first users made; runs in a Job, in the Airflow image.

Environment variables, besides Airflow's own connection and keys, and those of airflow_users.py beside it:
    SNAPSHOT_INSTANCE, SNAPSHOT_PREFIX            the RDS instance, and the beginning of its snapshots' names;
                                                  absent where data may be lost
    SNAPSHOT_REGION                               region of both
    REQUIRED_MODULES                              modules that the image must have, with commas between them

An image that lacks what the environment's configuration imports is refused before anything is changed: its
pods would start, and tasks would fail one by one.

A database whose revision this image does not know is refused before anything is changed: it belongs to a
newer Airflow, and a downgrade loses data. A snapshot precedes every change of a database that has something
in it. Every step may be repeated.
"""

from __future__ import annotations

import importlib.util
import os
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

ATTEMPTS = 30
PAUSE_SECONDS = 2
UNKNOWN_REVISION = 3
MIGRATION_FAILED = 4
IMAGE_INCOMPLETE = 5
# A snapshot takes minutes; the Job's own limit ends a wait that is too long.
SNAPSHOT_PAUSE_SECONDS = 10
SNAPSHOT_NAMES = 100


@dataclass(frozen=True)
class Schema:
    """Tables with a revision of their own: Airflow's, and those of the auth manager."""

    name: str
    current: str | None
    head: str | None
    known: frozenset[str]

    @property
    def changes(self) -> bool:
        """Whether migrating moves it from one revision to another."""
        return self.current != self.head


def main() -> None:
    """Check image and revision, take a snapshot, migrate, make the users."""
    refuse_incomplete_image(filter(None, os.environ.get("REQUIRED_MODULES", "").split(",")))
    from airflow.providers_manager import ProvidersManager  # type: ignore[import-not-found]

    # A neighbour in the Job's directory, where no package of ours is.
    from airflow_users import make_users  # type: ignore[import-not-found]

    # Airflow's own commands do this first: providers bring defaults such as the auth manager's config file.
    ProvidersManager().initialize_providers_configuration()
    schemas = [airflow_schema(current_revision()), *manager_schemas()]
    refuse_unknown_revision(schemas)
    snapshot = None
    if os.environ.get("SNAPSHOT_INSTANCE") and needs_snapshot(schemas):
        import boto3

        instance, prefix = os.environ["SNAPSHOT_INSTANCE"], os.environ["SNAPSHOT_PREFIX"]
        rds = boto3.client("rds", region_name=os.environ["SNAPSHOT_REGION"])
        snapshot = take_snapshot(rds, instance, snapshot_base(prefix, schemas))
    migrate(snapshot)
    make_users()


def refuse_incomplete_image(modules: Iterable[str]) -> None:
    """Exit with IMAGE_INCOMPLETE if one of the modules can't be imported in this image."""
    missing = [name for name in modules if not installed(name)]
    if missing:
        print(
            f"The image lacks {', '.join(missing)}, which this environment's configuration needs. Put the "
            "packages into image/requirements.txt, build image/Dockerfile, and name the image by the "
            "parameter airflow.image. Nothing was changed.",
            file=sys.stderr,
            flush=True,
        )
        sys.exit(IMAGE_INCOMPLETE)


def installed(module: str) -> bool:
    """Whether there is a module of that name; it is not run, apart from the packages around it."""
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def airflow_schema(current: str | None) -> Schema:
    """Return Airflow's own tables, whose revision in the database is `current`."""
    from airflow.utils.db import _get_script_object  # type: ignore[import-not-found]

    return _schema("airflow", current, _get_script_object())


def manager_schemas() -> list[Schema]:
    """Return the tables of providers that migrate their own, such as FAB's."""
    from airflow import settings  # type: ignore[import-not-found]
    from airflow.utils.db_manager import RunDBManager  # type: ignore[import-not-found]

    with settings.Session() as session:
        managers = [manager(session) for manager in RunDBManager()._managers]
        return [
            _schema(manager.version_table_name, manager.get_current_revision(), manager.get_script_object())
            for manager in managers
        ]


def _schema(name: str, current: str | None, script: Any) -> Schema:
    known = frozenset(revision.revision for revision in script.walk_revisions())
    return Schema(name=name, current=current, head=script.get_current_head(), known=known)


def refuse_unknown_revision(schemas: Iterable[Schema]) -> None:
    """Exit with UNKNOWN_REVISION if the database is of a newer Airflow than this image."""
    for schema in schemas:
        current = schema.current or "none"
        print(f"revision of {schema.name}: {current}; of this image: {schema.head}", flush=True)
    unknown = [schema for schema in schemas if schema.current and schema.current not in schema.known]
    if unknown:
        names = ", ".join(f"{schema.current} of {schema.name}" for schema in unknown)
        print(
            f"The database is at revision {names}, unknown to this image: a newer Airflow migrated it. "
            "Deploy that version or a newer one, or restore a snapshot. Nothing was changed.",
            file=sys.stderr,
            flush=True,
        )
        sys.exit(UNKNOWN_REVISION)


def needs_snapshot(schemas: Sequence[Schema]) -> bool:
    """Whether this migration changes a database that has something in it."""
    return schemas[0].current is not None and any(schema.changes for schema in schemas)


def snapshot_base(prefix: str, schemas: Iterable[Schema]) -> str:
    """Return the name of a migration's snapshot: of where it starts and where it goes."""
    moved = next(schema for schema in schemas if schema.changes)
    return f"{prefix}-{moved.head}-from-{moved.current or 'nothing'}"


def take_snapshot(rds: Any, instance: str, base: str) -> str:
    """Take a snapshot, wait until it can be used, and return its name.

    An earlier attempt's snapshot is older than what was written since, so each attempt takes its own: BASE,
    BASE-2, BASE-3. One that is still being taken is of a pod that was replaced a moment ago, and is awaited.
    RDS copies the instance's tags.
    """
    for number in range(1, SNAPSHOT_NAMES):
        name = base if number == 1 else f"{base}-{number}"
        status = snapshot_status(rds, name)
        if status == "creating":
            break
        if status is None:
            print(f"taking snapshot {name}", flush=True)
            rds.create_db_snapshot(DBInstanceIdentifier=instance, DBSnapshotIdentifier=name)
            break
    else:
        sys.exit(f"There are {SNAPSHOT_NAMES} snapshots {base}; delete those that nobody needs.")
    while (status := snapshot_status(rds, name)) != "available":
        if status not in ("creating", None):
            sys.exit(f"Snapshot {name} is in status {status}; the database was not touched.")
        time.sleep(SNAPSHOT_PAUSE_SECONDS)
    print(f"snapshot {name} is available", flush=True)
    return name


def snapshot_status(rds: Any, name: str) -> str | None:
    """Return the status of a snapshot, or None if there is none of that name."""
    try:
        found = rds.describe_db_snapshots(DBSnapshotIdentifier=name)["DBSnapshots"]
    except rds.exceptions.DBSnapshotNotFoundFault:
        return None
    return str(found[0]["Status"]) if found else None


def current_revision() -> str | None:
    """Return the database's Alembic revision, or None for an empty one; wait while it can't be reached."""
    from airflow import settings
    from alembic.migration import MigrationContext  # type: ignore[import-not-found]
    from sqlalchemy.exc import OperationalError  # type: ignore[import-not-found]

    for number in range(1, ATTEMPTS + 1):
        try:
            with settings.engine.connect() as connection:
                revision: str | None = MigrationContext.configure(connection).get_current_revision()
                return revision
        except OperationalError as error:
            if number == ATTEMPTS:
                raise
            print(f"attempt {number} of {ATTEMPTS}: {error.orig}", file=sys.stderr, flush=True)
            time.sleep(PAUSE_SECONDS)
    return None


def migrate(snapshot: str | None) -> None:
    """Bring the database to the image's revision, the tables of the auth manager included.

    The last words of a failure name the snapshot: the failing deployment shows them.
    """
    from airflow.utils.db import upgradedb

    print("migrating", flush=True)
    try:
        upgradedb()
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever it is, its snapshot is named
        import traceback

        traceback.print_exc()
        print(failure_text(error, snapshot), file=sys.stderr, flush=True)
        sys.exit(MIGRATION_FAILED)


def failure_text(error: BaseException, snapshot: str | None) -> str:
    """Return what to know and to do after a failed migration."""
    kept = (
        f"Snapshot {snapshot} holds the database as it was before (parameter database.restore.snapshot)."
        if snapshot
        else "No snapshot was taken: data of this environment may be lost, or the database was empty."
    )
    return (
        f"The migration failed: {type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}\n"
        f"The release that ran before is untouched. {kept} "
        "Mend the cause and deploy again, or restore; a downgrade does not bring lost rows back."
    )


if __name__ == "__main__":
    main()
