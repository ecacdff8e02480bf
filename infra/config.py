"""From Pulumi configuration to validated settings: the only reader of `pulumi.Config`.

Either the whole configuration is right, or every mistake is reported at once with its key, its value and
what is allowed; nothing has been registered by then. `parse` needs no engine, so case files and commands use
it.
"""

from __future__ import annotations

import json
import os
import typing
from collections.abc import Iterable, Mapping
from typing import Final, TypeVar

from pulumi.runtime import config as runtime_config
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from infra import airflow_cfg, encrypted_values
from infra.config_messages import Messages, Mistake, SettingsError, fields_of, is_union
from infra.foreign_keys import foreign_mistakes
from infra.settings import EnvironmentSettings
from infra.stack_size import size_mistakes

__all__ = [
    "Mistake",
    "SettingsError",
    "decode",
    "decode_as",
    "load",
    "load_as",
    "parse",
    "parse_as",
    "parse_file",
]

NAMESPACE: Final = "airflow"
# Keys by which others are judged.
DECISIVE: Final = ("durability",)

Settings = TypeVar("Settings", bound=BaseModel)

# Set by `airflow-env down STACK --retire` for the run that lifts protection; the stack file stays as it is.
RETIRE_VARIABLE: Final = "AIRFLOW_ENV_RETIRE"


def load() -> EnvironmentSettings:
    """Return the settings of the running environment stack.

    Raises:
        SettingsError: with all mistakes found.
    """
    word = os.environ.get(RETIRE_VARIABLE, "")
    allowed = "allowed: true, to lift protection for a planned end. Unset it for any other deployment"
    wrong = [Mistake(RETIRE_VARIABLE, json.dumps(word), allowed)] if word not in ("", "true") else []
    settings = load_as(EnvironmentSettings, NAMESPACE, wrong=wrong)
    return settings.model_copy(update={"retire": True}) if settings.persistent and word else settings


def load_as(model: type[Settings], namespace: str, *, wrong: Iterable[Mistake] = ()) -> Settings:
    """Return the settings of the running stack as `model`, from the keys of one namespace.

    Args:
        model: the settings' model.
        namespace: namespace of its keys.
        wrong: mistakes that were found before.

    Raises:
        SettingsError: with all mistakes found.
    """
    texts = {**runtime_config.get_config_env(), **runtime_config.CONFIG.get()}
    hidden = {key.partition(":")[2] for key in texts if runtime_config.is_config_secret(key)}
    decoded = {key: decode_as(model, key, text) for key, text in _own(namespace, texts).items()}
    found = [*wrong, *foreign_mistakes(namespace, texts)]
    return parse_as(model, namespace, decoded, hidden=hidden, wrong=found)


def parse_file(model: type[Settings], namespace: str, values: Mapping[str, object]) -> Settings:
    """Return settings from a stack file that was read without its encryption key.

    Args:
        model: the settings' model.
        namespace: namespace of its keys.
        values: key with its namespace -> value; an encrypted value is a mapping with the one key `secure`.

    Raises:
        SettingsError: with all mistakes found, encrypted values that have to be known among them.
    """
    opened, refused = encrypted_values.opened(model, _own(namespace, values))
    wrong = [Mistake(f"{namespace}:{'.'.join(where)}", None, encrypted_values.HINT) for where in refused]
    wrong += [*size_mistakes(values), *foreign_mistakes(namespace, values)]
    decoded = {key: decode_as(model, key, value) for key, value in opened.items()}
    return parse_as(model, namespace, decoded, wrong=wrong)


def _own(namespace: str, values: Mapping[str, object]) -> dict[str, object]:
    """Values of a namespace by key without it."""
    prefix = f"{namespace}:"
    return {key.removeprefix(prefix): value for key, value in values.items() if key.startswith(prefix)}


def decode(key: str, text: object) -> object:
    """Return the natural value of an environment's configuration text; see `decode_as`."""
    return decode_as(EnvironmentSettings, key, text)


def decode_as(model: type[BaseModel], key: str, text: object) -> object:
    """Return the natural value of a configuration text: Pulumi hands structured values over as JSON.

    Top-level numbers and booleans are texts to Pulumi; which they are is known from the field. A text that
    can't be decoded is returned as it is, and validation says what was expected.
    """
    field = fields_of(model).get(key)
    if field is None or not isinstance(text, str) or _is_textual(field):
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def parse(values: Mapping[str, object], *, hidden: Iterable[str] = ()) -> EnvironmentSettings:
    """Return an environment's settings from natural values by top-level key; see `parse_as`."""
    return parse_as(EnvironmentSettings, NAMESPACE, values, hidden=hidden)


def parse_as(
    model: type[Settings],
    namespace: str,
    values: Mapping[str, object],
    *,
    hidden: Iterable[str] = (),
    wrong: Iterable[Mistake] = (),
) -> Settings:
    """Return settings from natural values by top-level key.

    Args:
        model: the settings' model.
        namespace: namespace of the keys, for messages.
        values: key without namespace -> value, as YAML or JSON gives it.
        hidden: keys that are marked secret, or have a part that is: no message shows their values.
        wrong: mistakes that were found before; nothing more is said about their keys.

    Raises:
        SettingsError: with all mistakes found.
    """
    messages = Messages(model, namespace, frozenset(hidden))
    mistakes = [*wrong, *messages.exposed()]
    settings: Settings | None = None
    found: list[Mistake] = []
    try:
        document = json.dumps(values, default=str, ensure_ascii=False).encode()
        settings = model.model_validate_json(document, by_alias=True, by_name=False)
    except ValidationError as error:
        errors = error.errors(include_url=False)
        found = messages.mistakes(errors)
        broken = {str(item["loc"][0]) for item in errors if item["loc"]}
        found += _between_the_others(model, values, broken, messages)
    except (ValueError, TypeError, RecursionError):
        found = [
            Mistake(f"{namespace}:{key if _is_text(key) else ascii(key)}", None, problem)
            for key, value in values.items()
            if (problem := _no_json(key, value))
        ]
    # What is said of an option may show its text.
    if model is EnvironmentSettings and "airflow" not in messages.hidden:
        found += _override_mistakes(values)
    said = {mistake.key for mistake in mistakes}
    mistakes += [mistake for mistake in found if mistake.key not in said]
    if mistakes or settings is None:
        raise SettingsError(mistakes)
    return settings


def _between_the_others(
    model: type[BaseModel], values: Mapping[str, object], broken: set[str], messages: Messages
) -> list[Mistake]:
    """What is wrong between the keys that are right by themselves; `broken` ones are left out.

    Nothing is said where a default in a broken key's place would make others wrong.
    """
    fields = fields_of(model)
    if not broken or any(key in DECISIVE or (key in fields and fields[key].is_required()) for key in broken):
        return []
    rest = {key: value for key, value in values.items() if key not in broken}
    try:
        model.model_validate_json(
            json.dumps(rest, default=str, ensure_ascii=False), by_alias=True, by_name=False
        )
    except ValidationError as error:
        found = messages.mistakes(error.errors(include_url=False))
        return [mistake for mistake in found if messages.top_of(mistake) not in broken]
    return []


def _override_mistakes(values: Mapping[str, object]) -> list[Mistake]:
    """Mistakes in airflow.config, which Airflow's own catalogue of options judges."""
    airflow = values.get("airflow")
    if not isinstance(airflow, dict):
        return []
    lines = airflow_cfg.override_mistakes(airflow.get("version"), airflow.get("config"))
    return [Mistake(key, None, problem) for key, _, problem in (line.partition(": ") for line in lines)]


def _no_json(key: str, value: object) -> str | None:
    """Why an entry is nothing that a stack file can hold; None where it can."""
    if not (_is_text(repr(value)) and _is_text(key)):
        return "holds characters that are not Unicode text"
    try:
        json.dumps(value, default=str)
    except (ValueError, RecursionError):
        # json has no other: a value that is part of itself.
        return "a value holds itself, by a YAML alias"
    except TypeError:
        return "a key below it is no text; write it in quotes"
    return None


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    # repr() writes a lone surrogate as an escape; either way it is not text.
    return "\\ud" not in text


def _is_textual(field: FieldInfo) -> bool:
    """Whether the field takes a text: str, an enumeration of texts, or one of these or nothing."""
    options = typing.get_args(field.annotation) if is_union(field.annotation) else (field.annotation,)
    return any(isinstance(option, type) and issubclass(option, str) for option in options)
