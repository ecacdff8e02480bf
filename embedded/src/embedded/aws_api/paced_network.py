"""NAT gateways and interface endpoints that are pending as long as AWS lets them be, if that is played."""

from typing import Any

from embedded.faults import durations


def install() -> None:
    """Give moto's classes a state that follows the clock."""
    from moto.ec2.models.nat_gateways import NatGateway
    from moto.ec2.models.vpcs import VPCEndPoint

    _pace(NatGateway, "CreateNatGateway")
    _pace(VPCEndPoint, "CreateVpcEndpoint")


def _pace(kind: Any, operation: str) -> None:
    """The attribute `state` of a class: pending until its creation is done, then what moto made of it."""

    def get(resource: Any) -> str:
        own = resource.__dict__
        waiting = own["state"] == "available" and not durations.is_over(own.get("available_at"))
        return "pending" if waiting else str(own["state"])

    def put(resource: Any, value: str) -> None:
        own = resource.__dict__
        # Gateway endpoints are entries of route tables: there at once.
        if "state" not in own and own.get("vpc_endpoint_type") != "Gateway":
            own["available_at"] = durations.done_at("ec2", operation)
        own["state"] = value

    kind.state = property(get, put)
