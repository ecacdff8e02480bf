"""Copies of database snapshots: under another key, or of another region."""

from embedded.plugins.aws.call import Call, key_value_tags
from embedded.plugins.aws.mapping import from_aws
from embedded.plugins.aws.operations import by_id, deletes
from embedded.plugins.aws.schema import ResourceType, flag, text
from embedded.plugins.aws.types.rds import rds_tags, snapshot_ready
from embedded.plugins.common.values import Values


def _copy(call: Call) -> str:
    tags = {"Tags": key_value_tags(call.tags)} if call.tags else {}
    made = call.client.copy_db_snapshot(**call.arguments(), **tags)
    return str(made["DBSnapshot"]["DBSnapshotIdentifier"])


def _read(call: Call) -> Values | None:
    found = call.client.describe_db_snapshots(DBSnapshotIdentifier=call.id)["DBSnapshots"]
    if not found:
        return None
    # Named by identifier or by ARN, and AWS tells it only of copies between accounts or regions.
    source = call.get("sourceDbSnapshotIdentifier") or found[0].get("SourceDBSnapshotIdentifier")
    values = {"targetDbSnapshotIdentifier": call.id, "sourceDbSnapshotIdentifier": source}
    return {**from_aws(call.kind, found[0]), **values}


SNAPSHOT_COPY = ResourceType(
    token="aws:rds/snapshotCopy:SnapshotCopy",  # noqa: S106 - a type token
    page="db_snapshot_copy",
    service="rds",
    properties={
        "sourceDbSnapshotIdentifier": text(aws="SourceDBSnapshotIdentifier", required=True, fixed=True),
        "targetDbSnapshotIdentifier": text(aws="TargetDBSnapshotIdentifier", required=True, fixed=True),
        "copyTags": flag(default=False, fixed=True, write_only=True),
        "kmsKeyId": text(fixed=True, computed=True),
        "optionGroupName": text(fixed=True, computed=True),
    },
    outputs={
        "allocatedStorage": "AllocatedStorage",
        "availabilityZone": "AvailabilityZone",
        "dbSnapshotArn": "DBSnapshotArn",
        "encrypted": "Encrypted",
        "engine": "Engine",
        "engineVersion": "EngineVersion",
        "iops": "Iops",
        "licenseModel": "LicenseModel",
        "port": "Port",
        "snapshotType": "SnapshotType",
        "sourceRegion": "SourceRegion",
        "storageType": "StorageType",
        "vpcId": "VpcId",
    },
    create=_copy,
    settled=snapshot_ready,
    read=_read,
    delete=deletes("delete_db_snapshot", by_id("DBSnapshotIdentifier")),
    tags=rds_tags("snapshot"),
    gone=("DBSnapshotNotFound", "DBSnapshotNotFoundFault"),
    import_id="the copy's name",
)

TYPES = (SNAPSHOT_COPY,)
