"""Operations that many types share, made from the names of boto3 methods."""

from collections.abc import Callable, Mapping
from typing import Any

from embedded.plugins.aws.call import Call, key_value_tags, tags_from_pairs
from embedded.plugins.aws.mapping import dig, from_aws
from embedded.plugins.aws.schema import Tags
from embedded.plugins.common.values import Values

Key = Callable[[Call], Mapping[str, Any]]


def by_id(argument: str) -> Key:
    """The key of a resource whose id is the value of one argument."""
    return lambda call: {argument: call.id}


def by_ids(argument: str) -> Key:
    """The key of a resource for a method that takes a list of ids."""
    return lambda call: {argument: [call.id]}


def creates(method: str, identifier: str, **constant: Any) -> Callable[[Call], str]:
    """Create with all mapped inputs and the tags; `identifier` is where the answer has the id."""

    def create(call: Call) -> str:
        arguments = {**constant, **call.arguments()}
        if call.kind.tags is not None and call.tags:
            arguments["Tags"] = key_value_tags(call.tags)
        return str(dig(getattr(call.client, method)(**arguments), identifier))

    return create


def reads(method: str, key: Key, at: str) -> Callable[[Call], Values | None]:
    """Read through a describing method; `at` is where its answer has the description."""

    def read(call: Call) -> Values | None:
        found = dig(getattr(call.client, method)(**key(call)), at)
        return from_aws(call.kind, found) if found else None

    return read


def updates(method: str, key: Key) -> Callable[[Call], None]:
    """Update with the changed inputs; nothing is called when only tags changed."""

    def update(call: Call) -> None:
        arguments = call.arguments(call.changed)
        if arguments:
            getattr(call.client, method)(**key(call), **arguments)

    return update


def writes(method: str, key: Key) -> Callable[[Call], None]:
    """Update by writing all mapped inputs again."""

    def update(call: Call) -> None:
        getattr(call.client, method)(**{**call.arguments(), **key(call)})

    return update


def deletes(method: str, key: Key) -> Callable[[Call], None]:
    """Delete by key."""

    def delete(call: Call) -> None:
        getattr(call.client, method)(**key(call))

    return delete


def nothing(call: Call) -> None:
    """No call: AWS has no such operation, or the resource ends with another one."""


def arn_tags(
    read: str, add: str, remove: str, argument: str, answer: str, arn: Callable[[Call], str]
) -> Tags:
    """Tags of a service that addresses them by ARN and writes them as Key and Value.

    The methods that read, add and remove; the argument for the ARN; where the answer has the tags.
    """
    # Services that write their arguments in camelCase do so for the tags too.
    many, keys = ("Tags", "TagKeys") if argument[0].isupper() else ("tags", "tagKeys")
    return Tags(
        read=lambda call: tags_from_pairs(getattr(call.client, read)(**{argument: arn(call)}).get(answer)),
        add=lambda call, tags: getattr(call.client, add)(**{argument: arn(call), many: key_value_tags(tags)}),
        remove=lambda call, names: getattr(call.client, remove)(**{argument: arn(call), keys: names}),
    )


def mapped_tags(arn: Callable[[Call], str]) -> Tags:
    """Tags of a service that addresses them by ARN and writes them as a mapping (EKS, CloudWatch Logs)."""

    def read(call: Call) -> dict[str, str]:
        found = call.client.list_tags_for_resource(resourceArn=arn(call))["tags"]
        return {key: value for key, value in found.items() if not key.startswith("aws:")}

    return Tags(
        read=read,
        add=lambda call, tags: call.client.tag_resource(resourceArn=arn(call), tags=tags),
        remove=lambda call, names: call.client.untag_resource(resourceArn=arn(call), tagKeys=names),
    )


def with_mapped_tags(call: Call) -> Values:
    """The mapped inputs of a creating call, with the tags as a mapping when there are any."""
    return {**call.arguments(), **({"tags": call.tags} if call.tags else {})}


def split_id(call: Call, separator: str = ":") -> tuple[str, str]:
    """The two parts of an id such as CLUSTER:ADDON."""
    first, _, rest = call.id.partition(separator)
    return first, rest
