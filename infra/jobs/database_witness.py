"""Looks at the metadata database as an Airflow pod does; runs in one, and prints one JSON document.

What it is told comes by standard input, for there is a password in it: the arguments of `main` as JSON. It
says how sessions are secured, and how the Variable lies in its table, which loses it then. No key or password
is printed.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

CONNECT_SECONDS = 10
WRONG_NAME = "not-the-database.invalid"
POOLER_OPTIONS = ("server_tls_sslmode", "server_tls_ca_file")


def main(variable: str, plain: str, pooler: str, poolers: dict[str, str], statistics: str) -> None:
    """Print what was seen.

    Args:
        variable: name of the run's Variable.
        plain: its text.
        pooler: host name of PgBouncer's Service, whether there is one or not.
        poolers: PgBouncer's pods -> their addresses.
        statistics: URL by which a PgBouncer shows its statistics; empty where there is none.
    """
    import psycopg2  # type: ignore[import-untyped]

    url = os.environ["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"].replace("postgresql+psycopg2", "postgresql")
    host = str(urlsplit(url).hostname)
    seen: dict[str, Any] = {
        "host": host,
        # asyncpg goes to the database itself.
        "async_ssl": option(os.environ.get("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC", ""), "ssl"),
    }
    # PgBouncers open the other sessions in the pods' place, and what they verify is their own business.
    if host == pooler:
        seen["poolers"] = {
            pod: running_options(psycopg2, statistics, address) for pod, address in poolers.items()
        }
    else:
        seen |= {
            "sslmode": option(url, "sslmode"),
            "wrong_authority": attempt(psycopg2, url, sslrootcert=own_authority()),
            "wrong_name": attempt(psycopg2, url, host=WRONG_NAME, hostaddr=socket.gethostbyname(host)),
        }
    connection = psycopg2.connect(url, connect_timeout=CONNECT_SECONDS)
    with connection, connection.cursor() as cursor:
        seen["variable"] = stored(cursor, variable, plain)
        seen |= sessions(cursor)
    connection.close()
    print(json.dumps(seen))


def option(url: str, name: str) -> str:
    """The value of an option in a URL's query."""
    return parse_qs(urlsplit(url).query).get(name, ["absent"])[0]


def attempt(psycopg2: Any, url: str, **changed: str) -> str:
    """How a session to the wrong server would end: "opened", or the reason why it was refused."""
    try:
        psycopg2.connect(url, connect_timeout=CONNECT_SECONDS, **changed).close()
    except psycopg2.OperationalError as error:
        text = str(error)
        known = ("certificate verify failed", "does not match host name")
        return next((reason for reason in known if reason in text), "failed otherwise")
    return "opened"


def running_options(psycopg2: Any, statistics: str, address: str) -> dict[str, str]:
    """How the PgBouncer at an address verifies the database: what it runs with, whatever its file says."""
    try:
        console = psycopg2.connect(statistics, hostaddr=address, connect_timeout=CONNECT_SECONDS)
        # The console knows no transactions.
        console.autocommit = True
        with console.cursor() as cursor:
            cursor.execute("SHOW CONFIG")
            options = {row[0]: row[1] for row in cursor.fetchall()}
        console.close()
    except psycopg2.Error as error:
        return {"error": str(error).strip()}
    return {name: str(options.get(name, "absent")) for name in POOLER_OPTIONS}


def own_authority() -> str:
    """Write a certificate authority that signed nothing, and return the file's name."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "nobody")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    with tempfile.NamedTemporaryFile(suffix=".pem", delete=False) as file:
        file.write(certificate.public_bytes(serialization.Encoding.PEM))
    return file.name


def sessions(cursor: Any) -> dict[str, Any]:
    """The server's view: this session's TLS version, and how many sessions of its user are without."""
    # A login acts as the database's owner, who may not see how sessions of the login are secured.
    cursor.execute("SET LOCAL ROLE NONE")
    cursor.execute("SELECT version FROM pg_stat_ssl WHERE pid = pg_backend_pid() AND ssl")
    row = cursor.fetchone()
    cursor.execute(
        "SELECT count(*), count(*) FILTER (WHERE s.ssl IS NOT TRUE) FROM pg_stat_ssl s "
        "JOIN pg_stat_activity a USING (pid) WHERE a.usename = session_user"
    )
    every, plain = cursor.fetchone()
    return {"tls": row[0] if row else "none", "sessions": every, "sessions_without_tls": plain}


def stored(cursor: Any, variable: str, plain: str) -> dict[str, Any]:
    """How the Variable lies in its table; it is removed, for it belongs to one run of the canary alone."""
    from cryptography.fernet import Fernet, InvalidToken, MultiFernet

    cursor.execute("SELECT val, is_encrypted FROM variable WHERE key = %s", (variable,))
    row = cursor.fetchone()
    if row is None:
        return {"state": "absent"}
    cursor.execute("DELETE FROM variable WHERE key = %s", (variable,))
    text, encrypted = str(row[0]), bool(row[1])
    if not encrypted or plain in text:
        return {"state": "in plain"}
    keys = [Fernet(key.strip()) for key in os.environ["AIRFLOW__CORE__FERNET_KEY"].split(",")]
    try:
        opened = MultiFernet(keys).decrypt(text.encode()).decode()
    except InvalidToken:
        return {"state": "encrypted by another key"}
    return {"state": "encrypted" if opened == plain else "another text"}


if __name__ == "__main__":
    main(**json.load(sys.stdin))
