"""The schemas that editors read: fresh, never stricter than the program, and of use. Oracle: jsonschema."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from full_settings import full
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from infra import settings_schema
from infra.cluster_settings import ClusterProjectSettings
from infra.settings import EnvironmentSettings
from infra.settings_examples import EXAMPLES

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
    encrypted = {"secure": "v1:abc:def"}
    document = {
        "encryptionsalt": "v1:abc",
        "config": {
            "airflow:retire": "true",
            "airflow:variables": {"token": {"value": encrypted}},
            "airflow:connections": {
                "warehouse": {
                    "type": "aws",
                    "host": encrypted,
                    "password": encrypted,
                    "extra": {"a": encrypted},
                }
            },
            "aws:region": "eu-west-1",
            "pulumi:disable-default-providers": ["aws"],
        },
    }
    assert mistakes("environment.schema.json", document) == []
    # What commands have to read is not encrypted, and a namespace that nobody reads is a slip (said as one).
    document["config"] = {
        "airflow:retire": "yes",
        "airflow:onwer": "x",
        "airflow:owner": encrypted,
        "airflwo:owner": "x",
        "airflow:connections": {"warehouse": {"type": "aws", "port": encrypted}},
    }
    assert len(mistakes("environment.schema.json", document)) == 4


# What only the models can judge: values that go together, and texts beyond a pattern.
BEYOND_A_SCHEMA = {
    "inconsistent",
    "missing",  # `pulumi config set` fills a file one by one
    "network",
    "repository_password",
    "repository_variable",
    "value_error",
}
# What a mutation puts in a value's place.
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    # To a schema 1.0 is a whole number; the engine writes it as 1.
    | st.floats(allow_nan=False, allow_infinity=False).filter(lambda number: not number.is_integer())
    # Python's $ also matches before a line's end, as an editor's does not.
    | st.text(max_size=20).filter(lambda text: "\n" not in text)
    | st.sampled_from(["true", "10.0.0.0/16", "a-abcdef", "a--b", "main", "https://u:p@h/x"]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.text(max_size=6).filter(lambda text: "\n" not in text), inner, max_size=2)
    ),
    max_leaves=4,
)


def places(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    if isinstance(value, dict):
        return [path, *(place for key, item in value.items() for place in places(item, (*path, key)))]
    return [path]


def errors_of(values: dict[str, Any]) -> set[str]:
    """Kinds of mistakes that the model itself finds."""
    try:
        EnvironmentSettings.model_validate_json(json.dumps(values), by_alias=True, by_name=False)
    except ValidationError as error:
        return {item["type"] for item in error.errors()}
    return set()


def test_the_file_that_is_mutated_is_valid() -> None:
    assert errors_of(full("airflow")) == set()


@given(data=st.data(), replacement=JSON, name=st.text(max_size=8).filter(lambda text: "\n" not in text))
def test_an_editor_and_the_program_judge_alike(data: st.DataObject, replacement: Any, name: str) -> None:
    values = deepcopy(full("airflow"))
    path = data.draw(st.sampled_from([place for place in places(values) if place]))
    holder: Any = values
    for key in path[:-1]:
        holder = holder[key]
    if data.draw(st.booleans()):
        holder[path[-1]] = replacement
    elif name:
        holder[name] = holder.pop(path[-1])
    document = {"config": {f"airflow:{key}": value for key, value in values.items()}}
    seen, refused = mistakes("environment.schema.json", document), errors_of(values)
    if refused - BEYOND_A_SCHEMA:
        assert seen, (path, refused)
    if not refused:
        assert not seen, (path, seen)


def forms(node: Any) -> Iterator[str]:
    """The patterns of a model's core schema: what validation compares with, and messages show."""
    if isinstance(node, list | tuple):
        yield from (form for item in node for form in forms(item))
    elif isinstance(node, dict):
        yield from (form for item in node.values() for form in forms(item))
        if node.get("type") == "str" and "pattern" in node:
            yield node["pattern"]


@pytest.mark.parametrize("model", [EnvironmentSettings, ClusterProjectSettings])
def test_every_form_has_an_example_of_it(model: type[BaseModel]) -> None:
    shown = set(forms(model.__pydantic_core_schema__))
    assert shown
    assert [form for form in shown if not re.search(form, EXAMPLES.get(form, "\0").strip('"'))] == []
