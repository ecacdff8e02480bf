"""PgBouncer's configuration: what it verifies, whom it lets in. Oracles: configparser and URL parsers."""

from __future__ import annotations

import configparser
from urllib.parse import parse_qs, urlsplit

from infra import naming, pgbouncer_config
from infra.pgbouncer_config import PgbouncerPool, pgbouncer_ini, pgbouncer_users, pooled_connection_url

POOL = PgbouncerPool(database="tenant", pool_size=7, max_clients=123)


def parsed() -> configparser.ConfigParser:
    parser = configparser.ConfigParser(delimiters=("=",), interpolation=None)
    parser.read_string(pgbouncer_ini(POOL, host="db.example", port=5433))
    return parser


def test_the_database_is_verified_and_its_connections_are_limited() -> None:
    options = parsed()["pgbouncer"]
    assert options["server_tls_sslmode"] == "verify-full"
    assert options["server_tls_ca_file"] == "/etc/rds-ca/ca.pem"
    assert options["pool_mode"] == "transaction"
    assert (options["max_db_connections"], options["max_client_conn"]) == ("7", "123")


def test_clients_must_prove_a_password_of_their_own() -> None:
    options = parsed()["pgbouncer"]
    assert options["auth_type"] == "scram-sha-256"
    assert options["stats_users"] == naming.PGBOUNCER_STATISTICS_USER
    assert "admin_users" not in options


def test_the_url_leads_to_the_database_that_is_served() -> None:
    entry = dict(part.split("=") for part in parsed()["databases"][naming.POOLED_DATABASE].split())
    assert entry == {"host": "db.example", "port": "5433", "dbname": "tenant", "pool_size": "7"}
    parts = urlsplit(pooled_connection_url(role="airflow_a", password="p-_w"))
    assert (parts.username, parts.password) == ("airflow_a", "p-_w")
    assert (parts.hostname, parts.port) == (naming.PGBOUNCER, int(parsed()["pgbouncer"]["listen_port"]))
    assert parts.path == f"/{naming.POOLED_DATABASE}"
    # No TLS is offered within the namespace; to ask for it would be refused.
    assert parse_qs(parts.query) == {"sslmode": ["disable"]}


def test_users_are_quoted_lines() -> None:
    assert pgbouncer_users({"a_a": "x-1", "a_b": "y_2"}) == '"a_a" "x-1"\n"a_b" "y_2"\n'


def test_statistics_are_read_in_the_pod_itself() -> None:
    parts = urlsplit(pgbouncer_config.statistics_url(password="s"))
    assert (parts.hostname, parts.path) == ("127.0.0.1", "/pgbouncer")
    assert parts.username == naming.PGBOUNCER_STATISTICS_USER
