"""Default tags of the provider and tags of a resource.

https://registry.terraform.io/providers/hashicorp/aws/latest/docs/guides/resource-tagging: a resource's own
tag wins over a default tag of the same key; `tagsAll` is both together.
"""

from collections.abc import Mapping
from typing import Any

from embedded.plugins.aws.call import Call
from embedded.plugins.aws.schema import ResourceType
from embedded.plugins.common.values import UNKNOWN, Values, has_unknown


def all_tags(defaults: Mapping[str, str], inputs: Values) -> Any:
    """What `tagsAll` will be: a mapping, or UNKNOWN while a tag is."""
    own = inputs.get("tags") or {}
    if has_unknown(own):
        return UNKNOWN
    return {**defaults, **{key: str(value) for key, value in own.items()}}


def own_tags(
    defaults: Mapping[str, str], actual: Mapping[str, str], known: Mapping[str, Any]
) -> dict[str, str]:
    """The resource's own tags among the actual ones: not those that the defaults account for."""
    return {key: value for key, value in actual.items() if key in known or defaults.get(key) != value}


def update_tags(kind: ResourceType, call: Call) -> None:
    """Bring the tags that AWS holds to `tagsAll`; only what differs is written."""
    if kind.tags is None:
        return
    before = dict(call.old.get("tagsAll") or {})
    after = call.tags
    removed = sorted(set(before) - set(after))
    added = {key: value for key, value in after.items() if before.get(key) != value}
    if removed:
        kind.tags.remove(call, removed)
    if added:
        kind.tags.add(call, added)
