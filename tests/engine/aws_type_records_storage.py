"""Lives of the types of data: S3, RDS, KMS, Secrets Manager."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from aws_type_life import Ask, Never, Record
from aws_type_world import document

BY_HAND = {"Name": "by hand"}


def _pairs(found: list[Mapping[str, str]]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in found}


# --- S3 ---


def _bucket(ask: Ask, bucket: str) -> Mapping[str, Any]:
    ask("s3").head_bucket(Bucket=bucket)
    tags = _pairs(ask("s3").get_bucket_tagging(Bucket=bucket)["TagSet"])
    return {"part": tags.get("part"), "deployment-id": tags.get("deployment-id")}


def _tag_bucket(ask: Ask, bucket: str) -> None:
    tags = [{"Key": "part", "Value": "by hand"}, {"Key": "deployment-id", "Value": "life"}]
    ask("s3").put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": tags})


def _access(ask: Ask, bucket: str) -> Mapping[str, Any]:
    return dict(ask("s3").get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"])


def _open_access(ask: Ask, bucket: str) -> None:
    ask("s3").put_public_access_block(
        Bucket=bucket, PublicAccessBlockConfiguration={"BlockPublicAcls": True, "BlockPublicPolicy": False}
    )


def _encryption(ask: Ask, bucket: str) -> Mapping[str, Any]:
    rules = ask("s3").get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    return dict(rules[0]["ApplyServerSideEncryptionByDefault"])


def _encrypt_otherwise(ask: Ask, bucket: str) -> None:
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
    ask("s3").put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": [rule]})


def _versioning(ask: Ask, bucket: str) -> Mapping[str, Any] | None:
    status = ask("s3").get_bucket_versioning(Bucket=bucket).get("Status")
    # What has been versioned can only be suspended: that is how it ends.
    return {"status": status} if status == "Enabled" else None


def _ownership(ask: Ask, bucket: str) -> Mapping[str, Any]:
    return dict(ask("s3").get_bucket_ownership_controls(Bucket=bucket)["OwnershipControls"]["Rules"][0])


def _own_otherwise(ask: Ask, bucket: str) -> None:
    controls = {"Rules": [{"ObjectOwnership": "ObjectWriter"}]}
    ask("s3").put_bucket_ownership_controls(Bucket=bucket, OwnershipControls=controls)


def _bucket_policy(ask: Ask, bucket: str) -> Mapping[str, Any]:
    policy = json.loads(ask("s3").get_bucket_policy(Bucket=bucket)["Policy"])
    return {"action": policy["Statement"][0]["Action"]}


def _resource_policy(action: str, bucket: str) -> str:
    return document(action, f"arn:aws:s3:::{bucket}/*", Principal={"AWS": "arn:aws:iam::$account:root"})


def _lifecycle(ask: Ask, bucket: str) -> Mapping[str, Any]:
    rule = ask("s3").get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"][0]
    return {"days": rule["Expiration"]["Days"], "prefix": rule["Filter"]["Prefix"]}


def _expire_otherwise(ask: Ask, bucket: str) -> None:
    rule = {"ID": "expire", "Status": "Enabled", "Filter": {"Prefix": "a/"}, "Expiration": {"Days": 1}}
    ask("s3").put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": [rule]})


def _expiry(days: int) -> list[dict[str, Any]]:
    rule = {"id": "expire", "status": "Enabled", "filter": {"prefix": "a/"}, "expiration": {"days": days}}
    return [rule]


def _logging(ask: Ask, bucket: str) -> Mapping[str, Any] | None:
    found = ask("s3").get_bucket_logging(Bucket=bucket).get("LoggingEnabled")
    return {"prefix": found["TargetPrefix"]} if found else None


def _log_otherwise(ask: Ask, bucket: str) -> None:
    found = ask("s3").get_bucket_logging(Bucket=bucket)["LoggingEnabled"]
    status = {"LoggingEnabled": {**found, "TargetPrefix": "by-hand/"}}
    ask("s3").put_bucket_logging(Bucket=bucket, BucketLoggingStatus=status)


def _object(ask: Ask, resource: str) -> Mapping[str, Any]:
    bucket, _, key = resource.partition("/")
    found = ask("s3").get_object(Bucket=bucket, Key=key)
    return {"body": found["Body"].read().decode(), "type": found["ContentType"]}


def _write_object(ask: Ask, resource: str) -> None:
    bucket, _, key = resource.partition("/")
    ask("s3").put_object(Bucket=bucket, Key=key, Body=b"by hand", ContentType="text/csv")


def _object_record(token: str, key: str) -> Record:
    return Record(
        token=token,
        inputs={"bucket": "$bucket", "key": f"{key}/one", "content": "one", "contentType": "text/plain"},
        look=_object,
        made={"body": "one", "type": "text/plain"},
        update={"content": "two"},
        updated={"body": "two"},
        replace={"key": f"{key}/two"},
        behind=_write_object,
        drifted={"contentType": "text/csv"},
        unread=("content", "forceDestroy"),
    )


S3 = (
    Record(
        token="aws:s3/bucket:Bucket",
        inputs={"bucket": "life-one", "tags": {"part": "one"}},
        look=_bucket,
        made={"part": "one", "deployment-id": "life"},
        update={"tags": {"part": "two"}},
        updated={"part": "two"},
        replace={"bucket": "life-two"},
        behind=_tag_bucket,
        drifted={"tags": {"part": "by hand"}},
        unread=("forceDestroy",),
    ),
    Record(
        token="aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock",
        inputs={"bucket": "$bucket", "blockPublicAcls": True, "blockPublicPolicy": True},
        look=_access,
        made={"BlockPublicAcls": True, "BlockPublicPolicy": True, "RestrictPublicBuckets": False},
        update={"restrictPublicBuckets": True},
        updated={"RestrictPublicBuckets": True},
        replace={"bucket": "$bucket2"},
        behind=_open_access,
        drifted={"blockPublicPolicy": False},
    ),
    Record(
        token="aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",
        inputs={
            "bucket": "$bucket",
            "rules": [
                {
                    "applyServerSideEncryptionByDefault": {
                        "sseAlgorithm": "aws:kms",
                        "kmsMasterKeyId": "$key_arn",
                    }
                }
            ],
        },
        look=_encryption,
        made={"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": "$key_arn"},
        update={
            "rules": [
                {
                    "applyServerSideEncryptionByDefault": {
                        "sseAlgorithm": "aws:kms",
                        "kmsMasterKeyId": "$key_arn2",
                    }
                }
            ]
        },
        updated={"KMSMasterKeyID": "$key_arn2"},
        replace={"bucket": "$bucket2"},
        behind=_encrypt_otherwise,
        drifted={
            "rules": [
                {
                    "applyServerSideEncryptionByDefault": {"sseAlgorithm": "AES256"},
                    "bucketKeyEnabled": False,
                }
            ]
        },
    ),
    Record(
        token="aws:s3/bucketVersioning:BucketVersioning",
        inputs={"bucket": "$bucket", "versioningConfiguration": {"status": "Enabled"}},
        look=_versioning,
        made={"status": "Enabled"},
        update={"versioningConfiguration": {"status": "Enabled", "mfaDelete": "Disabled"}},
        replace={"bucket": "$bucket2"},
        behind=lambda ask, bucket: ask("s3").put_bucket_versioning(
            Bucket=bucket, VersioningConfiguration={"Status": "Suspended"}
        ),
        drifted={"versioningConfiguration": {"status": "Suspended"}},
        stays="what was versioned stays so, suspended",
    ),
    Record(
        token="aws:s3/bucketOwnershipControls:BucketOwnershipControls",
        inputs={"bucket": "$bucket", "rule": {"objectOwnership": "BucketOwnerEnforced"}},
        look=_ownership,
        made={"ObjectOwnership": "BucketOwnerEnforced"},
        update={"rule": {"objectOwnership": "BucketOwnerPreferred"}},
        updated={"ObjectOwnership": "BucketOwnerPreferred"},
        replace={"bucket": "$bucket2"},
        behind=_own_otherwise,
        drifted={"rule": {"objectOwnership": "ObjectWriter"}},
    ),
    Record(
        token="aws:s3/bucketPolicy:BucketPolicy",
        inputs={"bucket": "$bucket", "policy": _resource_policy("s3:GetObject", "$bucket")},
        look=_bucket_policy,
        made={"action": "s3:GetObject"},
        update={"policy": _resource_policy("s3:PutObject", "$bucket")},
        updated={"action": "s3:PutObject"},
        replace={"bucket": "$bucket2", "policy": _resource_policy("s3:PutObject", "$bucket2")},
        behind=lambda ask, bucket: ask("s3").put_bucket_policy(
            Bucket=bucket, Policy=document("s3:ListBucket", f"arn:aws:s3:::{bucket}", Principal="*")
        ),
        drifted={"policy": document("s3:ListBucket", "arn:aws:s3:::$bucket", Principal="*")},
    ),
    Record(
        token="aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration",
        inputs={"bucket": "$bucket", "rules": _expiry(30)},
        look=_lifecycle,
        made={"days": 30, "prefix": "a/"},
        update={"rules": _expiry(60)},
        updated={"days": 60},
        replace={"bucket": "$bucket2"},
        behind=_expire_otherwise,
        drifted={"rules": _expiry(1)},
    ),
    Record(
        token="aws:s3/bucketLogging:BucketLogging",
        inputs={"bucket": "$bucket", "targetBucket": "$log_bucket", "targetPrefix": "one/"},
        look=_logging,
        made={"prefix": "one/"},
        update={"targetPrefix": "two/"},
        updated={"prefix": "two/"},
        replace={"bucket": "$bucket2"},
        behind=_log_otherwise,
        drifted={"targetPrefix": "by-hand/"},
    ),
    _object_record("aws:s3/bucketObject:BucketObject", "old"),
    _object_record("aws:s3/bucketObjectv2:BucketObjectv2", "new"),
)


# --- RDS ---


def _instance(ask: Ask, identifier: str) -> Mapping[str, Any]:
    found = ask("rds").describe_db_instances(DBInstanceIdentifier=identifier)["DBInstances"][0]
    names = ("DBInstanceClass", "BackupRetentionPeriod", "MasterUsername", "DBInstanceStatus")
    return {name: found[name] for name in names}


def _modify_instance(ask: Ask, identifier: str) -> None:
    ask("rds").modify_db_instance(
        DBInstanceIdentifier=identifier, BackupRetentionPeriod=9, ApplyImmediately=True
    )


def _subnet_group(ask: Ask, name: str) -> Mapping[str, Any]:
    found = ask("rds").describe_db_subnet_groups(DBSubnetGroupName=name)["DBSubnetGroups"][0]
    return {"subnets": len(found["Subnets"]), "description": found["DBSubnetGroupDescription"]}


def _parameter_group(ask: Ask, name: str) -> Mapping[str, Any]:
    family = ask("rds").describe_db_parameter_groups(DBParameterGroupName=name)["DBParameterGroups"][0]
    found = ask("rds").describe_db_parameters(DBParameterGroupName=name, Source="user")["Parameters"]
    values = {item["ParameterName"]: item.get("ParameterValue") for item in found}
    return {"family": family["DBParameterGroupFamily"], "values": values}


def _set_parameter(ask: Ask, name: str) -> None:
    parameter = {"ParameterName": "log_min_duration_statement", "ParameterValue": "7"}
    ask("rds").modify_db_parameter_group(
        DBParameterGroupName=name, Parameters=[{**parameter, "ApplyMethod": "immediate"}]
    )


def _slow_queries(milliseconds: str) -> list[dict[str, str]]:
    parameter = {"name": "log_min_duration_statement", "value": milliseconds}
    return [{**parameter, "applyMethod": "immediate"}]


def _rds_tag(kind: str, argument: str, at: str) -> Any:
    def look(ask: Ask, name: str) -> Mapping[str, Any]:
        found = getattr(ask("rds"), f"describe_{kind}")(**{argument: name})[at][0]
        return {"Name": _pairs(found.get("TagList") or []).get("Name")}

    return look


def _tag_snapshot(ask: Ask, name: str) -> None:
    found = ask("rds").describe_db_snapshots(DBSnapshotIdentifier=name)["DBSnapshots"][0]
    tags = [{"Key": "Name", "Value": "by hand"}]
    ask("rds").add_tags_to_resource(ResourceName=found["DBSnapshotArn"], Tags=tags)


def _events(ask: Ask, name: str) -> Mapping[str, Any]:
    found = ask("rds").describe_event_subscriptions(SubscriptionName=name)["EventSubscriptionsList"][0]
    return {"categories": sorted(found["EventCategoriesList"]), "enabled": found["Enabled"]}


RDS = (
    Record(
        token="aws:rds/instance:Instance",
        inputs={
            "identifier": "life",
            "engine": "postgres",
            "instanceClass": "db.t4g.micro",
            "allocatedStorage": 20,
            "username": "admin_one",
            "manageMasterUserPassword": True,
            "backupRetentionPeriod": 1,
            "skipFinalSnapshot": True,
            "applyImmediately": True,
        },
        look=_instance,
        made={
            "DBInstanceClass": "db.t4g.micro",
            "BackupRetentionPeriod": 1,
            "MasterUsername": "admin_one",
            "DBInstanceStatus": "available",
        },
        update={"instanceClass": "db.t4g.small"},
        updated={"DBInstanceClass": "db.t4g.small"},
        replace={"username": "admin_two"},
        replaced={"MasterUsername": "admin_two"},
        behind=_modify_instance,
        drifted={"backupRetentionPeriod": 9},
        unread=("skipFinalSnapshot", "applyImmediately", "deleteAutomatedBackups", "dedicatedLogVolume"),
    ),
    Record(
        token="aws:rds/subnetGroup:SubnetGroup",
        inputs={"name": "life-one", "subnetIds": ["$subnet_a", "$subnet_b"], "description": "one"},
        look=_subnet_group,
        made={"subnets": 2, "description": "one"},
        update={"subnetIds": ["$subnet_a", "$subnet_b", "$subnet_c"]},
        updated={"subnets": 3},
        replace={"name": "life-two"},
        behind=lambda ask, name: ask("rds").modify_db_subnet_group(
            DBSubnetGroupName=name,
            DBSubnetGroupDescription="by hand",
            SubnetIds=[
                item["SubnetIdentifier"]
                for item in ask("rds").describe_db_subnet_groups(DBSubnetGroupName=name)["DBSubnetGroups"][0][
                    "Subnets"
                ]
            ],
        ),
        drifted={"description": "by hand"},
    ),
    Record(
        token="aws:rds/parameterGroup:ParameterGroup",
        inputs={"name": "life-one", "family": "postgres15", "parameters": _slow_queries("1000")},
        look=_parameter_group,
        made={"family": "postgres15", "values": {"log_min_duration_statement": "1000"}},
        update={"parameters": _slow_queries("2000")},
        updated={"values": {"log_min_duration_statement": "2000"}},
        replace={"name": "life-two"},
        behind=_set_parameter,
        drifted={"parameters": _slow_queries("7")},
        unread=("skipDestroy",),
    ),
    Record(
        token="aws:rds/snapshot:Snapshot",
        inputs={
            "dbInstanceIdentifier": "$database",
            "dbSnapshotIdentifier": "life-one",
            "tags": {"Name": "one"},
        },
        look=_rds_tag("db_snapshots", "DBSnapshotIdentifier", "DBSnapshots"),
        made={"Name": "one"},
        update={"tags": {"Name": "two"}},
        updated={"Name": "two"},
        replace={"dbSnapshotIdentifier": "life-two"},
        behind=_tag_snapshot,
        drifted={"tags": BY_HAND},
    ),
    Record(
        token="aws:rds/eventSubscription:EventSubscription",
        inputs={
            "name": "life-one",
            "snsTopic": "$topic",
            "sourceType": "db-instance",
            "sourceIds": ["$database"],
            "eventCategories": ["failure"],
        },
        look=_events,
        made={"categories": ["failure"], "enabled": True},
        update={"eventCategories": ["failure", "low storage"], "sourceIds": ["$database", "$database2"]},
        updated={"categories": ["failure", "low storage"]},
        replace={"name": "life-two"},
        behind=lambda ask, name: ask("rds").modify_event_subscription(SubscriptionName=name, Enabled=False),
        drifted={"enabled": False},
    ),
)


# --- KMS and Secrets Manager ---


def _key(ask: Ask, key: str) -> Mapping[str, Any] | None:
    found = ask("kms").describe_key(KeyId=key)["KeyMetadata"]
    if found["KeyState"] == "PendingDeletion":
        return None
    rotates = ask("kms").get_key_rotation_status(KeyId=key)["KeyRotationEnabled"]
    return {"description": found["Description"], "rotates": rotates, "usage": found["KeyUsage"]}


def _alias(ask: Ask, name: str) -> Mapping[str, Any] | None:
    aliases = ask("kms").list_aliases()["Aliases"]
    return next(({"key": item["TargetKeyId"]} for item in aliases if item["AliasName"] == name), None)


def _secret(ask: Ask, arn: str) -> Mapping[str, Any] | None:
    found = ask("secretsmanager").describe_secret(SecretId=arn)
    return None if found.get("DeletedDate") else {"description": found.get("Description")}


def _version(ask: Ask, resource: str) -> Mapping[str, Any]:
    arn, _, version = resource.partition("|")
    found = ask("secretsmanager").get_secret_value(SecretId=arn, VersionId=version)
    return {"text": found["SecretString"]}


def _secret_policy(ask: Ask, arn: str) -> Mapping[str, Any] | None:
    policy = ask("secretsmanager").get_resource_policy(SecretId=arn).get("ResourcePolicy")
    return {"action": json.loads(policy)["Statement"][0]["Action"]} if policy else None


def _rotation(ask: Ask, arn: str) -> Mapping[str, Any] | None:
    found = ask("secretsmanager").describe_secret(SecretId=arn)
    if not found.get("RotationEnabled"):
        return None
    return {"days": found["RotationRules"]["AutomaticallyAfterDays"]}


def _reader(action: str) -> str:
    return document(action, Principal={"AWS": "arn:aws:iam::$account:root"})


SECRETS = (
    Record(
        token="aws:kms/key:Key",
        inputs={"description": "one", "deletionWindowInDays": 7, "enableKeyRotation": True},
        look=_key,
        made={"description": "one", "rotates": True},
        update={"enableKeyRotation": False},
        updated={"rotates": False},
        replace={"keyUsage": "SIGN_VERIFY", "customerMasterKeySpec": "RSA_2048"},
        replaced={"usage": "SIGN_VERIFY"},
        behind=lambda ask, key: ask("kms").update_key_description(KeyId=key, Description="by hand"),
        drifted={"description": "by hand"},
        unread=("deletionWindowInDays", "bypassPolicyLockoutSafetyCheck"),
    ),
    Record(
        token="aws:kms/alias:Alias",
        inputs={"name": "alias/life-one", "targetKeyId": "$key"},
        look=_alias,
        made={"key": "$key"},
        update={"targetKeyId": "$key2"},
        updated={"key": "$key2"},
        replace={"name": "alias/life-two"},
        behind=Never("all it has is a key, and that is what the update moves"),
    ),
    Record(
        token="aws:secretsmanager/secret:Secret",
        inputs={"name": "life-one", "description": "one", "recoveryWindowInDays": 0},
        look=_secret,
        made={"description": "one"},
        update={"description": "two"},
        updated={"description": "two"},
        replace={"name": "life-two"},
        behind=lambda ask, arn: ask("secretsmanager").update_secret(SecretId=arn, Description="by hand"),
        drifted={"description": "by hand"},
        unread=("recoveryWindowInDays", "forceOverwriteReplicaSecret"),
    ),
    Record(
        token="aws:secretsmanager/secretVersion:SecretVersion",
        inputs={"secretId": "$secret", "secretString": "one"},
        look=_version,
        made={"text": "one"},
        update=Never("a version never changes; another text is another version"),
        replace={"secretString": "two"},
        replaced={"text": "two"},
        behind=Never("a version never changes, and cannot be deleted alone"),
        stays="a version ends with its secret",
    ),
    Record(
        token="aws:secretsmanager/secretPolicy:SecretPolicy",
        inputs={"secretArn": "$secret", "policy": _reader("secretsmanager:GetSecretValue")},
        look=_secret_policy,
        made={"action": "secretsmanager:GetSecretValue"},
        update={"policy": _reader("secretsmanager:DescribeSecret")},
        updated={"action": "secretsmanager:DescribeSecret"},
        replace={"secretArn": "$secret2"},
        behind=lambda ask, arn: ask("secretsmanager").put_resource_policy(
            SecretId=arn, ResourcePolicy=document("secretsmanager:PutSecretValue", Principal="*")
        ),
        drifted={"policy": document("secretsmanager:PutSecretValue", Principal="*")},
        unread=("blockPublicPolicy",),
    ),
    Record(
        token="aws:secretsmanager/secretRotation:SecretRotation",
        inputs={"secretId": "$master_secret2", "rotationRules": {"automaticallyAfterDays": 30}},
        look=_rotation,
        made={"days": 30},
        update={"rotationRules": {"automaticallyAfterDays": 60}},
        updated={"days": 60},
        replace={"secretId": "$master_secret3"},
        behind=lambda ask, arn: ask("secretsmanager").rotate_secret(
            SecretId=arn, RotationRules={"AutomaticallyAfterDays": 7}
        ),
        drifted={"rotationRules": {"automaticallyAfterDays": 7}},
        unread=("rotateImmediately",),
    ),
)

RECORDS = (*S3, *RDS, *SECRETS)
