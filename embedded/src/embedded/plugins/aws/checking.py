"""Inputs of a resource before anything is planned: names, kinds, required ones, defaults, made-up names."""

import difflib
import hashlib
from collections.abc import Mapping
from typing import Any, Final

from embedded.plugins.aws.schema import Property, ResourceType
from embedded.plugins.common.values import Unknown, Values, has_unknown

DEFAULTS_MARK: Final = "__defaults"
"""Input in which the plugin notes the names that it made up itself; the engine shows no such name."""

Failure = tuple[str, str]


def check(
    kind: ResourceType, logical_name: str, news: Values, olds: Values, seed: bytes
) -> tuple[Values, list[Failure]]:
    """Checked inputs, and every mistake in them as (property, what is wrong)."""
    given = {name: value for name, value in news.items() if name != DEFAULTS_MARK}
    failures: list[Failure] = []
    checked = _check_object(kind.token, kind.all_properties, given, "", failures)
    made_up = []
    for name, declared in kind.properties.items():
        if declared.automatic and name not in checked:
            checked[name] = _automatic_name(name, declared, logical_name, checked, olds, seed)
            made_up.append(name)
    if kind.validate is not None and not failures:
        failures.extend(kind.validate(checked))
    if made_up:
        checked[DEFAULTS_MARK] = made_up
    return checked, failures


def _automatic_name(
    name: str, declared: Property, logical_name: str, inputs: Values, olds: Values, seed: bytes
) -> Any:
    # An existing resource keeps the name it was given; a replacement gets a fresh one (no old inputs).
    if name in olds.get(DEFAULTS_MARK, []) and isinstance(olds.get(name), str):
        return olds[name]
    suffix = hashlib.sha256(seed + name.encode()).hexdigest()[:7]
    prefix = inputs.get(f"{name}Prefix")
    if isinstance(prefix, Unknown):
        return prefix
    longest = declared.automatic - len(suffix)
    if prefix:
        return f"{prefix[:longest]}{suffix}"
    return declared.automatic_form(f"{logical_name[: longest - 1]}-{suffix}")


def _check_object(
    token: str, fields: Mapping[str, Property], given: Values, path: str, failures: list[Failure]
) -> Values:
    checked: Values = {}
    for name in given:
        if name not in fields:
            failures.append((f"{path}{name}", _unknown_property(token, f"{path}{name}", name, fields)))
    for name, declared in fields.items():
        where = f"{path}{name}"
        value = given.get(name)
        if value is None:
            if declared.required:
                failures.append((where, f"{token}: required property '{where}' is missing"))
            elif declared.default is not None:
                checked[name] = declared.default
            continue
        checked[name] = _check_value(token, declared, value, where, failures)
    return checked


def _unknown_property(token: str, path: str, name: str, fields: Mapping[str, Property]) -> str:
    nearest = difflib.get_close_matches(name, fields, n=1)
    hint = f" (did you mean '{nearest[0]}'?)" if nearest else ""
    known = ", ".join(sorted(fields))
    return f"{token}: property '{path}' is not emulated by the embedded cloud{hint}; emulated: {known}"


def _check_value(token: str, declared: Property, value: Any, where: str, failures: list[Failure]) -> Any:
    if isinstance(value, Unknown):
        return value
    wanted = _KINDS[declared.kind]
    value = _coerced(declared, value)
    if not isinstance(value, wanted) or (declared.kind == "number" and isinstance(value, bool)):
        said = f"{token}: property '{where}' must be a {declared.kind}, not {type(value).__name__}"
        failures.append((where, said))
        return value
    if declared.allowed and value not in declared.allowed and not has_unknown(value):
        allowed = ", ".join(map(str, declared.allowed))
        failures.append((where, f"{token}: property '{where}' is {value!r}; allowed: {allowed}"))
    if declared.kind == "block":
        return _check_object(token, declared.fields, value, f"{where}.", failures)
    if declared.kind in ("blocks", "block_set"):
        return [
            _check_object(token, declared.fields, item, f"{where}[{index}].", failures)
            if isinstance(item, dict)
            else item
            for index, item in enumerate(value)
        ]
    return value


_KINDS: Final[Mapping[str, Any]] = {
    "text": str,
    "number": (int, float),
    "flag": bool,
    "list": list,
    "set": list,
    "map": dict,
    "block": dict,
    "blocks": list,
    "block_set": list,
    "asset": object,
}


def _coerced(declared: Property, value: Any) -> Any:
    """The value in the declared kind where its other spelling is unambiguous, as the real provider does."""
    if declared.kind == "text" and isinstance(value, (bool, int, float)):
        return str(value).lower() if isinstance(value, bool) else str(value)
    if declared.kind == "number" and isinstance(value, str) and value.lstrip("-").isdigit():
        return int(value)
    if declared.kind == "flag" and isinstance(value, str) and value in ("true", "false"):
        return value == "true"
    return value
