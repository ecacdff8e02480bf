"""Preflight of the subnets that a database would get in the network of a cluster that others made."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import boto3

from infra.lifecycle.known_cluster import KnownCluster
from infra.lifecycle.report import Outcome, Row
from infra.settings import EnvironmentSettings

NAME: Final = "database subnets"
# https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_VPC.WorkingWithRDSInstanceinaVPC.html
ZONES: Final = 2

Description = Mapping[str, Any]


def row(chosen: EnvironmentSettings, cluster: KnownCluster, described: Description) -> Row:
    """Look at the subnets that the program would take.

    Args:
        chosen: the stack file's settings.
        cluster: the cluster, with the subnets that it or the stack file gives to databases.
        described: the cluster as DescribeCluster gives it.

    Raises:
        ClientError, BotoCoreError: EC2 refuses, or does not answer.
    """
    if chosen.database.shared:
        return Row(NAME, Outcome.NOT_APPLICABLE, "the database is one of the cluster's shared instance")
    network = described["resourcesVpcConfig"]
    wanted = cluster.subnet_ids or tuple(network["subnetIds"])
    ec2 = boto3.client("ec2", region_name=chosen.region)
    # By a filter: a name that is not there would be an error about all of them.
    found = ec2.get_paginator("describe_subnets").paginate(
        Filters=[{"Name": "subnet-id", "Values": list(wanted)}]
    )
    tables = ec2.get_paginator("describe_route_tables").paginate(
        Filters=[{"Name": "vpc-id", "Values": [network["vpcId"]]}]
    )
    wrong = mistakes(
        wanted,
        vpc_id=network["vpcId"],
        subnets=[subnet for page in found for subnet in page["Subnets"]],
        tables=[table for page in tables for table in page["RouteTables"]],
    )
    seen = "; ".join(wrong) or f"{', '.join(wanted)}: in {ZONES} zones or more, without a way from outside"
    given = "private subnets of the cluster's VPC, in two availability zones or more"
    step = f"Name {given} by airflow:cluster.databaseSubnetIds."
    if chosen.cluster.stack is not None:
        step = f"The project of {chosen.cluster.stack} has to export {given} as privateSubnetIds."
    return Row.judged(NAME, not wrong, seen, step)


def mistakes(
    wanted: Sequence[str], *, vpc_id: str, subnets: Iterable[Description], tables: Sequence[Description]
) -> list[str]:
    """What is wrong with a database's subnets; nothing where all is well.

    Args:
        wanted: ids of the subnets.
        vpc_id: the cluster's VPC.
        subnets: those of them that are there, as DescribeSubnets gives them.
        tables: all route tables of the VPC, as DescribeRouteTables gives them.
    """
    there = {str(subnet["SubnetId"]): subnet for subnet in subnets}
    inside = {id_: subnet for id_, subnet in there.items() if subnet["VpcId"] == vpc_id}
    public = [id_ for id_ in inside if _is_public(id_, tables)]
    zones = sorted({str(subnet["AvailabilityZone"]) for subnet in inside.values()})
    wrong = []
    if missing := [id_ for id_ in wanted if id_ not in there]:
        wrong.append(f"there is no {', '.join(missing)}")
    if elsewhere := sorted(there.keys() - inside.keys()):
        wrong.append(f"not in the cluster's {vpc_id}: {', '.join(elsewhere)}")
    if public:
        private = sorted(inside.keys() - set(public))
        rest = f"; private: {', '.join(private)}" if private else ""
        wrong.append(f"public, with a route to an internet gateway: {', '.join(sorted(public))}{rest}")
    if len(zones) < ZONES:
        wrong.append(f"RDS wants {ZONES} availability zones; these are in {', '.join(zones) or 'none'}")
    return wrong


def _is_public(subnet_id: str, tables: Sequence[Description]) -> bool:
    """Whether a subnet's route table leads to an internet gateway; the main one counts where it has none.

    https://docs.aws.amazon.com/vpc/latest/userguide/configure-subnets.html#subnet-types
    """

    def associated(table: Description, key: str, value: object) -> bool:
        return any(one.get(key) == value for one in table.get("Associations") or [])

    own = [table for table in tables if associated(table, "SubnetId", subnet_id)]
    counting = own or [table for table in tables if associated(table, "Main", True)]
    routes = [route for table in counting for route in table.get("Routes") or []]
    # An egress-only gateway, for IPv6, lets nobody in and stands under another key.
    return any(str(route.get("GatewayId") or "").startswith("igw-") for route in routes)
