"""RDS database instances: from nothing, from a snapshot, or from a point in time."""

from typing import Any, Final

from embedded.plugins.aws.call import Call, key_value_tags, tags_from_pairs
from embedded.plugins.aws.errors import code_of
from embedded.plugins.aws.mapping import from_aws, to_aws
from embedded.plugins.aws.schema import ResourceType, block, flag, names, number, text, text_set
from embedded.plugins.aws.types.rds import rds_tags
from embedded.plugins.aws.types.rds_instance_rules import (
    MODIFIABLE,
    RESTORABLE,
    check_instance,
    same_version,
)
from embedded.plugins.common.errors import PluginError
from embedded.plugins.common.values import Values

# db_instance, "Timeouts": create 40, update 80, delete 60 minutes.
CREATE_SECONDS: Final = 2400.0
UPDATE_SECONDS: Final = 4800.0
DELETE_SECONDS: Final = 3600.0
GONE: Final = ("DBInstanceNotFound", "DBInstanceNotFoundFault")
# https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/CHAP_Storage.html#gp3-storage
STRIPED_GIB: Final = 400


def _describe(call: Call) -> dict[str, Any] | None:
    found = call.client.describe_db_instances(DBInstanceIdentifier=call.id)["DBInstances"]
    return dict(found[0]) if found else None


def _create(call: Call) -> str:
    tags = {"Tags": key_value_tags(call.tags)} if call.tags else {}
    if call.get("snapshotIdentifier"):
        arguments = {"DBSnapshotIdentifier": call.values["snapshotIdentifier"]}
        call.client.restore_db_instance_from_db_snapshot(**call.arguments(RESTORABLE), **arguments, **tags)
    elif call.get("restoreToPointInTime"):
        _restore_to_time(call, tags)
    else:
        call.client.create_db_instance(**call.arguments(), **tags)
    return str(call.values["identifier"])


def _restore_to_time(call: Call, tags: dict[str, Any]) -> None:
    arguments = call.arguments(RESTORABLE)
    arguments["TargetDBInstanceIdentifier"] = arguments.pop("DBInstanceIdentifier")
    names = {
        "restoreTime": "RestoreTime",
        "sourceDbInstanceIdentifier": "SourceDBInstanceIdentifier",
        "sourceDbiResourceId": "SourceDbiResourceId",
        "sourceDbInstanceAutomatedBackupsArn": "SourceDBInstanceAutomatedBackupsArn",
        "useLatestRestorableTime": "UseLatestRestorableTime",
    }
    source = {names[key]: value for key, value in call.values["restoreToPointInTime"].items()}
    call.client.restore_db_instance_to_point_in_time(**arguments, **source, **tags)


def _wait_available(call: Call, seconds: float) -> dict[str, Any]:
    latest: dict[str, Any] = {}

    def available() -> bool:
        latest.clear()
        latest.update(_describe(call) or {})
        if latest.get("DBInstanceStatus") in ("failed", "incompatible-parameters", "incompatible-network"):
            raise PluginError(f"instance '{call.id}' is in status '{latest['DBInstanceStatus']}'")
        return latest.get("DBInstanceStatus") == "available"

    call.wait(f"instance '{call.id}' becoming available", available, seconds)
    return latest


def _settled(call: Call) -> None:
    found = _wait_available(call, CREATE_SECONDS)
    if not (call.get("snapshotIdentifier") or call.get("restoreToPointInTime")):
        return
    # A restored instance takes the rest of its settings by modification.
    known = from_aws(call.kind, found)
    rest = {
        item
        for item in MODIFIABLE
        if item in call.values
        and not call.kind.properties[item].same(known.get(item), call.values[item])
        and (item not in RESTORABLE or item in known)
    }
    if rest - {"allowMajorVersionUpgrade"}:
        _modify(call, rest, CREATE_SECONDS, at_once=True)


def _modify(call: Call, names: set[str], seconds: float, at_once: bool) -> None:
    # A flag that the program no longer sets goes back to off.
    dropped = {item: False for item in names if call.kind.properties[item].kind == "flag"}
    arguments = to_aws(call.kind, {**dropped, **call.values}, names)
    _name_iops(call, names, arguments)
    if "Port" in arguments:
        arguments["DBPortNumber"] = arguments.pop("Port")
    if "AllowMajorVersionUpgrade" not in arguments and call.get("allowMajorVersionUpgrade"):
        arguments["AllowMajorVersionUpgrade"] = True
    exports = _log_exports(call) if "enabledCloudwatchLogsExports" in names else {}
    arguments.pop("EnableCloudwatchLogsExports", None)
    call.client.modify_db_instance(
        DBInstanceIdentifier=call.id, ApplyImmediately=at_once, **arguments, **exports
    )
    _wait_available(call, seconds)


def _name_iops(call: Call, names: set[str], arguments: dict[str, Any]) -> None:
    """Send the IOPS of before with another size, where the program names none: RDS wants both together.

    Below the threshold it refuses them, so the provider leaves them out there.
    https://github.com/hashicorp/terraform-provider-aws/issues/28382
    """
    striped = int(call.get("allocatedStorage") or 0) >= STRIPED_GIB
    if "allocatedStorage" in names and call.get("storageType") == "gp3" and striped:
        before = call.get("iops") or call.old.get("iops")
        if before and "Iops" not in arguments:
            arguments["Iops"] = int(before)


def _log_exports(call: Call) -> dict[str, Any]:
    before = set(call.old.get("enabledCloudwatchLogsExports", []))
    after = set(call.get("enabledCloudwatchLogsExports", []))
    wanted = {"EnableLogTypes": sorted(after - before), "DisableLogTypes": sorted(before - after)}
    return {"CloudwatchLogsExportConfiguration": {key: kinds for key, kinds in wanted.items() if kinds}}


def _update(call: Call) -> None:
    names = call.changed & (MODIFIABLE | {"port", "enabledCloudwatchLogsExports"})
    if names:
        _modify(call, set(names), UPDATE_SECONDS, at_once=bool(call.get("applyImmediately")))


def _read(call: Call) -> Values | None:
    found = _describe(call)
    if found is None or found["DBInstanceStatus"] == "deleting":
        return None
    endpoint = found.get("Endpoint") or {}
    secret = found.get("MasterUserSecret")
    return {
        **from_aws(call.kind, found),
        "port": endpoint.get("Port"),
        "address": endpoint.get("Address"),
        "endpoint": f"{endpoint['Address']}:{endpoint['Port']}" if endpoint.get("Address") else None,
        "hostedZoneId": endpoint.get("HostedZoneId"),
        "engineVersionActual": found.get("EngineVersion"),
        "dbSubnetGroupName": (found.get("DBSubnetGroup") or {}).get("DBSubnetGroupName"),
        "parameterGroupName": _first(found.get("DBParameterGroups"), "DBParameterGroupName"),
        "optionGroupName": _first(found.get("OptionGroupMemberships"), "OptionGroupName"),
        "vpcSecurityGroupIds": [
            group["VpcSecurityGroupId"] for group in found.get("VpcSecurityGroups") or []
        ],
        "enabledCloudwatchLogsExports": found.get("EnabledCloudwatchLogsExports") or [],
        "performanceInsightsEnabled": found.get("PerformanceInsightsEnabled"),
        "iamDatabaseAuthenticationEnabled": found.get("IAMDatabaseAuthenticationEnabled"),
        "manageMasterUserPassword": True if secret else None,
        "masterUserSecrets": [_secret(secret)] if secret else [],
        "masterUserSecretKmsKeyId": (secret or {}).get("KmsKeyId"),
        "tagsAll": tags_from_pairs(found.get("TagList")),
    }


def _secret(secret: dict[str, Any]) -> dict[str, Any]:
    return {
        "kmsKeyId": secret.get("KmsKeyId"),
        "secretArn": secret.get("SecretArn"),
        "secretStatus": secret.get("SecretStatus"),
    }


def _first(items: list[dict[str, Any]] | None, key: str) -> str | None:
    return str(items[0][key]) if items else None


def _delete(call: Call) -> None:
    final, skip = call.get("finalSnapshotIdentifier"), bool(call.get("skipFinalSnapshot"))
    if not skip and not final:
        raise PluginError("finalSnapshotIdentifier is required when skipFinalSnapshot is false")
    found = _describe(call)
    if found is not None and found.get("DeletionProtection"):
        # https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DeleteDBInstance.html
        raise PluginError(
            "InvalidParameterCombination: Cannot delete protected DB Instance, please disable deletion "
            f"protection and try again (DeleteDBInstance): '{call.id}'"
        )
    if not skip:
        _refuse_existing_snapshot(call, final)
    if found is None or found["DBInstanceStatus"] != "deleting":
        call.client.delete_db_instance(
            DBInstanceIdentifier=call.id,
            SkipFinalSnapshot=skip,
            DeleteAutomatedBackups=bool(call.get("deleteAutomatedBackups", True)),
            **({} if skip else {"FinalDBSnapshotIdentifier": final}),
        )
    call.wait(f"instance '{call.id}' being deleted", lambda: _is_gone(call), DELETE_SECONDS)


def _refuse_existing_snapshot(call: Call, final: str) -> None:
    try:
        found = call.client.describe_db_snapshots(DBSnapshotIdentifier=final)["DBSnapshots"]
    except Exception as error:
        if code_of(error) in ("DBSnapshotNotFound", "DBSnapshotNotFoundFault"):
            return
        raise
    if found:
        raise PluginError(
            f"DBSnapshotAlreadyExists: Cannot create the snapshot because a snapshot with the identifier "
            f"{final} already exists (DeleteDBInstance)"
        )


def _is_gone(call: Call) -> bool:
    try:
        return _describe(call) is None
    except Exception as error:
        if code_of(error) in GONE:
            return True
        raise


INSTANCE = ResourceType(
    token="aws:rds/instance:Instance",  # noqa: S106 - a type token
    page="db_instance",
    service="rds",
    properties={
        **names("identifier", 63, aws="DBInstanceIdentifier", form=str.lower),
        "allocatedStorage": number(computed=True),
        "allowMajorVersionUpgrade": flag(aws=None, write_only=True),
        "applyImmediately": flag(aws=None, write_only=True),
        "autoMinorVersionUpgrade": flag(default=True),
        "availabilityZone": text(fixed=True, computed=True),
        "backupRetentionPeriod": number(computed=True),
        "backupWindow": text(aws="PreferredBackupWindow", computed=True),
        "caCertIdentifier": text(aws="CACertificateIdentifier", computed=True),
        "copyTagsToSnapshot": flag(default=False),
        "databaseInsightsMode": text(computed=True),
        "dbName": text(aws="DBName", fixed=True, computed=True),
        "dbSubnetGroupName": text(aws="DBSubnetGroupName", computed=True),
        "dedicatedLogVolume": flag(default=False),
        "deleteAutomatedBackups": flag(aws=None, default=True, write_only=True),
        "deletionProtection": flag(default=False),
        "enabledCloudwatchLogsExports": text_set(aws="EnableCloudwatchLogsExports"),
        "engine": text(fixed=True, computed=True),
        "engineVersion": text(computed=True, equal=same_version),
        "finalSnapshotIdentifier": text(aws=None, write_only=True),
        "iamDatabaseAuthenticationEnabled": flag(aws="EnableIAMDatabaseAuthentication"),
        "instanceClass": text(aws="DBInstanceClass", required=True),
        "iops": number(computed=True),
        "kmsKeyId": text(fixed=True, computed=True),
        "licenseModel": text(computed=True),
        "maintenanceWindow": text(
            aws="PreferredMaintenanceWindow",
            computed=True,
            equal=lambda left, right: str(left).lower() == str(right).lower(),
        ),
        "manageMasterUserPassword": flag(),
        "masterUserSecretKmsKeyId": text(computed=True),
        "maxAllocatedStorage": number(),
        "monitoringInterval": number(default=0),
        "monitoringRoleArn": text(computed=True),
        "multiAz": flag(aws="MultiAZ", computed=True),
        "networkType": text(computed=True),
        "optionGroupName": text(computed=True),
        "parameterGroupName": text(aws="DBParameterGroupName", computed=True),
        "password": text(aws="MasterUserPassword", secret=True, write_only=True),
        "performanceInsightsEnabled": flag(aws="EnablePerformanceInsights", default=False),
        "performanceInsightsKmsKeyId": text(aws="PerformanceInsightsKMSKeyId", computed=True),
        "performanceInsightsRetentionPeriod": number(computed=True),
        "port": number(computed=True),
        "publiclyAccessible": flag(default=False),
        "restoreToPointInTime": block(
            {
                "restoreTime": text(),
                "sourceDbInstanceAutomatedBackupsArn": text(),
                "sourceDbInstanceIdentifier": text(),
                "sourceDbiResourceId": text(),
                "useLatestRestorableTime": flag(),
            },
            aws=None,
            fixed=True,
            write_only=True,
        ),
        "skipFinalSnapshot": flag(aws=None, default=False, write_only=True),
        "snapshotIdentifier": text(aws=None, fixed=True, write_only=True),
        "storageEncrypted": flag(fixed=True, computed=True),
        "storageThroughput": number(computed=True),
        "storageType": text(computed=True),
        "username": text(aws="MasterUsername", fixed=True, computed=True),
        "vpcSecurityGroupIds": text_set(computed=True),
    },
    outputs={
        "address": None,
        "arn": "DBInstanceArn",
        "endpoint": None,
        "engineVersionActual": None,
        "hostedZoneId": None,
        "latestRestorableTime": "LatestRestorableTime",
        "masterUserSecrets": None,
        "resourceId": "DbiResourceId",
        "status": "DBInstanceStatus",
    },
    secret_outputs=("password",),
    volatile=("engineVersionActual", "latestRestorableTime", "masterUserSecrets", "status"),
    create=_create,
    settled=_settled,
    read=_read,
    update=_update,
    delete=_delete,
    tags=rds_tags("db"),
    gone=GONE,
    validate=check_instance,
    import_id="the instance's identifier",
)

TYPES = (INSTANCE,)
