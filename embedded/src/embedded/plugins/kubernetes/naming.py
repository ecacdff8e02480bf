"""Names of objects: the program's own, or the logical name with a random suffix."""

from typing import Any

from embedded.plugins.common.errors import PluginError
from embedded.plugins.common.naming import NameSource
from embedded.plugins.common.properties import Unknown, value_at

AUTONAMED = "pulumi.com/autonamed"

OBJECT_SUFFIX_DIGITS = 7
RELEASE_SUFFIX_DIGITS = 8
"""Hexadecimal digits behind a generated name; source: pulumi sdk/go/common/resource, NewUniqueName and
NewUniqueHex with their default lengths, which the official plugin uses for objects and for releases."""


def is_autonamed(inputs: dict[str, Any]) -> bool:
    """Whether the plugin, and not the program, chose the object's name."""
    return bool(value_at(inputs, ("metadata", "annotations", AUTONAMED)) == "true")


def with_name(inputs: dict[str, Any], old_inputs: dict[str, Any], source: NameSource) -> dict[str, Any]:
    """The inputs with a name: the given one, the one the object already has, or a new one.

    Raises PluginError for generateName, which server-side apply does not know.
    """
    metadata = inputs.get("metadata") or {}
    if isinstance(metadata, Unknown) or metadata.get("name"):
        return inputs
    if metadata.get("generateName"):
        raise PluginError(
            "metadata.generateName does not work with server-side apply; leave it out to get a generated name"
        )
    name = value_at(old_inputs, ("metadata", "name")) or source.generate(OBJECT_SUFFIX_DIGITS)
    annotations = metadata.get("annotations") or {}
    if not isinstance(annotations, Unknown):
        annotations = {**annotations, AUTONAMED: "true"}
    return {**inputs, "metadata": {**metadata, "name": name, "annotations": annotations}}
