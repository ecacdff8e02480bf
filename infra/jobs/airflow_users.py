"""Makes Airflow's first administrator and the canary's user; part of the migration's Job.

Environment variables:
    ADMINISTRATOR_USERNAME, ADMINISTRATOR_EMAIL   the first administrator; without the first, none is made
    ADMINISTRATOR_PASSWORD_FILE                   file with its password
    ADMINISTRATOR_RENEWED                         "true": it gets this password also where it exists already
    CANARY_USER, CANARY_ROLE                      the user that runs the canary DAG, and its role
    CANARY_PASSWORD_FILE                          file with its password; without it, the user is removed

Every step may be repeated.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

# What it takes to start the canary DAG, follow its run, and read its results and logs. Of this DAG alone: the
# rights that name no DAG count for those that one may read or edit.
# https://airflow.apache.org/docs/apache-airflow-providers-fab/stable/auth-manager/access-control.html
CANARY_RIGHTS = (
    ("can_read", "DAG:canary"),
    ("can_edit", "DAG:canary"),
    ("can_create", "DAG Runs"),
    ("can_read", "DAG Runs"),
    ("can_read", "Task Instances"),
    ("can_read", "Task Logs"),
    ("can_read", "XComs"),
    ("can_read", "ImportError"),
)
# Airflow itself gives it to every role.
RIGHT_OF_ALL = ("can_read", "Website")


def make_users() -> None:
    """Make the first administrator and the canary's user."""
    from airflow.providers.fab.auth_manager.cli_commands.utils import (  # type: ignore[import-not-found]
        get_application_builder,
    )

    with get_application_builder() as builder:
        if "ADMINISTRATOR_USERNAME" in os.environ:
            make_administrator(builder.sm)
        make_canary_user(builder.sm)


def make_administrator(manager: Any) -> None:
    """Make the first administrator, unless a user of that name is there already."""
    username, password = os.environ["ADMINISTRATOR_USERNAME"], secret_of("ADMINISTRATOR_PASSWORD_FILE")
    if user := manager.find_user(username=username):
        if os.environ.get("ADMINISTRATOR_RENEWED") == "true":
            # A restored database knows the password of the environment that it comes from.
            manager.reset_password(user.id, password)
        print(f"administrator {username} is there already", flush=True)
        return
    role = manager.find_role("Admin")
    if role is None:
        sys.exit("Airflow has no role Admin; is core.auth_manager another one than FAB's?")
    if not manager.add_user(
        username, "First", "Administrator", os.environ["ADMINISTRATOR_EMAIL"], role, password
    ):
        sys.exit(f"Airflow refused to make the administrator {username}; its message is above.")
    print(f"administrator {username} made", flush=True)


def make_canary_user(manager: Any) -> None:
    """Bring the canary's user, its password and its role into shape, or remove the user."""
    username, role_name = os.environ["CANARY_USER"], os.environ["CANARY_ROLE"]
    user = manager.find_user(username=username)
    if "CANARY_PASSWORD_FILE" not in os.environ:
        if user:
            manager.session.delete(user)
            manager.session.commit()
            print(f"user {username} removed", flush=True)
        return
    role = canary_role(manager, role_name)
    password = secret_of("CANARY_PASSWORD_FILE")
    if user is None:
        email = f"{username}@example.invalid"
        user = manager.add_user(username, "Environment", "Canary", email, role, password)
    else:
        user.roles = [role]
        manager.reset_password(user.id, password)
    print(f"user {username} has the role {role_name}", flush=True)


def canary_role(manager: Any, name: str) -> Any:
    """The role with exactly its rights."""
    role = manager.find_role(name) or manager.add_role(name)
    for permission in list(role.permissions):
        if (permission.action.name, permission.resource.name) not in (*CANARY_RIGHTS, RIGHT_OF_ALL):
            manager.remove_permission_from_role(role, permission)
    for action, resource in CANARY_RIGHTS:
        manager.add_permission_to_role(role, manager.create_permission(action, resource))
    return role


def secret_of(variable: str) -> str:
    """Content of the file that an environment variable names."""
    return Path(os.environ[variable]).read_text(encoding="utf-8").strip()
