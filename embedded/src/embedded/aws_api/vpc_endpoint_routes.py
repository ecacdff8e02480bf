"""A mend of moto's gateway endpoints: the route tables that a change adds or removes get or lose the route.

https://docs.aws.amazon.com/vpc/latest/privatelink/gateway-endpoints.html#gateway-endpoint-routing
"""

from typing import Any

from moto.ec2.models import EC2Backend


def install() -> None:
    """Let ModifyVpcEndpoint write routes; moto keeps the list alone, and then cannot delete the endpoint."""
    modify = EC2Backend.modify_vpc_endpoint

    def modify_with_routes(backend: EC2Backend, vpc_id: str, **changes: Any) -> None:
        modify(backend, vpc_id=vpc_id, **changes)
        prefixes = backend.vpc_end_points[vpc_id].destination_prefix_list_id
        if not prefixes:
            return
        for table in changes.get("add_route_tables") or []:
            backend.create_route(table, None, gateway_id=vpc_id, destination_prefix_list_id=prefixes)
        for table in changes.get("remove_route_tables") or []:
            backend.delete_route(table, prefixes)

    EC2Backend.modify_vpc_endpoint = modify_with_routes  # type: ignore[method-assign, assignment]
