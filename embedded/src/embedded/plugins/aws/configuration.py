"""Settings of the `aws` provider, as the program or the stack's configuration gives them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from embedded.plugins.common.errors import PluginError
from embedded.plugins.common.values import Values, has_unknown

KNOWN: Final = frozenset(
    {
        "accessKey",
        "secretKey",
        "token",
        "profile",
        "region",
        "defaultTags",
        "allowedAccountIds",
        "forbiddenAccountIds",
        "endpoints",
        "maxRetries",
        "s3UsePathStyle",
        "skipCredentialsValidation",
        "skipMetadataApiCheck",
        "skipRegionValidation",
        "skipRequestingAccountId",
    }
)
"""Settings that do something here. Source: https://www.pulumi.com/registry/packages/aws/api-docs/provider/"""

_ENGINES_OWN: Final = frozenset({"version", "pluginDownloadURL", "__internal"})


@dataclass(frozen=True)
class Configuration:
    """The provider's settings; `raw` is what they were read from."""

    region: str = ""
    access_key: str | None = None
    secret_key: str | None = None
    token: str | None = None
    profile: str | None = None
    default_tags: Mapping[str, str] = field(default_factory=dict)
    allowed_accounts: tuple[str, ...] = ()
    forbidden_accounts: tuple[str, ...] = ()
    endpoints: Mapping[str, str] = field(default_factory=dict)
    skip_credentials_validation: bool = False
    skip_requesting_account: bool = False


def unsupported(values: Values) -> list[tuple[str, str]]:
    """Settings that this plugin does not know, each with what is wrong."""
    allowed = ", ".join(sorted(KNOWN))
    return [
        (name, f"the aws provider of the embedded cloud has no setting '{name}'; it knows: {allowed}")
        for name in sorted(values)
        if name not in KNOWN | _ENGINES_OWN
    ]


def parse(values: Values) -> Configuration:
    """Settings from the provider's properties; structured ones arrive as JSON text.

    Raises PluginError when a value is unknown or cannot be read.
    """
    if has_unknown(values):
        raise PluginError("settings of the aws provider must be known before its resources are planned")
    endpoints: dict[str, str] = {}
    for entry in _structured(values, "endpoints", []):
        endpoints.update(entry)
    return Configuration(
        region=values.get("region") or "",
        access_key=values.get("accessKey"),
        secret_key=values.get("secretKey"),
        token=values.get("token"),
        profile=values.get("profile"),
        default_tags=dict(_structured(values, "defaultTags", {}).get("tags") or {}),
        allowed_accounts=tuple(_structured(values, "allowedAccountIds", [])),
        forbidden_accounts=tuple(_structured(values, "forbiddenAccountIds", [])),
        endpoints=endpoints,
        skip_credentials_validation=_flag(values, "skipCredentialsValidation"),
        skip_requesting_account=_flag(values, "skipRequestingAccountId"),
    )


def _structured(values: Values, name: str, fallback: Any) -> Any:
    value = values.get(name)
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError as error:
            raise PluginError(f"aws provider setting '{name}' is not valid JSON: {error}") from None
    if value is not None and not isinstance(value, type(fallback)):
        raise PluginError(f"aws provider setting '{name}' must be a {type(fallback).__name__}")
    return value if value is not None else fallback


def _flag(values: Values, name: str) -> bool:
    return str(values.get(name, False)).lower() == "true"
