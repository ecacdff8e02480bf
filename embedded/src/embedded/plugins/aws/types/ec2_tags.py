"""Tags of EC2 resources, which are addressed by id and given at creation as a specification."""

from typing import Any

from embedded.plugins.aws.call import Call, key_value_tags, tags_from_pairs
from embedded.plugins.aws.mapping import dig
from embedded.plugins.aws.schema import Tags


def read_tags(call: Call) -> dict[str, str]:
    """The tags of the call's resource."""
    pages = call.client.get_paginator("describe_tags").paginate(
        Filters=[{"Name": "resource-id", "Values": [call.id]}]
    )
    return tags_from_pairs([tag for page in pages for tag in page["Tags"]])


TAGS = Tags(
    read=read_tags,
    add=lambda call, tags: call.client.create_tags(Resources=[call.id], Tags=key_value_tags(tags)),
    remove=lambda call, names: call.client.delete_tags(
        Resources=[call.id], Tags=[{"Key": key} for key in names]
    ),
)


def specification(call: Call, resource: str) -> dict[str, Any]:
    """The argument that tags a resource while it is made; empty without tags."""
    if not call.tags:
        return {}
    return {"TagSpecifications": [{"ResourceType": resource, "Tags": key_value_tags(call.tags)}]}


def make(
    call: Call, method: str, resource: str, at: str, arguments: dict[str, Any] | None = None, **more: Any
) -> str:
    """Call a creating method with the mapped inputs and tags; the id in its answer at the dotted path.

    `arguments` stand for the mapped inputs where they have to be put otherwise.
    """
    given = call.arguments() if arguments is None else arguments
    return str(dig(getattr(call.client, method)(**given, **more, **specification(call, resource)), at))
