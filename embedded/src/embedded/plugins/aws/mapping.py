"""Pulumi's property names to those of the AWS API, and back."""

from collections.abc import Iterable, Mapping
from typing import Any

from embedded.plugins.aws.schema import Property, ResourceType
from embedded.plugins.common.values import Values


def to_aws(
    kind: ResourceType, values: Mapping[str, Any], names: Iterable[str] | None = None
) -> dict[str, Any]:
    """Arguments of an AWS call from the given values (by default all that AWS takes by itself)."""
    wanted = set(names) if names is not None else None
    chosen = {
        name: declared
        for name, declared in kind.properties.items()
        if name in values and (wanted is None or name in wanted)
    }
    return _object_to_aws(kind, chosen, values)


def from_aws(kind: ResourceType, described: Mapping[str, Any]) -> Values:
    """Properties and outputs from AWS's description of a resource; what it leaves out stays out."""
    values = _object_from_aws(kind, kind.properties, described)
    for name, path in kind.outputs.items():
        if path is not None:
            found = dig(described, path)
            if found is not None:
                values[name] = plain(found)
    return values


def dig(described: Any, path: str) -> Any:
    """The value at a dotted path; a number picks from a list; None when there is none."""
    for part in path.split("."):
        if isinstance(described, list):
            described = described[int(part)] if int(part) < len(described) else None
        elif isinstance(described, Mapping):
            described = described.get(part)
        else:
            return None
    return described


def plain(value: Any) -> Any:
    """A value of an AWS answer as Pulumi can hold it: times as ISO 8601 text."""
    if hasattr(value, "isoformat"):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {name: plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value


def _object_to_aws(
    kind: ResourceType, fields: Mapping[str, Property], values: Mapping[str, Any]
) -> dict[str, Any]:
    arguments: dict[str, Any] = {}
    for name, declared in fields.items():
        aws = kind.aws_name(name, declared)
        value = values.get(name)
        if aws is not None and value is not None:
            arguments[aws] = _value_to_aws(kind, declared, value)
    return arguments


def _value_to_aws(kind: ResourceType, declared: Property, value: Any) -> Any:
    if declared.kind == "block":
        return _object_to_aws(kind, declared.fields, value)
    if declared.kind in ("blocks", "block_set"):
        return [_object_to_aws(kind, declared.fields, item) for item in value]
    return value


def _object_from_aws(
    kind: ResourceType, fields: Mapping[str, Property], described: Mapping[str, Any]
) -> Values:
    values: Values = {}
    for name, declared in fields.items():
        aws = kind.aws_name(name, declared)
        if aws is not None and described.get(aws) is not None:
            values[name] = _value_from_aws(kind, declared, described[aws])
    return values


def _value_from_aws(kind: ResourceType, declared: Property, value: Any) -> Any:
    if declared.kind == "block":
        return _object_from_aws(kind, declared.fields, value)
    if declared.kind in ("blocks", "block_set"):
        return [_object_from_aws(kind, declared.fields, item) for item in value]
    return plain(value)
