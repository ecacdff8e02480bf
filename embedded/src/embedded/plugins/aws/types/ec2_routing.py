"""EC2 addresses, NAT gateways and routes."""

from typing import Any, Final

from embedded.plugins.aws.call import Call
from embedded.plugins.aws.mapping import from_aws
from embedded.plugins.aws.operations import by_id, deletes
from embedded.plugins.aws.schema import Property, ResourceType, block_set, text
from embedded.plugins.aws.types.ec2_tags import TAGS, make
from embedded.plugins.common.errors import PluginError
from embedded.plugins.common.values import Values

NAT_SECONDS: Final = 1800.0
"""nat_gateway, "Timeouts": delete 30 minutes, create 10; the longer one is kept for both."""


def _read_address(call: Call) -> Values | None:
    found = call.client.describe_addresses(AllocationIds=[call.id])["Addresses"]
    if not found:
        return None
    return {
        **from_aws(call.kind, found[0]),
        "arn": call.session.arn("ec2", f"elastic-ip/{call.id}", call.region),
        "publicDns": f"ec2-{found[0]['PublicIp'].replace('.', '-')}.{call.region}.compute.amazonaws.com",
    }


EIP = ResourceType(
    token="aws:ec2/eip:Eip",  # noqa: S106 - a type token
    page="eip",
    service="ec2",
    properties={"domain": text(fixed=True, computed=True, allowed=("vpc",))},
    outputs={
        "allocationId": "AllocationId",
        "associationId": "AssociationId",
        "arn": None,
        "privateIp": "PrivateIpAddress",
        "publicIp": "PublicIp",
        "publicDns": None,
    },
    create=lambda call: make(call, "allocate_address", "elastic-ip", "AllocationId"),
    read=_read_address,
    delete=deletes("release_address", by_id("AllocationId")),
    tags=TAGS,
    gone=("InvalidAllocationID.NotFound",),
    import_id="eipalloc-...",
)


def _nat(call: Call) -> dict[str, Any]:
    found = call.client.describe_nat_gateways(NatGatewayIds=[call.id])["NatGateways"]
    return dict(found[0]) if found else {}


def _nat_ready(call: Call) -> None:
    def available() -> bool:
        found = _nat(call)
        if found.get("State") == "failed":
            raise PluginError(f"{found.get('FailureCode')}: {found.get('FailureMessage')} (CreateNatGateway)")
        return found.get("State") == "available"

    call.wait(f"NAT gateway '{call.id}' becoming available", available, NAT_SECONDS)


def _read_nat(call: Call) -> Values | None:
    found = _nat(call)
    if not found or found.get("State") in ("deleting", "deleted"):
        return None
    address = (found.get("NatGatewayAddresses") or [{}])[0]
    return {
        **from_aws(call.kind, found),
        "allocationId": address.get("AllocationId"),
        "associationId": address.get("AssociationId"),
        "networkInterfaceId": address.get("NetworkInterfaceId"),
        "privateIp": address.get("PrivateIp"),
        "publicIp": address.get("PublicIp"),
        "connectivityType": found.get("ConnectivityType", "public"),
    }


def _delete_nat(call: Call) -> None:
    call.client.delete_nat_gateway(NatGatewayId=call.id)
    call.wait(
        f"NAT gateway '{call.id}' being deleted",
        lambda: _nat(call).get("State", "deleted") == "deleted",
        NAT_SECONDS,
    )


NAT_GATEWAY = ResourceType(
    token="aws:ec2/natGateway:NatGateway",  # noqa: S106 - a type token
    page="nat_gateway",
    service="ec2",
    properties={
        "subnetId": text(required=True, fixed=True),
        "allocationId": text(fixed=True),
        "connectivityType": text(fixed=True, default="public", allowed=("public", "private")),
        "privateIp": text(aws="PrivateIpAddress", fixed=True, computed=True),
    },
    outputs=dict.fromkeys(("associationId", "networkInterfaceId", "publicIp")),
    create=lambda call: make(call, "create_nat_gateway", "natgateway", "NatGateway.NatGatewayId"),
    settled=_nat_ready,
    read=_read_nat,
    delete=_delete_nat,
    tags=TAGS,
    gone=("NatGatewayNotFound",),
    import_id="nat-...",
)

DESTINATIONS: Final = ("destinationCidrBlock", "destinationIpv6CidrBlock", "destinationPrefixListId")
_TARGETS: Final[dict[str, Property]] = {
    "egressOnlyGatewayId": text(aws="EgressOnlyInternetGatewayId"),
    "gatewayId": text(),
    "natGatewayId": text(),
    "networkInterfaceId": text(),
    "transitGatewayId": text(),
    "vpcEndpointId": text(),
    "vpcPeeringConnectionId": text(),
}
_INLINE: Final[dict[str, Property]] = {
    "cidrBlock": text(aws="DestinationCidrBlock"),
    "ipv6CidrBlock": text(aws="DestinationIpv6CidrBlock"),
    "destinationPrefixListId": text(),
    **_TARGETS,
}


def _table(call: Call, table: str) -> dict[str, Any] | None:
    found = call.client.describe_route_tables(RouteTableIds=[table])["RouteTables"]
    return dict(found[0]) if found else None


def _made_by_program(route: dict[str, Any]) -> bool:
    # The local route comes with the VPC, and endpoints write their own ones.
    made = route.get("Origin", "CreateRoute") == "CreateRoute"
    return (
        made and route.get("GatewayId") != "local" and not str(route.get("GatewayId", "")).startswith("vpce-")
    )


def _inline_routes(table: dict[str, Any]) -> list[Values]:
    routes = []
    for route in table.get("Routes") or []:
        if _made_by_program(route):
            values = {
                name: route[declared.aws or name[:1].upper() + name[1:]]
                for name, declared in _INLINE.items()
                if route.get(declared.aws or name[:1].upper() + name[1:])
            }
            routes.append(values)
    return routes


def _route_arguments(route: Values) -> dict[str, Any]:
    return {
        declared.aws or name[:1].upper() + name[1:]: route[name]
        for name, declared in _INLINE.items()
        if route.get(name)
    }


def _set_routes(call: Call) -> None:
    before, after = call.old.get("routes") or [], call.get("routes", [])
    for route in before:
        if route not in after:
            arguments = _route_arguments(route)
            destination = {key: value for key, value in arguments.items() if key.startswith("Destination")}
            call.client.delete_route(RouteTableId=call.id, **destination)
    for route in after:
        if route not in before:
            call.client.create_route(RouteTableId=call.id, **_route_arguments(route))


def _read_table(call: Call) -> Values | None:
    found = _table(call, call.id)
    if found is None:
        return None
    return {
        **from_aws(call.kind, found),
        "routes": _inline_routes(found),
        "arn": call.session.arn("ec2", f"route-table/{call.id}", call.region),
    }


# Routes left out are those of Route resources, and stay.
ROUTE_TABLE = ResourceType(
    token="aws:ec2/routeTable:RouteTable",  # noqa: S106 - a type token
    page="route_table",
    service="ec2",
    properties={
        "vpcId": text(required=True, fixed=True),
        "routes": block_set(_INLINE, aws=None, computed=True),
    },
    outputs={"arn": None, "ownerId": "OwnerId"},
    create=lambda call: make(call, "create_route_table", "route-table", "RouteTable.RouteTableId"),
    settled=_set_routes,
    read=_read_table,
    update=lambda call: _set_routes(call) if "routes" in call.changed else None,
    delete=deletes("delete_route_table", by_id("RouteTableId")),
    tags=TAGS,
    gone=("InvalidRouteTableID.NotFound",),
    import_id="rtb-...",
)


def _destination(values: Values) -> dict[str, str]:
    return {
        prop[:1].upper() + prop[1:]: str(values[prop])
        for prop in DESTINATIONS
        if values.get(prop) is not None
    }


def _create_route(call: Call) -> str:
    table, destination = call.values["routeTableId"], next(iter(_destination(call.values).values()))
    for route in (_table(call, table) or {}).get("Routes") or []:
        if destination in (route.get("DestinationCidrBlock"), route.get("DestinationIpv6CidrBlock")):
            raise PluginError(
                f"RouteAlreadyExists: The route identified by {destination} already exists. (CreateRoute)"
            )
    call.client.create_route(**call.arguments())
    return f"{table}_{destination}"


def _read_route(call: Call) -> Values | None:
    table, _, destination = call.id.partition("_")
    for route in (_table(call, table) or {}).get("Routes") or []:
        if destination in (
            route.get("DestinationCidrBlock"),
            route.get("DestinationIpv6CidrBlock"),
            route.get("DestinationPrefixListId"),
        ):
            return {**from_aws(call.kind, route), "routeTableId": table}
    return None


ROUTE = ResourceType(
    token="aws:ec2/route:Route",  # noqa: S106 - a type token
    page="route",
    service="ec2",
    properties={
        "routeTableId": text(required=True, fixed=True),
        **{prop: text(fixed=True) for prop in DESTINATIONS},
        **_TARGETS,
    },
    outputs={"origin": "Origin", "state": "State"},
    create=_create_route,
    read=_read_route,
    update=lambda call: call.client.replace_route(**call.arguments()),
    delete=lambda call: call.client.delete_route(
        RouteTableId=call.values["routeTableId"], **_destination(call.values)
    ),
    gone=("InvalidRoute.NotFound", "InvalidRouteTableID.NotFound"),
    validate=lambda values: (
        [] if _destination(values) else [("destinationCidrBlock", f"give one of {', '.join(DESTINATIONS)}")]
    ),
    import_id="ROUTE_TABLE_DESTINATION",
)


def _read_association(call: Call) -> Values | None:
    filters = [{"Name": "association.route-table-association-id", "Values": [call.id]}]
    for table in call.client.describe_route_tables(Filters=filters)["RouteTables"]:
        for item in table.get("Associations") or []:
            if item["RouteTableAssociationId"] == call.id:
                return from_aws(call.kind, {**item, "RouteTableId": table["RouteTableId"]})
    return None


# Its id changes when the table does, so here a new table means a new association.
ROUTE_TABLE_ASSOCIATION = ResourceType(
    token="aws:ec2/routeTableAssociation:RouteTableAssociation",  # noqa: S106 - a type token
    page="route_table_association",
    service="ec2",
    properties={
        "routeTableId": text(required=True, fixed=True),
        "subnetId": text(fixed=True),
        "gatewayId": text(fixed=True),
    },
    create=lambda call: str(call.client.associate_route_table(**call.arguments())["AssociationId"]),
    read=_read_association,
    delete=deletes("disassociate_route_table", by_id("AssociationId")),
    gone=("InvalidAssociationID.NotFound",),
    import_id="rtbassoc-...",
)

TYPES = (EIP, NAT_GATEWAY, ROUTE_TABLE, ROUTE, ROUTE_TABLE_ASSOCIATION)
