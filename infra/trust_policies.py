"""Trust policies: who may assume a role of ours. Pure functions, as in infra/policies.py."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from infra.policies import Document, Statement, Text, document

POD_IDENTITY_SERVICE: Final = "pods.eks.amazonaws.com"
MONITORING_SERVICE: Final = "monitoring.rds.amazonaws.com"


def pod_identity_trust(*, cluster_arn: Text, account_id: str) -> Document:
    """Trust policy of a role that EKS Pod Identity hands to pods of one cluster.

    The conditions keep EKS from being used as a deputy by another account or cluster:
    https://docs.aws.amazon.com/eks/latest/userguide/pod-id-role.html
    """
    return document(
        [
            {
                "Sid": "PodsOfTheCluster",
                "Effect": "Allow",
                "Principal": {"Service": POD_IDENTITY_SERVICE},
                "Action": ["sts:AssumeRole", "sts:TagSession"],
                "Condition": {
                    "StringEquals": {"aws:SourceAccount": account_id},
                    "ArnEquals": {"aws:SourceArn": cluster_arn},
                },
            }
        ]
    )


def monitoring_trust(*, account_id: str) -> Document:
    """Trust policy of the role by which RDS writes enhanced monitoring."""
    return _service_trust("EnhancedMonitoring", MONITORING_SERVICE, account_id, ["sts:AssumeRole"])


def _service_trust(sid: str, service: str, account_id: str | None, actions: Sequence[str]) -> Document:
    statement: Statement = {
        "Sid": sid,
        "Effect": "Allow",
        "Principal": {"Service": service},
        "Action": list(actions),
    }
    if account_id is not None:
        statement["Condition"] = {"StringEquals": {"aws:SourceAccount": account_id}}
    return document([statement])


def cluster_trust(*, account_id: str) -> Document:
    """Trust policy of the role of an EKS control plane; Auto Mode tags its sessions."""
    return _service_trust(
        "ControlPlane", "eks.amazonaws.com", account_id, ["sts:AssumeRole", "sts:TagSession"]
    )


def node_trust() -> Document:
    """Trust policy of the role of nodes; EC2 sends no source account with it."""
    return _service_trust("Nodes", "ec2.amazonaws.com", None, ["sts:AssumeRole"])


def flow_log_trust(*, account_id: str) -> Document:
    """Trust policy of the role that writes a VPC's flow log."""
    return _service_trust("FlowLog", "vpc-flow-logs.amazonaws.com", account_id, ["sts:AssumeRole"])
