"""VPCs and subnets that exist."""

from collections.abc import Mapping
from typing import Any, Final

from embedded.plugins.aws.call import tags_from_pairs
from embedded.plugins.aws.functions import Function, refuse_unknown, region_of
from embedded.plugins.aws.session import Session
from embedded.plugins.common.errors import PluginError
from embedded.plugins.common.values import Values


def _filters(arguments: Values, named: Mapping[str, str]) -> list[dict[str, Any]]:
    """EC2's filters from a function's `filters`, `tags` and the arguments that stand for one filter."""
    found = [{"Name": item["name"], "Values": item["values"]} for item in arguments.get("filters") or []]
    found += [
        {"Name": f"tag:{key}", "Values": [value]} for key, value in (arguments.get("tags") or {}).items()
    ]
    found += [
        {"Name": name, "Values": [str(arguments[key]).lower() if key == "default" else arguments[key]]}
        for key, name in named.items()
        if arguments.get(key) is not None
    ]
    return found


def _only(items: list[dict[str, Any]], what: str) -> dict[str, Any]:
    if len(items) != 1:
        count = "no" if not items else "multiple"
        raise PluginError(f"{count} EC2 {what}s matched; exactly one has to match the arguments")
    return items[0]


def _vpc(session: Session, arguments: Values) -> Values:
    named = {
        "cidrBlock": "cidr-block",
        "default": "is-default",
        "state": "state",
        "dhcpOptionsId": "dhcp-options-id",
    }
    refuse_unknown(arguments, "id", "filters", "tags", *named)
    region = region_of(session, arguments)
    client = session.client("ec2", region)
    ids = {"VpcIds": [arguments["id"]]} if arguments.get("id") else {}
    filters = _filters(arguments, named)
    vpc = _only(client.describe_vpcs(**ids, **({"Filters": filters} if filters else {}))["Vpcs"], "VPC")
    vpc_id = str(vpc["VpcId"])

    def attribute(name: str) -> bool:
        answer = client.describe_vpc_attribute(VpcId=vpc_id, Attribute=name)
        return bool(answer[name[:1].upper() + name[1:]]["Value"])

    main = [{"Name": "vpc-id", "Values": [vpc_id]}, {"Name": "association.main", "Values": ["true"]}]
    tables = client.describe_route_tables(Filters=main)["RouteTables"]
    return {
        "id": vpc_id,
        "arn": session.arn("ec2", f"vpc/{vpc_id}", region),
        "cidrBlock": vpc["CidrBlock"],
        "cidrBlockAssociations": [
            {
                "associationId": item["AssociationId"],
                "cidrBlock": item["CidrBlock"],
                "state": item["CidrBlockState"]["State"],
            }
            for item in vpc.get("CidrBlockAssociationSet") or []
        ],
        "default": bool(vpc.get("IsDefault")),
        "dhcpOptionsId": vpc.get("DhcpOptionsId"),
        "enableDnsHostnames": attribute("enableDnsHostnames"),
        "enableDnsSupport": attribute("enableDnsSupport"),
        "instanceTenancy": vpc.get("InstanceTenancy"),
        "mainRouteTableId": tables[0]["RouteTableId"] if tables else None,
        "ownerId": vpc.get("OwnerId") or session.account,
        "region": region,
        "state": vpc.get("State"),
        "tags": tags_from_pairs(vpc.get("Tags")),
    }


def _subnets(session: Session, arguments: Values) -> Values:
    refuse_unknown(arguments, "filters", "tags")
    region = region_of(session, arguments)
    pages = (
        session.client("ec2", region)
        .get_paginator("describe_subnets")
        .paginate(
            **(
                {"Filters": _filters(arguments, {})}
                if arguments.get("filters") or arguments.get("tags")
                else {}
            )
        )
    )
    ids = [subnet["SubnetId"] for page in pages for subnet in page["Subnets"]]
    return {
        "id": region,
        "ids": sorted(ids),
        "region": region,
        "tags": arguments.get("tags") or {},
        "filters": arguments.get("filters"),
    }


def _subnet(session: Session, arguments: Values) -> Values:
    named = {
        "availabilityZone": "availability-zone",
        "availabilityZoneId": "availability-zone-id",
        "cidrBlock": "cidr-block",
        "state": "state",
        "vpcId": "vpc-id",
    }
    refuse_unknown(arguments, "id", "filters", "tags", *named)
    region = region_of(session, arguments)
    ids = {"SubnetIds": [arguments["id"]]} if arguments.get("id") else {}
    filters = _filters(arguments, named)
    answer = session.client("ec2", region).describe_subnets(
        **ids, **({"Filters": filters} if filters else {})
    )
    subnet = _only(answer["Subnets"], "Subnet")
    return {
        "id": subnet["SubnetId"],
        "arn": subnet.get("SubnetArn") or session.arn("ec2", f"subnet/{subnet['SubnetId']}", region),
        "availabilityZone": subnet["AvailabilityZone"],
        "availabilityZoneId": subnet.get("AvailabilityZoneId"),
        "availableIpAddressCount": subnet.get("AvailableIpAddressCount"),
        "cidrBlock": subnet["CidrBlock"],
        "mapPublicIpOnLaunch": bool(subnet.get("MapPublicIpOnLaunch")),
        "ownerId": subnet.get("OwnerId"),
        "region": region,
        "state": subnet.get("State"),
        "tags": tags_from_pairs(subnet.get("Tags")),
        "vpcId": subnet["VpcId"],
    }


FUNCTIONS: Final[Mapping[str, Function]] = {
    "aws:ec2/getVpc:getVpc": _vpc,
    "aws:ec2/getSubnets:getSubnets": _subnets,
    "aws:ec2/getSubnet:getSubnet": _subnet,
}
