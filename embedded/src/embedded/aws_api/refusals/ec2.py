"""EC2: what others still depend on is not deleted.

https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html
"""

from collections.abc import Iterator
from typing import Any, NoReturn

from embedded.aws_api import ACCOUNT_ID
from embedded.aws_api.application import Refusal
from embedded.aws_api.operations import Operation
from embedded.aws_api.refusals.rules import Rules, rules

# What is being deleted still holds its network interfaces.
_GONE = ("deleted",)


def _ec2(operation: Operation) -> Any:
    from moto.ec2.models import ec2_backends

    return ec2_backends[ACCOUNT_ID][operation.region]


def _depends(what: str, identifier: str) -> NoReturn:
    message = f"The {what} '{identifier}' has dependencies and cannot be deleted."
    raise Refusal("DependencyViolation", message, 400)


def _clusters(operation: Operation) -> list[dict[str, Any]]:
    from moto.eks.models import eks_backends

    clusters = eks_backends[ACCOUNT_ID][operation.region].clusters.values()
    return [cluster.resources_vpc_config for cluster in clusters]


def _databases(operation: Operation) -> list[Any]:
    from moto.rds.models import rds_backends

    return list(rds_backends[ACCOUNT_ID][operation.region].databases.values())


def _load_balancers(operation: Operation) -> list[Any]:
    from moto.elbv2.models import elbv2_backends

    return list(elbv2_backends[ACCOUNT_ID][operation.region].load_balancers.values())


def _nat_gateways(ec2: Any) -> list[Any]:
    return [one for one in ec2.nat_gateways.values() if one.state not in _GONE]


def _endpoints(ec2: Any) -> list[Any]:
    return [one for one in ec2.vpc_end_points.values() if one.state not in _GONE]


def _interfaces(ec2: Any) -> list[Any]:
    """Network interfaces; moto keeps those of deleted gateways and terminated instances, AWS does not."""
    released = {one._eni.id for one in ec2.nat_gateways.values() if one.state in _GONE}
    return [
        eni
        for eni in ec2.enis.values()
        if eni.id not in released and (eni.instance is None or eni.instance._state.name != "terminated")
    ]


def _vpc(operation: Operation) -> None:
    """https://docs.aws.amazon.com/vpc/latest/userguide/delete-vpc.html"""
    ec2, vpc = _ec2(operation), operation.text("VpcId")
    gateways = [one for one in ec2.internet_gateways.values() if one.vpc is not None and one.vpc.id == vpc]
    groups = [one for one in ec2.groups.get(vpc, {}).values() if one.name != "default"]
    endpoints = [one for one in _endpoints(ec2) if one.vpc_id == vpc]
    if gateways or groups or endpoints:
        _depends("vpc", vpc)


def _subnet(operation: Operation) -> None:
    """https://docs.aws.amazon.com/vpc/latest/userguide/subnet-deleting.html"""
    identifier = operation.text("SubnetId")
    if identifier in set(_subnets_in_use(operation)):
        _depends("subnet", identifier)


def _subnets_in_use(operation: Operation) -> Iterator[str]:
    """Subnets with network interfaces: of gateways, endpoints, databases, load balancers, control planes."""
    ec2 = _ec2(operation)
    yield from (eni.subnet.id for eni in _interfaces(ec2))
    yield from (one.subnet_id for one in _nat_gateways(ec2))
    for endpoint in _endpoints(ec2):
        yield from endpoint.subnet_ids or ()
    for database in _databases(operation):
        group = getattr(database, "db_subnet_group", None)
        yield from (subnet.id for subnet in getattr(group, "_subnets", ()))
    for balancer in _load_balancers(operation):
        yield from (subnet.id for subnet in balancer.subnets)
    for network in _clusters(operation):
        yield from network.get("subnetIds") or ()


def _security_group(operation: Operation) -> None:
    """https://docs.aws.amazon.com/vpc/latest/userguide/deleting-security-groups.html"""
    ec2, identifier = _ec2(operation), operation.text("GroupId")
    group = next((groups[identifier] for groups in ec2.groups.values() if identifier in groups), None)
    if group is None:
        return  # moto says so
    if group.name == "default":
        message = 'the specified group: "default" name: "default" cannot be deleted by a user'
        raise Refusal("CannotDelete", message, 400)
    if identifier in {*_attached_groups(operation), *_referenced_groups(ec2, identifier)}:
        raise Refusal("DependencyViolation", f"resource {identifier} has a dependent object", 400)


def _attached_groups(operation: Operation) -> Iterator[str]:
    ec2 = _ec2(operation)
    for eni in _interfaces(ec2):
        yield from (one.id for one in eni.group_set or ())
    for endpoint in _endpoints(ec2):
        yield from endpoint.security_group_ids or ()
    for database in _databases(operation):
        yield from database.vpc_security_group_ids
    for balancer in _load_balancers(operation):
        yield from balancer.security_groups or ()
    for network in _clusters(operation):
        yield from (*(network.get("securityGroupIds") or ()), network.get("clusterSecurityGroupId") or "")


def _referenced_groups(ec2: Any, identifier: str) -> Iterator[str]:
    """Groups that the rules of other groups name."""
    for groups in ec2.groups.values():
        for group in groups.values():
            if group.id == identifier:
                continue
            for rule in (*group.ingress_rules, *group.egress_rules):
                yield str(rule.source_group.get("GroupId") or "")


def _used_addresses(ec2: Any) -> list[Any]:
    """Elastic addresses that something has; those of deleted gateways are free."""
    there = {eni.id for eni in _interfaces(ec2)}
    return [
        one
        for one in ec2.addresses
        if one.instance is not None or (one.eni is not None and one.eni.id in there)
    ]


def _gateway_detachment(operation: Operation) -> None:
    """https://docs.aws.amazon.com/vpc/latest/userguide/delete-igw.html"""
    ec2, vpc = _ec2(operation), operation.text("VpcId")
    if any(one.eni is not None and one.eni.subnet.vpc_id == vpc for one in _used_addresses(ec2)):
        message = (
            f"Network {vpc} has some mapped public address(es). Please unmap those public address(es) before "
            "detaching the gateway."
        )
        raise Refusal("DependencyViolation", message, 400)


def _address(operation: Operation) -> None:
    """https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ReleaseAddress.html"""
    allocation = operation.text("AllocationId")
    if any(one.allocation_id == allocation for one in _used_addresses(_ec2(operation))):
        message = f"Address with allocation id {allocation} is in use."
        raise Refusal("InvalidIPAddress.InUse", message, 400)


RULES: Rules = rules(
    "ec2",
    {
        "DeleteVpc": _vpc,
        "DeleteSubnet": _subnet,
        "DeleteSecurityGroup": _security_group,
        "DetachInternetGateway": _gateway_detachment,
        "ReleaseAddress": _address,
    },
)
