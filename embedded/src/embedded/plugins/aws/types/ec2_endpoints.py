"""EC2 VPC endpoints and flow logs."""

from typing import Any, Final

from embedded.plugins.aws.call import Call
from embedded.plugins.aws.mapping import from_aws, plain
from embedded.plugins.aws.operations import by_ids
from embedded.plugins.aws.schema import ResourceType, block, document, flag, number, text, text_set
from embedded.plugins.aws.types.ec2_tags import TAGS, make, specification
from embedded.plugins.common.errors import PluginError
from embedded.plugins.common.values import Values

ENDPOINT_SECONDS: Final = 600.0
"""vpc_endpoint, "Timeouts": 10 minutes."""


def _endpoint(call: Call) -> dict[str, Any]:
    found = call.client.describe_vpc_endpoints(VpcEndpointIds=[call.id])["VpcEndpoints"]
    return dict(found[0]) if found else {}


def _endpoint_ready(call: Call) -> None:
    call.wait(
        f"VPC endpoint '{call.id}' becoming available",
        lambda: str(_endpoint(call).get("State", "")).lower() == "available",
        ENDPOINT_SECONDS,
    )


def _read_endpoint(call: Call) -> Values | None:
    found = _endpoint(call)
    if not found or str(found.get("State", "")).lower() in ("deleted", "deleting"):
        return None
    return {
        **from_aws(call.kind, found),
        "policy": found.get("PolicyDocument"),
        "vpcEndpointType": found.get("VpcEndpointType") or "Gateway",
        "routeTableIds": found.get("RouteTableIds") or [],
        "subnetIds": found.get("SubnetIds") or [],
        "securityGroupIds": [group["GroupId"] for group in found.get("Groups") or []],
        "networkInterfaceIds": found.get("NetworkInterfaceIds") or [],
        "dnsEntries": [
            {"dnsName": entry.get("DnsName"), "hostedZoneId": entry.get("HostedZoneId")}
            for entry in found.get("DnsEntries") or []
        ],
        "state": found.get("State"),
        "arn": call.session.arn("ec2", f"vpc-endpoint/{call.id}", call.region),
    }


def _update_endpoint(call: Call) -> None:
    arguments: dict[str, Any] = {}
    for prop, stem in (
        ("routeTableIds", "RouteTable"),
        ("subnetIds", "Subnet"),
        ("securityGroupIds", "SecurityGroup"),
    ):
        if prop in call.changed:
            before, after = set(call.old.get(prop) or []), set(call.get(prop, []))
            arguments |= {f"Add{stem}Ids": sorted(after - before), f"Remove{stem}Ids": sorted(before - after)}
    given = {key: value for key, value in arguments.items() if value}
    if "policy" in call.changed:
        given["PolicyDocument"] = call.values["policy"]
    if "privateDnsEnabled" in call.changed:
        given["PrivateDnsEnabled"] = bool(call.get("privateDnsEnabled"))
    if given:
        call.client.modify_vpc_endpoint(VpcEndpointId=call.id, **given)


def _unsuccessful(answer: dict[str, Any], operation: str) -> None:
    # EC2 answers 200 and lists what it refused.
    for item in answer.get("Unsuccessful") or []:
        error = item.get("Error", {})
        raise PluginError(f"{error.get('Code')}: {error.get('Message')} ({operation})")


def _delete_endpoint(call: Call) -> None:
    answer = call.client.delete_vpc_endpoints(**by_ids("VpcEndpointIds")(call))
    _unsuccessful(answer, "DeleteVpcEndpoints")
    # Its network interfaces hold subnets and security groups until it is gone.
    call.wait(
        f"VPC endpoint '{call.id}' being deleted",
        lambda: str(_endpoint(call).get("State", "deleted")).lower() == "deleted",
        ENDPOINT_SECONDS,
    )


VPC_ENDPOINT = ResourceType(
    token="aws:ec2/vpcEndpoint:VpcEndpoint",  # noqa: S106 - a type token
    page="vpc_endpoint",
    service="ec2",
    properties={
        "vpcId": text(required=True, fixed=True),
        "serviceName": text(required=True, fixed=True),
        "vpcEndpointType": text(fixed=True, default="Gateway"),
        "privateDnsEnabled": flag(computed=True),
        "policy": document(aws="PolicyDocument", computed=True),
        "routeTableIds": text_set(computed=True),
        "subnetIds": text_set(computed=True),
        "securityGroupIds": text_set(computed=True),
    },
    outputs={
        "arn": None,
        "dnsEntries": None,
        "networkInterfaceIds": None,
        "ownerId": "OwnerId",
        "requesterManaged": "RequesterManaged",
        "state": None,
    },
    create=lambda call: make(call, "create_vpc_endpoint", "vpc-endpoint", "VpcEndpoint.VpcEndpointId"),
    settled=_endpoint_ready,
    read=_read_endpoint,
    update=_update_endpoint,
    delete=_delete_endpoint,
    tags=TAGS,
    gone=("InvalidVpcEndpointId.NotFound", "InvalidVpcEndpoint.NotFound"),
    import_id="vpce-...",
)

_SOURCES: Final = {"vpcId": "VPC", "subnetId": "Subnet", "eniId": "NetworkInterface"}


def _create_flow_log(call: Call) -> str:
    prop, resource_type = next((prop, kind) for prop, kind in _SOURCES.items() if call.get(prop))
    arguments = {"ResourceIds": [call.values[prop]], "ResourceType": resource_type}
    answer = call.client.create_flow_logs(
        **call.arguments(), **arguments, **specification(call, "vpc-flow-log")
    )
    _unsuccessful(answer, "CreateFlowLogs")
    return str(answer["FlowLogIds"][0])


def _read_flow_log(call: Call) -> Values | None:
    found = call.client.describe_flow_logs(FlowLogIds=[call.id])["FlowLogs"]
    if not found:
        return None
    resource = str(found[0]["ResourceId"])
    source = {"vpc-": "vpcId", "subnet-": "subnetId", "eni-": "eniId"}
    prop = next((prop for prefix, prop in source.items() if resource.startswith(prefix)), "vpcId")
    return {
        **from_aws(call.kind, plain(found[0])),
        prop: resource,
        "arn": call.session.arn("ec2", f"vpc-flow-log/{call.id}", call.region),
    }


# Nothing of it but tags can be changed.
FLOW_LOG = ResourceType(
    token="aws:ec2/flowLog:FlowLog",  # noqa: S106 - a type token
    page="flow_log",
    service="ec2",
    properties={
        "vpcId": text(aws=None, fixed=True),
        "subnetId": text(aws=None, fixed=True),
        "eniId": text(aws=None, fixed=True),
        "trafficType": text(fixed=True, allowed=("ACCEPT", "REJECT", "ALL")),
        "iamRoleArn": text(aws="DeliverLogsPermissionArn", fixed=True),
        "logDestination": text(fixed=True, computed=True),
        "logDestinationType": text(fixed=True, default="cloud-watch-logs"),
        "logFormat": text(fixed=True, computed=True),
        "maxAggregationInterval": number(fixed=True, default=600, allowed=(60, 600)),
        "destinationOptions": block(
            {
                "fileFormat": text(default="plain-text"),
                "hiveCompatiblePartitions": flag(default=False),
                "perHourPartition": flag(default=False),
            },
            fixed=True,
        ),
    },
    outputs={"arn": None},
    create=_create_flow_log,
    read=_read_flow_log,
    delete=lambda call: _unsuccessful(call.client.delete_flow_logs(FlowLogIds=[call.id]), "DeleteFlowLogs"),
    tags=TAGS,
    gone=("InvalidFlowLogId.NotFound",),
    validate=lambda values: (
        [] if any(prop in values for prop in _SOURCES) else [("vpcId", f"give one of {', '.join(_SOURCES)}")]
    ),
    import_id="fl-...",
)

TYPES = (VPC_ENDPOINT, FLOW_LOG)
