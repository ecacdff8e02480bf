"""Runs the canary against a deployed environment: opens the way in, logs in, and hands over the witnesses."""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore.exceptions import ClientError

from infra import jobs, naming
from infra.chart_values import CONNECTION_KEY
from infra.lifecycle import processes
from infra.lifecycle.airflow_api import AirflowApi
from infra.lifecycle.canary import DAG_ID, judge
from infra.lifecycle.canary_gather import Witnesses, gather
from infra.lifecycle.cluster_access import ClusterAccess, cluster_access, port_forward
from infra.lifecycle.environments import Exports
from infra.lifecycle.errors import LifecycleError
from infra.lifecycle.report import Row
from infra.settings_dag_parameters import CANARY_CONNECTION

_WITNESS = Path(jobs.__file__).with_name("database_witness.py")


def run_canary(exports: Exports, say: Callable[[str], None]) -> list[Row]:
    """Run the canary DAG once and judge it.

    Raises:
        LifecycleError: the environment cannot be reached at all.
    """
    with (
        cluster_access(exports.cluster_name, exports.region, exports.namespace) as access,
        port_forward(access, exports.api_server_service) as forward,
        AirflowApi(forward.url) as airflow,
    ):
        username, password = login_of(access.secret(naming.CANARY_USER_SECRET), naming.CANARY_USER_SECRET)
        airflow.login(username, password)
        configuration = {
            "region": exports.region,
            "database": exports.metadata_database_endpoint,
            # Begins as this environment's names do: a right on all that begins so would be found out.
            "foreign_secret": f"{exports.secrets_prefix}-elsewhere/connections/{CANARY_CONNECTION}",
        }
        nonce = secrets.token_hex(8)
        return judge(
            gather(_witnesses(exports, access, airflow), exports.logs_bucket, nonce, configuration, say)
        )


def login_of(entries: dict[str, str], name: str) -> tuple[str, str]:
    """A user's name and password from the entries of the Secret called `name`.

    Raises:
        LifecycleError: the Secret lacks one of them.
    """
    if "username" not in entries or "password" not in entries:
        raise LifecycleError(
            f"The Secret {name} has no entry username or password; it has: {', '.join(sorted(entries))}.",
            "Run `airflow-env up STACK` again; it writes the Secret.",
        )
    return entries["username"], entries["password"]


def _witnesses(exports: Exports, access: ClusterAccess, airflow: AirflowApi) -> Witnesses:
    s3 = boto3.client("s3", region_name=exports.region)
    read = _object_reader(s3)

    def large_xcoms(run_id: str) -> tuple[str, ...]:
        prefix = f"{naming.XCOM_PREFIX}/{DAG_ID}/{run_id}/"
        found = s3.list_objects_v2(Bucket=exports.logs_bucket, Prefix=prefix).get("Contents", [])
        return tuple(read(f"s3://{exports.logs_bucket}/{item['Key']}") or "" for item in found)

    return Witnesses(
        airflow=airflow,
        read_object=read,
        large_xcoms=large_xcoms,
        connection_proof=_connection_proof(exports),
        database=_database_witness(access, exports.api_server_service),
        scheduled_pods=access.scheduled_pods,
    )


def _connection_proof(exports: Exports) -> Callable[[str], str]:
    """The proof that a task gives who has the password of the canary's Connection."""
    client = boto3.client("secretsmanager", region_name=exports.region)
    secret = f"{exports.secrets_prefix}/connections/{CANARY_CONNECTION}"

    def prove(nonce: str) -> str:
        try:
            text = client.get_secret_value(SecretId=secret)["SecretString"]
        except ClientError as error:
            return f"error: {error.response['Error']['Code']} for {secret}"
        except KeyError:
            return f"error: {secret} holds no text"
        try:
            password = str(json.loads(text)["password"])
        except (ValueError, KeyError, TypeError):
            # Somebody edited it; what it holds now is not said.
            return f"error: {secret} is no JSON with a password"
        return hmac.new(password.encode(), nonce.encode(), hashlib.sha256).hexdigest()

    return prove


def _database_witness(access: ClusterAccess, deployment: str) -> Callable[[str, str], dict[str, Any]]:
    """The script that looks at the database, run in a pod of the API server with what that pod has anyway.

    A pod of its own would be one more that holds the database's URL.
    """
    script = _WITNESS.read_text(encoding="utf-8")
    # What it is told follows the script: arguments would be seen in the pod's list of processes.
    program = f"import sys; exec(sys.stdin.read({len(script)}))"

    def look(variable: str, plain: str) -> dict[str, Any]:
        pod = ("--stdin", f"deployment/{deployment}", "--container", "api-server")
        command = access.command("exec", *pod, "--", "python", "-c", program)
        try:
            told = {"variable": variable, "plain": plain, **_told_of_poolers(access)}
            return dict(json.loads(processes.output(command, stdin=script + json.dumps(told))))
        except (LifecycleError, ValueError, KeyError) as error:
            return {"error": f"no witness in a pod of {deployment}: {error}"}

    return look


def _told_of_poolers(access: ClusterAccess) -> dict[str, Any]:
    """What the witness needs to ask each PgBouncer: they need not run with the same options."""
    selector = ",".join(f"{key}={value}" for key, value in naming.pod_labels("pgbouncer").items())
    pods = access.json("get", "pods", "--selector", selector)["items"]
    serving = {pod["metadata"]["name"]: pod["status"]["podIP"] for pod in pods if _serves(pod)}
    statistics = access.secret(naming.PGBOUNCER_STATISTICS_SECRET)[CONNECTION_KEY] if pods else ""
    return {"pooler": naming.PGBOUNCER, "poolers": serving, "statistics": statistics}


def _serves(pod: dict[str, Any]) -> bool:
    """Whether a Service leads to the pod: one that starts or ends may give no answer."""
    conditions = {item["type"]: item["status"] for item in pod["status"].get("conditions", [])}
    return "deletionTimestamp" not in pod["metadata"] and conditions.get("Ready") == "True"


def _object_reader(client: Any) -> Callable[[str], str | None]:
    def read(url: str) -> str | None:
        parts = urlsplit(url)
        try:
            answer = client.get_object(Bucket=parts.netloc, Key=parts.path.lstrip("/"))
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") in ("NoSuchKey", "NoSuchBucket", "404"):
                return None
            raise LifecycleError(
                f"S3 refused to give {url}: {error}",
                "The deployer needs s3:GetObject on the environment's bucket.",
            ) from error
        content: bytes = answer["Body"].read()
        return content.decode("utf-8", errors="replace")

    return read
