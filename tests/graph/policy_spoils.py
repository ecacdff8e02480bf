"""What can be wrong with a program, by rows of the baseline: a spoil for each thing that a check looks at."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from policy.model import Check, Resource

Program = Sequence[Resource]


@dataclass(frozen=True)
class Made:
    """A resource as a check sees it."""

    type: str
    name: str
    inputs: dict[str, Any]


@dataclass(frozen=True)
class Spoil:
    """One thing that is wrong."""

    says: str
    of: Callable[[Program], Program]
    """Gives the spoilt program."""
    paths: frozenset[str] = frozenset()
    """Types and paths of keys of what was changed."""


def put(type_: str, path: str, wrong: Any) -> Spoil:
    """Another value at a path of keys in all resources of a type, in each item of lists on the way.

    None takes it away; of a function it is what that makes of the right one.
    """

    def spoilt(program: Program) -> Program:
        result = [
            Made(one.type, one.name, _changed(one.inputs, path, wrong)) if _short(one.type) == type_ else one
            for one in program
        ]
        assert result != program, f"nothing to spoil: {type_} {path}"
        return result

    text = "otherwise" if callable(wrong) else json.dumps(wrong)
    return Spoil(f"{type_} {path} {text}", spoilt, frozenset([f"{type_} {path}"]))


def without(type_: str) -> Spoil:
    """No resource of a type."""

    def spoilt(program: Program) -> Program:
        result = [one for one in program if _short(one.type) != type_]
        assert result != program, f"nothing to spoil: {type_}"
        return result

    return Spoil(f"no {type_}", spoilt)


def beside(type_: str, **inputs: Any) -> Spoil:
    """One more resource, of a whole type token."""
    more = Made(type_, "more", inputs)
    changed = frozenset(f"{_short(type_)} {key}" for key in inputs)
    return Spoil(f"and {_short(type_)} {json.dumps(inputs)}", lambda program: [*program, more], changed)


def _short(type_: str) -> str:
    """`rds/instance` of `aws:rds/instance:Instance`; other packages' types without their package."""
    package, _, rest = type_.partition(":")
    return rest.partition(":")[0] if package == "aws" else rest


def _changed(node: Any, path: str, wrong: Any) -> Any:
    if isinstance(node, list):
        return [_changed(item, path, wrong) for item in node]
    key, _, rest = path.partition(".")
    changed = dict(node)
    if rest:
        changed[key] = _changed(changed[key], rest, wrong)
    elif (value := wrong(changed[key]) if callable(wrong) else wrong) is None:
        changed.pop(key, None)
    else:
        changed[key] = value
    return changed


def _unnamed(name: str) -> Callable[[Any], Any]:
    """Without the item of a list that has a name, or is it."""
    return lambda items: [
        item for item in items if name not in (item, isinstance(item, dict) and item["name"])
    ]


def _statement(**changes: Any) -> str:
    """A policy document with one statement, which is right but for the changes."""
    right = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::bucket/*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [right | changes]})


def _untagged(name: str) -> Callable[[Any], Any]:
    def text(tags: str) -> str:
        whole = json.loads(tags)
        return json.dumps({"tags": {key: value for key, value in whole["tags"].items() if key != name}})

    return text


DB, ACCESS, LIFECYCLE = "rds/instance", "s3/bucketPublicAccessBlock", "s3/bucketLifecycleConfiguration"
ENCRYPTION, RELEASE = "s3/bucketServerSideEncryptionConfiguration", "helm.sh/v3:Release"
INGRESS, GROUP = "vpc/securityGroupIngressRule", "ec2/securityGroup"
EGRESS = "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule"
SECRET = "kubernetes:core/v1:Secret"
ANYWHERE, ANY_SIX = "0.0.0.0/0", "::/0"
CLOUD_ADMINISTRATOR = "arn:aws:iam::aws:policy/AdministratorAccess"
IAM_ADMINISTRATOR = "arn:aws:iam::aws:policy/IAMFullAccess"
PLAIN_HTTP = {"Bool": {"aws:SecureTransport": "false"}}

ENVIRONMENT: dict[int, list[Spoil]] = {
    1: [put(DB, "publiclyAccessible", True)],
    2: [put(DB, "kmsKeyId", None), put(DB, "storageEncrypted", False), put(DB, "storageEncrypted", None)],
    3: [put(DB, "multiAz", False)],
    4: [put(DB, "monitoringInterval", 0), put(DB, "monitoringRoleArn", None)],
    5: [put(DB, "deletionProtection", False)],
    6: [put(DB, "enabledCloudwatchLogsExports", _unnamed(name)) for name in ("postgresql", "upgrade")],
    7: [put(DB, "iamDatabaseAuthenticationEnabled", False)],
    8: [put(DB, "backupRetentionPeriod", 13), put(DB, "backupRetentionPeriod", None)],
    9: [put(DB, "autoMinorVersionUpgrade", False)],
    10: [put(DB, "copyTagsToSnapshot", False)],
    12: [
        without("rds/eventSubscription"),
        *(
            put("rds/eventSubscription", "sourceType", lambda kind, gone=gone: None if kind == gone else kind)
            for gone in ("db-instance", "db-parameter-group", "db-security-group")
        ),
    ],
    13: [put(DB, "username", "postgres"), put(DB, "username", "admin"), put(DB, "username", None)],
    14: [
        *(
            put("rds/parameterGroup", "parameters", _unnamed(name))
            for name in ("rds.force_ssl", "log_statement", "log_min_duration_statement")
        ),
        put("rds/parameterGroup", "parameters.value", lambda value: "0" if value == "1" else value),
    ],
    15: [put(DB, "caCertIdentifier", "rds-ca-2019"), put(DB, "caCertIdentifier", None)],
    16: [put(DB, "performanceInsightsEnabled", False), put(DB, "performanceInsightsKmsKeyId", None)],
    17: [put(DB, "skipFinalSnapshot", True), put(DB, "finalSnapshotIdentifier", None)],
    18: [put(DB, "password", "planted"), put(DB, "manageMasterUserPassword", None)],
    19: [
        without(ACCESS),
        *(
            put(ACCESS, flag, False)
            for flag in ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")
        ),
    ],
    20: [
        without("s3/bucketPolicy"),
        put("s3/bucketPolicy", "policy", _statement(Condition=PLAIN_HTTP)),
        put("s3/bucketPolicy", "policy", _statement(Effect="Deny")),
        put("s3/bucketPolicy", "bucket", "of-somebody-else"),
    ],
    21: [
        without(ENCRYPTION),
        put(ENCRYPTION, "rules.bucketKeyEnabled", False),
        put(ENCRYPTION, "rules.applyServerSideEncryptionByDefault.kmsMasterKeyId", None),
    ],
    22: [
        without("s3/bucketVersioning"),
        put("s3/bucketVersioning", "versioningConfiguration.status", "Suspended"),
    ],
    23: [
        without(LIFECYCLE),
        put(LIFECYCLE, "rules.expiration.days", None),
        put(LIFECYCLE, "rules.noncurrentVersionExpiration.noncurrentDays", None),
        put(LIFECYCLE, "rules.abortIncompleteMultipartUpload.daysAfterInitiation", None),
        put(LIFECYCLE, "rules", []),
    ],
    25: [
        without("s3/bucketOwnershipControls"),
        put("s3/bucketOwnershipControls", "rule.objectOwnership", "BucketOwnerPreferred"),
    ],
    26: [put("s3/bucket", "forceDestroy", True)],
    33: [
        put(INGRESS, "cidrIpv4", ANYWHERE),
        put(INGRESS, "cidrIpv6", ANY_SIX),
        put(INGRESS, "description", None),
        put(INGRESS, "referencedSecurityGroupId", None),
        put(GROUP, "description", None),
        put(GROUP, "ingress", [{"protocol": "tcp"}]),
        put(GROUP, "egress", [{"protocol": "tcp"}]),
        beside(EGRESS, description="All", ipProtocol="-1", cidrIpv4=ANYWHERE),
        beside(EGRESS, description="All", ipProtocol="-1", cidrIpv6=ANY_SIX),
        beside(EGRESS, ipProtocol="tcp", cidrIpv4="10.0.0.0/8"),
    ],
    35: [
        put("iam/rolePolicy", "policy", _statement(Action="s3:*")),
        put("iam/rolePolicy", "policy", _statement(Action=["s3:GetObject", "*"])),
        put("iam/rolePolicy", "policy", _statement(Resource="*")),
        beside("aws:iam/policy:Policy", policy=_statement(Action="s3:*")),
    ],
    36: [
        *(
            put("iam/rolePolicy", "policy", _statement(Action=action, Resource="*"))
            for action in (
                "iam:PutRolePolicy",
                "sts:AssumeRole",
                "organizations:LeaveOrganization",
                "lambda:UpdateFunctionCode",
                "ec2:RunInstances",
            )
        ),
        beside("aws:iam/policy:Policy", policy=_statement(Action="iam:PassRole", Resource="*")),
        put("iam/rolePolicyAttachment", "policyArn", CLOUD_ADMINISTRATOR),
        put("iam/rolePolicyAttachment", "policyArn", IAM_ADMINISTRATOR),
        beside("aws:iam/userPolicyAttachment:UserPolicyAttachment", policyArn=CLOUD_ADMINISTRATOR),
        beside("aws:iam/policyAttachment:PolicyAttachment", policyArn=CLOUD_ADMINISTRATOR),
    ],
    37: [
        put("iam/role", "assumeRolePolicy", _statement(Action="sts:AssumeRole", Principal=principal))
        for principal in ({"AWS": "*"}, {"Service": "pods.eks.amazonaws.com"}, {"Federated": "example.com"})
    ],
    38: [
        put("secretsmanager/secret", "kmsKeyId", None),
        put("secretsmanager/secret", "recoveryWindowInDays", 6),
    ],
    39: [
        put("kms/key", "enableKeyRotation", False),
        put("kms/key", "policy", None),
        put("kms/key", "policy", _statement(Action="kms:*", Principal={"AWS": "*"})),
    ],
    40: [put("cloudwatch/logGroup", "kmsKeyId", None), put("cloudwatch/logGroup", "retentionInDays", None)],
    45: [
        put(RELEASE, "values.fernetKeySecretName", None),
        put(RELEASE, "values.apiSecretKeySecretName", None),
        put(RELEASE, "values.jwtSecretName", None),
        put(RELEASE, "values.postgresql.enabled", True),
        put(RELEASE, "values.config.api.expose_config", "True"),
        put(RELEASE, "values.createUserJob", {"defaultUser": {"enabled": True}}),
        beside(SECRET, stringData={"connection": "postgresql://a:b@host/x?sslmode=require"}),
        beside(SECRET, stringData={"connection-async": "postgresql+asyncpg://a:b@host/x?ssl=require"}),
        beside(SECRET, stringData={"pgbouncer.ini": "server_tls_sslmode = prefer"}),
    ],
    46: [
        put("providers:aws", "defaultTags", _untagged(name))
        for name in ("project", "stack", "owner", "deployment-id")
    ],
}
EKS, ROUTES, DEFAULT = "eks/cluster", "ec2/routeTableAssociation", "ec2/defaultSecurityGroup"
EKS_LOGS = ("api", "audit", "authenticator", "controllerManager", "scheduler")
INSTANCE = {
    "metadataOptions": {"httpTokens": "required", "httpPutResponseHopLimit": 1},
    "rootBlockDevice": {"encrypted": True},
}

CLUSTER: dict[int, list[Spoil]] = {
    11: [
        # The routes of the public subnets, for all of them.
        put(ROUTES, "routeTableId", "network-public-routes-id"),
        put(EKS, "vpcConfig.subnetIds", ["network-private-0-id", "network-public-0-id"]),
        beside("aws:rds/subnetGroup:SubnetGroup", subnetIds=["network-private-0-id", "network-public-0-id"]),
    ],
    27: [
        put(EKS, "vpcConfig.endpointPrivateAccess", False),
        *(
            put(EKS, "vpcConfig", {"endpointPrivateAccess": True, "endpointPublicAccess": True} | networks)
            for networks in (
                {},
                {"publicAccessCidrs": [ANYWHERE]},
                {"publicAccessCidrs": ["203.0.113.0/24", ANY_SIX]},
            )
        ),
    ],
    28: [put(EKS, "version", "1.20"), put(EKS, "version", None)],
    29: [put(EKS, "encryptionConfig", None), put(EKS, "encryptionConfig.provider.keyArn", None)],
    30: [put(EKS, "enabledClusterLogTypes", _unnamed(name)) for name in EKS_LOGS],
    31: [put("ec2/subnet", "mapPublicIpOnLaunch", True)],
    32: [
        put(EKS, "computeConfig", None),
        put(EKS, "computeConfig.enabled", False),
        beside("aws:ec2/instance:Instance", **INSTANCE | {"rootBlockDevice": {"encrypted": False}}),
        *(
            beside(
                "aws:ec2/instance:Instance",
                **INSTANCE | {"metadataOptions": INSTANCE["metadataOptions"] | options},
            )
            for options in ({"httpTokens": "optional"}, {"httpPutResponseHopLimit": 2})
        ),
    ],
    34: [
        without("ec2/flowLog"),
        without(DEFAULT),
        put(DEFAULT, "ingress", [{"protocol": "-1"}]),
        put(DEFAULT, "egress", [{"protocol": "-1"}]),
    ],
    41: [
        put("ecr/repository", "imageTagMutability", "MUTABLE"),
        put("ecr/repository", "imageScanningConfiguration.scanOnPush", False),
        put("ecr/repository", "imageScanningConfiguration", None),
    ],
}

# Keys by which resources belong together; nothing about them is right or wrong.
LINKS = {
    "bucket",
    "gatewayId",
    "routeTableId",
    "securityGroupId",
    "subnetId",
    "subnetIds",
    "vpcSecurityGroupIds",
}


class _Watched(dict[str, Any]):
    """Inputs that remember by which paths they were asked."""

    def __init__(self, values: dict[str, Any], where: str, seen: set[str]) -> None:
        self._where, self._seen = where, seen
        super().__init__({key: _watched(value, f"{where}{key}", seen) for key, value in values.items()})

    def get(self, key: str, default: Any = None) -> Any:
        self._seen.add(f"{self._where}{key}")
        return super().get(key, default)

    def __getitem__(self, key: str) -> Any:
        return self.get(key)


def _watched(value: Any, where: str, seen: set[str]) -> Any:
    if isinstance(value, list):
        return [_watched(item, where, seen) for item in value]
    return _Watched(value, f"{where}.", seen) if isinstance(value, dict) else value


def asked(program: Program, checks: Sequence[Check]) -> set[str]:
    """Types and paths of keys that checks look at; of a path and its beginning, the path."""
    seen: set[str] = set()
    watched = [
        Made(one.type, one.name, _Watched(one.inputs, f"{_short(one.type)} ", seen)) for one in program
    ]
    for check in checks:
        list(check.look(watched))
    return {path for path in seen if not any(other.startswith(f"{path}.") for other in seen)}
