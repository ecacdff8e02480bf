"""How long AWS takes, and when something that was begun is done at the scale that is set.

The embedded cloud does at once what AWS takes minutes for. With a scale, each operation of the table keeps
AWS's intermediate status for its duration times the scale: 1 is AWS's pace, 1/60 a second a minute.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from embedded.faults import live


@dataclass(frozen=True)
class Duration:
    """How long AWS takes for one operation, and who says so."""

    seconds: float
    status: str
    """What AWS shows meanwhile."""
    source: str


_EKS_SURVEY = (
    "793 s at best over 17 regions: "
    "https://easontechtalk.com/unofficial-eks-cluster-creation-performance-across-aws-regions"
)
_RDS_POST = (
    "10 to 20 minutes: https://oneuptime.com/blog/post/2026-02-23-terraform-resources-long-creation-time/view"
)
_NAT_LOG = "62 s in a run's log: https://github.com/terraform-aws-modules/terraform-aws-vpc/issues/373"
_GATEWAY_ENDPOINT_LOG = (
    "6 s in a run's log: https://github.com/antonakv/tf-aws-activeactive-agents/blob/main/README.md"
)
_TIMEOUTS = "estimate within the official provider's default timeout for the resource"

# Keys: boto3's service and the operation. Where no measurement is published, an estimate says that it is one.
DURATIONS: dict[tuple[str, str], Duration] = {
    ("eks", "CreateCluster"): Duration(793, "CREATING", _EKS_SURVEY),
    ("eks", "DeleteCluster"): Duration(240, "DELETING", f"{_TIMEOUTS} (15 min)"),
    ("eks", "CreateAddon"): Duration(45, "CREATING", f"{_TIMEOUTS} (20 min)"),
    ("eks", "DeleteAddon"): Duration(20, "DELETING", f"{_TIMEOUTS} (40 min)"),
    ("rds", "CreateDBInstance"): Duration(720, "creating", _RDS_POST),
    ("rds", "RestoreDBInstanceFromDBSnapshot"): Duration(900, "creating", _RDS_POST),
    ("rds", "ModifyDBInstance"): Duration(480, "modifying", f"{_TIMEOUTS} (80 min); a change with a restart"),
    ("rds", "RebootDBInstance"): Duration(90, "rebooting", f"{_TIMEOUTS} (80 min)"),
    ("rds", "StopDBInstance"): Duration(420, "stopping", "estimate: minutes, by the user guide"),
    ("rds", "StartDBInstance"): Duration(600, "starting", "estimate: minutes, by the user guide"),
    ("rds", "DeleteDBInstance"): Duration(420, "deleting", f"{_TIMEOUTS} (60 min)"),
    ("rds", "CreateDBSnapshot"): Duration(180, "creating", f"{_TIMEOUTS} (20 min)"),
    ("ec2", "CreateNatGateway"): Duration(120, "pending", f"{_TIMEOUTS} (10 min)"),
    ("ec2", "DeleteNatGateway"): Duration(60, "deleting", _NAT_LOG),
    ("ec2", "CreateVpcEndpoint"): Duration(90, "pending", f"{_TIMEOUTS} (10 min); interface endpoints"),
    ("ec2", "DeleteVpcEndpoints"): Duration(30, "deleting", f"{_TIMEOUTS} (10 min); interface endpoints"),
    ("ec2", "CreateVpcEndpoint (Gateway)"): Duration(6, "pending", _GATEWAY_ENDPOINT_LOG),
    ("ec2", "DeleteVpcEndpoints (Gateway)"): Duration(
        6, "deleting", f"as its creation: {_GATEWAY_ENDPOINT_LOG}"
    ),
}


def scaled_seconds(service: str, operation: str) -> float:
    """The operation's duration at the scale that is set now; 0 when none is set.

    Raises:
        KeyError: the table does not have the operation.
    """
    return DURATIONS[service, operation].seconds * live.settings().duration_scale


def done_at(service: str, operation: str) -> datetime:
    """When an operation that begins now is done."""
    return datetime.now(UTC) + timedelta(seconds=scaled_seconds(service, operation))


def is_over(moment: datetime | None) -> bool:
    """Whether a moment of `done_at` has passed; None is the moment of something that was never slow."""
    return moment is None or datetime.now(UTC) >= moment
