"""Between the engine's wire form (`google.protobuf.Struct`) and plain Python.

A number without a fraction becomes an int, since the engine knows only doubles and AWS and Kubernetes tell
the two apart. Secrets are unwrapped; their places are kept as paths.
"""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import Any, Final, TypeAlias

from google.protobuf.struct_pb2 import Struct, Value

from embedded.plugins.common.values import UNKNOWN, Archive, Asset, Unknown, Values

Path: TypeAlias = tuple[str | int, ...]
"""Keys and list positions from the top of a resource's properties, e.g. ("data", "password")."""

# Source of all marks: pulumi sdk/go/common/resource/plugin/rpc.go and resource/properties.go.
_KIND: Final = "4dabf18193072939515e22adb298388d"
"""The key by which an object says that it is no object but one of the following."""
_ASSET: Final = "c44067f5952c0a294b673a41bacd8c17"
_ARCHIVE: Final = "0def7320c3a5731c473e5ecbe6d01bc7"
_SECRET: Final = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 - the mark, no secret
_RESOURCE: Final = "5cf8f73096256a8f31e491e813e4eb8e"
_OUTPUT: Final = "d0e6a833031e9bbcd3f4e8bde6ca49a4"
_UNKNOWN: Final = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
_UNKNOWNS: Final = frozenset(
    {
        _UNKNOWN,
        "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",
        "3eeb2bf0-c639-47a8-9e75-3b44932eb421",
        "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",
        "030794c1-ac77-496b-92df-f27374a8bd58",
        "e48ece36-62e2-4504-bad9-02848725956a",
        "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",
    }
)
"""One mark for each kind of unknown value."""


def read(properties: Struct) -> tuple[Values, frozenset[Path]]:
    """Plain values without nulls, which the engine takes for absent, and the paths that are secret."""
    secrets: set[Path] = set()
    values = {name: _read(item, (name,), secrets) for name, item in properties.fields.items()}
    return {name: value for name, value in values.items() if value is not None}, frozenset(secrets)


def write(values: Mapping[str, Any], secrets: AbstractSet[Path] = frozenset()) -> Struct:
    """The values in wire form, those at the paths marked secret."""
    properties = Struct()
    for name, value in values.items():
        if value is not None:
            _write(properties.fields[name], value, (name,), secrets)
    return properties


def _read(item: Value, path: Path, secrets: set[Path]) -> Any:
    kind = item.WhichOneof("kind")
    if kind == "string_value":
        return UNKNOWN if item.string_value in _UNKNOWNS else item.string_value
    if kind == "bool_value":
        return item.bool_value
    if kind == "number_value":
        number = item.number_value
        return int(number) if number.is_integer() else number
    if kind == "list_value":
        return [_read(inner, (*path, index), secrets) for index, inner in enumerate(item.list_value.values)]
    if kind == "struct_value":
        fields = item.struct_value.fields
        if _KIND in fields:
            return _read_special(item, fields, path, secrets)
        return {name: _read(inner, (*path, name), secrets) for name, inner in fields.items()}
    return None


def _read_special(item: Value, fields: Mapping[str, Value], path: Path, secrets: set[Path]) -> Any:
    kind = fields[_KIND].string_value
    if kind == _SECRET:
        secrets.add(path)
        return _read(fields["value"], path, secrets)
    if kind == _OUTPUT:
        if "secret" in fields and fields["secret"].bool_value:
            secrets.add(path)
        return _read(fields["value"], path, secrets) if "value" in fields else UNKNOWN
    if kind == _ASSET:
        return Asset(
            **{name: fields[name].string_value for name in ("text", "path", "uri") if name in fields}
        )
    if kind == _ARCHIVE:
        return Archive(item.SerializeToString(deterministic=True))
    if kind == _RESOURCE:
        return _read(fields["id"] if "id" in fields else fields["urn"], path, secrets)
    raise ValueError(f"a value of the unknown kind {kind}")


def _write(item: Value, value: Any, path: Path, secrets: AbstractSet[Path]) -> None:
    if secrets and path in secrets:
        item.struct_value.fields[_KIND].string_value = _SECRET
        item = item.struct_value.fields["value"]
    if isinstance(value, str):
        item.string_value = value
    elif isinstance(value, bool):
        item.bool_value = value
    elif isinstance(value, (int, float)):
        item.number_value = value
    elif isinstance(value, Unknown):
        item.string_value = _UNKNOWN
    elif isinstance(value, Mapping):
        item.struct_value.SetInParent()
        for name, inner in value.items():
            _write(item.struct_value.fields[str(name)], inner, (*path, str(name)), secrets)
    elif isinstance(value, (list, tuple, set, frozenset)):
        item.list_value.SetInParent()
        for index, inner in enumerate(value):
            _write(item.list_value.values.add(), inner, (*path, index), secrets)
    else:
        _write_special(item, value)


def _write_special(item: Value, value: Any) -> None:
    if value is None:
        item.null_value = 0  # type: ignore[assignment] # the enumeration's only value
    elif isinstance(value, Asset):
        item.struct_value.fields[_KIND].string_value = _ASSET
        for name in ("text", "path", "uri"):
            given = getattr(value, name)
            if given is not None:
                item.struct_value.fields[name].string_value = given
    elif isinstance(value, Archive):
        item.ParseFromString(value.wire)
    else:
        raise TypeError(f"the engine has no values of type {type(value).__name__}")
