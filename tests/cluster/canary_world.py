"""What surrounds an environment and can go wrong: who places pods, and how sessions come to the database."""

from __future__ import annotations

import json
import subprocess
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import boto3
from witness import Environment, parsed, run, succeed

# The Airflow pod's own login, at the database itself and without TLS, until the end of standard input.
_PLAIN_SESSION = """
import os, sys, time, urllib.parse
import psycopg2

at = urllib.parse.urlsplit(os.environ["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC"])
for attempt in range(30):
    try:
        session = psycopg2.connect(host=at.hostname, port=at.port, user=at.username, dbname=at.path[1:],
            password=urllib.parse.unquote(at.password), sslmode="disable", connect_timeout=5)
        break
    except psycopg2.OperationalError as error:
        said = error
        time.sleep(1)
else:
    sys.exit(str(said))
print("open", flush=True)
sys.stdin.read()
"""


@contextmanager
def session_without_tls(environment: Environment) -> Iterator[None]:
    """A database that no longer insists on TLS, and one session of Airflow's login without it."""
    pod = ("exec", "--stdin", "deployment/airflow-api-server", "--container", "api-server")
    command = ["kubectl", "--namespace", environment.namespace, *pod, "--", "python", "-c", _PLAIN_SESSION]
    _insist_on_tls(environment, "0")
    try:
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as session:
            assert session.stdin
            assert session.stdout
            assert session.stderr
            try:
                said = session.stdout.readline()
                assert said == "open\n", session.stderr.read()
                yield
            finally:
                session.stdin.close()
                session.wait(timeout=30)
    finally:
        _insist_on_tls(environment, "1")


def _insist_on_tls(environment: Environment, value: str) -> None:
    """Set rds.force_ssl, which RDS applies at once."""
    rds, host = boto3.client("rds"), environment.outputs["metadataDatabaseEndpoint"].rpartition(":")[0]
    instances = rds.describe_db_instances()["DBInstances"]
    [found] = [item for item in instances if item["Endpoint"]["Address"] == host]
    rds.modify_db_parameter_group(
        DBParameterGroupName=found["DBParameterGroups"][0]["DBParameterGroupName"],
        Parameters=[{"ParameterName": "rds.force_ssl", "ParameterValue": value, "ApplyMethod": "immediate"}],
    )


# The file that is mounted stays as it is, and is not what PgBouncer runs with.
_UNVERIFIED = (
    "{ cat /etc/pgbouncer/pgbouncer.ini; echo 'server_tls_sslmode = require'; } > /tmp/other.ini "
    "&& exec pgbouncer /tmp/other.ini"
)


@contextmanager
def unverified_pooler(environment: Environment) -> Iterator[None]:
    """One PgBouncer more beside the others, which takes any certificate of the database for the right one."""
    template = json.loads(environment.kubectl("get", "deployment", "airflow-pgbouncer", "--output", "json"))[
        "spec"
    ]["template"]
    [container] = [item for item in template["spec"]["containers"] if item["name"] == "pgbouncer"]
    container["command"] = ["sh", "-c", _UNVERIFIED]
    container["readinessProbe"]["periodSeconds"] = 1
    # Placed without the scheduler: nodes may be cordoned meanwhile.
    spec = {**template["spec"], "containers": [container], "nodeName": _nodes()[0]}
    name = f"unverified-pooler-{uuid.uuid4().hex[:6]}"
    overrides = {"apiVersion": "v1", "metadata": {"labels": template["metadata"]["labels"]}, "spec": spec}
    environment.kubectl("run", name, "--image", "unused", "--overrides", json.dumps(overrides))
    try:
        environment.kubectl("wait", "pod", name, "--for", "condition=Ready", "--timeout", "60s")
        yield
    finally:
        # It ends as PgBouncers do, once nobody is at work through it.
        environment.kubectl("delete", "pod", name, "--wait=false")


def _nodes() -> list[str]:
    return [item["metadata"]["name"] for item in parsed("kubectl", "get", "nodes", "-o", "json")["items"]]


@contextmanager
def placed_by_hand(environment: Environment) -> Iterator[None]:
    """Nodes on which the cluster places nothing, and somebody who puts the pods of tasks there himself."""
    nodes, ended = _nodes(), threading.Event()
    hand = threading.Thread(target=_place, args=(environment.namespace, nodes[0], ended))
    succeed("kubectl", "cordon", *nodes)
    try:
        hand.start()
        yield
    finally:
        ended.set()
        hand.join()
        succeed("kubectl", "uncordon", *nodes)


def _place(namespace: str, node: str, ended: threading.Event) -> None:
    waiting = ("--selector", "component=worker", "--field-selector", "spec.nodeName=", "--output", "json")
    while not ended.wait(1):
        found = run("kubectl", "--namespace", namespace, "get", "pods", *waiting)
        # A loaded API server may leave a question without an answer; the next one gets it.
        for item in json.loads(found.stdout or "{}").get("items", []):
            name = item["metadata"]["name"]
            binding = {
                "apiVersion": "v1",
                "kind": "Binding",
                "metadata": {"name": name},
                "target": {"apiVersion": "v1", "kind": "Node", "name": node},
            }
            place = f"/api/v1/namespaces/{namespace}/pods/{name}/binding"
            subprocess.run(
                ["kubectl", "create", "--raw", place, "--filename", "-"],
                input=json.dumps(binding),
                capture_output=True,
                text=True,
                check=False,
            )
