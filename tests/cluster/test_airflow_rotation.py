"""Keys and passwords are rotated while Airflow works: tasks and tokens live on, values stay readable.

The file's name puts it before the tests that end the environment.
"""

from __future__ import annotations

import base64
import json
import subprocess
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from witness import STACK, UP_SECONDS, Environment, succeed

from infra.lifecycle.cluster_access import ClusterAccess, cluster_access, port_forward

pytestmark = pytest.mark.cluster

ROTATE_SECONDS = 900
# Longer than a rotation takes on any machine; the task ends when it is released.
HOLD_SECONDS = 1200


@pytest.fixture(scope="module")
def access(environment: Environment) -> Iterator[ClusterAccess]:
    outputs = environment.outputs
    with cluster_access(outputs["clusterName"], outputs["region"], environment.namespace) as found:
        yield found


@contextmanager
def airflow(access: ClusterAccess, environment: Environment, token: str = "") -> Iterator[httpx.Client]:
    """A client of Airflow's API; without a token it logs in."""
    with (
        port_forward(access, environment.outputs["apiServerService"]) as forward,
        httpx.Client(base_url=forward.url, timeout=60, trust_env=False) as client,
    ):
        client.headers["Authorization"] = f"Bearer {token or _login(client, access, environment)}"
        yield client


def _login(client: httpx.Client, access: ClusterAccess, environment: Environment) -> str:
    answer = client.post("/auth/token", json=access.secret(environment.outputs["adminSecretName"]))
    answer.raise_for_status()
    return str(answer.json()["access_token"])


def _kid(token: str) -> str:
    head = token.split(".")[0]
    return str(json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))["kid"])


def _token(client: httpx.Client) -> str:
    return client.headers["Authorization"].removeprefix("Bearer ")


def _started(environment: Environment, component: str) -> list[str]:
    """When the component's running pods started, as Kubernetes says (UTC, ISO 8601)."""
    pods = json.loads(
        environment.kubectl("get", "pods", "--selector", f"component={component}", "--output", "json")
    )
    return [
        item["status"]["startTime"] for item in pods["items"] if "deletionTimestamp" not in item["metadata"]
    ]


def _task(client: httpx.Client, run: str, task: str) -> dict[str, Any]:
    found = client.get(f"/api/v2/dags/canary/dagRuns/{run}/taskInstances").json()["task_instances"]
    return next(dict(item) for item in found if item["task_id"] == task)


def _until(client: httpx.Client, run: str, task: str, states: set[str], seconds: float) -> dict[str, Any]:
    end = time.monotonic() + seconds
    while (found := _task(client, run, task))["state"] not in states and time.monotonic() < end:
        time.sleep(2)
    assert found["state"] in states, found
    return found


def test_a_running_task_and_old_tokens_outlive_a_new_signing_key(
    environment: Environment, access: ClusterAccess
) -> None:
    run = f"rotation-{uuid.uuid4().hex[:8]}"
    with airflow(access, environment) as client:
        old = _token(client)
        conf = {"hold_seconds": str(HOLD_SECONDS), "release_variable": run}
        body = {"dag_run_id": run, "logical_date": None, "conf": conf}
        client.post("/api/v2/dags/canary/dagRuns", json=body).raise_for_status()
        _until(client, run, "write", {"running"}, 300)
    succeed("airflow-env", "rotate", "jwt", STACK, seconds=ROTATE_SECONDS)
    with airflow(access, environment, old) as client:
        # The token that the key before signed is good for the pods of now, and new ones bear another key.
        assert client.get("/api/v2/dags").status_code == 200
        assert _kid(_login(client, access, environment)) != _kid(old)
        client.post("/api/v2/variables", json={"key": run, "value": "go"}).raise_for_status()
        ended = _until(client, run, "write", {"success", "failed"}, 300)
        assert (ended["state"], ended["try_number"]) == ("success", 1)
    # It reported its end to pods that started after it.
    for component in ("api-server", "scheduler"):
        assert all(
            ended["start_date"] < start < ended["end_date"] for start in _started(environment, component)
        )


def test_a_connection_stays_readable_by_new_fernet_keys(
    environment: Environment, access: ClusterAccess
) -> None:
    name, password = f"rotation_{uuid.uuid4().hex[:8]}", uuid.uuid4().hex
    with airflow(access, environment) as client:
        body = {"connection_id": name, "conn_type": "http", "host": "example.org", "password": password}
        client.post("/api/v2/connections", json=body).raise_for_status()
    before = access.secret("airflow-fernet-key")["fernet-key"].split(",")
    succeed("airflow-env", "rotate", "fernet", STACK, seconds=ROTATE_SECONDS)
    after = access.secret("airflow-fernet-key")["fernet-key"].split(",")
    # The standby is in use now, and the key before is the previous one.
    assert after[0] == before[1]
    assert after[2] == before[0]
    read = (
        "import sys; from airflow.models import Connection; "
        "print(Connection.get_connection_from_secrets(sys.argv[1]).password)"
    )
    shown = environment.kubectl(
        "exec", "deployment/airflow-scheduler", "--container", "scheduler", "--", "python", "-c", read, name
    )
    assert shown.strip().splitlines()[-1] == password


def test_a_new_database_password_closes_the_login_before(
    environment: Environment, access: ClusterAccess
) -> None:
    before = access.secret("airflow-metadata")["connection"]
    succeed("airflow-env", "rotate", "database", STACK, seconds=ROTATE_SECONDS)
    after = access.secret("airflow-metadata")["connection"]
    assert before != after
    tried = (
        "import sys, psycopg2\n"
        "for url in sys.stdin.read().split():\n"
        "    try:\n"
        "        with psycopg2.connect(url) as session, session.cursor() as cursor:\n"
        "            cursor.execute('SELECT current_user'); print(cursor.fetchone()[0])\n"
        "    except psycopg2.OperationalError:\n"
        "        print('refused')\n"
    )
    command = access.command(
        "exec",
        "--stdin",
        "deployment/airflow-scheduler",
        "--container",
        "scheduler",
        "--",
        "python",
        "-c",
        tried,
    )
    said = _with_input(command, f"{before}\n{after}\n")
    assert said.split()[-2:] == ["refused", "airflow"]


def _with_input(command: list[str], text: str) -> str:
    ended = subprocess.run(command, input=text, capture_output=True, text=True, timeout=180, check=False)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def test_after_rotations_there_is_nothing_to_do(environment: Environment) -> None:
    succeed(
        "pulumi", "up", "--yes", "--skip-preview", "--non-interactive", "--expect-no-changes", "--stack",
        environment.stack, seconds=UP_SECONDS,
    )  # fmt: skip
