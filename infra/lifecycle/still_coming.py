"""What AWS goes on to make after a run was killed, and what the next run needs of it only then.

An instance has its endpoint, and a cluster its endpoint and authority, once it is there; until then they are
empty. What needs them would be deployed without: a run that does not refresh takes them from the state.
https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_Endpoint.html
https://docs.aws.amazon.com/eks/latest/APIReference/API_Cluster.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from botocore.exceptions import WaiterError

from infra.lifecycle.errors import LifecycleError
from infra.lifecycle.half_made import PendingCreate, Surroundings

# EKS and RDS take a quarter of an hour; the official provider gives RDS 40 minutes.
PAUSE_SECONDS, ATTEMPTS = 5, 480


@dataclass(frozen=True)
class _Coming:
    service: str
    waiter: str
    """Its name in boto3."""
    name: Callable[[str], Mapping[str, Any]]
    """Parameters of the waiter, from the id."""


def _addon(id_: str) -> dict[str, str]:
    cluster, addon = id_.split(":")
    return {"clusterName": cluster, "addonName": addon}


_COMING: Final[Mapping[str, _Coming]] = {
    "aws:ec2/natGateway:NatGateway": _Coming(
        "ec2", "nat_gateway_available", lambda id_: {"NatGatewayIds": [id_]}
    ),
    "aws:eks/addon:Addon": _Coming("eks", "addon_active", _addon),
    "aws:eks/cluster:Cluster": _Coming("eks", "cluster_active", lambda id_: {"name": id_}),
    "aws:rds/instance:Instance": _Coming(
        "rds", "db_instance_available", lambda id_: {"DBInstanceIdentifier": id_}
    ),
}


def comes_later(type_: str) -> bool:
    """Whether AWS takes minutes for a type, and answers before."""
    return type_ in _COMING


def wait(item: PendingCreate, id_: str, around: Surroundings) -> None:
    """Wait until AWS has made a resource of such a type; not for one that is not there or has failed.

    Raises:
        LifecycleError: it is still being made when the time is over.
    """
    coming = _COMING[item.type]
    waiter = around.client(coming.service).get_waiter(coming.waiter)
    pace = {"Delay": PAUSE_SECONDS, "MaxAttempts": ATTEMPTS}
    try:
        waiter.wait(**coming.name(id_), WaiterConfig=pace)
    except WaiterError as error:
        # The refresh that follows finds what there is, or that there is none.
        if "Max attempts exceeded" in str(error):
            raise LifecycleError(
                f"AWS is still making {item.name} ({id_}) after {ATTEMPTS * PAUSE_SECONDS // 60} minutes.",
                "Look at its events in AWS's console, then run the same command again; it goes on.",
            ) from error
