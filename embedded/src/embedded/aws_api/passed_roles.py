"""Roles that a request hands to a service: the caller must be allowed to pass them.

https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_passrole.html
"""

from dataclasses import dataclass

from embedded.aws_api import ACCOUNT_ID
from embedded.aws_api.operations import Operation


@dataclass(frozen=True)
class PassedRole:
    """A role of a request and the service that will assume it."""

    arn: str
    service: str


# (service, operation) -> (path of the parameter, service principal), by the services' own pages.
_PARAMETERS = {
    ("eks", "CreateCluster"): (
        ("roleArn", "eks.amazonaws.com"),
        ("computeConfig.nodeRoleArn", "ec2.amazonaws.com"),
    ),
    ("eks", "UpdateClusterConfig"): (("computeConfig.nodeRoleArn", "ec2.amazonaws.com"),),
    ("eks", "CreateNodegroup"): (("nodeRole", "ec2.amazonaws.com"),),
    ("eks", "CreatePodIdentityAssociation"): (("roleArn", "pods.eks.amazonaws.com"),),
    ("eks", "UpdatePodIdentityAssociation"): (("roleArn", "pods.eks.amazonaws.com"),),
    ("rds", "CreateDBInstance"): (("MonitoringRoleArn", "monitoring.rds.amazonaws.com"),),
    ("rds", "ModifyDBInstance"): (("MonitoringRoleArn", "monitoring.rds.amazonaws.com"),),
    ("ec2", "CreateFlowLogs"): (("DeliverLogsPermissionArn", "vpc-flow-logs.amazonaws.com"),),
    ("iam", "AddRoleToInstanceProfile"): (("RoleName", "ec2.amazonaws.com"),),
}


def passed_roles(operation: Operation) -> list[PassedRole]:
    """Every role that the request hands on."""
    found = []
    for path, service in _PARAMETERS.get((operation.service, operation.name), ()):
        value: object = operation.parameters
        for step in path.split("."):
            value = value.get(step) if isinstance(value, dict) else None
        if value:
            arn = value if ":" in str(value) else f"arn:aws:iam::{ACCOUNT_ID}:role/{value}"
            found.append(PassedRole(str(arn), service))
    return found
