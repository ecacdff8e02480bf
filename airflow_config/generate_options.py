"""Writes the option catalogue of the installed Airflow: options/<major>.<minor>.json beside this file.

The catalogue is what `infra/airflow_cfg.py` checks airflow.cfg against. It is committed, since the program
must not need Airflow itself. Run this with a Python that has the pinned Airflow and the providers of the
image, and review the difference:

    uv venv /tmp/airflow
    uv pip install --python /tmp/airflow/bin/python \
        'apache-airflow[cncf-kubernetes,amazon,postgres,fab,standard,statsd]==3.2.2'
    AIRFLOW_HOME=/tmp/airflow/home /tmp/airflow/bin/python airflow_config/generate_options.py

Sources, all of the installed packages: the descriptions of core and providers as Airflow's own parser merges
them, the parser's table of deprecated options, and the table behind `airflow config lint`.
"""

from __future__ import annotations

import json
from importlib import metadata
from pathlib import Path
from typing import Any

from airflow import __version__ as airflow_version  # type: ignore[import-not-found]
from airflow.cli.commands.config_command import CONFIGS_CHANGES  # type: ignore[import-not-found]
from airflow.configuration import conf  # type: ignore[import-not-found]

# Sections whose keys Airflow hands on to a client library, so that any key is meant.
FREE_FORM_SECTIONS = ("elasticsearch_configs", "opensearch_configs")

# The configuration descriptions call one type by several names.
TYPE_NAMES = {"bool": "boolean", "int": "integer", "str": "string", None: "string"}

# Described as text with a default of True or False, and yet more than a boolean.
NOT_BOOLEAN = {("api", "expose_config")}  # also "non-sensitive-only"


def option_type(section: str, option: str, fields: dict[str, Any]) -> str:
    """The type of an option; many booleans are described as text, and known by their default."""
    kind = TYPE_NAMES.get(fields.get("type"), fields.get("type"))
    is_truth = fields.get("default") in ("True", "False") and (section, option) not in NOT_BOOLEAN
    return "boolean" if kind == "string" and is_truth else str(kind)


def sections() -> dict[str, Any]:
    """Section -> {"options": {option: {"type", "sensitive"?}}, "free_form"?}, sorted."""
    catalogue: dict[str, Any] = {}
    for section, described in sorted(conf.configuration_description.items()):
        options = {}
        for option, fields in sorted(described["options"].items()):
            options[option] = {"type": option_type(section, option, fields)}
            if fields.get("sensitive"):
                options[option]["sensitive"] = True
        catalogue[section] = {"options": options}
        if section in FREE_FORM_SECTIONS:
            catalogue[section]["free_form"] = True
    return catalogue


def renamed() -> dict[str, str]:
    """Old "section.option" -> today's "section.option", for options that moved."""
    moves = {f"{old[0]}.{old[1]}": f"{new[0]}.{new[1]}" for new, old in conf.deprecated_options.items()}
    for change in CONFIGS_CHANGES:
        if change.renamed_to is not None:
            old, new = change.config, change.renamed_to
            moves[f"{old.section}.{old.option}"] = f"{new.section}.{new.option}"
    return {old: new for old, new in sorted(moves.items()) if old != new}


def removed() -> list[str]:
    """Each "section.option" that is gone without a successor, sorted."""
    gone = {
        f"{change.config.section}.{change.config.option}"
        for change in CONFIGS_CHANGES
        if change.was_removed and change.renamed_to is None
    }
    return sorted(gone - set(renamed()))


def main() -> None:
    """Write the catalogue; prints the path and the counts."""
    providers = {
        name: distribution.version
        for distribution in metadata.distributions()
        if (name := distribution.metadata["Name"]).startswith("apache-airflow-providers-")
    }
    catalogue = {
        "airflow": airflow_version,
        "providers": dict(sorted(providers.items())),
        "sections": sections(),
        "renamed": renamed(),
        "removed": removed(),
    }
    minor = ".".join(airflow_version.split(".")[:2])
    path = Path(__file__).parent / "options" / f"{minor}.json"
    path.write_text(json.dumps(catalogue, indent=1) + "\n", encoding="utf-8")
    count = sum(len(section["options"]) for section in catalogue["sections"].values())
    print(f"{path}: {len(catalogue['sections'])} sections, {count} options")


if __name__ == "__main__":
    main()
