"""Encrypted values of a stack file, for readers that have no key: the commands around the program.

Values and credentials of DAGs may be encrypted, and stand-ins take their place: no command looks at them. A
command needs every other value, so an encrypted one is a mistake there, in place of a default that the
program would not have.
"""

from __future__ import annotations

import typing
from collections.abc import Mapping
from typing import Final

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from infra.config_messages import fields_of, without_none

STAND_IN: Final = "encrypted"
HINT: Final = (
    "holds a secret, which would be readable where it is used, and the commands read stack files without the "
    "key; write it in plain. Secrets are kept in variables.NAME.value, and in host, login, password, schema "
    "and extra of connections.NAME"
)
Location = tuple[str, ...]


def opened(model: type[BaseModel], values: Mapping[str, object]) -> tuple[dict[str, object], list[Location]]:
    """Return the values with stand-ins for encrypted ones, and where one is that must not be encrypted.

    Args:
        model: what the values are for.
        values: top-level key -> value, as the stack file has it.
    """
    refused: list[Location] = []

    def open_value(value: object, expected: object, location: Location, allowed: bool) -> object:
        if isinstance(value, list):
            return [open_value(item, None, (*location, str(i)), allowed) for i, item in enumerate(value)]
        if not isinstance(value, dict):
            return value
        if set(value) == {"secure"} and isinstance(value["secure"], str):
            if not allowed:
                refused.append(location)
            return STAND_IN
        return {key: open_value(item, *step(expected, key, allowed, location)) for key, item in value.items()}

    def step(expected: object, key: str, allowed: bool, location: Location) -> tuple[object, Location, bool]:
        field = _field(expected, key)
        inner = without_none(field.annotation) if field is not None else _value_type(expected)
        return inner, (*location, key), allowed or _encryptable(field)

    found = {key: open_value(value, *step(model, key, False, ())) for key, value in values.items()}
    return found, refused


def _field(expected: object, key: str) -> FieldInfo | None:
    if isinstance(expected, type) and issubclass(expected, BaseModel):
        return fields_of(expected).get(key)
    return None


def _value_type(expected: object) -> object:
    """What the values of a mapping from names are."""
    return typing.get_args(expected)[1] if typing.get_origin(expected) is dict else None


def _encryptable(field: FieldInfo | None) -> bool:
    extra = field.json_schema_extra if field is not None else None
    return isinstance(extra, Mapping) and bool(extra.get("encryptable"))
