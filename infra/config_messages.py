"""Words for the mistakes of a stack file: which key, what was found, what is allowed."""

from __future__ import annotations

import difflib
import json
import re
import types
import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import pulumi
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from infra.settings_examples import EXAMPLES

VALUE_WIDTH: Final = 60
# What validation calls a number out of its limits, or none at all.
_NUMBER_ERRORS: Final = (
    "int_type",
    "int_parsing_size",
    "int_from_float",
    "less_than_equal",
    "greater_than_equal",
)
_NUMBER_WITH_UNIT: Final = re.compile(r"\s*[0-9.]+\s*[A-Za-z%]+\s*")


@dataclass(frozen=True, slots=True)
class Mistake:
    """One mistake of a stack file: where it is, what was found, what is allowed."""

    key: str
    value: str | None
    allowed: str

    def __str__(self) -> str:
        found = "" if self.value is None else f" {self.value}:"
        return f"{self.key}:{found} {self.allowed}"


class SettingsError(pulumi.RunError):
    """The configuration is wrong. Pulumi prints the text without a traceback and touches nothing."""

    mistakes: tuple[Mistake, ...]

    def __init__(self, mistakes: Iterable[Mistake]) -> None:
        self.mistakes = tuple(mistakes)
        count = f"{len(self.mistakes)} mistake{'s' if len(self.mistakes) > 1 else ''}"
        lines = "\n".join(f"  {mistake}" for mistake in self.mistakes)
        super().__init__(f"{count} in the stack's configuration; nothing was changed:\n{lines}")


@dataclass(frozen=True, slots=True)
class Messages:
    """Words for what the validation of a model found."""

    model: type[BaseModel]
    namespace: str
    """Namespace of the model's keys."""
    hidden: frozenset[str]
    """Top-level keys whose values are not shown."""

    def exposed(self) -> list[Mistake]:
        """Secrets where nothing stays secret: airflow.cfg, chart values, names and tags can be read."""
        fields = fields_of(self.model)
        kept = sorted(key for key, field in fields.items() if _holds_secrets(without_none(field.annotation)))
        advice = f"secrets are kept in {', '.join(kept)} alone" if kept else "write it in plain"
        allowed = f"holds a secret, which would be readable where it is used; {advice}"
        return [
            Mistake(self.key([key]), None, allowed) for key in sorted({*self.hidden} & {*fields} - {*kept})
        ]

    def mistakes(self, errors: Iterable[ErrorDetails]) -> list[Mistake]:
        """One mistake for each error, or several where an error tells of values that do not fit together."""
        return [mistake for error in errors for mistake in self._of(error)]

    def key(self, location: Iterable[str]) -> str:
        """The key as a stack file has it."""
        return f"{self.namespace}:{'.'.join(location)}"

    def top_of(self, mistake: Mistake) -> str:
        """The top-level key of a mistake, without the namespace."""
        return mistake.key.removeprefix(f"{self.namespace}:").partition(".")[0]

    def _of(self, error: ErrorDetails) -> list[Mistake]:
        location = [str(part) for part in error["loc"] if part != "[key]"]
        if error["type"] == "inconsistent":
            return [
                self._of_several([*location, *([key] if key else [])], value, allowed)
                for key, value, allowed in error["ctx"]["mistakes"]
            ]
        secret = self._is_secret(location) or _may_hold_secret(error, location)
        if error["type"] == "missing":
            return [Mistake(self.key(location), None, f"is missing. {self._description(location)}")]
        # A name is no secret: it is in the key too.
        text = json.dumps(error["input"]) if error["loc"][-1] == "[key]" else _input(error, secret)
        return [Mistake(self.key(location), _cut(text), self._allowed(error, location, secret))]

    def _of_several(self, location: list[str], value: object, allowed: str) -> Mistake:
        return Mistake(self.key(location), shown(value, self._is_secret(location)), allowed)

    def _allowed(self, error: ErrorDetails, location: list[str], secret: bool) -> str:
        if error["type"] == "extra_forbidden":
            return _unknown_key(location[-1], fields_of(self._model_at(location[:-1])))
        if error["type"] in ("enum", "literal_error"):
            expected = str(error.get("ctx", {}).get("expected", ""))
            names = [name.strip(" '") for name in expected.replace(" or ", ", ").split(",")]
            return f"allowed: {', '.join(names)}{_nearest_choice(error['input'], names)}"
        return f"{self._form(error, location, secret)}. {self._description(location)}".strip()

    def _form(self, error: ErrorDetails, location: list[str], secret: bool) -> str:
        """What is allowed, without what the key is for."""
        kind, context, given = error["type"], error.get("ctx", {}), error["input"]
        if kind in _NUMBER_ERRORS:
            return f"allowed: {_range(self._field(location))}{_number_hint(given)}"
        if kind == "bool_type":
            quotes = ", without quotes" if isinstance(given, str) and given.lower() in _BOOLEANS else ""
            return f"allowed: true or false{quotes}"
        if kind == "string_type":
            quotes = "" if secret else f': "{json.dumps(given)}"'
            return f"allowed: text{f', in quotes{quotes}' if isinstance(given, int | float) else ''}"
        if kind == "string_pattern_mismatch":
            pattern = str(context.get("pattern"))
            example = f" such as {EXAMPLES[pattern]}," if pattern in EXAMPLES else ""
            return f"allowed: text{example} of the form {pattern}"
        if kind in ("string_too_short", "string_too_long"):
            limit = context.get("min_length", context.get("max_length"))
            side = "or more" if kind == "string_too_short" else "at most"
            return f"allowed: text of {limit} {'character' if limit == 1 else 'characters'} {side}"
        if kind in ("too_short", "too_long"):
            limit = context.get("min_length", context.get("max_length"))
            side = "or more" if kind == "too_short" else "at most"
            return f"allowed: {limit} {'entry' if limit == 1 else 'entries'} {side}"
        if kind in ("tuple_type", "list_type"):
            return "allowed: a list, as [a, b], or [] for none"
        if kind in ("model_type", "dict_type", "model_attributes_type"):
            return "allowed: an object: keys with values, one in a line below it, or {} for none"
        message = error["msg"].removeprefix("Input ").removeprefix("Value error, ")
        return f"{message[:1].lower()}{message[1:]}"

    def _is_secret(self, location: list[str]) -> bool:
        """Whether a value is marked secret in the stack file, or may hold one.

        That is so below a field that never shows its values; for an unknown key beside such a field, which
        may be a misspelt one; and for a value that stands where such fields are expected.
        """
        if location and location[0] in self.hidden:
            return True
        for end, key in enumerate(location):
            beside = fields_of(self._model_at(location[:end]))
            fields = [beside[key]] if key in beside else list(beside.values())
            if any(not field.repr for field in fields):
                return True
        return len(location) > 0 and _holds_secrets(self._annotation_at(location))

    def _annotation_at(self, location: list[str]) -> object:
        """Return what is expected at a location of keys, or None where nothing is."""
        found: object = self.model
        for key in location:
            if isinstance(found, type) and issubclass(found, BaseModel):
                field = fields_of(found).get(key)
                found = without_none(field.annotation) if field is not None else None
            elif typing.get_origin(found) is dict:
                # A mapping from names to models: any key leads to its values.
                found = typing.get_args(found)[1]
            else:
                found = None
        return found

    def _model_at(self, location: list[str]) -> type[BaseModel] | None:
        found = self._annotation_at(location)
        return found if isinstance(found, type) and issubclass(found, BaseModel) else None

    def _field(self, location: list[str]) -> FieldInfo | None:
        """Return the innermost field at a location."""
        for end in range(len(location), 0, -1):
            field = fields_of(self._model_at(location[: end - 1])).get(location[end - 1])
            if field is not None:
                return field
        return None

    def _description(self, location: list[str]) -> str:
        field = self._field(location)
        return str(field.description or "") if field is not None else ""


_LIKE_A_SECRET: Final = re.compile("secret|passw|token|credential|key", re.IGNORECASE)
_BOOLEANS: Final = ("true", "false", "yes", "no", "on", "off")


def shown(value: object, secret: bool) -> str | None:
    """A value for a message; None for none."""
    if value is None:
        return None
    return "[secret]" if secret else _cut(json.dumps(value, default=str, ensure_ascii=False))


def nearest(name: str, names: Iterable[str]) -> str:
    """`; did you mean X?` for the nearest of `names`, if one is near."""
    by_lower_case = {candidate.lower(): candidate for candidate in names}
    close = difflib.get_close_matches(name.lower(), by_lower_case, n=1)
    return f"; did you mean {by_lower_case[close[0]]}?" if close else ""


def _nearest_choice(given: object, names: list[str]) -> str:
    """The nearest choice; of numbers, that in value and not in digits."""
    if not all(name.isdecimal() for name in names):
        return nearest(str(given), names)
    if isinstance(given, bool) or not isinstance(given, int):
        return _number_hint(given)
    return f"; the nearest is {min(names, key=lambda name: abs(int(name) - given))}"


def fields_of(model: type[BaseModel] | None) -> Mapping[str, FieldInfo]:
    """Key in a stack file -> field."""
    return {field.alias or name: field for name, field in model.model_fields.items()} if model else {}


def without_none(annotation: object) -> object:
    """Return what a field holds where it is not absent."""
    options = [option for option in typing.get_args(annotation) if option is not types.NoneType]
    return options[0] if is_union(annotation) and len(options) == 1 else annotation


def is_union(annotation: object) -> bool:
    """Whether several types are allowed."""
    return typing.get_origin(annotation) in (typing.Union, types.UnionType)


def _may_hold_secret(error: ErrorDetails, location: list[str]) -> bool:
    """Whether what was found may be a secret although no field expects one there."""
    unknown = error["type"] == "extra_forbidden" and _LIKE_A_SECRET.search(location[-1]) is not None
    return unknown or error["type"] == "repository_password"


def _unknown_key(name: str, fields: Mapping[str, FieldInfo]) -> str:
    """What may stand there; also a key of another level, by the place where it belongs."""
    below = [
        f"{holder}.{key}"
        for holder, field in fields.items()
        if isinstance(inner := without_none(field.annotation), type) and issubclass(inner, BaseModel)
        for key in fields_of(inner)
        if key == name
    ]
    place = f"; it belongs under {below[0].rpartition('.')[0]}" if below else nearest(name, sorted(fields))
    return f"unknown key{place}; allowed: {', '.join(sorted(fields))}"


def _holds_secrets(annotation: object) -> bool:
    """Whether a value of this type has a field that never shows its values."""
    if typing.get_origin(annotation) is dict:
        return _holds_secrets(typing.get_args(annotation)[1])
    if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
        return False
    return any(not field.repr for field in annotation.model_fields.values())


def _range(field: FieldInfo | None) -> str:
    """The whole numbers that a field takes."""
    limits: dict[str, object] = {}
    for item in field.metadata if field is not None else ():
        limits |= {name: getattr(item, name) for name in ("ge", "le") if hasattr(item, name)}
    if "ge" in limits and "le" in limits:
        return f"a whole number from {limits['ge']} to {limits['le']}"
    return f"a whole number of {limits['ge']} or more" if "ge" in limits else "a whole number"


def _number_hint(given: object) -> str:
    if not isinstance(given, str):
        return ""
    if given.strip().lstrip("+-").isdecimal():
        return ", without quotes"
    return ", without a unit" if _NUMBER_WITH_UNIT.fullmatch(given) else ""


def _input(error: ErrorDetails, secret: bool) -> str:
    # Unlike a mistake of several values, this one is about a value that is there, null too.
    return shown(error["input"], secret) or "null"


def _cut(text: str | None) -> str | None:
    return text if text is None or len(text) <= VALUE_WIDTH else f"{text[:VALUE_WIDTH]}..."
