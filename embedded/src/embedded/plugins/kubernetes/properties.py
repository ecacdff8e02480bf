"""Properties of the engine as plain JSON values, with the place of every secret kept.

Objects of Kubernetes nest: one secret in `spec.template.spec.containers[0].env` must neither lose its mark
nor hide the whole `spec`. So secrets are remembered as paths into the plain value.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import pulumi
from pulumi.provider.experimental.property_value import PropertyValue

from embedded.plugins.common.values import UNKNOWN, Unknown, has_unknown, to_property, to_python

JsonMap: TypeAlias = dict[str, Any]
Path: TypeAlias = tuple[str | int, ...]
"""Keys and list positions from the top of a resource's properties, e.g. ("data", "password")."""

__all__ = ["UNKNOWN", "JsonMap", "Path", "Properties", "Unknown", "has_unknown", "value_at"]

# A shorter text may well be part of an ordinary word, and hiding it would only garble the message.
_SHORTEST_MASKED_SECRET = 4


@dataclass(frozen=True)
class Properties:
    """Plain values of one resource and the paths in them that are secret."""

    values: JsonMap = field(default_factory=dict)
    secrets: frozenset[Path] = frozenset()

    @classmethod
    def of(cls, properties: Mapping[str, PropertyValue]) -> "Properties":
        """Read the SDK's property values; nulls at the top are absent values."""
        secrets: set[Path] = set()
        values = {name: _plain(value, (name,), secrets) for name, value in properties.items()}
        return cls({name: value for name, value in values.items() if value is not None}, frozenset(secrets))

    def to_engine(self) -> dict[str, PropertyValue]:
        """The same as the SDK's property values, secrets marked."""
        return {
            name: _property(value, (name,), self.secrets)
            for name, value in self.values.items()
            if value is not None
        }

    def with_values(self, values: JsonMap) -> "Properties":
        """Other values under the same marks: what was secret at a path still is.

        A mark inside a list covers the whole list, since a server may reorder or extend it.
        """
        kept: set[Path] = set()
        for path in self.secrets:
            position = next((index for index, step in enumerate(path) if isinstance(step, int)), None)
            whole = path if position is None else path[:position]
            if _exists(values, whole):
                kept.add(whole)
        return Properties(values, frozenset(kept))

    def marked(self, *paths: Path) -> "Properties":
        """The same with more paths secret; paths that are not there are ignored."""
        present = {path for path in paths if _exists(self.values, path)}
        return Properties(self.values, self.secrets | present)

    def secret_texts(self) -> list[str]:
        """Every secret string, longest first: what must not appear in a message."""
        texts: set[str] = set()
        for path in self.secrets:
            texts.update(_texts(value_at(self.values, path)))
        return sorted((text for text in texts if len(text) >= _SHORTEST_MASKED_SECRET), key=len, reverse=True)


def mask(message: str, secrets: Iterable[str]) -> str:
    """The message with each of the secret texts replaced by `[secret]`."""
    for secret in secrets:
        message = message.replace(secret, "[secret]")
    return message


def value_at(value: Any, path: Sequence[str | int]) -> Any:
    """The value at a path, or None when the path leads nowhere."""
    for step in path:
        if isinstance(value, Mapping) and isinstance(step, str):
            value = value.get(step)
        elif isinstance(value, list) and isinstance(step, int) and step < len(value):
            value = value[step]
        else:
            return None
    return value


def _exists(value: Any, path: Path) -> bool:
    return value_at(value, path) is not None


def _plain(value: PropertyValue, path: Path, secrets: set[Path]) -> Any:
    if value.is_secret:
        secrets.add(path)
    inner = value.value
    if isinstance(inner, Mapping):
        return {name: _plain(item, (*path, name), secrets) for name, item in inner.items()}
    if isinstance(inner, tuple | list):
        return [_plain(item, (*path, index), secrets) for index, item in enumerate(inner)]
    return to_python(value)


def _property(value: Any, path: Path, secrets: frozenset[Path]) -> PropertyValue:
    if isinstance(value, Mapping):
        inner = PropertyValue({str(name): _property(v, (*path, name), secrets) for name, v in value.items()})
    elif isinstance(value, list):
        inner = PropertyValue([_property(item, (*path, i), secrets) for i, item in enumerate(value)])
    else:
        inner = to_property(value)
    return inner.with_secret(True) if path in secrets else inner


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)


def asset_text(asset: Any) -> str:
    """Text of a Pulumi asset.

    Raises ValueError for an asset that is not text in a file or in the program.
    """
    if isinstance(asset, pulumi.StringAsset):
        return asset.text
    if isinstance(asset, pulumi.FileAsset):
        from pathlib import Path as FilePath

        return FilePath(asset.path).read_text()
    raise ValueError(f"{type(asset).__name__} is not supported here; use a FileAsset or a StringAsset")
