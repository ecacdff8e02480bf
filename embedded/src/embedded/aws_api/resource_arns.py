"""The ARNs that an operation acts on, which policies name as resources.

Types and forms: https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from embedded.aws_api import ACCOUNT_ID
from embedded.aws_api.operations import Operation

# Parameter -> the end of the ARN behind arn:aws:<service>:<region>:<account>:, or a whole one.
_BY_PARAMETER: dict[str, dict[str, str]] = {
    "rds": {
        "DBInstanceIdentifier": "db:{}",
        "DBSnapshotIdentifier": "snapshot:{}",
        "DBSubnetGroupName": "subgrp:{}",
        "DBParameterGroupName": "pg:{}",
        "SubscriptionName": "es:{}",
        "ResourceName": "{}",
    },
    "ecr": {
        "repositoryName": "repository/{}",
        "repositoryNames": "repository/{}",
        "resourceArn": "{}",
    },
    "sns": {"TopicArn": "{}", "ResourceArn": "{}", "Name": "{}"},
    "elasticloadbalancing": {
        "LoadBalancerArn": "{}",
        "TargetGroupArn": "{}",
        "ListenerArn": "{}",
        "RuleArn": "{}",
        "ResourceArns": "{}",
    },
    "monitoring": {
        "AlarmName": "alarm:{}",
        "AlarmNames": "alarm:{}",
        "ResourceARN": "{}",
        # Dashboards are of no region.
        "DashboardName": f"arn:aws:cloudwatch::{ACCOUNT_ID}:dashboard/{{}}",
        "DashboardNames": f"arn:aws:cloudwatch::{ACCOUNT_ID}:dashboard/{{}}",
    },
}

# What is being made has no id yet: AWS asks for the permission on NAME/*. The controller makes no others.
_BALANCING_CREATES = {"CreateLoadBalancer": "loadbalancer/app", "CreateTargetGroup": "targetgroup"}

# Prefix of an id -> type of the resource in an ARN of EC2.
_EC2_TYPES = {
    "vpc": "vpc",
    "subnet": "subnet",
    "sg": "security-group",
    "sgr": "security-group-rule",
    "eipalloc": "elastic-ip",
    "igw": "internet-gateway",
    "nat": "natgateway",
    "rtb": "route-table",
    "vpce": "vpc-endpoint",
    "eni": "network-interface",
    "fl": "vpc-flow-log",
}
_EC2_ID = re.compile(rf"^({'|'.join(_EC2_TYPES)})-[0-9a-f]{{8,17}}$")
_EC2_NARROW_READS = ("DescribeInstanceAttribute", "DescribeVpcAttribute")
_EC2_CREATES = {
    "CreateVpc": "vpc",
    "CreateSubnet": "subnet",
    "CreateSecurityGroup": "security-group",
    "AllocateAddress": "elastic-ip",
    "CreateInternetGateway": "internet-gateway",
    "CreateNatGateway": "natgateway",
    "CreateRouteTable": "route-table",
    "CreateVpcEndpoint": "vpc-endpoint",
    "CreateFlowLogs": "vpc-flow-log",
    "AuthorizeSecurityGroupEgress": "security-group-rule",
    "AuthorizeSecurityGroupIngress": "security-group-rule",
}


def resource_arns(operation: Operation) -> list[str]:
    """Everything that the caller needs the action's permission on; `*` for actions without resources."""
    special = {
        "secretsmanager": _secret,
        "kms": _kms,
        "sts": lambda one: [one.text("RoleArn") or "*"],
        "iam": _iam,
        "logs": _logs,
        "ec2": _ec2,
        "eks": _eks,
        "elasticloadbalancing": _balancing,
    }.get(operation.service, _by_parameter)
    return special(operation) or ["*"]


def _by_parameter(operation: Operation) -> list[str]:
    base = f"arn:aws:{_arn_service(operation.service)}:{operation.region}:{ACCOUNT_ID}:"
    found = []
    for name, form in _BY_PARAMETER.get(operation.service, {}).items():
        value = operation.parameters.get(name)
        for one in value if isinstance(value, list) else [value]:
            if one:
                made = str(one) if str(one).startswith("arn:") else form.format(one)
                found.append(made if made.startswith("arn:") else base + made)
    return found


def _balancing(operation: Operation) -> list[str]:
    if kind := _BALANCING_CREATES.get(operation.name):
        base = f"arn:aws:elasticloadbalancing:{operation.region}:{ACCOUNT_ID}"
        return [f"{base}:{kind}/{operation.text('Name')}/*"]
    return _by_parameter(operation)


def _arn_service(signing_name: str) -> str:
    return {"monitoring": "cloudwatch"}.get(signing_name, signing_name)


def _secret(operation: Operation) -> list[str]:
    from moto.secretsmanager.models import secretsmanager_backends

    prefix = f"arn:aws:secretsmanager:{operation.region}:{ACCOUNT_ID}:secret:"
    identifier = operation.text("SecretId")
    if not identifier:
        return [f"{prefix}{operation.text('Name')}-000000"] if operation.text("Name") else []
    secret = secretsmanager_backends[ACCOUNT_ID][operation.region].secrets.get(identifier)
    if secret is not None:
        return [str(secret.arn)]
    return [identifier if identifier.startswith("arn:") else f"{prefix}{identifier}"]


def _kms(operation: Operation) -> list[str]:
    found = []
    if alias := operation.text("AliasName"):
        found.append(f"arn:aws:kms:{operation.region}:{ACCOUNT_ID}:{alias}")
        if operation.name == "DeleteAlias":
            found.append(kms_key_arn(alias, operation.region))
    for name in ("KeyId", "TargetKeyId", "SourceKeyId", "DestinationKeyId"):
        if key := operation.text(name):
            found.append(kms_key_arn(key, operation.region))
    if operation.name in ("Decrypt", "ReEncrypt") and not operation.text("KeyId"):
        found += _ciphertext_key(operation)
    return found


def _ciphertext_key(operation: Operation) -> list[str]:
    """The key that made a ciphertext, which KMS finds in it when the request names none."""
    import struct

    from moto.kms.utils import CIPHERTEXT_HEADER_FORMAT, HEADER_LEN

    blob = operation.parameters.get("CiphertextBlob") or b""
    if not isinstance(blob, bytes) or len(blob) < HEADER_LEN:
        return []
    key = struct.unpack(CIPHERTEXT_HEADER_FORMAT, blob[:HEADER_LEN])[0]
    return [kms_key_arn(key.decode("utf-8", "replace"), operation.region)]


def kms_key_arn(key: str, region: str) -> str:
    """The ARN of a key named by id, ARN or alias; for unknown ones a form that no policy lists."""
    from moto.kms.models import kms_backends

    backend = kms_backends[ACCOUNT_ID][region]
    try:
        return str(backend.describe_key(key).arn)
    except Exception:  # noqa: BLE001 - moto raises several kinds; the operation itself will say what is wrong
        return key if key.startswith("arn:") else f"arn:aws:kms:{region}:{ACCOUNT_ID}:key/{key}"


def _iam(operation: Operation) -> list[str]:
    from moto.iam.models import iam_backends

    if profile := operation.text("InstanceProfileName"):
        return [f"arn:aws:iam::{ACCOUNT_ID}:instance-profile/{profile}"]
    if role := operation.text("RoleName"):
        path = operation.text("Path") or "/"
        roles = iam_backends[ACCOUNT_ID]["aws"].roles.values()
        known = next((str(one.arn) for one in roles if one.name == role), None)
        return [known or f"arn:aws:iam::{ACCOUNT_ID}:role{path}{role}"]
    for name, kind in (("UserName", "user"), ("GroupName", "group"), ("PolicyName", "policy")):
        if value := operation.text(name):
            return [f"arn:aws:iam::{ACCOUNT_ID}:{kind}{operation.text('Path') or '/'}{value}"]
    return [operation.text("PolicyArn") or operation.text("OpenIDConnectProviderArn") or "*"]


def _logs(operation: Operation) -> list[str]:
    if arn := operation.text("resourceArn"):
        return [arn]
    group, stream = operation.text("logGroupName"), operation.text("logStreamName")
    if not group:
        return []
    suffix = f":log-stream:{stream}" if stream else ":*"
    return [f"arn:aws:logs:{operation.region}:{ACCOUNT_ID}:log-group:{group}{suffix}"]


def _ec2(operation: Operation) -> list[str]:
    if operation.name.startswith("Describe") and operation.name not in _EC2_NARROW_READS:
        return []  # EC2 lets nobody narrow these to resources
    base = f"arn:aws:ec2:{operation.region}:{ACCOUNT_ID}:"
    # A group that a rule names as its source needs no permission, nor does the rule that is revoked.
    of_group = operation.name.startswith(("AuthorizeSecurityGroup", "RevokeSecurityGroup"))
    acted_on = operation.text("GroupId") if of_group else operation.parameters
    found = {f"{base}{_EC2_TYPES[match[1]]}/{match[0]}" for match in _ec2_ids([acted_on])}
    if kind := _EC2_CREATES.get(operation.name):
        found.add(f"{base}{kind}/*")
    if association := operation.text("AssociationId"):
        found |= {f"{base}{part}" for part in _associated(association, operation.region)}
    return sorted(found)


def _associated(association: str, region: str) -> list[str]:
    """The route table and the subnet that an association binds, which has no ARN itself."""
    from moto.ec2.models import ec2_backends

    for table in ec2_backends[ACCOUNT_ID][region].route_tables.values():
        # A table of moto's: id of an association -> what it binds the table to.
        if target := table._associations.get(association):
            return [f"route-table/{table.id}", f"subnet/{target}"]
    return []


def _ec2_ids(value: Any) -> Iterator[re.Match[str]]:
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list):
        for one in value:
            yield from _ec2_ids(one)
    elif isinstance(value, str) and (match := _EC2_ID.match(value)):
        yield match


def _eks(operation: Operation) -> list[str]:
    cluster = operation.text("clusterName") or operation.text("name")
    base = f"arn:aws:eks:{operation.region}:{ACCOUNT_ID}"
    if arn := operation.text("resourceArn"):
        return [arn]
    if identifier := operation.text("associationId"):
        return [f"{base}:podidentityassociation/{cluster}/{identifier}"]
    return [f"{base}:cluster/{cluster}"] if cluster else []
