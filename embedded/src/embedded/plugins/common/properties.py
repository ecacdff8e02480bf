"""Properties of the engine as plain JSON values, with the place of every secret kept.

Objects of Kubernetes nest: one secret in `spec.template.spec.containers[0].env` must neither lose its mark
nor hide the whole `spec`. So secrets are remembered as paths into the plain value.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from google.protobuf.struct_pb2 import Struct

from embedded.plugins.common import wire
from embedded.plugins.common.values import UNKNOWN, Asset, Unknown, has_unknown
from embedded.plugins.common.wire import Path

JsonMap: TypeAlias = dict[str, Any]

__all__ = ["UNKNOWN", "JsonMap", "Path", "Properties", "Unknown", "has_unknown", "value_at"]

# A shorter text may well be part of an ordinary word, and hiding it would only garble the message.
_SHORTEST_MASKED_SECRET = 4


@dataclass(frozen=True)
class Properties:
    """Plain values of one resource and the paths in them that are secret."""

    values: JsonMap = field(default_factory=dict)
    secrets: frozenset[Path] = frozenset()

    @classmethod
    def of(cls, properties: Struct) -> "Properties":
        """Read the engine's wire form; nulls at the top are absent values."""
        return cls(*wire.read(properties))

    def to_struct(self) -> Struct:
        """The same in the engine's wire form, secrets marked."""
        return wire.write(self.values, self.secrets)

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
    """Text of an asset.

    Raises ValueError for one that is not text in a file or in the program.
    """
    if isinstance(asset, Asset) and asset.text is not None:
        return asset.text
    if isinstance(asset, Asset) and asset.path is not None:
        from pathlib import Path as FilePath

        return FilePath(asset.path).read_text()
    given = "RemoteAsset" if isinstance(asset, Asset) else type(asset).__name__
    raise ValueError(f"{given} is not supported here; use a FileAsset or a StringAsset")
