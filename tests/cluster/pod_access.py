"""Pods that try what they may and may not do, in AWS and on the network, and say what came of it."""

from __future__ import annotations

import json
from typing import Any

from witness import Environment, parsed, succeed

ALLOWED = "allowed"

_WORKER = "worker"

# Runs in the pod with Airflow's own boto3, which finds endpoint, authority and role as on EKS.
_ACCESS = """
import json, os, sys, urllib.parse
import boto3
from botocore.exceptions import ClientError

names = json.loads(sys.argv[1])
plain = "http://" + urllib.parse.urlsplit(os.environ["AWS_ENDPOINT_URL"]).hostname
s3, http, secrets = boto3.client("s3"), boto3.client("s3", endpoint_url=plain), boto3.client("secretsmanager")
own, other, key = names["bucket"], names["other_bucket"], names["key"]
attempts = {
    "write own bucket": lambda: s3.put_object(Bucket=own, Key=key, Body=b"1"),
    "write elsewhere in own bucket": lambda: s3.put_object(Bucket=own, Key="elsewhere", Body=b"1"),
    "read own bucket": lambda: s3.get_object(Bucket=own, Key=key)["Body"].read(),
    "read other bucket": lambda: s3.get_object(Bucket=other, Key=key)["Body"].read(),
    "write other bucket": lambda: s3.put_object(Bucket=other, Key="new", Body=b"1"),
    "read own bucket over http": lambda: http.get_object(Bucket=own, Key=key)["Body"].read(),
    "write own bucket over http": lambda: http.put_object(Bucket=own, Key=key, Body=b"2"),
    "read own secret": lambda: secrets.get_secret_value(SecretId=names["secret"]),
    "read other secret": lambda: secrets.get_secret_value(SecretId=names["other_secret"]),
    "delete own secret": lambda: secrets.delete_secret(SecretId=names["secret"]),
}
said = {}
for name, attempt in attempts.items():
    try:
        attempt()
        said[name] = "allowed"
    except ClientError as error:
        said[name] = error.response["Error"]["Code"]
print("SAID " + json.dumps(said))
"""


# A refusal comes from the other side as an answer does: only silence is the work of a policy.
_CONNECT = """
import json, socket, sys
from concurrent.futures import ThreadPoolExecutor

def reaches(address):
    try:
        socket.create_connection(tuple(address), timeout=4).close()
    except TimeoutError:
        return False
    except ConnectionRefusedError:
        pass
    return True

with ThreadPoolExecutor(32) as pool:
    print("SAID " + json.dumps(list(pool.map(reaches, json.loads(sys.argv[1])))))
"""


def labels_of(environment: Environment, component: str) -> dict[str, str]:
    """Labels of the chart's pods."""
    return {"tier": "airflow", "component": component, "release": environment.outputs["releaseName"]}


def worker_says(environment: Environment, names: dict[str, str]) -> dict[str, str]:
    """What each attempt of a pod with the workers' service account came to: allowed, or AWS's error code."""
    metadata = {"namespace": environment.namespace, "labels": labels_of(environment, _WORKER)}
    said: dict[str, str] = _says(environment, metadata, _ACCESS, names, service_account="airflow-worker")
    return said


def reached(
    environment: Environment, namespace: str, labels: dict[str, str], addresses: list[tuple[str, int]]
) -> list[bool]:
    """Which addresses answer a pod with these labels."""
    metadata = {"namespace": namespace, "labels": labels}
    said: list[bool] = _says(environment, metadata, _CONNECT, addresses)
    return said


def _says(
    environment: Environment, metadata: dict[str, Any], program: str, given: Any, **options: str
) -> Any:
    pod = "access-probe"
    overrides = json.dumps(pod_of_airflow(environment, metadata, [program, json.dumps(given)], **options))
    kubectl = ("kubectl", "--namespace", metadata["namespace"])
    succeed(*kubectl, "run", pod, "--image", "unused", "--overrides", overrides)
    try:
        phase = "--for=jsonpath={.status.phase}=Succeeded"
        succeed(*kubectl, "wait", "pod", pod, phase, "--timeout", "90s")
        lines = succeed(*kubectl, "logs", pod).splitlines()
    finally:
        succeed(*kubectl, "delete", "pod", pod, "--ignore-not-found", "--grace-period", "0")
    return json.loads(next(line for line in lines if line.startswith("SAID "))[5:])


def pod_of_airflow(
    environment: Environment, metadata: dict[str, Any], arguments: list[str], service_account: str = "default"
) -> dict[str, Any]:
    """A pod of Airflow's image, as restricted as the workers' are."""
    scheduler = ("--selector", "component=scheduler", "--output", "json")
    found = parsed("kubectl", "--namespace", environment.namespace, "get", "pods", *scheduler)["items"][0]
    container = {
        "name": "probe",
        "image": found["spec"]["containers"][0]["image"],
        "command": ["python", "-c", *arguments],
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    return {
        "apiVersion": "v1",
        "metadata": {"labels": metadata["labels"]},
        "spec": {
            "serviceAccountName": service_account,
            "restartPolicy": "Never",
            "securityContext": {
                "runAsUser": 50000,
                "runAsNonRoot": True,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [container],
        },
    }
