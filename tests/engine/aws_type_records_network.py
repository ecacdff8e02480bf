"""Lives of the types of the network."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from aws_type_life import Ask, Never, Record

ONE, TWO, BY_HAND = {"Name": "one"}, {"Name": "two"}, {"Name": "by hand"}


def tag_by_hand(ask: Ask, resource: str) -> None:
    ask("ec2").create_tags(Resources=[resource], Tags=[{"Key": "Name", "Value": "by hand"}])


def _tag(found: Mapping[str, Any]) -> str | None:
    return next((tag["Value"] for tag in found.get("Tags") or [] if tag["Key"] == "Name"), None)


def described(
    method: str, argument: str, at: str, *names: str, ended: tuple[str, ...] = ()
) -> Callable[[Ask, str], Mapping[str, Any] | None]:
    """Look by an EC2 method that takes a list of ids; the named members, and the tag Name."""

    def look(ask: Ask, resource: str) -> Mapping[str, Any] | None:
        items = getattr(ask("ec2"), method)(**{argument: [resource]})[at]
        if not items or str(items[0].get("State")).lower() in ended:
            return None
        return {**{name: items[0].get(name) for name in names}, "Name": _tag(items[0])}

    return look


def _vpc(ask: Ask, resource: str) -> Mapping[str, Any]:
    found = ask("ec2").describe_vpcs(VpcIds=[resource])["Vpcs"][0]
    names = ask("ec2").describe_vpc_attribute(VpcId=resource, Attribute="enableDnsHostnames")
    shown = {"CidrBlock": found["CidrBlock"], "Name": _tag(found)}
    return {**shown, "hostnames": names["EnableDnsHostnames"]["Value"]}


def _gateway(ask: Ask, resource: str) -> Mapping[str, Any]:
    found = ask("ec2").describe_internet_gateways(InternetGatewayIds=[resource])["InternetGateways"][0]
    return {"vpcs": len(found["Attachments"]), "Name": _tag(found)}


def _nat(ask: Ask, resource: str) -> Mapping[str, Any] | None:
    found = ask("ec2").describe_nat_gateways(NatGatewayIds=[resource])["NatGateways"]
    if not found or found[0]["State"] in ("deleted", "deleting"):
        return None
    return {"type": found[0].get("ConnectivityType"), "Name": _tag(found[0])}


def _own_routes(table: Mapping[str, Any]) -> list[str]:
    return sorted(
        route["DestinationCidrBlock"] for route in table["Routes"] if route.get("GatewayId") != "local"
    )


def _table(ask: Ask, resource: str) -> Mapping[str, Any]:
    found = ask("ec2").describe_route_tables(RouteTableIds=[resource])["RouteTables"][0]
    return {"routes": _own_routes(found), "Name": _tag(found)}


def _route(ask: Ask, resource: str) -> Mapping[str, Any] | None:
    table, destination = resource.split("_")
    routes = ask("ec2").describe_route_tables(RouteTableIds=[table])["RouteTables"][0]["Routes"]
    for route in routes:
        if route.get("DestinationCidrBlock") == destination:
            kinds = ("GatewayId", "NatGatewayId", "NetworkInterfaceId")
            return {"target": next((kind for kind in kinds if route.get(kind)), None)}
    return None


def _move_route(ask: Ask, resource: str) -> None:
    table, destination = resource.split("_")
    interface = ask("ec2").describe_network_interfaces()["NetworkInterfaces"][0]["NetworkInterfaceId"]
    ask("ec2").replace_route(
        RouteTableId=table, DestinationCidrBlock=destination, NetworkInterfaceId=interface
    )


def _association(ask: Ask, resource: str) -> Mapping[str, Any] | None:
    filters = [{"Name": "association.route-table-association-id", "Values": [resource]}]
    tables = ask("ec2").describe_route_tables(Filters=filters)["RouteTables"]
    return {"tables": len(tables)} if tables else None


def _ports(rules: list[Mapping[str, Any]]) -> list[int]:
    return sorted(rule.get("FromPort", 0) for rule in rules)


def _group(ask: Ask, resource: str) -> Mapping[str, Any]:
    found = ask("ec2").describe_security_groups(GroupIds=[resource])["SecurityGroups"][0]
    shown = {"ingress": _ports(found["IpPermissions"]), "egress": _ports(found["IpPermissionsEgress"])}
    return {**shown, "Description": found["Description"]}


def _open_port(ask: Ask, resource: str) -> None:
    rule = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "10.9.0.0/16"}]}
    ask("ec2").authorize_security_group_ingress(GroupId=resource, IpPermissions=[rule])


def _rule(ask: Ask, resource: str) -> Mapping[str, Any]:
    rules = ask("ec2").describe_security_group_rules(SecurityGroupRuleIds=[resource])["SecurityGroupRules"]
    return {name: rules[0].get(name) for name in ("CidrIpv4", "FromPort", "IsEgress", "Description")}


def _describe_rule_by_hand(ask: Ask, resource: str) -> None:
    found = ask("ec2").describe_security_group_rules(SecurityGroupRuleIds=[resource])["SecurityGroupRules"][0]
    rule = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "CidrIpv4": "10.0.0.0/8"}
    ask("ec2").modify_security_group_rules(
        GroupId=found["GroupId"],
        SecurityGroupRules=[
            {"SecurityGroupRuleId": resource, "SecurityGroupRule": {**rule, "Description": "by hand"}}
        ],
    )


def _instance(ask: Ask, resource: str) -> Mapping[str, Any] | None:
    found = ask("ec2").describe_instances(InstanceIds=[resource])["Reservations"]
    if not found or found[0]["Instances"][0]["State"]["Name"] == "terminated":
        return None
    item = found[0]["Instances"][0]
    return {"ami": item["ImageId"], "type": item["InstanceType"], "state": item["State"]["Name"]}


HTTPS = {"protocol": "tcp", "fromPort": 443, "toPort": 443, "cidrBlocks": ["10.0.0.0/8"]}
POSTGRES = {"protocol": "tcp", "fromPort": 5432, "toPort": 5432, "cidrBlocks": ["10.0.0.0/8"]}
SSH_BY_HAND = {"protocol": "tcp", "fromPort": 22, "toPort": 22, "cidrBlocks": ["10.9.0.0/16"]}


def _rule_record(direction: str, egress: bool) -> Record:
    return Record(
        token=f"aws:vpc/securityGroup{direction}Rule:SecurityGroup{direction}Rule",
        inputs={
            "securityGroupId": "$group",
            "ipProtocol": "tcp",
            "fromPort": 443,
            "toPort": 443,
            "cidrIpv4": "10.0.0.0/8",
            "description": "one",
        },
        look=_rule,
        made={"CidrIpv4": "10.0.0.0/8", "FromPort": 443, "IsEgress": egress, "Description": "one"},
        update={"cidrIpv4": "10.64.0.0/10"},
        updated={"CidrIpv4": "10.64.0.0/10"},
        replace={"securityGroupId": "$group2"},
        behind=_describe_rule_by_hand,
        drifted={"description": "by hand"},
    )


RECORDS = (
    Record(
        token="aws:ec2/vpc:Vpc",
        inputs={"cidrBlock": "10.50.0.0/16", "enableDnsHostnames": True, "tags": ONE},
        look=_vpc,
        made={"CidrBlock": "10.50.0.0/16", "hostnames": True, "Name": "one"},
        update={"enableDnsHostnames": False},
        updated={"hostnames": False},
        replace={"cidrBlock": "10.51.0.0/16"},
        replaced={"CidrBlock": "10.51.0.0/16"},
        behind=tag_by_hand,
        drifted={"tags": BY_HAND},
    ),
    Record(
        token="aws:ec2/subnet:Subnet",
        inputs={
            "vpcId": "$vpc",
            "cidrBlock": "10.10.100.0/24",
            "availabilityZone": "${region}a",
            "tags": ONE,
        },
        look=described("describe_subnets", "SubnetIds", "Subnets", "CidrBlock", "MapPublicIpOnLaunch"),
        made={"CidrBlock": "10.10.100.0/24", "MapPublicIpOnLaunch": False, "Name": "one"},
        update={"mapPublicIpOnLaunch": True},
        updated={"MapPublicIpOnLaunch": True},
        replace={"cidrBlock": "10.10.101.0/24"},
        replaced={"CidrBlock": "10.10.101.0/24"},
        behind=tag_by_hand,
        drifted={"tags": BY_HAND},
    ),
    Record(
        token="aws:ec2/internetGateway:InternetGateway",
        inputs={"vpcId": "$vpc2", "tags": ONE},
        look=_gateway,
        made={"vpcs": 1, "Name": "one"},
        update={"vpcId": "$vpc3", "tags": TWO},
        updated={"Name": "two"},
        replace=Never("it moves from VPC to VPC in place"),
        behind=tag_by_hand,
        drifted={"tags": BY_HAND},
    ),
    Record(
        token="aws:ec2/eip:Eip",
        inputs={"domain": "vpc", "tags": ONE},
        look=described("describe_addresses", "AllocationIds", "Addresses", "Domain"),
        made={"Domain": "vpc", "Name": "one"},
        update={"tags": TWO},
        updated={"Name": "two"},
        replace=Never("the only fixed input has one value"),
        behind=tag_by_hand,
        drifted={"tags": BY_HAND},
    ),
    Record(
        token="aws:ec2/natGateway:NatGateway",
        inputs={"subnetId": "$subnet_a", "connectivityType": "private", "tags": ONE},
        look=_nat,
        made={"type": "private", "Name": "one"},
        update={"tags": TWO},
        updated={"Name": "two"},
        replace={"subnetId": "$subnet_b"},
        behind=tag_by_hand,
        drifted={"tags": BY_HAND},
    ),
    Record(
        token="aws:ec2/routeTable:RouteTable",
        inputs={
            "vpcId": "$vpc",
            "routes": [{"cidrBlock": "0.0.0.0/0", "gatewayId": "$gateway"}],
            "tags": ONE,
        },
        look=_table,
        made={"routes": ["0.0.0.0/0"], "Name": "one"},
        update={"routes": [{"cidrBlock": "10.99.0.0/16", "gatewayId": "$gateway"}]},
        updated={"routes": ["10.99.0.0/16"]},
        replace={"vpcId": "$vpc2", "routes": []},
        replaced={"routes": []},
        behind=tag_by_hand,
        drifted={"tags": BY_HAND},
    ),
    Record(
        token="aws:ec2/route:Route",
        inputs={
            "routeTableId": "$table",
            "destinationCidrBlock": "10.70.0.0/16",
            "gatewayId": "$gateway",
        },
        look=_route,
        made={"target": "GatewayId"},
        update={"gatewayId": None, "natGatewayId": "$nat"},
        updated={"target": "NatGatewayId"},
        replace={"destinationCidrBlock": "10.71.0.0/16"},
        behind=_move_route,
        drifted={"gatewayId": None},
    ),
    Record(
        token="aws:ec2/routeTableAssociation:RouteTableAssociation",
        inputs={"routeTableId": "$table", "subnetId": "$subnet_c"},
        look=_association,
        made={"tables": 1},
        update=Never("another table gives another id, so it is another association"),
        replace={"routeTableId": "$table2", "subnetId": "$subnet_b"},
        behind=Never("it has an id and two ends, and ends with either"),
    ),
    Record(
        token="aws:ec2/vpcEndpoint:VpcEndpoint",
        inputs={
            "vpcId": "$vpc",
            "serviceName": "com.amazonaws.${region}.s3",
            "routeTableIds": ["$table"],
            "tags": ONE,
        },
        look=described(
            "describe_vpc_endpoints", "VpcEndpointIds", "VpcEndpoints", "ServiceName", ended=("deleted",)
        ),
        made={"ServiceName": "com.amazonaws.eu-west-1.s3", "Name": "one"},
        update={"routeTableIds": ["$table2"], "tags": TWO},
        updated={"Name": "two"},
        replace={"serviceName": "com.amazonaws.${region}.dynamodb"},
        replaced={"ServiceName": "com.amazonaws.eu-west-1.dynamodb"},
        behind=tag_by_hand,
        drifted={"tags": BY_HAND},
    ),
    Record(
        token="aws:ec2/flowLog:FlowLog",
        inputs={
            "vpcId": "$vpc",
            "trafficType": "ALL",
            "logDestination": "$log_group_arn",
            "iamRoleArn": "$role_arn",
            "tags": ONE,
        },
        look=described("describe_flow_logs", "FlowLogIds", "FlowLogs", "TrafficType"),
        made={"TrafficType": "ALL", "Name": "one"},
        update={"tags": TWO},
        updated={"Name": "two"},
        replace={"trafficType": "REJECT", "logDestination": "$log_group_arn2"},
        replaced={"TrafficType": "REJECT"},
        behind=tag_by_hand,
        drifted={"tags": BY_HAND},
    ),
    Record(
        token="aws:ec2/securityGroup:SecurityGroup",
        inputs={"name": "life", "description": "one", "vpcId": "$vpc", "ingress": [HTTPS]},
        look=_group,
        made={"ingress": [443], "egress": [], "Description": "one"},
        update={"ingress": [HTTPS, POSTGRES]},
        updated={"ingress": [443, 5432]},
        replace={"description": "two"},
        replaced={"Description": "two"},
        behind=_open_port,
        drifted={"ingress": [HTTPS, SSH_BY_HAND]},
        unread=("revokeRulesOnDelete",),
    ),
    Record(
        token="aws:ec2/defaultSecurityGroup:DefaultSecurityGroup",
        inputs={"vpcId": "$vpc2"},
        look=_group,
        made={"ingress": [], "egress": []},
        update={"ingress": [HTTPS]},
        updated={"ingress": [443]},
        replace={"vpcId": "$vpc3"},
        behind=_open_port,
        drifted={"ingress": [SSH_BY_HAND]},
        stays="every VPC has one, which nobody can delete",
    ),
    _rule_record("Ingress", egress=False),
    _rule_record("Egress", egress=True),
    Record(
        token="aws:ec2/instance:Instance",
        inputs={
            "ami": "ami-12c6146b",
            "instanceType": "t3.small",
            "subnetId": "$subnet_a",
            "vpcSecurityGroupIds": ["$group"],
            "iamInstanceProfile": "$profile",
            "metadataOptions": {"httpTokens": "required", "httpEndpoint": "enabled"},
            "rootBlockDevice": {"encrypted": True, "volumeSize": 10, "volumeType": "gp3"},
            "tags": ONE,
        },
        look=_instance,
        made={"ami": "ami-12c6146b", "type": "t3.small", "state": "running"},
        update={"instanceType": "t3.medium", "vpcSecurityGroupIds": ["$group2"]},
        updated={"type": "t3.medium"},
        replace={"ami": "ami-12c6146c"},
        replaced={"ami": "ami-12c6146c"},
        behind=tag_by_hand,
        drifted={"tags": BY_HAND},
    ),
)
