"""PgBouncer's configuration, and the URL by which Airflow reaches the database through it. Pure.

The chart would write the configuration from passwords in its values; these texts go to Secrets instead.
Options: https://www.pgbouncer.org/config.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from infra import naming

# Keys that the chart mounts.
CONFIG_KEY: Final = "pgbouncer.ini"
USERS_KEY: Final = "users.txt"


@dataclass(frozen=True, slots=True, kw_only=True)
class PgbouncerPool:
    """What one PgBouncer serves, and its sizes."""

    database: str
    """Name of the database on its instance."""
    pool_size: int
    """Connections to the database."""
    max_clients: int
    """Connections of Airflow; all of them, since the others may be away."""


def pgbouncer_ini(pool: PgbouncerPool, *, host: str, port: int) -> str:
    """Return the text of pgbouncer.ini.

    The server's certificate and name are verified. Clients come without TLS, from within the namespace, and
    never send the password: they prove that they know it (SCRAM).
    """
    options = {
        "listen_addr": "*",
        "listen_port": naming.PGBOUNCER_PORT,
        "auth_type": "scram-sha-256",
        "auth_file": f"/etc/pgbouncer/{USERS_KEY}",
        "stats_users": naming.PGBOUNCER_STATISTICS_USER,
        "pool_mode": "transaction",
        # One limit for the database, whoever the users are.
        "max_db_connections": pool.pool_size,
        "max_client_conn": pool.max_clients,
        # What drivers send at the start and PgBouncer does not track.
        "ignore_startup_parameters": "extra_float_digits,options",
        # Fails with a message before Airflow's own timeouts do.
        "query_wait_timeout": 60,
        "server_tls_sslmode": "verify-full",
        "server_tls_ca_file": naming.DATABASE_CA_FILE,
        # Every session of Airflow would be two lines.
        "log_connections": 0,
        "log_disconnections": 0,
    }
    database = f"host={host} port={port} dbname={pool.database} pool_size={pool.pool_size}"
    lines = ["[databases]", f"{naming.POOLED_DATABASE} = {database}", "", "[pgbouncer]"]
    return "\n".join([*lines, *(f"{option} = {value}" for option, value in options.items()), ""])


def pgbouncer_users(passwords: Mapping[str, str]) -> str:
    """Return the text of users.txt for user -> password; passwords are URL-safe text."""
    return "".join(f'"{user}" "{password}"\n' for user, password in passwords.items())


def pooled_connection_url(*, role: str, password: str) -> str:
    """Return the database's URL through PgBouncer, for psycopg2; its Service is in the same namespace.

    There is none for asyncpg: it prepares statements under names of its own, which sessions that share a
    connection would meet (https://github.com/apache/airflow/pull/68496). The API server's few asynchronous
    queries go to the database directly.
    """
    server = f"{naming.PGBOUNCER}:{naming.PGBOUNCER_PORT}"
    at = f"{role}:{password}@{server}/{naming.POOLED_DATABASE}"
    return f"postgresql://{at}?sslmode=disable"


def statistics_url(*, password: str) -> str:
    """Return the URL by which the exporter in PgBouncer's own pod reads its statistics."""
    user = naming.PGBOUNCER_STATISTICS_USER
    return f"postgresql://{user}:{password}@127.0.0.1:{naming.PGBOUNCER_PORT}/pgbouncer?sslmode=disable"
