"""Migrates Airflow's database and makes the first administrator; runs in a Job, in the Airflow image.

Environment variables, besides Airflow's own connection and keys:
    ADMINISTRATOR_USERNAME, ADMINISTRATOR_EMAIL   the first administrator
    ADMINISTRATOR_PASSWORD_FILE                   file with its password

A database whose revision this image does not know is refused before anything is changed: it belongs to a
newer Airflow, and a downgrade loses data. Every step may be repeated.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

ATTEMPTS = 30
PAUSE_SECONDS = 2
UNKNOWN_REVISION = 3


def main() -> None:
    """Check the revision, migrate, make the administrator."""
    from airflow.providers_manager import ProvidersManager  # type: ignore[import-not-found]

    # Airflow's own commands do this first: providers bring defaults such as the auth manager's config file.
    ProvidersManager().initialize_providers_configuration()
    refuse_unknown_revision()
    migrate()
    make_administrator()


def refuse_unknown_revision() -> None:
    """Exit with UNKNOWN_REVISION if the database is of a newer Airflow than this image."""
    from airflow.utils.db import _get_script_object  # type: ignore[import-not-found]

    current = current_revision()
    known = {revision.revision for revision in _get_script_object().walk_revisions()}
    print(f"revision of the database: {current or 'none, it is empty'}", flush=True)
    if current is not None and current not in known:
        print(
            f"The database is at revision {current}, unknown to this image: a newer Airflow migrated it. "
            "Deploy that version or a newer one, or restore a snapshot. Nothing was changed.",
            file=sys.stderr,
            flush=True,
        )
        sys.exit(UNKNOWN_REVISION)


def current_revision() -> str | None:
    """Return the database's Alembic revision, or None for an empty one; wait while it can't be reached."""
    from airflow import settings  # type: ignore[import-not-found]
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


def migrate() -> None:
    """Bring the database to the image's revision, the tables of the auth manager included."""
    from airflow.utils.db import upgradedb

    print("migrating", flush=True)
    upgradedb()


def make_administrator() -> None:
    """Make the first administrator, unless a user of that name is there already."""
    from airflow.providers.fab.auth_manager.cli_commands.utils import (  # type: ignore[import-not-found]
        get_application_builder,
    )

    username = os.environ["ADMINISTRATOR_USERNAME"]
    with get_application_builder() as builder:
        manager: Any = builder.sm
        if manager.find_user(username=username):
            print(f"administrator {username} is there already", flush=True)
            return
        password = Path(os.environ["ADMINISTRATOR_PASSWORD_FILE"]).read_text(encoding="utf-8").strip()
        email = os.environ["ADMINISTRATOR_EMAIL"]
        role = manager.find_role("Admin")
        if role is None:
            sys.exit("Airflow has no role Admin; is core.auth_manager another one than FAB's?")
        if not manager.add_user(username, "First", "Administrator", email, role, password):
            sys.exit(f"Airflow refused to make the administrator {username}; its message is above.")
        print(f"administrator {username} made", flush=True)


if __name__ == "__main__":
    main()
