"""Ways into a living environment besides the commands: Airflow's API, its database and the bucket."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from typing import Any

import boto3
from witness import ROOT, STACK, Environment

from infra.lifecycle import canary_run, environments
from infra.lifecycle.airflow_api import AirflowApi
from infra.lifecycle.cluster_access import cluster_access, port_forward


@contextlib.contextmanager
def airflow_as_canary(environment: Environment) -> Iterator[AirflowApi]:
    """Airflow's API, as the canary's user."""
    exports = environments.Exports.of(STACK, environment.outputs)
    with (
        cluster_access(exports.cluster_name, exports.region, exports.namespace) as access,
        port_forward(access, exports.api_server_service) as forward,
        AirflowApi(forward.url) as airflow,
    ):
        airflow.login(*canary_run.login_of(access.secret("airflow-canary-user"), "airflow-canary-user"))
        yield airflow


@contextlib.contextmanager
def opened(stack: str) -> Iterator[tuple[str, str]]:
    """`airflow-env open` without a DNS record of the host, until Ctrl-C: the address, and what it said."""
    command = ["airflow-env", "open", stack, "--port", "0"]
    nowhere = {**os.environ, "EMBEDDED_HOSTS": os.devnull}
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, env=nowhere) as process:
        assert process.stdout
        said = ""
        for line in process.stdout:
            said += line
            if "Ctrl-C" in line:
                break
        found = re.search(r"http://127\.0\.0\.1:\d+", said)
        try:
            assert found, said
            yield found[0], said
        finally:
            process.send_signal(signal.SIGINT)
            try:
                assert process.wait(timeout=60) == 0
            finally:
                process.kill()


# The last statement's rows, if it has any.
_SQL = """
import json, os, sys, psycopg2
connection = psycopg2.connect(os.environ["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"])
with connection, connection.cursor() as cursor:
    for statement in sys.argv[1:]: cursor.execute(statement)
    print(json.dumps(cursor.fetchall() if cursor.description else []))
"""


def sql(environment: Environment, *statements: str) -> list[list[Any]]:
    """Run statements as Airflow's own role, in a pod that has its login; the last one's rows."""
    pod = ("exec", "deployment/airflow-api-server", "--container", "api-server")
    said = environment.kubectl(*pod, "--", "python", "-c", _SQL, *statements)
    rows: list[list[Any]] = json.loads(said)
    return rows


def bucket_keys(bucket: str) -> set[str]:
    """Keys of all objects in a bucket."""
    pages = boto3.client("s3").get_paginator("list_objects_v2").paginate(Bucket=bucket)
    return {item["Key"] for page in pages for item in page.get("Contents", [])}
