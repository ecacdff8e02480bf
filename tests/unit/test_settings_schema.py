"""The schemas that editors read: fresh, never stricter than the program, and of use. Oracle: jsonschema."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from infra import settings_schema

ROOT = Path(__file__).resolve().parents[2]
CASES = sorted((ROOT / "tests" / "cases").glob("*.yaml"))
STACK_FILES = {
    "environment.schema.json": sorted(ROOT.glob("Pulumi.*.yaml")),
    "cluster.schema.json": sorted((ROOT / "cluster").glob("Pulumi.*.yaml")),
}
REQUIRED = {
    "region": "eu-west-1",
    "accountId": "123456789012",
    "owner": "data-platform",
    "cluster": {"stack": "organization/airflow-cluster/shared"},
}
# One mistake of each kind that stands in one key: names, types, choices, limits, forms.
SEEN = (
    "wrong_unknown_top",
    "wrong_unknown_nested",
    "wrong_snake_case",
    "wrong_pgbouncer_key",
    "wrong_oidc_key",
    "wrong_oidc_incomplete",
    "wrong_oidc_role",
    "wrong_oidc_issuer",
    "wrong_size_typo",
    "wrong_integer_text",
    "wrong_boolean_text",
    "wrong_mapping_as_text",
    "wrong_null",
    "wrong_pool_size",
    "wrong_replicas_zero",
    "wrong_cleanup_days",
    "wrong_scraper",
    "wrong_statsd_switch",
    "wrong_window",
    "wrong_many",
)


@cache
def validator(name: str) -> jsonschema.Draft202012Validator:
    schema = json.loads((settings_schema.DIRECTORY / name).read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def mistakes(name: str, document: Any) -> list[str]:
    return [f"{error.json_path}: {error.message}" for error in validator(name).iter_errors(document)]


def stack_file(case: Path) -> dict[str, Any]:
    """The stack file that a case stands for."""
    content = yaml.safe_load(case.read_text(encoding="utf-8"))
    values = {key: value for key, value in REQUIRED.items() if key not in content.get("remove", [])}
    values |= content.get("set", {})
    return {"config": {f"airflow:{key}": value for key, value in values.items()}}


@pytest.mark.parametrize("name", settings_schema.SCHEMAS)
def test_the_files_are_what_the_models_give(name: str) -> None:
    found = (settings_schema.DIRECTORY / name).read_text(encoding="utf-8")
    assert found == settings_schema.render(name), "stale; write them with: python -m infra.settings_schema"


@pytest.mark.parametrize("name", settings_schema.SCHEMAS)
def test_every_stack_file_is_accepted_and_names_its_schema(name: str) -> None:
    assert STACK_FILES[name]
    for path in STACK_FILES[name]:
        text = path.read_text(encoding="utf-8")
        assert mistakes(name, yaml.safe_load(text)) == [], path.name
        reference = text.splitlines()[0].partition("$schema=")[2]
        assert (path.parent / reference).resolve() == settings_schema.DIRECTORY / name


@pytest.mark.parametrize(
    "case", [case for case in CASES if case.stem.startswith("valid_")], ids=lambda case: case.stem
)
def test_what_the_program_takes_an_editor_takes(case: Path) -> None:
    assert mistakes("environment.schema.json", stack_file(case)) == []


@pytest.mark.parametrize("case", SEEN)
def test_an_editor_sees_the_mistakes_of_one_key(case: str) -> None:
    document = stack_file(ROOT / "tests" / "cases" / f"{case}.yaml")
    assert mistakes("environment.schema.json", document) != []


def test_what_the_engine_writes_is_accepted() -> None:
    """Text for numbers and booleans, encrypted values, keys of others, and the salt of the stack."""
    document = {
        "encryptionsalt": "v1:abc",
        "config": {
            "airflow:retire": "true",
            "airflow:connections": {"crm": {"type": "http", "password": {"secure": "v1:abc:def"}}},
            "airflow:variables": {"token": {"value": {"secure": "v1:abc:def"}}},
            "aws:region": "eu-west-1",
            "pulumi:disable-default-providers": ["aws"],
        },
    }
    assert mistakes("environment.schema.json", document) == []
    document["config"] = {"airflow:retire": "yes", "airflow:onwer": "x"}
    assert len(mistakes("environment.schema.json", document)) == 2
