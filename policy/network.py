"""Looks at subnets, security groups and endpoints."""

from __future__ import annotations

from collections.abc import Iterator

from policy.model import Program, at, of

CLUSTER = "aws:eks/cluster:Cluster"
INGRESS = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
EGRESS = "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule"
GROUP = "aws:ec2/securityGroup:SecurityGroup"
EVERYWHERE = ("0.0.0.0/0", "::/0")


def databases_are_in_private_subnets(program: Program) -> Iterator[str]:
    """No route of a database's or node's subnet leads to an internet gateway.

    Routes are the cluster project's; where a program has none, there is nothing to judge by.
    """
    if not of(program, "aws:ec2/routeTableAssociation:RouteTableAssociation"):
        return
    public = {
        str(route.inputs.get("routeTableId"))
        for route in of(program, "aws:ec2/route:Route")
        if route.inputs.get("gatewayId")
    }
    open_subnets = {
        str(association.inputs.get("subnetId"))
        for association in of(program, "aws:ec2/routeTableAssociation:RouteTableAssociation")
        if str(association.inputs.get("routeTableId")) in public
    }
    for kind in ("aws:rds/subnetGroup:SubnetGroup", CLUSTER):
        for resource in of(program, kind):
            subnets = resource.inputs.get("subnetIds") or at(resource.inputs, "vpcConfig.subnetIds") or []
            if shared := set(map(str, subnets)) & open_subnets:
                yield f"{resource.name}: public subnets {sorted(shared)}"


def endpoint_is_not_for_the_world(program: Program) -> Iterator[str]:
    """The API server has a private endpoint, and its public one is for named networks."""
    for cluster in of(program, CLUSTER):
        network = cluster.inputs.get("vpcConfig") or {}
        networks = network.get("publicAccessCidrs") or []
        if not network.get("endpointPrivateAccess"):
            yield f"{cluster.name}: has no private endpoint"
        if network.get("endpointPublicAccess") and (not networks or set(networks) & set(EVERYWHERE)):
            yield f"{cluster.name}: its public endpoint takes {networks or 'everybody'}"


def database_groups_are_closed(program: Program) -> Iterator[str]:
    """Groups and rules have descriptions, nothing is open to the world, and databases let groups in alone."""
    databases = {
        str(group)
        for instance in of(program, "aws:rds/instance:Instance")
        for group in instance.inputs.get("vpcSecurityGroupIds") or []
    }
    for group in of(program, GROUP):
        if not group.inputs.get("description"):
            yield f"{group.name}: has no description"
        if group.inputs.get("ingress") or group.inputs.get("egress"):
            yield f"{group.name}: has rules of its own, beside the described ones"
    for rule in [*of(program, INGRESS), *of(program, EGRESS)]:
        if not rule.inputs.get("description"):
            yield f"{rule.name}: has no description"
        if {rule.inputs.get("cidrIpv4"), rule.inputs.get("cidrIpv6")} & set(EVERYWHERE) and (
            rule.type == INGRESS or rule.inputs.get("ipProtocol") == "-1"
        ):
            yield f"{rule.name}: is open to the world"
        of_database = str(rule.inputs.get("securityGroupId")) in databases
        if of_database and not rule.inputs.get("referencedSecurityGroupId"):
            yield f"{rule.name}: lets a network reach a database, or the database a network"


def default_group_is_closed_and_flows_are_logged(program: Program) -> Iterator[str]:
    """A network that the program makes has a closed default group and a flow log."""
    networks = of(program, "aws:ec2/vpc:Vpc")
    for kind in ("aws:ec2/defaultSecurityGroup:DefaultSecurityGroup", "aws:ec2/flowLog:FlowLog"):
        if networks and len(of(program, kind)) < len(networks):
            yield f"{networks[0].name}: has no {kind}"
    for group in of(program, "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup"):
        if group.inputs.get("ingress") or group.inputs.get("egress"):
            yield f"{group.name}: lets something through"
