"""The roles RDS makes in a new instance, and its master user.

Source: https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/Appendix.PostgreSQL.CommonDBATasks.Roles.html
"""

import psycopg
from psycopg import sql

from embedded.rds.configuration import ADMINISTRATOR

_RESERVED = frozenset(
    {"rdsadmin", "rds_superuser", "rds_iam", "rds_password", "rds_replication", "postgres_fdw"}
)


def is_reserved(name: str) -> bool:
    """Whether RDS refuses this name for a master user."""
    return name.lower() in _RESERVED or name.lower().startswith("pg_")


def make_master_user(connection: "psycopg.Connection[object]", name: str, password: str | None) -> None:
    """Make RDS's roles and the master user: no superuser, but may make databases and roles. Idempotent.

    Without a password the user keeps the one that the data has, as after a restore.
    """
    for role in ("rds_superuser", "rds_replication", "rds_password", "rds_iam"):
        _create_role(connection, role, "NOLOGIN")
    connection.execute(
        "GRANT pg_monitor, pg_signal_backend, pg_checkpoint, rds_replication, rds_password TO rds_superuser "
        "WITH ADMIN OPTION"
    )
    _create_role(connection, name, "LOGIN CREATEDB CREATEROLE NOSUPERUSER NOBYPASSRLS NOREPLICATION")
    connection.execute(sql.SQL("GRANT rds_superuser TO {}").format(sql.Identifier(name)))
    if password is not None:
        set_password(connection, name, password)
    if not _database_exists(connection, ADMINISTRATOR):
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(ADMINISTRATOR)))
    connection.execute(sql.SQL("ALTER DATABASE postgres OWNER TO {}").format(sql.Identifier(name)))


def make_database(connection: "psycopg.Connection[object]", name: str, owner: str) -> None:
    """Make the instance's first database unless it is there."""
    if not _database_exists(connection, name):
        statement = sql.SQL("CREATE DATABASE {} OWNER {}")
        connection.execute(statement.format(sql.Identifier(name), sql.Identifier(owner)))


def set_password(connection: "psycopg.Connection[object]", name: str, password: str) -> None:
    """Give a role a password. Only its SCRAM verifier is sent, so no log can show the password."""
    verifier = connection.pgconn.encrypt_password(password.encode(), name.encode(), b"scram-sha-256").decode()
    statement = sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(name), sql.Literal(verifier))
    connection.execute(statement)


def _create_role(connection: "psycopg.Connection[object]", name: str, options: str) -> None:
    exists = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (name,)).fetchone()
    if not exists:
        statement = sql.SQL("CREATE ROLE {} " + options)
        connection.execute(statement.format(sql.Identifier(name)))


def _database_exists(connection: "psycopg.Connection[object]", name: str) -> bool:
    found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchone()
    return found is not None
