"""Makes or drops a role and its database; runs in a Job, in the Airflow image.

Usage: database_tenant.py create|drop|host, with the environment variables
    DATABASE_HOST, DATABASE_PORT   the instance
    DATABASE_NAME, DATABASE_ROLE   database and the role that owns it, to make or drop
                                   (host: DATABASE_ROLE is the role that makes tenants)
    DATABASE_LOGIN_ROLES           the roles that may log in and act as the owner, with commas between them
    DATABASE_LOGIN_ROLE            the one that gets the password (create)
    DATABASE_CLOSED_LOGIN_ROLE     the one that is closed, or empty (create)
    DATABASE_CONNECTION_LIMIT      limit of a login role's connections, -1 for none
    ADMINISTRATION_SECRET_ARN      Secrets Manager secret with username and password: of the master user, kept
                                   and rotated by RDS, or of a role that `host` made
    PASSWORD_FILE                  file with the role's password (create, host)
    PGSSLROOTCERT                  certificate authorities of the database

Every step may be repeated. The server never sees the role's password in clear: a SCRAM verifier is sent.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

# New Pod Identity associations and IAM policies take effect with a delay, usually seconds.
ATTEMPTS = 12
PAUSE_SECONDS = 5


def main(action: str) -> None:
    """Do `action` (create, drop or host) as the role of the administration's secret."""
    import psycopg2  # type: ignore[import-untyped]
    from psycopg2 import extensions, sql

    role, database = os.environ["DATABASE_ROLE"], os.environ.get("DATABASE_NAME", "")

    def connect(name: str) -> Any:
        connection = retry(lambda: open_connection(psycopg2, name))
        connection.autocommit = True
        return connection

    def verifier(name: str) -> str:
        password = Path(os.environ["PASSWORD_FILE"]).read_text(encoding="utf-8").strip()
        return str(extensions.encrypt_password(password, name, administration, "scram-sha-256"))

    administration = connect("postgres")
    with administration.cursor() as cursor:
        if action == "host":
            host(cursor, sql, role, verifier(role))
        elif action == "create":
            login = os.environ["DATABASE_LOGIN_ROLE"]
            limit = int(os.environ.get("DATABASE_CONNECTION_LIMIT", "-1"))
            create(cursor, sql, role, database)
            open_login(cursor, sql, role, login, verifier(login), limit)
            if closed := os.environ.get("DATABASE_CLOSED_LOGIN_ROLE"):
                close_login(cursor, sql, closed)
        else:
            drop(cursor, sql, role, database, os.environ["DATABASE_LOGIN_ROLES"].split(","))
    administration.close()
    if action == "create":
        connection = connect(database)
        with connection.cursor() as cursor:
            close_schema(cursor, sql, role)
        connection.close()


def host(cursor: Any, sql: Any, role: str, verifier: str) -> None:
    """Make the role that makes tenants, or bring it into shape: no superuser, and in `postgres` alone."""
    names = {"role": sql.Identifier(role)}
    verb = "ALTER" if _exists(cursor, role) else "CREATE"
    statement = verb + " ROLE {role} LOGIN CREATEDB CREATEROLE PASSWORD {verifier}"
    cursor.execute(sql.SQL(statement).format(**names, verifier=sql.Literal(verifier)))
    close_administration(cursor)
    cursor.execute(sql.SQL("GRANT CONNECT ON DATABASE postgres TO {role}").format(**names))


def close_administration(cursor: Any) -> None:
    """Leave the database `postgres` to administration; its owner alone can, and need do it once."""
    cursor.execute(
        "SELECT pg_has_role(current_user, datdba, 'USAGE') FROM pg_database WHERE datname = 'postgres'"
    )
    found = cursor.fetchone()
    if found and found[0]:
        cursor.execute("GRANT CONNECT ON DATABASE postgres TO CURRENT_USER")
        cursor.execute("REVOKE CONNECT ON DATABASE postgres FROM PUBLIC")


def create(cursor: Any, sql: Any, role: str, database: str) -> None:
    """Make role and database, or bring existing ones into the same shape. Nobody logs in as this role."""
    names = {"role": sql.Identifier(role), "database": sql.Identifier(database)}
    verb = "ALTER" if _exists(cursor, role) else "CREATE"
    cursor.execute(sql.SQL(verb + " ROLE {role} NOLOGIN NOCREATEDB NOCREATEROLE").format(**names))
    # Who makes tenants is no superuser, and must be a member of a role to hand a database to it.
    cursor.execute(sql.SQL("GRANT {role} TO CURRENT_USER").format(**names))
    cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", (database,))
    if not cursor.fetchone():
        cursor.execute(sql.SQL("CREATE DATABASE {database} OWNER {role} ENCODING 'UTF8'").format(**names))
    # Others keep out of this database, and this role of the administration's.
    cursor.execute(sql.SQL("REVOKE ALL ON DATABASE {database} FROM PUBLIC").format(**names))
    cursor.execute(sql.SQL("GRANT CONNECT ON DATABASE {database} TO {role}").format(**names))
    close_administration(cursor)


def open_login(cursor: Any, sql: Any, owner: str, login: str, verifier: str, connection_limit: int) -> None:
    """Let `login` in with a password; its sessions act as `owner`, who so owns all that they make."""
    names = {"owner": sql.Identifier(owner), "login": sql.Identifier(login)}
    verb = "ALTER" if _exists(cursor, login) else "CREATE"
    statement = (
        verb + " ROLE {login} LOGIN NOCREATEDB NOCREATEROLE PASSWORD {verifier} CONNECTION LIMIT {limit}"
    )
    values = {"verifier": sql.Literal(verifier), "limit": sql.Literal(connection_limit)}
    cursor.execute(sql.SQL(statement).format(**names, **values))
    # Sessions of a role are ended by its members alone.
    cursor.execute(sql.SQL("GRANT {login} TO CURRENT_USER").format(**names))
    cursor.execute(sql.SQL("GRANT {owner} TO {login}").format(**names))
    cursor.execute(sql.SQL("ALTER ROLE {login} SET role = {owner}").format(**names))


def close_login(cursor: Any, sql: Any, login: str) -> None:
    """End the password of `login` and its sessions, if there is such a role: whoever held it is out."""
    if _exists(cursor, login):
        cursor.execute(sql.SQL("ALTER ROLE {} NOLOGIN PASSWORD NULL").format(sql.Identifier(login)))
        cursor.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s", (login,))


def _exists(cursor: Any, role: str) -> bool:
    cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (role,))
    return cursor.fetchone() is not None


def close_schema(cursor: Any, sql: Any, role: str) -> None:
    """Leave the schema `public` of the role's database to that role alone."""
    cursor.execute("REVOKE ALL ON SCHEMA public FROM PUBLIC")
    cursor.execute(sql.SQL("GRANT ALL ON SCHEMA public TO {role}").format(role=sql.Identifier(role)))


def drop(cursor: Any, sql: Any, role: str, database: str, logins: Sequence[str]) -> None:
    """Drop database and roles, whoever is still connected; what is gone already is no error."""
    names = {"role": sql.Identifier(role), "database": sql.Identifier(database)}
    found = [name for name in (*logins, role) if _exists(cursor, name)]
    # First of all nobody can come back, then those who are there are thrown out.
    for name in found:
        cursor.execute(sql.SQL("ALTER ROLE {} NOLOGIN").format(sql.Identifier(name)))
    if role in found:
        cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", (database,))
        if cursor.fetchone():
            cursor.execute(sql.SQL("REVOKE CONNECT ON DATABASE {database} FROM {role}").format(**names))
    cursor.execute(sql.SQL("DROP DATABASE IF EXISTS {database} WITH (FORCE)").format(**names))
    for name in found:
        cursor.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(name)))


def open_connection(psycopg2: Any, database: str) -> Any:
    """Connect as who administers the instance, with the password that is valid at this moment."""
    import boto3

    arn = os.environ["ADMINISTRATION_SECRET_ARN"]
    # Pod Identity promises credentials alone, and pods of Auto Mode can't ask EC2's metadata for a region.
    client = boto3.client("secretsmanager", region_name=arn.split(":")[3])
    answer = client.get_secret_value(SecretId=arn)
    master = json.loads(answer["SecretString"])
    return psycopg2.connect(
        host=os.environ["DATABASE_HOST"],
        port=int(os.environ["DATABASE_PORT"]),
        dbname=database,
        user=master["username"],
        password=master["password"],
        sslmode="verify-full",
        sslrootcert=os.environ["PGSSLROOTCERT"],
        connect_timeout=10,
    )


def retry(attempt: Callable[[], Any]) -> Any:
    """Return what `attempt` returns; errors are met with patience, and the last one is raised."""
    for number in range(1, ATTEMPTS + 1):
        try:
            return attempt()
        except Exception as error:
            if number == ATTEMPTS:
                raise
            print(f"attempt {number} of {ATTEMPTS}: {type(error).__name__}: {error}", file=sys.stderr)
            time.sleep(PAUSE_SECONDS)
    return None


if __name__ == "__main__":
    if sys.argv[1:] not in (["create"], ["drop"], ["host"]):
        sys.exit("usage: database_tenant.py create|drop|host")
    try:
        main(sys.argv[1])
    except Exception as error:  # noqa: BLE001 - the last line is what the failing deployment shows
        sys.exit(f"{sys.argv[1]} of the database failed: {type(error).__name__}: {error}")
