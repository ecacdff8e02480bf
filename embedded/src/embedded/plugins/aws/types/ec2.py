"""EC2's network: VPCs, subnets and internet gateways."""

from typing import Any

from embedded.plugins.aws.call import Call
from embedded.plugins.aws.mapping import from_aws
from embedded.plugins.aws.operations import by_id, deletes
from embedded.plugins.aws.schema import ResourceType, flag, text
from embedded.plugins.aws.types.ec2_tags import TAGS, make
from embedded.plugins.common.values import Values


def _first(call: Call, resource_type: str, filters: list[dict[str, Any]]) -> dict[str, Any]:
    found = getattr(call.client, f"describe_{resource_type}")(Filters=filters)
    items = next(value for key, value in found.items() if isinstance(value, list))
    return dict(items[0]) if items else {}


def _vpc_attributes(call: Call, vpc: str) -> Values:
    return {
        name: call.client.describe_vpc_attribute(VpcId=vpc, Attribute=name)[aws]["Value"]
        for name, aws in (
            ("enableDnsSupport", "EnableDnsSupport"),
            ("enableDnsHostnames", "EnableDnsHostnames"),
        )
    }


def _set_vpc_attributes(call: Call, names: set[str] | frozenset[str]) -> None:
    for name, aws in (("enableDnsSupport", "EnableDnsSupport"), ("enableDnsHostnames", "EnableDnsHostnames")):
        if name in names and call.get(name) is not None:
            call.client.modify_vpc_attribute(VpcId=call.id, **{aws: {"Value": call.values[name]}})


def _read_vpc(call: Call) -> Values | None:
    found = call.client.describe_vpcs(VpcIds=[call.id])["Vpcs"]
    if not found:
        return None
    of_vpc = [{"Name": "vpc-id", "Values": [call.id]}]
    main = [*of_vpc, {"Name": "association.main", "Values": ["true"]}]
    default_group = [*of_vpc, {"Name": "group-name", "Values": ["default"]}]
    table = _first(call, "route_tables", main).get("RouteTableId")
    acl = _first(call, "network_acls", [*of_vpc, {"Name": "default", "Values": ["true"]}])
    return {
        **from_aws(call.kind, found[0]),
        **_vpc_attributes(call, call.id),
        "arn": call.session.arn("ec2", f"vpc/{call.id}", call.region),
        "ownerId": found[0].get("OwnerId") or call.session.account,
        "mainRouteTableId": table,
        "defaultRouteTableId": table,
        "defaultSecurityGroupId": _first(call, "security_groups", default_group).get("GroupId"),
        "defaultNetworkAclId": acl.get("NetworkAclId"),
        "dhcpOptionsId": found[0].get("DhcpOptionsId"),
    }


VPC = ResourceType(
    token="aws:ec2/vpc:Vpc",  # noqa: S106 - a type token
    page="vpc",
    service="ec2",
    properties={
        "cidrBlock": text(fixed=True, computed=True),
        "instanceTenancy": text(default="default"),
        "enableDnsHostnames": flag(aws=None, computed=True),
        "enableDnsSupport": flag(aws=None, default=True),
    },
    outputs=dict.fromkeys(
        (
            "arn",
            "ownerId",
            "mainRouteTableId",
            "defaultRouteTableId",
            "defaultSecurityGroupId",
            "defaultNetworkAclId",
            "dhcpOptionsId",
        )
    ),
    create=lambda call: make(call, "create_vpc", "vpc", "Vpc.VpcId"),
    settled=lambda call: _set_vpc_attributes(call, {"enableDnsSupport", "enableDnsHostnames"}),
    read=_read_vpc,
    update=lambda call: _set_vpc_attributes(call, call.changed),
    delete=deletes("delete_vpc", by_id("VpcId")),
    tags=TAGS,
    gone=("InvalidVpcID.NotFound",),
    import_id="vpc-...",
)


def _set_subnet_attributes(call: Call, names: set[str] | frozenset[str]) -> None:
    if "mapPublicIpOnLaunch" in names and call.get("mapPublicIpOnLaunch") is not None:
        value = {"Value": call.values["mapPublicIpOnLaunch"]}
        call.client.modify_subnet_attribute(SubnetId=call.id, MapPublicIpOnLaunch=value)


def _read_subnet(call: Call) -> Values | None:
    found = call.client.describe_subnets(SubnetIds=[call.id])["Subnets"]
    if not found:
        return None
    arn = found[0].get("SubnetArn") or call.session.arn("ec2", f"subnet/{call.id}", call.region)
    public = bool(found[0].get("MapPublicIpOnLaunch"))
    return {**from_aws(call.kind, found[0]), "arn": arn, "mapPublicIpOnLaunch": public}


SUBNET = ResourceType(
    token="aws:ec2/subnet:Subnet",  # noqa: S106 - a type token
    page="subnet",
    service="ec2",
    properties={
        "vpcId": text(required=True, fixed=True),
        "cidrBlock": text(fixed=True, computed=True),
        "availabilityZone": text(fixed=True, computed=True),
        "availabilityZoneId": text(fixed=True, computed=True),
        "mapPublicIpOnLaunch": flag(aws=None, default=False),
    },
    outputs={"arn": None, "ownerId": "OwnerId"},
    create=lambda call: make(call, "create_subnet", "subnet", "Subnet.SubnetId"),
    settled=lambda call: _set_subnet_attributes(call, {"mapPublicIpOnLaunch"}),
    read=_read_subnet,
    update=lambda call: _set_subnet_attributes(call, call.changed),
    delete=deletes("delete_subnet", by_id("SubnetId")),
    tags=TAGS,
    gone=("InvalidSubnetID.NotFound",),
    import_id="subnet-...",
)


def _attach_gateway(call: Call) -> None:
    if call.get("vpcId"):
        call.client.attach_internet_gateway(InternetGatewayId=call.id, VpcId=call.values["vpcId"])


def _read_gateway(call: Call) -> Values | None:
    found = call.client.describe_internet_gateways(InternetGatewayIds=[call.id])["InternetGateways"]
    if not found:
        return None
    attached = found[0].get("Attachments") or [{}]
    return {
        "vpcId": attached[0].get("VpcId"),
        "arn": call.session.arn("ec2", f"internet-gateway/{call.id}", call.region),
        "ownerId": found[0].get("OwnerId"),
    }


def _move_gateway(call: Call) -> None:
    if "vpcId" not in call.changed:
        return
    if call.old.get("vpcId"):
        call.client.detach_internet_gateway(InternetGatewayId=call.id, VpcId=call.old["vpcId"])
    _attach_gateway(call)


def _delete_gateway(call: Call) -> None:
    found = call.client.describe_internet_gateways(InternetGatewayIds=[call.id])["InternetGateways"]
    for attached in found[0].get("Attachments") or []:
        call.client.detach_internet_gateway(InternetGatewayId=call.id, VpcId=attached["VpcId"])
    call.client.delete_internet_gateway(InternetGatewayId=call.id)


INTERNET_GATEWAY = ResourceType(
    token="aws:ec2/internetGateway:InternetGateway",  # noqa: S106 - a type token
    page="internet_gateway",
    service="ec2",
    properties={"vpcId": text(aws=None, computed=True)},
    outputs=dict.fromkeys(("arn", "ownerId")),
    create=lambda call: make(
        call, "create_internet_gateway", "internet-gateway", "InternetGateway.InternetGatewayId"
    ),
    settled=_attach_gateway,
    read=_read_gateway,
    update=_move_gateway,
    delete=_delete_gateway,
    tags=TAGS,
    gone=("InvalidInternetGatewayID.NotFound",),
    import_id="igw-...",
)

TYPES = (VPC, SUBNET, INTERNET_GATEWAY)
