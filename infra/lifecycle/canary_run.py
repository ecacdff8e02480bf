"""Runs the canary against a deployed environment: opens the way in, logs in, and hands over the witnesses."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from urllib.parse import urlsplit

import boto3
from botocore.exceptions import ClientError

from infra.lifecycle.airflow_api import AirflowApi
from infra.lifecycle.canary import Witnesses, gather, judge
from infra.lifecycle.cluster_access import cluster_access, port_forward
from infra.lifecycle.environments import Exports
from infra.lifecycle.errors import LifecycleError
from infra.lifecycle.report import Row


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
        username, password = login_of(access.secret(exports.admin_secret_name), exports.admin_secret_name)
        airflow.login(username, password)
        witnesses = Witnesses(airflow, _object_reader(exports.region), access.scheduled_pods)
        return judge(gather(witnesses, exports.logs_bucket, secrets.token_hex(8), say))


def login_of(entries: dict[str, str], name: str) -> tuple[str, str]:
    """The administrator's name and password from the entries of the Secret called `name`.

    Raises:
        LifecycleError: the Secret lacks one of them.
    """
    if "username" not in entries or "password" not in entries:
        raise LifecycleError(
            f"The Secret {name} has no entry username or password; it has: {', '.join(sorted(entries))}.",
            "Run `airflow-env up STACK` again; it writes the Secret.",
        )
    return entries["username"], entries["password"]


def _object_reader(region: str) -> Callable[[str], str | None]:
    client = boto3.client("s3", region_name=region)

    def read(url: str) -> str | None:
        parts = urlsplit(url)
        try:
            answer = client.get_object(Bucket=parts.netloc, Key=parts.path.lstrip("/"))
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") in ("NoSuchKey", "NoSuchBucket", "404"):
                return None
            raise LifecycleError(
                f"S3 refused to give {url}: {error}", "The deployer needs s3:GetObject on the logs bucket."
            ) from error
        return answer["Body"].read().decode("utf-8", errors="replace")

    return read
