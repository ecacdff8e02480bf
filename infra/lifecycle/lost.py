"""Resources that exist and that the state does not know, nor that they were begun.

To the engine a plugin that dies is a failed step: it notes that nothing was made, while AWS may have gone on.
What the program would make is looked for, then, among what bears the stack's `deployment-id`. Only types are
that a second creation would double, or that AWS would refuse to make again; the others are set once more.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from botocore.exceptions import ClientError

from infra.lifecycle.half_made import EC2_KINDS, PendingCreate, Surroundings, find_id

Tags = Iterable[Mapping[str, str]]

# What a preview shows in place of a text that is known only once something else is made, and of a secret.
_NOT_TOLD: Final = ("04da6b54-80e4-46f7-96ec-b56ff0331ba9", "[secret]")


@dataclass(frozen=True)
class PlannedCreate:
    """One resource that the program has and the state has not, as a preview tells of it."""

    resource: Mapping[str, Any]
    """As a state holds it, without id and outputs."""

    @property
    def pending(self) -> PendingCreate:
        """What finds its id."""
        return PendingCreate(
            str(self.resource["urn"]), str(self.resource["type"]), self.resource.get("inputs", {})
        )

    @property
    def is_told(self) -> bool:
        """Whether all its inputs are known, and none is a secret."""
        text = json.dumps(self.resource.get("inputs", {}))
        return not any(part in text for part in _NOT_TOLD)

    @property
    def needs(self) -> set[str]:
        """URNs of what has to be in a state before it."""
        provider = str(self.resource.get("provider", "")).rpartition("::")[0]
        wanted = {provider, str(self.resource.get("parent", "")), *self.resource.get("dependencies", [])}
        return wanted - {""}


def find_lost(
    planned: Sequence[PlannedCreate], urns: Collection[str], around: Surroundings
) -> list[tuple[PlannedCreate, str]]:
    """Return what exists of `planned`, each with its id.

    Args:
        planned: what the program would make, parents and dependencies first.
        urns: what is in the state. Whatever needs something else can't have been made.
        around: where to look.
    """
    found: list[tuple[PlannedCreate, str]] = []
    there, ids = set(urns), set(around.known_ids)
    for item in planned:
        if not item.is_told or not item.needs <= there:
            continue
        look = Surroundings(around.region, around.deployment_id, ids)
        id_ = find_id(item.pending, look)
        if id_ is None or id_ in ids or not is_of_stack(item.pending, id_, look):
            continue
        found.append((item, id_))
        there.add(item.pending.urn)
        ids.add(id_)
    return found


def bears_tags(item: PendingCreate) -> bool:
    """Whether the resource says itself whose it is; settings of another one do not."""
    return item.type in _TAGS


def is_of_stack(item: PendingCreate, id_: str, around: Surroundings) -> bool:
    """Whether it exists and is this stack's: a name alone may be somebody else's."""
    if item.type in EC2_KINDS or item.type in _FOUND_BY_MORE:
        return True
    lookup = _TAGS.get(item.type)
    if lookup is None:
        return False
    try:
        tags = {str(tag["Key"]): str(tag["Value"]) for tag in lookup(around, id_)}
    except (ClientError, LookupError):
        # There is none, or it has no tags.
        return False
    return tags.get("deployment-id") == around.deployment_id


# Found by their tags, or by an id of the stack's own that they belong to.
_FOUND_BY_MORE: Final = frozenset(
    {
        "aws:ec2/routeTableAssociation:RouteTableAssociation",
        "aws:kms/key:Key",
        "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule",
        "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule",
    }
)


def _bucket(around: Surroundings, name: str) -> Tags:
    """A bucket gets its tags after it was made: an empty one without any is half made."""
    client = around.client("s3")
    try:
        found: Tags = client.get_bucket_tagging(Bucket=name)["TagSet"]
    except ClientError as error:
        empty = error.response["Error"]["Code"] == "NoSuchTagSet" and not _objects(client, name)
        return [{"Key": "deployment-id", "Value": around.deployment_id}] if empty else []
    return found


def _objects(client: Any, bucket: str) -> bool:
    return bool(client.list_object_versions(Bucket=bucket, MaxKeys=1).keys() & {"Versions", "DeleteMarkers"})


def _log_group(around: Surroundings, name: str) -> Tags:
    client = around.client("logs")
    groups = client.describe_log_groups(logGroupNamePrefix=name)["logGroups"]
    [arn] = [group["arn"].removesuffix(":*") for group in groups if group["logGroupName"] == name] or [""]
    found = client.list_tags_for_resource(resourceArn=arn)["tags"] if arn else {}
    return [{"Key": key, "Value": value} for key, value in found.items()]


def _role(around: Surroundings, name: str) -> Tags:
    found: Tags = around.client("iam").list_role_tags(RoleName=name)["Tags"]
    return found


def _alias(around: Surroundings, name: str) -> Tags:
    """Tags of the key that it names."""
    client = around.client("kms")
    key = client.describe_key(KeyId=name)["KeyMetadata"]["KeyId"]
    tags = client.list_resource_tags(KeyId=key)["Tags"]
    return [{"Key": tag["TagKey"], "Value": tag["TagValue"]} for tag in tags]


def _secret(around: Surroundings, arn: str) -> Tags:
    found: Tags = around.client("secretsmanager").describe_secret(SecretId=arn).get("Tags", [])
    return found


def _association(around: Surroundings, id_: str) -> Tags:
    cluster, association = id_.split(",")
    client = around.client("eks")
    found = client.describe_pod_identity_association(clusterName=cluster, associationId=association)
    return [{"Key": key, "Value": value} for key, value in found["association"].get("tags", {}).items()]


def _cluster(around: Surroundings, name: str) -> Tags:
    found = around.client("eks").describe_cluster(name=name)["cluster"].get("tags", {})
    return [{"Key": key, "Value": value} for key, value in found.items()]


def _repository(around: Surroundings, name: str) -> Tags:
    client = around.client("ecr")
    arn = client.describe_repositories(repositoryNames=[name])["repositories"][0]["repositoryArn"]
    found: Tags = client.list_tags_for_resource(resourceArn=arn)["tags"]
    return found


def _topic(around: Surroundings, arn: str) -> Tags:
    found: Tags = around.client("sns").list_tags_for_resource(ResourceArn=arn)["Tags"]
    return found


def _of_rds(operation: str, argument: str, listed: str, arn: str) -> Callable[[Surroundings, str], Tags]:
    def tags(around: Surroundings, id_: str) -> Tags:
        client = around.client("rds")
        described = getattr(client, operation)(**{argument: id_})[listed][0]
        found: Tags = client.list_tags_for_resource(ResourceName=described[arn])["TagList"]
        return found

    return tags


_TAGS: Final[Mapping[str, Callable[[Surroundings, str], Tags]]] = {
    "aws:cloudwatch/logGroup:LogGroup": _log_group,
    "aws:ecr/repository:Repository": _repository,
    "aws:eks/cluster:Cluster": _cluster,
    "aws:eks/podIdentityAssociation:PodIdentityAssociation": _association,
    "aws:iam/role:Role": _role,
    "aws:kms/alias:Alias": _alias,
    "aws:rds/eventSubscription:EventSubscription": _of_rds(
        "describe_event_subscriptions", "SubscriptionName", "EventSubscriptionsList", "EventSubscriptionArn"
    ),
    "aws:rds/instance:Instance": _of_rds(
        "describe_db_instances", "DBInstanceIdentifier", "DBInstances", "DBInstanceArn"
    ),
    "aws:rds/parameterGroup:ParameterGroup": _of_rds(
        "describe_db_parameter_groups", "DBParameterGroupName", "DBParameterGroups", "DBParameterGroupArn"
    ),
    "aws:rds/subnetGroup:SubnetGroup": _of_rds(
        "describe_db_subnet_groups", "DBSubnetGroupName", "DBSubnetGroups", "DBSubnetGroupArn"
    ),
    "aws:s3/bucket:Bucket": _bucket,
    "aws:secretsmanager/secret:Secret": _secret,
    "aws:sns/topic:Topic": _topic,
}
