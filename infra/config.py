"""From Pulumi configuration to validated settings: the only reader of `pulumi.Config`.

Either the whole configuration is right, or every mistake is reported at once with its key, its value and
what is allowed; nothing has been registered by then. `parse` is pure, so case files and commands use it
without an engine.
"""

from __future__ import annotations

import difflib
import json
import os
import types
import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, TypeVar

import pulumi
from pulumi.runtime import config as runtime_config
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from infra.settings import EnvironmentSettings

NAMESPACE: Final = "airflow"
VALUE_WIDTH: Final = 60

Settings = TypeVar("Settings", bound=BaseModel)


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


# Set by `airflow-env down STACK --retire` for the run that lifts protection; the stack file stays as it is.
RETIRE_VARIABLE: Final = "AIRFLOW_ENV_RETIRE"


def load() -> EnvironmentSettings:
    """Return the settings of the running environment stack.

    Raises:
        SettingsError: with all mistakes found.
    """
    settings = load_as(EnvironmentSettings, NAMESPACE)
    if settings.persistent and os.environ.get(RETIRE_VARIABLE):
        return settings.model_copy(update={"retire": True})
    return settings


def load_as(model: type[Settings], namespace: str) -> Settings:
    """Return the settings of the running stack as `model`, from the keys of one namespace.

    Raises:
        SettingsError: with all mistakes found.
    """
    texts = {**runtime_config.get_config_env(), **runtime_config.CONFIG.get()}
    prefix = f"{namespace}:"
    own = {key.removeprefix(prefix): text for key, text in texts.items() if key.startswith(prefix)}
    hidden = {key for key in own if runtime_config.is_config_secret(prefix + key)}
    values = {key: decode_as(model, key, text) for key, text in own.items()}
    return parse_as(model, namespace, values, hidden=hidden)


def decode(key: str, text: object) -> object:
    """Return the natural value of an environment's configuration text; see `decode_as`."""
    return decode_as(EnvironmentSettings, key, text)


def decode_as(model: type[BaseModel], key: str, text: object) -> object:
    """Return the natural value of a configuration text: Pulumi hands structured values over as JSON.

    Top-level numbers and booleans are texts to Pulumi; which they are is known from the field. A text that
    can't be decoded is returned as it is, and validation says what was expected.
    """
    field = _fields(model).get(key)
    if field is None or not isinstance(text, str) or _is_textual(field):
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text


def parse(values: Mapping[str, object], *, hidden: Iterable[str] = ()) -> EnvironmentSettings:
    """Return an environment's settings from natural values by top-level key; see `parse_as`."""
    return parse_as(EnvironmentSettings, NAMESPACE, values, hidden=hidden)


def parse_as(
    model: type[Settings], namespace: str, values: Mapping[str, object], *, hidden: Iterable[str] = ()
) -> Settings:
    """Return settings from natural values by top-level key.

    Args:
        model: the settings' model.
        namespace: namespace of the keys, for messages.
        values: key without namespace -> value, as YAML or JSON gives it.
        hidden: keys that are marked secret, or have a part that is: no message shows their values.

    Raises:
        SettingsError: with all mistakes found.
    """
    messages = _Messages(model, namespace, frozenset(hidden))
    exposed = messages.exposed()
    try:
        document = json.dumps(values, default=str, ensure_ascii=False).encode()
        settings = model.model_validate_json(document, by_alias=True, by_name=False)
    except ValidationError as error:
        told = {mistake.key for mistake in exposed}
        found = messages.mistakes(error.errors(include_url=False))
        raise SettingsError([*exposed, *(one for one in found if one.key not in told)]) from None
    except UnicodeEncodeError:
        wrong = [key for key, value in values.items() if not (_is_text(repr(value)) and _is_text(key))]
        raise SettingsError(
            Mistake(f"{namespace}:{key!a}", None, "holds characters that are not Unicode text")
            for key in wrong
        ) from None
    except (ValueError, RecursionError):
        # json has no other: a value that is part of itself.
        raise SettingsError(
            [Mistake(f"{namespace}:*", None, "a value holds itself, by a YAML alias")]
        ) from None
    if exposed:
        raise SettingsError(exposed)
    return settings


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    # repr() writes a lone surrogate as an escape; either way it is not text.
    return "\\ud" not in text


@dataclass(frozen=True, slots=True)
class _Messages:
    """Words for what validation found."""

    model: type[BaseModel]
    namespace: str
    hidden: frozenset[str]

    def exposed(self) -> list[Mistake]:
        """Secrets where nothing stays secret: airflow.cfg, chart values, names and tags can be read."""
        fields = _fields(self.model)
        kept = sorted(key for key, field in fields.items() if _keeps_secrets(field.annotation))
        advice = f"secrets are kept in {', '.join(kept)} alone" if kept else "write it in plain"
        allowed = f"holds a secret, which would be readable where it is used; {advice}"
        return [
            Mistake(self._key([key]), None, allowed) for key in sorted({*self.hidden} & {*fields} - {*kept})
        ]

    def mistakes(self, errors: Iterable[ErrorDetails]) -> list[Mistake]:
        found: list[Mistake] = []
        for error in errors:
            location = [str(part) for part in error["loc"] if part != "[key]"]
            secret = self._is_secret(location)
            if error["type"] == "inconsistent":
                found += [
                    Mistake(self._key([*location, *([key] if key else [])]), _show(value, secret), allowed)
                    for key, value, allowed in error["ctx"]["mistakes"]
                ]
            elif error["type"] == "missing":
                text = f"is missing. {self._description(location)}"
                found.append(Mistake(self._key(location), None, text))
            else:
                allowed = self._allowed(error, location)
                found.append(Mistake(self._key(location), _show(error["input"], secret), allowed))
        return found

    def _allowed(self, error: ErrorDetails, location: list[str]) -> str:
        if error["type"] == "extra_forbidden":
            names = sorted(_fields(self._model_at(location[:-1])))
            return f"unknown key{_nearest(location[-1], names)}; allowed: {', '.join(names)}"
        if error["type"] in ("enum", "literal_error"):
            expected = str(error.get("ctx", {}).get("expected", ""))
            names = [name.strip(" '") for name in expected.replace(" or ", ", ").split(",")]
            return f"allowed: {', '.join(names)}{_nearest(str(error['input']), names)}"
        description = self._description(location)
        if error["type"] == "string_pattern_mismatch":
            pattern = error.get("ctx", {}).get("pattern")
            return f"allowed: text of the form {pattern}. {description}".strip()
        message = error["msg"].removeprefix("Input ")
        return f"{message[:1].lower()}{message[1:]}. {description}".strip()

    def _key(self, location: list[str]) -> str:
        return f"{self.namespace}:{'.'.join(location)}"

    def _is_secret(self, location: list[str]) -> bool:
        """Whether a value is marked secret in the stack file, or below a field that never shows its values.

        An unknown key beside such a field may be a misspelt one.
        """
        if location and location[0] in self.hidden:
            return True
        for end, key in enumerate(location):
            beside = _fields(self._model_at(location[:end]))
            fields = [beside[key]] if key in beside else list(beside.values())
            if any(not field.repr for field in fields):
                return True
        return False

    def _model_at(self, location: list[str]) -> type[BaseModel] | None:
        """Return the model at a location of keys, or None where there is none."""
        found: object = self.model
        for key in location:
            if isinstance(found, type) and issubclass(found, BaseModel):
                field = _fields(found).get(key)
                found = _without_none(field.annotation) if field is not None else None
            else:
                # A mapping from names to models: any key leads to its values.
                found = typing.get_args(found)[1] if typing.get_origin(found) is dict else None
        return found if isinstance(found, type) and issubclass(found, BaseModel) else None

    def _description(self, location: list[str]) -> str:
        """Return the description of the innermost field at a location."""
        for end in range(len(location), 0, -1):
            field = _fields(self._model_at(location[: end - 1])).get(location[end - 1])
            if field is not None:
                return str(field.description or "")
        return ""


def _nearest(name: str, names: list[str]) -> str:
    by_lower_case = {candidate.lower(): candidate for candidate in names}
    close = difflib.get_close_matches(name.lower(), by_lower_case, n=1)
    return f"; did you mean {by_lower_case[close[0]]}?" if close else ""


def _show(value: object, secret: bool) -> str:
    if secret:
        return "[secret]"
    text = json.dumps(value, default=str)
    return text if len(text) <= VALUE_WIDTH else f"{text[:VALUE_WIDTH]}..."


def _fields(model: type[BaseModel] | None) -> dict[str, FieldInfo]:
    return {field.alias or name: field for name, field in model.model_fields.items()} if model else {}


def _is_textual(field: FieldInfo) -> bool:
    """Whether the field takes a text: str, an enumeration of texts, or one of these or nothing."""
    options = typing.get_args(field.annotation) if _is_union(field.annotation) else (field.annotation,)
    return any(isinstance(option, type) and issubclass(option, str) for option in options)


def _keeps_secrets(annotation: object) -> bool:
    """Whether a value of this kind has a part that never shows."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return any(
            not field.repr or _keeps_secrets(field.annotation) for field in _fields(annotation).values()
        )
    return any(_keeps_secrets(option) for option in typing.get_args(annotation))


def _without_none(annotation: object) -> object:
    """Return what a field holds where it is not absent."""
    options = [option for option in typing.get_args(annotation) if option is not types.NoneType]
    return options[0] if _is_union(annotation) and len(options) == 1 else annotation


def _is_union(annotation: object) -> bool:
    return typing.get_origin(annotation) in (typing.Union, types.UnionType)
