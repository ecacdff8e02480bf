"""Tokens that the embedded AWS account checks: of EKS for people, of service accounts for pods."""

import base64
import json
import os
import ssl
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
from aws_api_server import REGION, Account
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from embedded.aws_api.deployer import deployer_credentials
from embedded.node.layout import NodeLayout


def eks_token(account: Account, cluster: str, **credentials: str) -> str:
    """A token made by the AWS command line, as kubeconfigs of EKS make it; the deployer's by default."""
    deployer = deployer_credentials(account.identity)
    key = {"aws_access_key_id": deployer.access_key_id, "aws_secret_access_key": deployer.secret_access_key}
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(account.home),
        "AWS_ENDPOINT_URL": account.identity.aws_endpoint_url,
        **{name.upper(): value for name, value in (credentials or key).items()},
    }
    command = [str(Path(sys.executable).parent / "aws"), "eks", "get-token", "--cluster-name", cluster]
    command += ["--region", REGION, "--output", "json"]
    output = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    return str(json.loads(output)["status"]["token"])


def review(account: Account, token: str) -> dict[str, Any]:
    """What the token webhook tells the API server."""
    url = f"https://{account.identity.host_address}:{account.identity.token_webhook_port}/authenticate"
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": token}}
    context = ssl.create_default_context(cafile=str(account.identity.certificate_authority))
    status: dict[str, Any] = httpx.post(url, json=body, verify=context).json()["status"]
    return status


def service_account_key(account: Account) -> rsa.RSAPrivateKey:
    """A new key that signs service account tokens of this cloud from now on."""
    key = rsa.generate_private_key(65537, 2048)
    pem = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    NodeLayout(account.identity).service_account_public_key.write_bytes(pem)
    return key


def pod_credentials(account: Account, key: rsa.RSAPrivateKey, name: str) -> tuple[int, dict[str, str]]:
    """What the Pod Identity agent answers a pod of this service account: HTTP status, and credentials."""
    url = f"http://{account.identity.host_address}:{account.identity.pod_identity_port}/v1/credentials"
    answer = httpx.get(url, headers={"Authorization": pod_token(key, name)})
    if answer.status_code != 200:
        return answer.status_code, {}
    made = answer.json()
    return 200, {
        "aws_access_key_id": made["AccessKeyId"],
        "aws_secret_access_key": made["SecretAccessKey"],
        "aws_session_token": made["Token"],
    }


def pod_token(key: rsa.RSAPrivateKey, service_account: str) -> str:
    """A token as kubelet gives it to a pod of this service account in namespace airflow."""
    pod = {
        "namespace": "airflow",
        "serviceaccount": {"name": service_account},
        "pod": {"name": "p", "uid": "u"},
    }
    claims = {
        "iss": "https://kubernetes.default.svc.cluster.local",
        "aud": ["pods.eks.amazonaws.com"],
        "exp": time.time() + 600,
        "kubernetes.io": pod,
    }
    parts = [json.dumps(part).encode() for part in ({"alg": "RS256"}, claims)]
    signed = ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)
    signature = key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
    return f"{signed}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"
