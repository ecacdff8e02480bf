"""The tenant's SQL on a real Postgres, with a master user that is no superuser, as on RDS."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psycopg
import pytest
from psycopg import sql

from infra.jobs import database_tenant

BINARIES = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
NOBODY = 65534

pytestmark = pytest.mark.skipif(not BINARIES, reason="no Postgres server on this machine; see make setup")

Connect = Callable[..., psycopg.Connection[Any]]


@pytest.fixture(scope="module")
def server() -> Iterator[Connect]:
    """A server on a socket of its own; Postgres refuses to run as root."""
    # A short path: a socket's has 107 bytes at most.
    with TemporaryDirectory(prefix="pg-", dir="/tmp") as directory:
        user: dict[str, Any] = (
            {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.getuid() == 0 else {}
        )
        if user:
            shutil.chown(directory, NOBODY, NOBODY)

        def run(tool: str, *arguments: str) -> None:
            command = [str(BINARIES[-1].with_name(tool)), "--pgdata", f"{directory}/data", *arguments]
            subprocess.run(command, check=True, capture_output=True, cwd=directory, **user)

        run(
            "initdb",
            "--username",
            "super",
            "--auth",
            "scram-sha-256",
            "--no-sync",
            f"--pwfile={_password(directory)}",
        )
        options = f"-c listen_addresses= -c unix_socket_directories={directory} -c fsync=off"
        run("pg_ctl", "start", "--wait", "--log", f"{directory}/log", "--options", options)
        opened: list[psycopg.Connection[Any]] = []

        def connect(database: str, role: str) -> psycopg.Connection[Any]:
            connection = psycopg.connect(
                host=directory, dbname=database, user=role, password="password", autocommit=True
            )
            opened.append(connection)
            return connection

        try:
            administration = connect("postgres", "super")
            for role, options in (("master", "CREATEROLE CREATEDB"), ("stranger", "")):
                administration.execute(f"CREATE ROLE {role} LOGIN {options} PASSWORD 'password'".encode())
            administration.execute("ALTER DATABASE postgres OWNER TO master")
            yield connect
        finally:
            for connection in opened:
                connection.close()
            run("pg_ctl", "stop", "--mode", "immediate")


def _password(directory: str) -> Path:
    path = Path(directory) / "password"
    path.write_text("password", encoding="utf-8")
    path.chmod(0o644)
    return path


LOGINS = ("airflow_a", "airflow_b")


def create(connect: Connect, login: str = "airflow_a") -> None:
    master = connect("postgres", "master")
    cursor = master.cursor()
    database_tenant.create(cursor, sql, "airflow", "airflow")
    database_tenant.open_login(cursor, sql, "airflow", login, _verifier(master, "password"), 20)
    database_tenant.close_schema(connect("airflow", "master").cursor(), sql, "airflow")


def close(connect: Connect, login: str) -> None:
    database_tenant.close_login(connect("postgres", "master").cursor(), sql, login)


def drop(connect: Connect) -> None:
    database_tenant.drop(connect("postgres", "master").cursor(), sql, "airflow", "airflow", LOGINS)


def _verifier(master: psycopg.Connection[Any], password: str) -> str:
    return master.pgconn.encrypt_password(password.encode(), b"login", b"scram-sha-256").decode()


def listing(connect: Connect) -> set[str]:
    query = "SELECT datname FROM pg_database UNION ALL SELECT rolname FROM pg_roles"
    return {row[0] for row in connect("postgres", "super").execute(query).fetchall()}


def test_the_tenant_owns_its_database_alone_and_goes_without_a_trace(server: Connect) -> None:
    before = listing(server)
    create(server)
    create(server)  # every step may be repeated
    session = server("airflow", "airflow_a")
    session.execute("CREATE TABLE kept (id int)")
    for database, role in (("airflow", "stranger"), ("postgres", "airflow_a"), ("postgres", "stranger")):
        with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
            server(database, role)
    create(server)
    assert session.execute("SELECT count(*) FROM kept").fetchone() == (0,)
    # The open session does not keep the database from going.
    drop(server)
    drop(server)
    assert listing(server) == before
    with pytest.raises(psycopg.OperationalError):
        session.execute("SELECT 1")


def test_a_new_password_is_valid_before_the_old_one_ends(server: Connect) -> None:
    """What one login made, the other one changes: both act as the owner, as which nobody logs in."""
    create(server)
    try:
        old = server("airflow", "airflow_a")
        old.execute("CREATE TABLE shared (id int)")
        create(server, "airflow_b")
        server("airflow", "airflow_a").execute("SELECT 1")
        new = server("airflow", "airflow_b")
        new.execute("ALTER TABLE shared ADD COLUMN name text")
        owner = old.execute("SELECT tableowner FROM pg_tables WHERE tablename = 'shared'").fetchone()
        assert owner == ("airflow",)
        close(server, "airflow_a")
        close(server, "airflow_a")
        for login in ("airflow_a", "airflow"):
            with pytest.raises(psycopg.OperationalError):
                server("airflow", login)
        # Whoever came in by the password that ended is out; the other login's sessions stay.
        with pytest.raises(psycopg.OperationalError):
            old.execute("SELECT 1")
        new.execute("INSERT INTO shared (id) VALUES (1)")
        create(server, "airflow_a")
        assert server("airflow", "airflow_a").execute("SELECT count(*) FROM shared").fetchone() == (1,)
    finally:
        drop(server)


def test_the_password_never_reaches_the_server_in_clear(server: Connect) -> None:
    class Recorder:
        statements: tuple[str, ...] = ()

        def execute(self, statement: Any, _values: Any = None) -> None:
            text = statement if isinstance(statement, str) else statement.as_string(None)
            self.statements = (*self.statements, text)

        def fetchone(self) -> None:
            return None

    recorder = Recorder()
    master = server("postgres", "master")
    verifier = _verifier(master, "in-clear")
    database_tenant.open_login(recorder, sql, "airflow", "airflow_a", verifier, -1)
    assert any("SCRAM-SHA-256$" in statement for statement in recorder.statements)
    assert not any("in-clear" in statement for statement in recorder.statements)


def test_two_tenants_of_a_host_see_nothing_of_each_other(server: Connect) -> None:
    """The role that makes them is no superuser, and needs neither the master's password nor its rights."""
    before = listing(server)
    master = server("postgres", "master")
    database_tenant.host(master.cursor(), sql, "tenant_admin", _verifier_of(master, "tenant_admin"))
    database_tenant.host(master.cursor(), sql, "tenant_admin", _verifier_of(master, "tenant_admin"))
    rights = "SELECT rolsuper, rolcreatedb, rolcreaterole FROM pg_roles WHERE rolname = 'tenant_admin'"
    assert master.execute(rights).fetchone() == (False, True, True)
    tenants = ("team-a", "team-b")
    for tenant in (*tenants, *tenants):
        administration = server("postgres", "tenant_admin")
        cursor, login = administration.cursor(), f"{tenant}_a"
        database_tenant.create(cursor, sql, tenant, tenant)
        database_tenant.open_login(cursor, sql, tenant, login, _verifier_of(administration, login), 2)
        database_tenant.close_schema(server(tenant, "tenant_admin").cursor(), sql, tenant)
    first, second = (server(tenant, f"{tenant}_a") for tenant in tenants)
    first.execute("CREATE TABLE own (secret text)")
    for database, role in (("team-b", "team-a_a"), ("postgres", "team-a_a"), ("team-a", "stranger")):
        with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
            server(database, role)
    # What the other one runs stays hidden.
    others = "SELECT query FROM pg_stat_activity WHERE datname = 'team-a'"
    assert {row[0] for row in second.execute(others).fetchall()} == {"<insufficient privilege>"}
    server("team-b", "team-b_a")
    with pytest.raises(psycopg.OperationalError, match="too many connections"):
        server("team-b", "team-b_a")
    for tenant in tenants:
        logins = (f"{tenant}_a", f"{tenant}_b")
        database_tenant.drop(server("postgres", "tenant_admin").cursor(), sql, tenant, tenant, logins)
    assert listing(server) == before | {"tenant_admin"}


def _verifier_of(connection: psycopg.Connection[Any], role: str) -> str:
    return connection.pgconn.encrypt_password(b"password", role.encode(), b"scram-sha-256").decode()
