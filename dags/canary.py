"""The canary: two tasks in two pods that try what every task relies on, and what no task may do.

`airflow-env canary STACK` starts it with a nonce in the run's configuration and judges what it finds. A task
writes a marker into its log and returns a report of what it saw; both carry the nonce, so that no earlier run
can pass for this one. A probe that fails is part of the report and no failure of the task, so that one broken
thing hides no other. No report holds a secret: a password is proved by a hash over the nonce.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import os
import re
import socket
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from airflow.sdk import Connection, Variable, dag, get_current_context, task

log = logging.getLogger(__name__)

CONNECTION = "canary"
# More than the largest threshold that a stack file may set for XComs in S3.
LARGE_XCOM_BYTES = 1_048_577
LARGE_XCOM_KEY = "large"
NETWORK_SECONDS = 3

# A URL with which somebody could log in to Postgres.
_DATABASE_URL = re.compile(rb"postgres(ql)?(\+\w+)?://[^\s:/@]+:[^\s@]+@")
# Airflow itself puts an address that leads nowhere into a task's environment.
_SECRET_VARIABLE = re.compile(
    rb"(SQL_ALCHEMY_CONN|FERNET_KEY|SECRET_KEY|JWT_SECRET)\w*=(?!airflow-db-not-allowed)."
)
# Where tmpfs is the container's own; Kubernetes mounts Secrets from memory too.
_OWN_MEMORY = re.compile("/(dev|proc|sys)(/|$)")


def _given(name: str, otherwise: str = "none") -> str:
    """A value of the run's configuration; a run started by hand in the UI has none."""
    return str((get_current_context()["dag_run"].conf or {}).get(name, otherwise))


def _seen(probe: Callable[[], Any]) -> Any:
    """What a probe saw, or the error that ended it."""
    try:
        return probe()
    except Exception as error:  # noqa: BLE001 - whatever it is, it is the finding
        return {"error": f"{type(error).__name__}: {str(error)[:200]}"}


def _start(name: str) -> dict[str, Any]:
    pod, nonce = socket.gethostname(), _given("nonce")
    log.info("canary-marker task=%s nonce=%s pod=%s", name, nonce, pod)
    return {"nonce": nonce, "pod": pod}


def _hold() -> None:
    """Stay for the time that the run asks for, or until the Variable that it names is there."""
    end = time.monotonic() + float(_given("hold_seconds", "0"))
    while time.monotonic() < end and Variable.get(_given("release_variable"), default=None) is None:
        time.sleep(2)


def _push_large() -> dict[str, int]:
    value = {"nonce": _given("nonce"), "filler": "x" * LARGE_XCOM_BYTES}
    get_current_context()["ti"].xcom_push(key=LARGE_XCOM_KEY, value=value)
    return {"bytes": LARGE_XCOM_BYTES}


def _pull_large() -> dict[str, Any]:
    value = get_current_context()["ti"].xcom_pull(task_ids="write", key=LARGE_XCOM_KEY)
    return {"nonce": value["nonce"], "bytes": len(value["filler"])}


def _variable() -> str:
    """Name of a Variable of this run alone, in the metadata database."""
    return f"canary_{_given('nonce')}"


def _store_variable() -> str:
    Variable.set(_variable(), f"plain-{_given('nonce')}")
    return "stored"


def _connection_proof() -> str:
    password = str(Connection.get(CONNECTION).password)
    return hmac.new(password.encode(), _given("nonce").encode(), hashlib.sha256).hexdigest()


def _secret_of_another_environment() -> str:
    import boto3
    from botocore.exceptions import ClientError

    client = boto3.client("secretsmanager", region_name=_given("region"))
    try:
        client.get_secret_value(SecretId=_given("foreign_secret"))
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return "was read"


def _database_credentials() -> list[str]:
    """Where this pod holds a login to the database or a key of Airflow: places, not contents."""
    environments = {
        "the task's environment": [f"{name}={text}".encode() for name, text in os.environ.items()],
        "the container's environment": Path("/proc/1/environ").read_bytes().split(b"\0"),
    }
    found = [
        place
        for place, entries in environments.items()
        if any(_SECRET_VARIABLE.search(entry) or _DATABASE_URL.search(entry) for entry in entries)
    ]
    mounts = [line.split() for line in Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines()]
    secrets = [place for _, place, kind, *_ in mounts if kind == "tmpfs" and not _OWN_MEMORY.match(place)]
    files = [Path(os.environ.get("AIRFLOW_HOME", "/opt/airflow"), "airflow.cfg")]
    files += [path for place in secrets for path in Path(place).rglob("*") if path.is_file()]
    return found + [str(path) for path in files if _DATABASE_URL.search(path.read_bytes())]


def _database_session() -> dict[str, str]:
    """How far a session gets that knows the address alone."""
    import psycopg2

    host, _, port = _given("database").rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=NETWORK_SECONDS).close()
    except OSError as error:
        return {"network": f"closed ({type(error).__name__})", "session": "none"}
    try:
        psycopg2.connect(
            host=host, port=int(port), user="airflow", dbname="airflow", connect_timeout=NETWORK_SECONDS
        ).close()
    except psycopg2.OperationalError:
        return {"network": "open", "session": "refused"}
    return {"network": "open", "session": "opened"}


@dag(
    dag_id="canary",
    schedule=None,
    catchup=False,
    # A deployment proves itself without anybody switching the DAG on.
    is_paused_upon_creation=False,
    dagrun_timeout=timedelta(minutes=15),
    tags=["canary"],
    doc_md=__doc__,
)
def canary() -> None:
    """Write in one pod, read in another."""

    # No retries: the canary is there to show what fails, not to get past it.
    @task(retries=0)
    def write() -> dict[str, Any]:
        started = _start("write")
        # A run that lasts shows that tasks outlive what is done to the environment meanwhile.
        _hold()
        return started | {"large_xcom": _seen(_push_large), "variable": _seen(_store_variable)}

    @task(retries=0)
    def read(received: dict[str, Any]) -> dict[str, Any]:
        return _start("read") | {
            "received": {key: received[key] for key in ("nonce", "pod")},
            "large_xcom": _seen(_pull_large),
            "variable": _seen(lambda: Variable.get(_variable())),
            "connection": _seen(_connection_proof),
            "foreign_secret": _seen(_secret_of_another_environment),
            "credentials": _seen(_database_credentials),
            "database": _seen(_database_session),
        }

    read(write())


canary()
