"""Property values of the engine as plain Python, and back.

Plain Python here is: None, bool, int, float, str, list, dict, a Pulumi asset, or `UNKNOWN`. A number
without a fraction becomes an int, since the engine knows only doubles and AWS tells the two apart.
Secret-ness is kept per top-level property: a property is secret when anything inside it is.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeAlias

import pulumi
from pulumi.provider.experimental.property_value import PropertyValue
from pulumi.runtime import rpc

Values: TypeAlias = dict[str, Any]
"""Properties of a resource by their Pulumi (camelCase) names."""


class Unknown:
    """A value that the engine learns only when the resource it comes from exists."""

    _only: "Unknown | None" = None

    def __new__(cls) -> "Unknown":
        if cls._only is None:
            cls._only = super().__new__(cls)
        return cls._only

    def __repr__(self) -> str:
        return "UNKNOWN"

    def __bool__(self) -> bool:
        # An unknown value must never pass for an absent one.
        return True

    def __deepcopy__(self, memo: object) -> "Unknown":
        return self


UNKNOWN: Final = Unknown()

# The SDK leaves the engine's marks for unknown values as the strings they are on the wire.
_UNKNOWN_MARKS: Final = frozenset(
    {
        rpc.UNKNOWN,
        "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",
        "3eeb2bf0-c639-47a8-9e75-3b44932eb421",
        "04da6b54-80e4-46f7-96ec-b56ff0331ba9",
        "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",
        "030794c1-ac77-496b-92df-f27374a8bd58",
        "e48ece36-62e2-4504-bad9-02848725956a",
        "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",
    }
)
"""Source: pulumi sdk/go/common/resource/plugin/rpc.go (one mark per kind of unknown value)."""


def to_python(value: PropertyValue) -> Any:
    """The plain value of one property; secrets are unwrapped."""
    inner = value.value
    if isinstance(inner, bool) or inner is None:
        return inner
    if isinstance(inner, float):
        return int(inner) if inner.is_integer() else inner
    if isinstance(inner, str):
        return UNKNOWN if inner in _UNKNOWN_MARKS else inner
    if isinstance(inner, Mapping):
        return {name: to_python(item) for name, item in inner.items()}
    if isinstance(inner, (pulumi.Asset, pulumi.Archive)):
        return inner
    if isinstance(inner, Iterable):
        return [to_python(item) for item in inner]
    return UNKNOWN


def to_property(value: Any, secret: bool = False) -> PropertyValue:
    """One plain value as a property; `secret` marks the whole of it."""
    if isinstance(value, Unknown):
        inner = PropertyValue(rpc.UNKNOWN)
    elif isinstance(value, bool) or value is None or isinstance(value, str):
        inner = PropertyValue(value)
    elif isinstance(value, (int, float)):
        inner = PropertyValue(float(value))
    elif isinstance(value, Mapping):
        inner = PropertyValue({str(name): to_property(item) for name, item in value.items()})
    elif isinstance(value, (list, tuple, set, frozenset)):
        inner = PropertyValue([to_property(item) for item in value])
    else:
        inner = PropertyValue(value)
    return inner.with_secret(True) if secret else inner


def values_of(properties: Mapping[str, PropertyValue]) -> Values:
    """All properties as plain values, without nulls, which Pulumi treats as absent."""
    plain = {name: to_python(value) for name, value in properties.items()}
    return {name: value for name, value in plain.items() if value is not None}


def secrets_of(properties: Mapping[str, PropertyValue]) -> frozenset[str]:
    """Names of the properties that are secret or hold a secret."""
    return frozenset(name for name, value in properties.items() if value.contains_secret())


def properties_of(values: Mapping[str, Any], secrets: Iterable[str] = ()) -> dict[str, PropertyValue]:
    """Plain values as properties, with the named ones marked secret."""
    marked = set(secrets)
    return {name: to_property(value, name in marked) for name, value in values.items() if value is not None}


def has_unknown(value: Any) -> bool:
    """Whether the value is unknown or holds an unknown value at any depth."""
    if isinstance(value, Unknown):
        return True
    if isinstance(value, Mapping):
        return any(has_unknown(item) for item in value.values())
    if isinstance(value, (list, tuple)):
        return any(has_unknown(item) for item in value)
    return False
