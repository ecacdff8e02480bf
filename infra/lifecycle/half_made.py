"""Resources that a killed run began to make: the id by which each is found, if it came to be.

The engine notes what it is about to create before it asks for it. Whatever AWS answered after the kill is
lost, so the id has to be found: most types are found by a name that is among their inputs. For the others AWS
is asked for what carries the stack's `deployment-id` and is not in the state yet. An id costs nothing where
nothing was made: the refresh that follows finds nothing, and forgets it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

import boto3
from botocore.exceptions import ClientError

Inputs = Mapping[str, Any]


@dataclass(frozen=True)
class PendingCreate:
    """One resource of which the state does not know whether it exists."""

    urn: str
    type: str
    inputs: Inputs

    @property
    def name(self) -> str:
        """Logical name."""
        return self.urn.rsplit("::", 1)[-1]


@dataclass(frozen=True)
class Surroundings:
    """Where to look."""

    region: str
    deployment_id: str
    known_ids: Collection[str]
    """Ids in the state: what carries one of these is no half-made resource."""

    def client(self, service: str) -> Any:
        """A client of the region."""
        return boto3.client(service, region_name=self.region)  # type: ignore[call-overload]


# Types that are found by their inputs alone: the id that an import of the type takes.
_BUCKET_SETTINGS: Final = (
    "bucket",
    "bucketLifecycleConfiguration",
    "bucketLogging",
    "bucketOwnershipControls",
    "bucketPolicy",
    "bucketPublicAccessBlock",
    "bucketServerSideEncryptionConfiguration",
    "bucketVersioning",
)
BY_NAME: Final[Mapping[str, str]] = {
    **{f"aws:s3/{kind}:{kind[0].upper()}{kind[1:]}": "{bucket}" for kind in _BUCKET_SETTINGS},
    "aws:s3/bucketObjectv2:BucketObjectv2": "{bucket}/{key}",
    "aws:cloudwatch/dashboard:Dashboard": "{dashboardName}",
    "aws:cloudwatch/logGroup:LogGroup": "{name}",
    "aws:cloudwatch/metricAlarm:MetricAlarm": "{name}",
    "aws:ec2/route:Route": "{routeTableId}_{destinationCidrBlock}",
    "aws:ecr/lifecyclePolicy:LifecyclePolicy": "{repository}",
    "aws:ecr/repository:Repository": "{name}",
    "aws:ecr/repositoryPolicy:RepositoryPolicy": "{repository}",
    "aws:eks/accessEntry:AccessEntry": "{clusterName}:{principalArn}",
    "aws:eks/addon:Addon": "{clusterName}:{addonName}",
    "aws:eks/cluster:Cluster": "{name}",
    "aws:iam/instanceProfile:InstanceProfile": "{name}",
    "aws:iam/role:Role": "{name}",
    "aws:iam/rolePolicy:RolePolicy": "{role}:{name}",
    "aws:iam/rolePolicyAttachment:RolePolicyAttachment": "{role}/{policyArn}",
    "aws:kms/alias:Alias": "{name}",
    "aws:rds/eventSubscription:EventSubscription": "{name}",
    "aws:rds/instance:Instance": "{identifier}",
    "aws:rds/parameterGroup:ParameterGroup": "{name}",
    "aws:rds/subnetGroup:SubnetGroup": "{name}",
    # Its Job goes on without the run that began it: an instance that outlives the stack may hold it.
    "pulumi-python:dynamic/airflow:DatabaseTenant": "{instanceResourceId}/{database}/recovered",
}
# What is not known to be done of a resource that was taken in, though its inputs ask for it.
UNDONE: Final[Mapping[str, frozenset[str]]] = {
    "pulumi-python:dynamic/airflow:DatabaseTenant": frozenset({"passwordDigest"})
}
# What is set on something else, and may be set again.
REPEATABLE: Final = frozenset(
    {
        "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup",
        "aws:secretsmanager/secretVersion:SecretVersion",
        "aws:sns/topicPolicy:TopicPolicy",
    }
)
# What EC2 names itself, and how its ids begin:
# https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/resource-ids.html
EC2_KINDS: Final[Mapping[str, str]] = {
    "aws:ec2/eip:Eip": "eipalloc-",
    "aws:ec2/flowLog:FlowLog": "fl-",
    "aws:ec2/internetGateway:InternetGateway": "igw-",
    "aws:ec2/natGateway:NatGateway": "nat-",
    "aws:ec2/routeTable:RouteTable": "rtb-",
    "aws:ec2/securityGroup:SecurityGroup": "sg-",
    "aws:ec2/subnet:Subnet": "subnet-",
    "aws:ec2/vpc:Vpc": "vpc-",
    "aws:ec2/vpcEndpoint:VpcEndpoint": "vpce-",
}


def is_listed(pending: PendingCreate) -> bool:
    """Whether AWS has to be asked for the id, and so may not know it yet."""
    return pending.type in EC2_KINDS or pending.type in FINDERS


def find_id(pending: PendingCreate, around: Surroundings) -> str | None:
    """Return the id to import `pending` by; None where nothing can have been made, or nothing was."""
    if template := BY_NAME.get(pending.type):
        try:
            return template.format_map(pending.inputs)
        except KeyError:
            return None
    if beginning := EC2_KINDS.get(pending.type):
        return _of_ec2(beginning, pending.inputs, around)
    finder = FINDERS.get(pending.type)
    return finder(pending.inputs, around) if finder else None


def _of_ec2(beginning: str, inputs: Inputs, around: Surroundings) -> str | None:
    """What carries the stack's tag and all tags of its inputs, and is not in the state."""
    wanted = {"deployment-id": around.deployment_id, **(inputs.get("tags") or {})}
    found: dict[str, dict[str, str]] = {}
    for page in around.client("ec2").get_paginator("describe_tags").paginate():
        for item in page["Tags"]:
            if item["ResourceId"].startswith(beginning):
                found.setdefault(item["ResourceId"], {})[item["Key"]] = item["Value"]
    ids = [
        id_
        for id_, tags in found.items()
        if id_ not in around.known_ids and all(tags.get(key) == value for key, value in wanted.items())
    ]
    if beginning == "sg-":
        ids = [id_ for id_ in ids if _has_name(id_, inputs, around)]
    if beginning == "nat-":
        living = _living_gateways(around)
        ids = [id_ for id_ in ids if id_ in living]
    return ids[0] if len(ids) == 1 else None


def _has_name(group: str, inputs: Inputs, around: Surroundings) -> bool:
    # Asked by its id, EC2 refuses to tell of one that is gone, and whose tags it still lists.
    only = [{"Name": "group-id", "Values": [group]}]
    found = around.client("ec2").describe_security_groups(Filters=only)["SecurityGroups"]
    return bool(found) and found[0]["GroupName"] == inputs.get("name")


def _living_gateways(around: Surroundings) -> set[str]:
    """NAT gateways that are, or come to be; deleted ones are listed with their tags for about an hour.

    https://docs.aws.amazon.com/vpc/latest/userguide/nat-gateway-working-with.html
    """
    living = [{"Name": "state", "Values": ["pending", "available"]}]
    pages = around.client("ec2").get_paginator("describe_nat_gateways").paginate(Filter=living)
    return {str(item["NatGatewayId"]) for page in pages for item in page["NatGateways"]}


def _key(inputs: Inputs, around: Surroundings) -> str | None:
    """A usable key with the stack's tag."""
    client = around.client("kms")
    wanted = {"deployment-id": around.deployment_id, **(inputs.get("tags") or {})}
    for page in client.get_paginator("list_keys").paginate():
        for id_ in (str(item["KeyId"]) for item in page["Keys"]):
            # What an environment of this name left for its snapshots has a namesake's tags, and is in use.
            if (
                id_ not in around.known_ids
                and wanted.items() <= _tags_of_key(client, id_).items()
                and not _in_use(id_, around)
            ):
                return id_
    return None


def _tags_of_key(client: Any, key: str) -> dict[str, str]:
    """Tags of a usable key of the account's own; of others none, nor of those that may not be looked at.

    A key has its tags from its creation on, and the deployer may look at those with the stack's tag.
    """
    try:
        described = client.describe_key(KeyId=key)["KeyMetadata"]
        if described["KeyManager"] != "CUSTOMER" or described["KeyState"] != "Enabled":
            return {}
        found = client.list_resource_tags(KeyId=key)["Tags"]
    except ClientError as error:
        if error.response["Error"]["Code"] != "AccessDeniedException":
            raise
        return {}
    return {tag["TagKey"]: tag["TagValue"] for tag in found}


def _in_use(key: str, around: Surroundings) -> bool:
    """Whether a snapshot is encrypted with the key: then it is of an environment that has ended."""
    pages = around.client("rds").get_paginator("describe_db_snapshots").paginate()
    return any(str(item.get("KmsKeyId", "")).endswith(key) for page in pages for item in page["DBSnapshots"])


def _secret(inputs: Inputs, around: Surroundings) -> str | None:
    client = around.client("secretsmanager")
    try:
        return str(client.describe_secret(SecretId=str(inputs["name"]))["ARN"])
    except client.exceptions.ResourceNotFoundException:
        return None


def _association(inputs: Inputs, around: Surroundings) -> str | None:
    cluster = str(inputs["clusterName"])
    found = around.client("eks").list_pod_identity_associations(
        clusterName=cluster,
        namespace=str(inputs["namespace"]),
        serviceAccount=str(inputs["serviceAccount"]),
    )["associations"]
    return f"{cluster},{found[0]['associationId']}" if found else None


def _topic(inputs: Inputs, around: Surroundings) -> str | None:
    for page in around.client("sns").get_paginator("list_topics").paginate():
        for item in page["Topics"]:
            if item["TopicArn"].rsplit(":", 1)[-1] == inputs.get("name"):
                return str(item["TopicArn"])
    return None


def _route_table_association(inputs: Inputs, around: Surroundings) -> str | None:
    filters = [{"Name": "association.subnet-id", "Values": [str(inputs["subnetId"])]}]
    for table in around.client("ec2").describe_route_tables(Filters=filters)["RouteTables"]:
        for association in table["Associations"]:
            if association.get("SubnetId") == inputs["subnetId"]:
                return str(association["RouteTableAssociationId"])
    return None


def _security_group_rule(inputs: Inputs, around: Surroundings, *, egress: bool) -> str | None:
    """The rule by what it says: EC2 takes none twice, and a killed run may not have tagged it."""
    group = inputs.get("securityGroupId")
    if not group:
        return None
    wanted: dict[str, object] = {
        "IsEgress": egress,
        "IpProtocol": str(inputs.get("ipProtocol")),
        "CidrIpv4": inputs.get("cidrIpv4"),
        "CidrIpv6": inputs.get("cidrIpv6"),
        "PrefixListId": inputs.get("prefixListId"),
        "referenced": inputs.get("referencedSecurityGroupId"),
    }
    if wanted["IpProtocol"] != "-1":
        wanted |= {"FromPort": inputs.get("fromPort"), "ToPort": inputs.get("toPort")}
    filters = [{"Name": "group-id", "Values": [str(group)]}]
    pages = around.client("ec2").get_paginator("describe_security_group_rules").paginate(Filters=filters)
    for page in pages:
        for rule in page["SecurityGroupRules"]:
            said = {**rule, "referenced": (rule.get("ReferencedGroupInfo") or {}).get("GroupId")}
            same = all(_same(said.get(key), value) for key, value in wanted.items())
            if same and rule["SecurityGroupRuleId"] not in around.known_ids:
                return str(rule["SecurityGroupRuleId"])
    return None


def _same(found: object, wanted: object) -> bool:
    """Whether two values say the same: the engine's numbers may be fractions, and absent may be empty."""
    if isinstance(wanted, int | float) and isinstance(found, int | float):
        return float(found) == float(wanted)
    return (found or None) == (wanted or None)


FINDERS: Final[Mapping[str, Callable[[Inputs, Surroundings], str | None]]] = {
    "aws:ec2/routeTableAssociation:RouteTableAssociation": _route_table_association,
    "aws:kms/key:Key": _key,
    "aws:sns/topic:Topic": _topic,
    "aws:secretsmanager/secret:Secret": _secret,
    "aws:eks/podIdentityAssociation:PodIdentityAssociation": _association,
    "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule": lambda inputs, around: _security_group_rule(
        inputs, around, egress=True
    ),
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": lambda inputs, around: _security_group_rule(
        inputs, around, egress=False
    ),
}
