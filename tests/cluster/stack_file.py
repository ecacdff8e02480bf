"""The stack file of this tier: staging's with a host, so that Airflow is reached through a load balancer."""

from __future__ import annotations

import os
import secrets
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
from embedded.certificates import issue
from embedded.identity import CloudIdentity
from witness import ROOT, STACK, succeed

HOST = "airflow.example.com"
_SOURCE = ROOT / "Pulumi.staging.yaml"
FILE = ROOT / f"Pulumi.{STACK}.yaml"


@contextmanager
def stack_with_host() -> Iterator[None]:
    """Write the file, with a certificate that is imported into ACM; both go at the end."""
    files = issue(CloudIdentity.of(ROOT), STACK, HOST, dns_names=[HOST])
    acm: Any = boto3.client("acm")
    arn = acm.import_certificate(
        Certificate=files.certificate.read_bytes(), PrivateKey=files.key.read_bytes()
    )["CertificateArn"]
    try:
        FILE.write_text(_with_host(_SOURCE.read_text(encoding="utf-8"), arn), encoding="utf-8")
        yield
    finally:
        FILE.unlink(missing_ok=True)
        acm.delete_certificate(CertificateArn=arn)


def plant() -> dict[str, str]:
    """Make the stack, and give its file a Variable and a Connection whose texts are secret, as users do.

    Returns:
        The name of each in Secrets Manager below the environment's prefix, and its secret.
    """
    succeed("pulumi", "stack", "init", STACK, "--non-interactive")
    planted = {}
    for name, key in (("variables/planted", "value"), ("connections/planted", "password")):
        text = planted[name] = f"planted/{secrets.token_urlsafe(16)}"
        path = f"airflow:{name.replace('/', '.')}.{key}"
        # By standard input: arguments are seen by all.
        command = ["pulumi", "config", "set", "--secret", "--path", path, "--stack", STACK]
        subprocess.run([*command, "--non-interactive"], cwd=ROOT, input=text, text=True, check=True)
    assert FILE.read_text(encoding="utf-8").count("secure:") == len(planted)
    return planted


def _with_host(text: str, arn: str) -> str:
    access = f"  airflow:access:\n    host: {HOST}\n    certificateArn: {arn}\n"
    policies = "  airflow:networkPolicies:\n    enabled: true\n"
    # The network of the cluster project, in which the load balancer is.
    networks = "    clientNetworks: [10.0.0.0/16]\n"
    connections = "  airflow:connections:\n    planted:\n      type: http\n"
    changed = text.replace("  airflow:access: {}\n", access).replace(policies, policies + networks)
    changed = changed.replace("  airflow:connections: {}\n", connections)
    assert all(part in changed for part in (access, networks, connections))
    return changed


def authority() -> str:
    """The file of the authority that signs for the cloud's servers."""
    return os.environ["AWS_CA_BUNDLE"]
