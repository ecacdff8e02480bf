"""What a database instance takes when: at creation, at restoring, by modification."""

from typing import Any, Final

from embedded.plugins.common.values import Values

# Inputs that ModifyDBInstance takes under their creation names.
# https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_ModifyDBInstance.html
MODIFIABLE: Final = frozenset(
    {
        "allocatedStorage",
        "allowMajorVersionUpgrade",
        "autoMinorVersionUpgrade",
        "backupRetentionPeriod",
        "backupWindow",
        "caCertIdentifier",
        "copyTagsToSnapshot",
        "databaseInsightsMode",
        "dbSubnetGroupName",
        "dedicatedLogVolume",
        "deletionProtection",
        "engineVersion",
        "iamDatabaseAuthenticationEnabled",
        "instanceClass",
        "iops",
        "licenseModel",
        "maintenanceWindow",
        "manageMasterUserPassword",
        "masterUserSecretKmsKeyId",
        "maxAllocatedStorage",
        "monitoringInterval",
        "monitoringRoleArn",
        "multiAz",
        "networkType",
        "optionGroupName",
        "parameterGroupName",
        "password",
        "performanceInsightsEnabled",
        "performanceInsightsKmsKeyId",
        "performanceInsightsRetentionPeriod",
        "publiclyAccessible",
        "storageThroughput",
        "storageType",
        "vpcSecurityGroupIds",
    }
)
# What both ways of restoring take. https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_RestoreDBInstanceFromDBSnapshot.html
RESTORABLE: Final = frozenset(
    {
        "identifier",
        "instanceClass",
        "port",
        "availabilityZone",
        "dbSubnetGroupName",
        "multiAz",
        "publiclyAccessible",
        "autoMinorVersionUpgrade",
        "licenseModel",
        "iops",
        "storageType",
        "storageThroughput",
        "optionGroupName",
        "copyTagsToSnapshot",
        "vpcSecurityGroupIds",
        "iamDatabaseAuthenticationEnabled",
        "enabledCloudwatchLogsExports",
        "deletionProtection",
        "parameterGroupName",
        "networkType",
        "dedicatedLogVolume",
    }
)


def same_version(known: Any, wanted: Any) -> bool:
    """Whether a wanted version names the actual one: "16" is any 16.x (db_instance, `engine_version`)."""
    longer, shorter = str(known or ""), str(wanted or "")
    if len(longer) < len(shorter):
        longer, shorter = shorter, longer
    return longer == shorter or longer.startswith(f"{shorter}.")


def check_instance(values: Values) -> list[tuple[str, str]]:
    """Mistakes over several inputs, as (property, what is wrong)."""
    failures = []
    restored = values.get("snapshotIdentifier") or values.get("restoreToPointInTime")
    for needed in () if restored else ("engine", "username"):
        if needed not in values:
            failures.append((needed, f"aws:rds/instance:Instance: required property '{needed}' is missing"))
    if not restored and "allocatedStorage" not in values:
        message = "aws:rds/instance:Instance: required property 'allocatedStorage' (GiB) is missing"
        failures.append(("allocatedStorage", message))
    if values.get("password") is not None and values.get("manageMasterUserPassword"):
        failures.append(
            ("password", "'password' conflicts with 'manageMasterUserPassword'; give one of them")
        )
    if not restored and values.get("password") is None and not values.get("manageMasterUserPassword"):
        failures.append(("password", "give 'manageMasterUserPassword: true' or 'password'"))
    return failures
