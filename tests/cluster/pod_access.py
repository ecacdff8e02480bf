"""A pod with the workers' role that tries what it may and may not do in AWS, and says what came of it."""

from __future__ import annotations

import json
from typing import Any

from witness import Environment, parsed

ALLOWED = "allowed"

# Runs in the pod with Airflow's own boto3, which finds endpoint, authority and role as on EKS.
_PROGRAM = """
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


def worker_says(environment: Environment, names: dict[str, str]) -> dict[str, str]:
    """What each attempt of a pod with the workers' service account came to: allowed, or AWS's error code."""
    pod = "access-of-a-worker"
    environment.kubectl("run", pod, "--image", "unused", "--overrides", json.dumps(_pod(environment, names)))
    try:
        phase = "--for=jsonpath={.status.phase}=Succeeded"
        environment.kubectl("wait", "pod", pod, phase, "--timeout", "90s")
        lines = environment.kubectl("logs", pod).splitlines()
    finally:
        environment.kubectl("delete", "pod", pod, "--ignore-not-found", "--grace-period", "0")
    said: dict[str, str] = json.loads(next(line for line in lines if line.startswith("SAID "))[5:])
    return said


def _pod(environment: Environment, names: dict[str, str]) -> dict[str, Any]:
    """A pod as the workers' are: their service account, image, labels and user."""
    worker = ("--selector", "component=scheduler", "--output", "json")
    scheduler = parsed("kubectl", "--namespace", environment.namespace, "get", "pods", *worker)["items"][0]
    container = {
        "name": "worker",
        "image": scheduler["spec"]["containers"][0]["image"],
        "command": ["python", "-c", _PROGRAM, json.dumps(names)],
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    labels = {"tier": "airflow", "component": "worker", "release": environment.outputs["releaseName"]}
    return {
        "apiVersion": "v1",
        "metadata": {"labels": labels},
        "spec": {
            "serviceAccountName": "airflow-worker",
            "restartPolicy": "Never",
            "securityContext": {
                "runAsUser": 50000,
                "runAsNonRoot": True,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [container],
        },
    }
