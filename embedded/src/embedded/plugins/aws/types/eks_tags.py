"""Tags of EKS resources, which are addressed by ARN and written as a mapping."""

from collections.abc import Callable

from embedded.plugins.aws.call import Call
from embedded.plugins.aws.schema import Tags
from embedded.plugins.common.values import Values


def eks_tags(arn: Callable[[Call], str]) -> Tags:
    """Tags of the resource whose ARN the function gives."""

    def read(call: Call) -> dict[str, str]:
        found = call.client.list_tags_for_resource(resourceArn=arn(call))["tags"]
        return {key: value for key, value in found.items() if not key.startswith("aws:")}

    return Tags(
        read=read,
        add=lambda call, tags: call.client.tag_resource(resourceArn=arn(call), tags=tags),
        remove=lambda call, names: call.client.untag_resource(resourceArn=arn(call), tagKeys=names),
    )


def with_tags(call: Call) -> Values:
    """The mapped inputs of a creating call, with the tags when there are any."""
    return {**call.arguments(), **({"tags": call.tags} if call.tags else {})}


def split_id(call: Call, separator: str = ":") -> tuple[str, str]:
    """Cluster and the rest of an id such as CLUSTER:ADDON."""
    cluster, _, rest = call.id.partition(separator)
    return cluster, rest
