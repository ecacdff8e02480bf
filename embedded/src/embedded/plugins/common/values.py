"""Property values as plain Python: None, bool, int, float, str, list, dict, an asset, or `UNKNOWN`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

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


@dataclass(frozen=True)
class Asset:
    """A text, a file or a URL that a program hands over; exactly one of them is given."""

    text: str | None = None
    path: str | None = None
    uri: str | None = None


@dataclass(frozen=True)
class Archive:
    """A bundle of files, which no emulated type takes: kept as it came, in the engine's wire form."""

    wire: bytes


def has_unknown(value: Any) -> bool:
    """Whether the value is unknown or holds an unknown value at any depth."""
    if isinstance(value, Unknown):
        return True
    if isinstance(value, Mapping):
        return any(has_unknown(item) for item in value.values())
    if isinstance(value, (list, tuple)):
        return any(has_unknown(item) for item in value)
    return False
