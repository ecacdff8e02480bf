"""EKS's sessions of a cluster's role, by which the controllers of Auto Mode act in the account.

Nobody assumes the role by a call: EKS does so itself. Here an access key stands for these sessions; whose
role it means follows from the cluster that there is.
https://docs.aws.amazon.com/eks/latest/userguide/auto-cluster-iam-role.html
"""

import json
import secrets
from pathlib import Path
from typing import Any

from embedded.aws_api import deployer
from embedded.aws_api.deployer import DeployerCredentials
from embedded.aws_api.principals import Principal
from embedded.files import write_private
from embedded.identity import CloudIdentity

CLUSTER_TAG = "eks:eks-cluster-name"
"""Tag of the sessions, and of all that they make."""

_SERVICE = "eks.amazonaws.com"
_ACTIONS = ("sts:AssumeRole", "sts:TagSession")
_SESSION = "aws-eks-load-balancing"

_keys: dict[str, str] = {}


def path_of(identity: CloudIdentity) -> Path:
    """Where the key is kept, mode 0600."""
    return identity.state_directory / "aws" / "load-balancing.json"


def credentials(identity: CloudIdentity) -> DeployerCredentials:
    """The key.

    Raises:
        EmbeddedError: the AWS part of this cloud has never been started.
    """
    return deployer.read_credentials(path_of(identity))


def install(identity: CloudIdentity) -> None:
    """Make the key unless it is there, and let requests use it."""
    path = path_of(identity)
    if not deployer.is_readable(path):
        content = {
            "access_key_id": f"AKIA{secrets.token_hex(8).upper()}",
            "secret_access_key": secrets.token_urlsafe(30),
        }
        write_private(path, json.dumps(content).encode())
    key = credentials(identity)
    _keys.clear()
    _keys[key.access_key_id] = key.secret_access_key


def find(access_key: str) -> Principal | None:
    """The session that the key stands for; None for other keys, or where no cluster's role is to be had.

    The role must trust EKS with tags, and the cluster must have load balancing switched on.
    """
    secret = _keys.get(access_key)
    if secret is None:
        return None
    from embedded.aws_api.eks.backend import all_backends
    from embedded.aws_api.request_context import service_context
    from embedded.aws_api.trust import service_may_assume

    for backend in all_backends():
        for name, cluster in backend.clusters.items():
            network: Any = cluster.kubernetes_network_config or {}
            tags = {CLUSTER_TAG: name}
            context = service_context(_SERVICE, cluster.arn, tags)
            if not (network.get("elasticLoadBalancing") or {}).get("enabled"):
                continue
            if service_may_assume(cluster.role_arn, _SERVICE, _ACTIONS, context):
                return _session(str(cluster.role_arn), secret, tags)
    return None


def _session(role_arn: str, secret: str, tags: dict[str, str]) -> Principal:
    account, role = role_arn.split(":")[4], role_arn.rpartition("/")[2]
    return Principal(
        arn=f"arn:aws:sts::{account}:assumed-role/{role}/{_SESSION}",
        policy_arn=role_arn,
        session_name=_SESSION,
        user_id=f"AROAEKS:{_SESSION}",
        secret_access_key=secret,
        session_token="",
        expires_at=None,
        session_tags=tags,
    )
