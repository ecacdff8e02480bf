"""NAT gateways and VPC endpoints that come and go as slowly as AWS lets them, if that is played."""

from typing import Any

from embedded.faults import durations


def install() -> None:
    """Give moto's classes a state that follows the clock."""
    from moto.ec2.models.nat_gateways import NatGateway
    from moto.ec2.models.vpcs import VPCEndPoint

    _pace(NatGateway, "CreateNatGateway", "DeleteNatGateway")
    _pace(VPCEndPoint, "CreateVpcEndpoint", "DeleteVpcEndpoints")


def _pace(kind: Any, creation: str, deletion: str) -> None:
    """The attribute `state` of a class: what moto makes of it, as soon as AWS would be done with that."""

    def get(resource: Any) -> str:
        own = resource.__dict__
        if own["state"] == "available" and not durations.is_over(own.get("available_at")):
            return "pending"
        if own["state"] == "deleted" and not durations.is_over(own.get("gone_at")):
            return "deleting"
        return str(own["state"])

    def put(resource: Any, value: str) -> None:
        own = resource.__dict__
        # The type comes before the state in moto's constructor.
        suffix = " (Gateway)" if own.get("vpc_endpoint_type") == "Gateway" else ""
        if "state" not in own:
            own["available_at"] = durations.done_at("ec2", creation + suffix)
        elif value == "deleted" and own["state"] != "deleted":
            own["gone_at"] = durations.done_at("ec2", deletion + suffix)
        own["state"] = value

    kind.state = property(get, put)
