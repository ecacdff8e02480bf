"""airflow.cfg as data: files with ${parameter} holes, parameters and a stack file's overrides -> sections.

Everything here is a pure function, apart from reading the files of `airflow_config/`. A value may depend on
an Output (the bucket's name); such an option becomes an Output, and all others stay plain text, so the shape
of the configuration is known in a preview. Options are checked against the catalogue of the pinned Airflow
version, because Airflow ignores an unknown option in silence.
"""

from __future__ import annotations

import configparser
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from string import Template
from typing import Any, Final

import pulumi

from infra import naming, versions
from infra.airflow_cfg_rules import STACK_FILE, Mistakes, Option, OptionCatalogue, check_option, check_text
from infra.settings import EnvironmentSettings
from infra.settings_model import CONFIG_NAME_PATTERN

CONFIG_DIRECTORY: Final = Path(__file__).resolve().parent.parent / "airflow_config"
# Names that ${holes} may have; see `config_parameters`.
PARAMETERS: Final = (
    "base_url",
    "parallelism",
    "region",
    "remote_logs_bucket",
    "secrets_prefix",
    "task_logs_prefix",
    "xcom_prefix",
    "xcom_threshold_bytes",
)

Text = str | pulumi.Output[str]
AirflowCfg = dict[str, dict[str, Text]]


class AirflowCfgError(ValueError):
    """airflow.cfg as asked for would not do what it says; `mistakes` has one line for each reason."""

    def __init__(self, mistakes: Iterable[str]) -> None:
        self.mistakes = tuple(mistakes)
        super().__init__("airflow.cfg:\n" + "\n".join(f"  - {mistake}" for mistake in self.mistakes))


class _Hole(Template):
    """`${name}` and `$$`; a bare `$name` is broken, since Airflow would expand an environment variable."""

    idpattern = r"(?!)"
    braceidpattern = r"[a-z][a-z0-9_]*"


@dataclass(frozen=True)
class _Setting:
    """One option as written: where it stands, and its text with holes."""

    section: str
    option: str
    text: str
    where: str
    overrides: bool = field(default=False)


@cache
def load_catalogue(airflow_version: str, directory: Path = CONFIG_DIRECTORY) -> OptionCatalogue:
    """The option catalogue of an Airflow version, by its minor (3.2.2 -> options/3.2.json).

    Raises `AirflowCfgError` when there is none, naming those that exist.
    """
    minor = ".".join(airflow_version.split(".")[:2])
    path = directory / "options" / f"{minor}.json"
    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in path.parent.glob("*.json"))) or "none"
        raise AirflowCfgError(
            [
                f"airflow:airflow.version: no option catalogue for Airflow {airflow_version}; there is: "
                f"{known}. Set another version, or write a catalogue with airflow_config/generate_options.py"
            ]
        )
    return OptionCatalogue.parse(json.loads(path.read_text(encoding="utf-8")))


def config_files(directory: Path = CONFIG_DIRECTORY) -> list[Path]:
    """The files of overrides, in the order in which they are laid over each other: by name."""
    return sorted(directory.glob("*.cfg"))


def config_parameters(
    settings: EnvironmentSettings, *, remote_logs_bucket: pulumi.Input[str], secrets_prefix: pulumi.Input[str]
) -> dict[str, Any]:
    """The parameters that the files of `airflow_config/` may name as ${parameter}.

    `secrets_prefix` has no slash at its end; Connections are kept under `<secrets_prefix>/connections/`.
    """
    host = settings.access.host
    return {
        # Without an ingress the UI is reached by port forwarding.
        "base_url": f"https://{host}" if host else "http://localhost:8080",
        "parallelism": settings.airflow.parallelism,
        "region": settings.region,
        "remote_logs_bucket": remote_logs_bucket,
        "secrets_prefix": secrets_prefix,
        "task_logs_prefix": naming.TASK_LOGS_PREFIX,
        "xcom_prefix": naming.XCOM_PREFIX,
        "xcom_threshold_bytes": settings.xcom.threshold_bytes,
    }


def build_airflow_cfg(
    files: Sequence[Path],
    *,
    parameters: Mapping[str, Any],
    overrides: Mapping[str, Mapping[str, Any]],
    catalogue: OptionCatalogue,
) -> AirflowCfg:
    """{section: {option: text}}: `files` in order, then `overrides`, with the holes filled from `parameters`.

    A parameter is text, a number, a boolean or an Output of text. Raises `AirflowCfgError` with all mistakes.
    """
    mistakes = Mistakes()
    merged: dict[tuple[str, str], _Setting] = {}
    for setting in [*_from_files(files, mistakes), *_from_overrides(overrides, mistakes)]:
        merged[setting.section, setting.option] = setting
        check_option(setting.section, setting.option, setting.where, setting.overrides, catalogue, mistakes)
    config: AirflowCfg = {}
    for (section, option), setting in merged.items():
        known = catalogue.find(section, option)
        config.setdefault(section, {})[option] = _fill(setting, known, parameters, mistakes)
    if mistakes:
        raise AirflowCfgError(mistakes)
    return config


def override_mistakes(version: object, overrides: object) -> list[str]:
    """What is wrong with a stack file's overrides, a line each that begins with the key.

    Judged beside the other settings, so that a file's mistakes come all at once; whatever is of the wrong
    type is left to these. Holes are filled with a text that every kind of option takes.
    """
    chosen = versions.AIRFLOW if version is None else version
    if not isinstance(chosen, str) or not re.fullmatch(r"3\.[0-9]+\.[0-9]+", chosen):
        return []
    try:
        catalogue = load_catalogue(chosen)
        sections = overrides if isinstance(overrides, dict) else {}
        texts = {
            section: {option: text for option, text in options.items() if _is_override(option, text)}
            for section, options in sections.items()
            if re.fullmatch(CONFIG_NAME_PATTERN, str(section)) and isinstance(options, dict)
        }
        build_airflow_cfg([], parameters=dict.fromkeys(PARAMETERS, "1"), overrides=texts, catalogue=catalogue)
    except AirflowCfgError as error:
        return list(error.mistakes)
    return []


def _is_override(option: object, text: object) -> bool:
    """Whether it is of the right type; the settings say what is wrong with others."""
    return re.fullmatch(CONFIG_NAME_PATTERN, str(option)) is not None and isinstance(text, str)


def _from_files(files: Sequence[Path], mistakes: Mistakes) -> Iterator[_Setting]:
    for path in files:
        # The one delimiter keeps s3:// and JSON whole; no default section: it would leak into all others.
        parser = configparser.RawConfigParser(delimiters=("=",), default_section="", strict=True)
        parser.optionxform = str  # type: ignore[assignment,method-assign]
        try:
            parser.read_string(path.read_text(encoding="utf-8"), source=path.name)
        except (configparser.Error, UnicodeDecodeError) as error:
            mistakes.add(
                f"{path.name}: {' '.join(str(error).split())}; write `option = value` under [section]"
            )
            continue
        for section in parser.sections():
            for option, text in parser.items(section):
                yield _Setting(section, option, text, where=path.name)


def _from_overrides(overrides: Mapping[str, Mapping[str, Any]], mistakes: Mistakes) -> Iterator[_Setting]:
    for section, options in overrides.items():
        for option, value in options.items():
            if not isinstance(value, str | int | float):
                mistakes.at(
                    section, option, STACK_FILE, f"{value!r} is no text; allowed: text, number, boolean"
                )
                continue
            yield _Setting(section, option, str(value), where=STACK_FILE, overrides=True)


def _fill(setting: _Setting, known: Option | None, parameters: Mapping[str, Any], mistakes: Mistakes) -> Text:
    """The text of a setting with its holes filled: an Output if one of them is, else checked whole."""
    where = (setting.section, setting.option, setting.where)
    template = _Hole(setting.text)
    if not template.is_valid():
        mistakes.at(*where, f"{setting.text!r} has a broken ${{hole}}; write ${{name}}, or $$ for a $")
        return setting.text
    names = template.get_identifiers()
    unknown = [name for name in names if name not in parameters]
    for name in unknown:
        mistakes.at(*where, f"unknown parameter ${{{name}}}{mistakes.nearest(name, parameters)}")
    if unknown:
        return setting.text
    outputs = {name: parameters[name] for name in names if isinstance(parameters[name], pulumi.Output)}
    plain = {name: str(parameters[name]) for name in names if name not in outputs}
    # What an Output will hold is not known yet: checked is the text around it.
    check_text(
        *where, template.substitute(plain | dict.fromkeys(outputs, "")), None if outputs else known, mistakes
    )
    if not outputs:
        return template.substitute(plain)
    return _output_text(setting.text, plain, outputs)


def _output_text(text: str, plain: Mapping[str, str], outputs: Mapping[str, pulumi.Output[str]]) -> Text:
    """`text` with its holes filled, of which at least one is an Output; secrets stay secret."""

    def substitute(values: Mapping[str, str]) -> str:
        return _Hole(text).substitute({**plain, **values})

    return pulumi.Output.all(**outputs).apply(substitute)
