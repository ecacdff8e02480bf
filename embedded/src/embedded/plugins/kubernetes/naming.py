"""Names of objects: the program's own, or the logical name with a random suffix."""

import hashlib
import secrets
from dataclasses import dataclass
from typing import Any

from embedded.plugins.common.errors import PluginError
from embedded.plugins.kubernetes.properties import Unknown, value_at

AUTONAMED = "pulumi.com/autonamed"

OBJECT_SUFFIX_DIGITS = 7
RELEASE_SUFFIX_DIGITS = 8
"""Hexadecimal digits behind a generated name; source: pulumi sdk/go/common/resource, NewUniqueName and
NewUniqueHex with their default lengths, which the official plugin uses for objects and for releases."""


@dataclass(frozen=True)
class NameSource:
    """What a generated name is made from.

    `proposed` is the engine's wish under the project's `pulumi:autonaming` setting, which wins; `disabled`
    says that this setting forbids generated names.
    """

    logical_name: str
    random_seed: bytes = b""
    proposed: str = ""
    disabled: bool = False

    def generate(self, digits: int) -> str:
        """A new name; the same seed gives the same one, so that a preview names what `up` makes.

        Raises PluginError when the project forbids generated names.
        """
        if self.disabled:
            raise PluginError("generated names are turned off (pulumi:autonaming); give the resource a name")
        if self.proposed:
            return self.proposed
        if self.random_seed:
            return f"{self.logical_name}-{hashlib.sha256(self.random_seed).hexdigest()[:digits]}"
        return f"{self.logical_name}-{secrets.token_hex(digits)[:digits]}"


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
