"""Relational Database Service beside the instances: subnet and parameter groups, snapshots, events."""

from typing import Any, Final

from embedded.plugins.aws.call import Call
from embedded.plugins.aws.mapping import from_aws
from embedded.plugins.aws.operations import arn_tags, by_id, creates, deletes, reads, updates
from embedded.plugins.aws.schema import ResourceType, Tags, block_set, flag, names, text, text_set
from embedded.plugins.common.values import Values

DESCRIPTION: Final = "Managed by Pulumi"
PARAMETERS_A_CALL: Final = 20
"""https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_ModifyDBParameterGroup.html"""
SNAPSHOT_SECONDS: Final = 1200.0
"""The provider's default time-out for a snapshot (db_snapshot, "Timeouts": 20 minutes)."""


def rds_tags(kind: str) -> Tags:
    """Tags of a kind of RDS resource: subgrp, pg, snapshot, es or db."""
    return arn_tags(
        "list_tags_for_resource",
        "add_tags_to_resource",
        "remove_tags_from_resource",
        "ResourceName",
        "TagList",
        lambda call: call.session.arn("rds", f"{kind}:{call.id}", call.region),
    )


def _read_subnet_group(call: Call) -> Values | None:
    groups = call.client.describe_db_subnet_groups(DBSubnetGroupName=call.id)["DBSubnetGroups"]
    if not groups:
        return None
    subnets = [subnet["SubnetIdentifier"] for subnet in groups[0]["Subnets"]]
    return {**from_aws(call.kind, groups[0]), "subnetIds": subnets}


def _update_subnet_group(call: Call) -> None:
    if call.changed & {"subnetIds", "description"}:
        call.client.modify_db_subnet_group(
            DBSubnetGroupName=call.id,
            DBSubnetGroupDescription=call.values["description"],
            SubnetIds=call.values["subnetIds"],
        )


SUBNET_GROUP = ResourceType(
    token="aws:rds/subnetGroup:SubnetGroup",  # noqa: S106 - a type token
    page="db_subnet_group",
    service="rds",
    properties={
        **names("name", 255, aws="DBSubnetGroupName", form=str.lower),
        "description": text(aws="DBSubnetGroupDescription", default=DESCRIPTION),
        "subnetIds": text_set(required=True),
    },
    outputs={"arn": "DBSubnetGroupArn", "vpcId": "VpcId", "supportedNetworkTypes": "SupportedNetworkTypes"},
    create=creates("create_db_subnet_group", "DBSubnetGroup.DBSubnetGroupName"),
    read=_read_subnet_group,
    update=_update_subnet_group,
    delete=deletes("delete_db_subnet_group", by_id("DBSubnetGroupName")),
    tags=rds_tags("subgrp"),
    gone=("DBSubnetGroupNotFoundFault", "DBSubnetGroupNotFound"),
    import_id="the group's name",
)


def _parameters(wanted: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {
            "ParameterName": item["name"],
            "ParameterValue": item["value"],
            "ApplyMethod": item.get("applyMethod") or "immediate",
        }
        for item in wanted
    ]


def _set_parameters(call: Call, group: str, wanted: list[dict[str, Any]]) -> None:
    parameters = _parameters(wanted)
    for start in range(0, len(parameters), PARAMETERS_A_CALL):
        batch = parameters[start : start + PARAMETERS_A_CALL]
        call.client.modify_db_parameter_group(DBParameterGroupName=group, Parameters=batch)


def _create_parameter_group(call: Call) -> str:
    make = creates("create_db_parameter_group", "DBParameterGroup.DBParameterGroupName")
    return make(call)


def _settle_parameter_group(call: Call) -> None:
    _set_parameters(call, call.id, call.get("parameters", []))


def _read_parameter_group(call: Call) -> Values | None:
    groups = call.client.describe_db_parameter_groups(DBParameterGroupName=call.id)["DBParameterGroups"]
    if not groups:
        return None
    pages = call.client.get_paginator("describe_db_parameters").paginate(
        DBParameterGroupName=call.id, Source="user"
    )
    found = [item for page in pages for item in page["Parameters"] if "ParameterValue" in item]
    parameters = [
        {
            "name": item["ParameterName"],
            "value": item["ParameterValue"],
            "applyMethod": item.get("ApplyMethod") or "immediate",
        }
        for item in found
    ]
    return {**from_aws(call.kind, groups[0]), "parameters": parameters}


def _update_parameter_group(call: Call) -> None:
    if "parameters" not in call.changed:
        return
    wanted = call.get("parameters", [])
    names = {item["name"] for item in wanted}
    dropped = [item for item in call.old.get("parameters", []) if item["name"] not in names]
    if dropped:
        resets = [
            {"ParameterName": item["name"], "ApplyMethod": item.get("applyMethod") or "immediate"}
            for item in dropped
        ]
        call.client.reset_db_parameter_group(DBParameterGroupName=call.id, Parameters=resets)
    _set_parameters(call, call.id, wanted)


def _delete_parameter_group(call: Call) -> None:
    if not call.get("skipDestroy"):
        call.client.delete_db_parameter_group(DBParameterGroupName=call.id)


PARAMETER_GROUP = ResourceType(
    token="aws:rds/parameterGroup:ParameterGroup",  # noqa: S106 - a type token
    page="db_parameter_group",
    service="rds",
    properties={
        **names("name", 255, aws="DBParameterGroupName", form=str.lower),
        "family": text(aws="DBParameterGroupFamily", required=True, fixed=True),
        "description": text(default=DESCRIPTION, fixed=True),
        "parameters": block_set(
            {
                "name": text(required=True),
                "value": text(required=True),
                "applyMethod": text(default="immediate", allowed=("immediate", "pending-reboot")),
            },
            aws=None,
        ),
        "skipDestroy": flag(aws=None, default=False, write_only=True),
    },
    outputs={"arn": "DBParameterGroupArn"},
    create=_create_parameter_group,
    settled=_settle_parameter_group,
    read=_read_parameter_group,
    update=_update_parameter_group,
    delete=_delete_parameter_group,
    tags=rds_tags("pg"),
    gone=("DBParameterGroupNotFound", "DBParameterGroupNotFoundFault"),
    import_id="the group's name",
)


def snapshot_ready(call: Call) -> None:
    """Wait until a snapshot can be used."""

    def available() -> bool:
        found = call.client.describe_db_snapshots(DBSnapshotIdentifier=call.id)["DBSnapshots"]
        return bool(found) and found[0]["Status"] == "available"

    call.wait(f"snapshot '{call.id}' becoming available", available, SNAPSHOT_SECONDS)


SNAPSHOT = ResourceType(
    token="aws:rds/snapshot:Snapshot",  # noqa: S106 - a type token
    page="db_snapshot",
    service="rds",
    properties={
        "dbInstanceIdentifier": text(aws="DBInstanceIdentifier", required=True, fixed=True),
        "dbSnapshotIdentifier": text(aws="DBSnapshotIdentifier", required=True, fixed=True),
    },
    outputs={
        "allocatedStorage": "AllocatedStorage",
        "availabilityZone": "AvailabilityZone",
        "dbSnapshotArn": "DBSnapshotArn",
        "encrypted": "Encrypted",
        "engine": "Engine",
        "engineVersion": "EngineVersion",
        "iops": "Iops",
        "kmsKeyId": "KmsKeyId",
        "licenseModel": "LicenseModel",
        "optionGroupName": "OptionGroupName",
        "port": "Port",
        "snapshotType": "SnapshotType",
        "sourceDbSnapshotIdentifier": "SourceDBSnapshotIdentifier",
        "sourceRegion": "SourceRegion",
        "status": "Status",
        "storageType": "StorageType",
        "vpcId": "VpcId",
    },
    create=creates("create_db_snapshot", "DBSnapshot.DBSnapshotIdentifier"),
    settled=snapshot_ready,
    read=reads("describe_db_snapshots", by_id("DBSnapshotIdentifier"), "DBSnapshots.0"),
    delete=deletes("delete_db_snapshot", by_id("DBSnapshotIdentifier")),
    tags=rds_tags("snapshot"),
    gone=("DBSnapshotNotFound", "DBSnapshotNotFoundFault"),
    import_id="the snapshot's name",
)


def _read_subscription(call: Call) -> Values | None:
    found = call.client.describe_event_subscriptions(SubscriptionName=call.id)["EventSubscriptionsList"]
    if not found:
        return None
    described = found[0]
    return {
        **from_aws(call.kind, described),
        "name": described["CustSubscriptionId"],
        "sourceIds": described.get("SourceIdsList") or [],
        "eventCategories": described.get("EventCategoriesList") or [],
    }


def _update_sources(call: Call) -> None:
    update = updates("modify_event_subscription", by_id("SubscriptionName"))
    update(call)
    if "sourceIds" not in call.changed:
        return
    before, after = set(call.old.get("sourceIds", [])), set(call.get("sourceIds", []))
    for source in sorted(after - before):
        call.client.add_source_identifier_to_subscription(SubscriptionName=call.id, SourceIdentifier=source)
    for source in sorted(before - after):
        call.client.remove_source_identifier_from_subscription(
            SubscriptionName=call.id, SourceIdentifier=source
        )


def _create_subscription(call: Call) -> str:
    arguments = call.arguments()
    if call.get("sourceIds"):
        arguments["SourceIds"] = call.values["sourceIds"]
    tags = [{"Key": key, "Value": value} for key, value in call.tags.items()]
    call.client.create_event_subscription(**arguments, **({"Tags": tags} if tags else {}))
    return str(call.values["name"])


EVENT_SUBSCRIPTION = ResourceType(
    token="aws:rds/eventSubscription:EventSubscription",  # noqa: S106 - a type token
    page="db_event_subscription",
    service="rds",
    properties={
        **names("name", 255, aws="SubscriptionName", form=str.lower),
        "snsTopic": text(aws="SnsTopicArn", required=True),
        "enabled": flag(default=True),
        "sourceType": text(),
        "sourceIds": text_set(aws=None),
        "eventCategories": text_set(),
    },
    outputs={"arn": "EventSubscriptionArn", "customerAwsId": "CustomerAwsId"},
    create=_create_subscription,
    read=_read_subscription,
    update=_update_sources,
    delete=deletes("delete_event_subscription", by_id("SubscriptionName")),
    tags=rds_tags("es"),
    gone=("SubscriptionNotFound", "SubscriptionNotFoundFault"),
    import_id="the subscription's name",
)

TYPES = (SUBNET_GROUP, PARAMETER_GROUP, SNAPSHOT, EVENT_SUBSCRIPTION)
