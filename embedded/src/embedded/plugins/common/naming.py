"""Where a name comes from that the program leaves to the plugin."""

import hashlib
import secrets
from dataclasses import dataclass

from embedded.plugins.common.errors import PluginError


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
