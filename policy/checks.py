"""The baseline as data: row -> ids, level, and how to look. Rows 42 to 44 are of rendered manifests."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final
from urllib.parse import urlsplit

from policy import documents, network
from policy.model import Check, Level, Look, Program, at, beside, every, of, together

M, D, A = Level.MANDATORY, Level.DURABLE, Level.ADVISORY
DB: Final = "aws:rds/instance:Instance"
BUCKET: Final = "aws:s3/bucket:Bucket"
ENCRYPTION: Final = "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration"
ACCESS: Final = "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock"
LIFECYCLE: Final = "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration"
OWNERSHIP: Final = "aws:s3/bucketOwnershipControls:BucketOwnershipControls"
VERSIONING: Final = "aws:s3/bucketVersioning:BucketVersioning"
SECRET: Final = "aws:secretsmanager/secret:Secret"  # noqa: S105 - a type token
EKS: Final = network.CLUSTER
REGISTRY: Final = "aws:ecr/repository:Repository"
PGBOUNCER: Final = "airflow-pgbouncer"
PGBOUNCER_VERIFIES: Final = "server_tls_sslmode = verify-full"
# Of psycopg2's URL, and of asyncpg's.
VERIFIED: Final = frozenset({"sslmode=verify-full", "ssl=verify-full"})
SUPPORTED_KUBERNETES: Final = ("1.33", "1.34", "1.35")


def _set(value: Any) -> bool:
    return bool(value)


def _true(value: Any) -> bool:
    return value is True


def _off(value: Any) -> bool:
    return value in (None, False)


def _is(wanted: str) -> Callable[[Any], bool]:
    return lambda value: value == wanted


def _has(wanted: Iterable[str]) -> Callable[[Any], bool]:
    return lambda value: set(wanted) <= set(value or ())


def _on(type_: str, path: str) -> Look:
    return every(type_, path, _true, "true")


def _given(type_: str, path: str) -> Look:
    return every(type_, path, _set, "a value")


def _parameters(program: Program) -> Iterator[str]:
    for group in of(program, "aws:rds/parameterGroup:ParameterGroup"):
        found = {item["name"]: item["value"] for item in group.inputs.get("parameters") or []}
        wanted = {"rds.force_ssl": "1", "log_statement": None, "log_min_duration_statement": None}
        for name, value in wanted.items():
            if name not in found or value not in (None, found[name]):
                yield f"{group.name}: {name} is {found.get(name)}; wanted: {value or 'a value'}"


def _events(program: Program) -> Iterator[str]:
    kinds = {
        item.inputs.get("sourceType") for item in of(program, "aws:rds/eventSubscription:EventSubscription")
    }
    missing = {"db-instance", "db-parameter-group", "db-security-group"} - kinds
    if of(program, DB) and missing:
        yield f"no events of {', '.join(sorted(missing))}"


def _no_literal_password(program: Program) -> Iterator[str]:
    for instance in of(program, DB):
        if "password" in instance.inputs or not instance.inputs.get("manageMasterUserPassword"):
            yield f"{instance.name}: its master password is not RDS's own"


def _airflow(program: Program) -> Iterator[str]:
    wanted: dict[str, Callable[[Any], bool]] = {
        "fernetKeySecretName": _set,
        "apiSecretKeySecretName": _set,
        "jwtSecretName": _set,
        "postgresql.enabled": lambda value: value is False,
        "config.api.expose_config": lambda value: str(value).lower() in ("none", "false"),
    }
    for release in of(program, "kubernetes:helm.sh/v3:Release"):
        values = release.inputs.get("values") or {}
        for path, right in wanted.items():
            if not right(at(values, path)):
                yield f"{release.name}: {path} is {at(values, path)!r}"
        if at(values, "createUserJob.defaultUser.enabled") is True:
            yield f"{release.name}: has a default user"
    yield from _unverified_sessions(program)


def _unverified_sessions(program: Program) -> Iterator[str]:
    """Who opens a session with the database verifies its certificate: Airflow, or PgBouncer for it."""
    for secret in of(program, "kubernetes:core/v1:Secret"):
        texts = secret.inputs.get("stringData") or {}
        for key in ("connection", "connection-async"):
            url = urlsplit(str(texts.get(key, "")))
            # PgBouncer is asked within the namespace, without TLS; its own session is looked at below.
            direct = url.hostname not in (None, PGBOUNCER, "127.0.0.1")
            if direct and not VERIFIED & set(url.query.split("&")):
                yield f"{secret.name}: {key} does not verify the database's certificate"
        if "pgbouncer.ini" in texts and PGBOUNCER_VERIFIES not in str(texts["pgbouncer.ini"]):
            yield f"{secret.name}: PgBouncer does not verify the database's certificate"


def _tags(program: Program) -> Iterator[str]:
    for provider in of(program, "pulumi:providers:aws"):
        tags = json.loads(provider.inputs.get("defaultTags") or "{}").get("tags") or {}
        missing = {"project", "stack", "owner", "deployment-id"} - tags.keys()
        if missing:
            yield f"{provider.name}: no tags {', '.join(sorted(missing))}"


def _nodes(program: Program) -> Iterator[str]:
    # Nodes of Auto Mode have IMDSv2 with one hop and encrypted disks, and that can't be changed.
    for cluster in of(program, EKS):
        if at(cluster.inputs, "computeConfig.enabled") is not True:
            yield f"{cluster.name}: is not in Auto Mode"
    for instance in of(program, "aws:ec2/instance:Instance"):
        metadata = instance.inputs.get("metadataOptions") or {}
        if (metadata.get("httpTokens"), metadata.get("httpPutResponseHopLimit")) != ("required", 1):
            yield f"{instance.name}: takes IMDSv1, or more than one hop"
        if at(instance.inputs, "rootBlockDevice.encrypted") is not True:
            yield f"{instance.name}: its disk is not encrypted"


_FLAGS = ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")
_DEFAULT = "rules.applyServerSideEncryptionByDefault"
_LOGS = ("postgresql", "upgrade")
_EKS_LOGS = ("api", "audit", "authenticator", "controllerManager", "scheduler")

# Rows of the chart's manifests, which no program registers.
RENDERED: Final = {
    42: "Pods are restricted",
    43: "Requests, limits, probes, fixed images, a namespace",
    44: "Network policies, narrow roles, tokens where used",
}
CHECKS: Final = (
    Check(1, "Database is private", ("RDS.2", "CIS 2.2.3", "CKV_AWS_17"), M,
          every(DB, "publiclyAccessible", _off, "false")),
    Check(2, "Database is encrypted with an own key", ("RDS.3", "CIS 2.2.1", "CKV_AWS_16"), M,
          together(_on(DB, "storageEncrypted"), _given(DB, "kmsKeyId"))),
    Check(3, "Database has a standby", ("RDS.5", "CIS 2.2.4", "CKV_AWS_157"), D, _on(DB, "multiAz")),
    Check(4, "Enhanced monitoring", ("RDS.6", "CKV_AWS_118"), D,
          together(_given(DB, "monitoringInterval"), _given(DB, "monitoringRoleArn"))),
    Check(5, "Deletion protection", ("RDS.8", "CKV_AWS_293"), D, _on(DB, "deletionProtection")),
    Check(6, "Database exports its logs", ("RDS.9", "RDS.36", "CKV_AWS_129"), D,
          every(DB, "enabledCloudwatchLogsExports", _has(_LOGS), str(_LOGS))),
    Check(7, "IAM authentication", ("RDS.10", "CKV_AWS_161"), M, _on(DB, "iamDatabaseAuthenticationEnabled")),
    Check(8, "Backups for two weeks", ("RDS.11", "CKV_AWS_133"), D,
          every(DB, "backupRetentionPeriod", lambda days: (days or 0) >= 14, "14 or more")),
    Check(9, "Minor upgrades", ("RDS.13", "CIS 2.2.2", "CKV_AWS_226"), M, _on(DB, "autoMinorVersionUpgrade")),
    Check(10, "Snapshots carry tags", ("RDS.17", "CKV2_AWS_60"), M, _on(DB, "copyTagsToSnapshot")),
    Check(11, "Database in private subnets", ("RDS.18",), M, network.databases_are_in_private_subnets),
    Check(12, "Events of the database", ("RDS.20", "RDS.21", "RDS.22"), A, _events),
    Check(13, "Own name of the master user", ("RDS.25", "RDS.23"), A,
          every(DB, "username", lambda name: name not in (None, "admin", "postgres"), "a name of its own")),
    Check(14, "Database takes TLS alone and logs statements", ("RDS.38", "CKV2_AWS_69", "CKV2_AWS_30"), M,
          _parameters),
    Check(15, "Modern certificate authority", ("CKV_AWS_211",), M,
          every(DB, "caCertIdentifier", lambda name: bool(name) and name != "rds-ca-2019", "rds-ca-*-g1")),
    Check(16, "Performance Insights under an own key", ("CKV_AWS_353", "CKV_AWS_354"), D,
          together(_on(DB, "performanceInsightsEnabled"), _given(DB, "performanceInsightsKmsKeyId"))),
    Check(17, "Final snapshot with a unique name", (), D,
          together(every(DB, "skipFinalSnapshot", _off, "false"), _given(DB, "finalSnapshotIdentifier"))),
    Check(18, "RDS keeps the master password", ("SecretsManager.1",), M, _no_literal_password),
    Check(19, "Buckets are private", ("S3.8", "S3.2", "S3.3", "CIS 2.1.4", "CKV2_AWS_6"), M,
          together(beside(BUCKET, ACCESS), *(_on(ACCESS, flag) for flag in _FLAGS))),
    Check(20, "Buckets take TLS alone", ("S3.5", "CIS 2.1.1", "CKV_AWS_379"), M,
          documents.buckets_refuse_plain_http),
    Check(21, "Buckets are encrypted with an own key", ("S3.17", "CKV_AWS_145", "CKV_AWS_19"), M,
          together(beside(BUCKET, ENCRYPTION), _given(ENCRYPTION, f"{_DEFAULT}.kmsMasterKeyId"),
                   _on(ENCRYPTION, "rules.bucketKeyEnabled"))),
    Check(22, "Buckets keep versions", ("S3.14", "CKV_AWS_21"), D,
          together(beside(BUCKET, VERSIONING),
                   every(VERSIONING, "versioningConfiguration.status", _is("Enabled"), "Enabled"))),
    Check(23, "Buckets forget by age", ("S3.10", "S3.13", "CKV2_AWS_61", "CKV_AWS_300"), M,
          together(beside(BUCKET, LIFECYCLE), _given(LIFECYCLE, "rules.expiration.days"),
                   _given(LIFECYCLE, "rules.noncurrentVersionExpiration.noncurrentDays"),
                   _given(LIFECYCLE, "rules.abortIncompleteMultipartUpload.daysAfterInitiation"))),
    Check(24, "Access logs of buckets", ("S3.9", "CKV_AWS_18"), A,
          beside(BUCKET, "aws:s3/bucketLogging:BucketLogging")),
    Check(25, "Buckets without ACLs", ("S3.12", "CKV2_AWS_65"), M,
          together(beside(BUCKET, OWNERSHIP),
                   every(OWNERSHIP, "rule.objectOwnership", _is("BucketOwnerEnforced"), "no ACLs"))),
    Check(26, "Buckets with objects stay", (), D, every(BUCKET, "forceDestroy", _off, "false")),
    Check(27, "API server is not for the world", ("EKS.1", "CIS-EKS 5.4.1", "CKV_AWS_39", "CKV_AWS_38"), M,
          network.endpoint_is_not_for_the_world),
    Check(28, "Supported Kubernetes", ("EKS.2", "CKV_AWS_339"), M,
          every(EKS, "version", lambda text: text in SUPPORTED_KUBERNETES, ", ".join(SUPPORTED_KUBERNETES))),
    Check(29, "Secrets of Kubernetes under an own key", ("EKS.3", "CIS-EKS 5.3.1", "CKV_AWS_58"), M,
          _given(EKS, "encryptionConfig.provider.keyArn")),
    Check(30, "Control plane logs", ("EKS.8", "CIS-EKS 2.1.1", "CKV_AWS_37"), D,
          every(EKS, "enabledClusterLogTypes", _has(_EKS_LOGS), str(_EKS_LOGS))),
    Check(31, "Subnets hand out no public addresses", ("EC2.15", "CIS-EKS 5.4.3", "CKV_AWS_130"), M,
          every("aws:ec2/subnet:Subnet", "mapPublicIpOnLaunch", _off, "false")),
    Check(32, "IMDSv2, encrypted disks", ("EC2.8", "CIS 5.7", "CKV_AWS_79", "CKV_AWS_341", "EC2.7"), M,
          _nodes),
    Check(33, "Groups are closed and described", ("EC2.18", "EC2.19", "CKV_AWS_23", "CKV_AWS_382"), M,
          network.database_groups_are_closed),
    Check(34, "Default group closed, flows logged", ("EC2.2", "EC2.6", "CIS 5.5", "CIS 3.7"), D,
          network.default_group_is_closed_and_flows_are_logged),
    Check(35, "IAM without wildcards", ("IAM.1", "IAM.21", "CKV_AWS_62", "CKV_AWS_63", "CKV_AWS_355"), M,
          documents.no_wildcards),
    Check(36, "IAM without escalation",
          ("CKV_AWS_286", "CKV_AWS_287", "CKV_AWS_288", "CKV_AWS_289", "CKV_AWS_290", "CKV_AWS_274"), M,
          documents.no_escalation),
    Check(37, "Narrow trust", ("CKV_AWS_60", "CKV_AWS_61", "CIS-EKS 5.2.1"), M, documents.trust_is_narrow),
    Check(38, "Secrets under an own key", ("CKV_AWS_149",), D, _given(SECRET, "kmsKeyId")),
    Check(38, "Secrets rotate", ("SecretsManager.4", "CKV2_AWS_57", "CKV_AWS_304"), D,
          beside(SECRET, "aws:secretsmanager/secretRotation:SecretRotation", "secretId")),
    Check(38, "Secrets have a recovery window", ("row-38-window",), D,
          every(SECRET, "recoveryWindowInDays", lambda days: days is None or days >= 7, "7 to 30")),
    Check(39, "Keys rotate and name principals", ("KMS.4", "KMS.5", "CIS 3.6", "CKV_AWS_7", "CKV_AWS_33"), M,
          together(_on("aws:kms/key:Key", "enableKeyRotation"), documents.key_policies_name_principals)),
    Check(40, "Log groups end and are encrypted", ("CKV_AWS_158", "CKV_AWS_66"), D,
          together(_given("aws:cloudwatch/logGroup:LogGroup", "retentionInDays"),
                   _given("aws:cloudwatch/logGroup:LogGroup", "kmsKeyId"))),
    Check(41, "Image tags never move, images are scanned", ("ECR.2", "ECR.1", "CKV_AWS_51", "CKV_AWS_163"), D,
          together(every(REGISTRY, "imageTagMutability", _is("IMMUTABLE"), "IMMUTABLE"),
                   _on(REGISTRY, "imageScanningConfiguration.scanOnPush"))),
    Check(45, "Airflow: own keys, no default user, verified sessions", ("row-45",), M, _airflow),
    Check(46, "Tags by which leftovers are found", ("row-46",), M, _tags),
)  # fmt: skip
