"""Stack files become settings, or a list of mistakes; never anything else."""

from __future__ import annotations

import json
from copy import deepcopy
from functools import partial, reduce
from pathlib import Path
from typing import Any

import pytest
import yaml
from full_settings import MODELS, full
from hypothesis import given, settings
from hypothesis import strategies as st
from pulumi.runtime import config as runtime_config

from infra import config
from infra.settings import EnvironmentSettings

ROOT = Path(__file__).resolve().parents[2]
CASES = sorted((ROOT / "tests" / "cases").glob("*.yaml"))
REQUIRED = {
    "region": "eu-west-1",
    "accountId": "123456789012",
    "owner": "data-platform",
    "cluster": {"stack": "organization/airflow-cluster/shared"},
}
STACK_FILES = sorted(ROOT.glob("Pulumi.*.yaml"))


def configuration(path: Path) -> dict[str, Any]:
    return dict(yaml.safe_load(path.read_text(encoding="utf-8"))["config"])


def natural(path: Path) -> dict[str, Any]:
    """The file's values by key; the engine writes top-level numbers and booleans as quoted text."""
    own = {key.removeprefix("airflow:"): value for key, value in configuration(path).items()}
    return {key: config.decode(key, value) for key, value in own.items()}


def attribute(settings: object, path: str) -> object:
    for name in path.split("."):
        settings = getattr(settings, name)
    return settings


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_case_file(path: Path) -> None:
    case = yaml.safe_load(path.read_text(encoding="utf-8"))
    values = {key: value for key, value in REQUIRED.items() if key not in case.get("remove", [])}
    values |= case.get("set", {})
    if "errors" not in case:
        settings = config.parse(values)
        assert {name: attribute(settings, name) for name in case["expect"]} == case["expect"]
        return
    with pytest.raises(config.SettingsError) as caught:
        config.parse(values)
    found = {mistake.key: str(mistake) for mistake in caught.value.mistakes}
    assert sorted(found) == sorted(key for key, _ in case["errors"]), str(caught.value)
    assert all(fragment in found[key] for key, fragment in case["errors"]), str(caught.value)
    assert all(text in str(caught.value) for text in found.values())
    # Case files have this one where a secret belongs.
    assert "hunter2" not in str(caught.value)


def test_case_files_are_all_of_a_known_form() -> None:
    allowed = {"says", "set", "remove", "expect", "errors"}
    for path in CASES:
        case = yaml.safe_load(path.read_text(encoding="utf-8"))
        assert set(case) <= allowed, path.name
        assert ("errors" in case) == path.name.startswith("wrong_"), path.name


def test_text_that_is_no_unicode_is_named() -> None:
    with pytest.raises(config.SettingsError, match="airflow:owner: holds characters"):
        config.parse({**REQUIRED, "owner": "\ud800"})


def test_a_secret_value_is_not_shown() -> None:
    with pytest.raises(config.SettingsError) as caught:
        config.parse({**REQUIRED, "variables": "hunter2"}, hidden=["variables"])
    assert "hunter2" not in str(caught.value)
    assert "[secret]" in str(caught.value)


def test_a_secret_that_would_be_readable_is_refused_beside_all_other_mistakes() -> None:
    """A password in airflow.cfg would stand in a ConfigMap, in the state and in the chart's values."""
    values = {**REQUIRED, "size": "small", "airflow": {"config": {"smtp": {"smtp_user": "hunter2"}}}}
    with pytest.raises(config.SettingsError) as caught:
        config.parse(values, hidden=["airflow", "variables"])
    assert [mistake.key for mistake in caught.value.mistakes] == ["airflow:airflow", "airflow:size"]
    assert "secrets are kept in connections, variables alone" in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_secrets_may_stand_where_they_are_kept() -> None:
    kept = {"variables": {"a": {"value": "x"}}, "connections": {"b": {"type": "http", "password": "y"}}}
    assert config.parse({**REQUIRED, **kept}, hidden=kept).variables["a"].text == "x"


@pytest.fixture
def runtime_configuration() -> Any:
    yield lambda texts, secrets=(): runtime_config.set_all_config(texts, list(secrets))
    runtime_config.set_all_config({}, [])


@pytest.mark.parametrize("path", STACK_FILES, ids=lambda path: path.name)
def test_the_engines_texts_give_the_same_as_the_file(path: Path, runtime_configuration: Any) -> None:
    # The engine hands every value over as text, structured ones as JSON.
    texts = {
        key: value if isinstance(value, str) else json.dumps(value)
        for key, value in configuration(path).items()
    }
    runtime_configuration(texts)
    assert config.load() == config.parse(natural(path))


# What the engine hands over for `REQUIRED`.
TEXTS = {
    f"airflow:{key}": value if isinstance(value, str) else json.dumps(value)
    for key, value in REQUIRED.items()
}


def test_keys_of_other_namespaces_are_not_ours(runtime_configuration: Any) -> None:
    runtime_configuration({**TEXTS, "aws:region": "eu-west-1", "pulumi:tags": "{}"})
    assert config.load().region == "eu-west-1"


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("aws:region", "us-east-1", '"us-east-1": allowed: eu-west-1, as airflow:region'),
        ("aws:profile", "hunter2", "use the environment variable AWS_PROFILE"),
        ("aws:secretKey", "hunter2", "use the environment variable AWS_PROFILE"),
        ("aws:defaultTags", '{"tags": {"a": "b"}}', "use airflow:tags"),
        ("aws:allowedAccountIds", '["123456789012"]', "use airflow:accountId"),
        ("aws:maxRetries", "3", "remove it"),
        ("kubernetes:context", "hunter2", "use airflow:cluster"),
    ],
)
def test_settings_of_providers_would_be_ignored_and_are_refused(
    key: str, value: str, said: str, runtime_configuration: Any
) -> None:
    """The programs make their providers themselves, and these read nothing of the stack's configuration."""
    runtime_configuration({**TEXTS, key: value})
    with pytest.raises(config.SettingsError) as caught:
        config.load()
    [mistake] = caught.value.mistakes
    assert mistake.key == key
    assert said in str(mistake)
    assert "hunter2" not in str(mistake)
    # The commands, which read the file itself, say the same.
    with pytest.raises(config.SettingsError) as read:
        config.parse_file(EnvironmentSettings, "airflow", {**TEXTS, key: value})
    assert read.value.mistakes == (mistake,)


@pytest.mark.parametrize("text", ["true", ""])
def test_protection_is_lifted_by_one_word_alone(
    text: str, runtime_configuration: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime_configuration(TEXTS)
    monkeypatch.setenv("AIRFLOW_ENV_RETIRE", text)
    assert config.load().protected is (text == "")


@pytest.mark.parametrize("text", ["false", "0", "True", "no", " "])
def test_another_word_beside_protection_is_a_mistake(
    text: str, runtime_configuration: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Found beside the others, since what somebody meant by it decides what is deleted."""
    runtime_configuration({**TEXTS, "airflow:owner": "?!"})
    monkeypatch.setenv("AIRFLOW_ENV_RETIRE", text)
    with pytest.raises(config.SettingsError) as caught:
        config.load()
    assert {mistake.key for mistake in caught.value.mistakes} == {"AIRFLOW_ENV_RETIRE", "airflow:owner"}
    assert f"AIRFLOW_ENV_RETIRE: {json.dumps(text)}: allowed: true" in str(caught.value)


def test_a_text_nested_too_deep_to_read_is_a_mistake(runtime_configuration: Any) -> None:
    runtime_configuration({**TEXTS, "airflow:tags": "[" * 100_000})
    with pytest.raises(config.SettingsError, match=r"airflow:tags: .*allowed: an object"):
        config.load()


def test_unknown_keys_of_the_namespace_are_refused(runtime_configuration: Any) -> None:
    # The engine itself accepts undeclared keys in silence.
    runtime_configuration({**TEXTS, "airflow:regoin": "us-east-1"})
    with pytest.raises(config.SettingsError, match="did you mean region"):
        config.load()


def test_stack_files_have_the_same_keys() -> None:
    def keys(value: Any, path: str = "") -> set[str]:
        if not isinstance(value, dict):
            return {path}
        return {path} | {name for key, item in value.items() for name in keys(item, f"{path}.{key}")}

    first, *others = [keys(configuration(path)) for path in STACK_FILES]
    assert len(STACK_FILES) >= 2
    assert all(other == first for other in others)


# Anything that YAML or JSON can hold, numbers that are none included.
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=6,
)


def paths(value: Any, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    if not isinstance(value, dict):
        return [path]
    return [path, *(found for key, item in value.items() for found in paths(item, (*path, key)))]


@pytest.mark.parametrize("namespace", MODELS)
def test_the_settings_that_are_mutated_are_valid(namespace: str) -> None:
    assert mistakes_of(namespace, full(namespace)) == ()


# Nothing, another kind of text, a number out of every limit, a list and an object of strangers.
ODD = (None, "\n--", -1, [[]], {"odd": {}})


@pytest.mark.parametrize("namespace", MODELS)
def test_each_place_empty_or_odd_gives_a_precise_mistake_or_none(namespace: str) -> None:
    for path in paths(full(namespace))[1:]:
        for mutate in (dict.pop, *(partial(_put, value=value) for value in ODD)):
            mutated = deepcopy(full(namespace))
            mutate(holder_of(mutated, path), path[-1])
            assert precise(namespace, mutated, path[0]), (path, mutate)


def _put(holder: dict[str, Any], key: str, *, value: Any) -> None:
    holder[key] = value


# Each place had its turn above; here are shapes and texts that nobody thinks of.
@settings(max_examples=60)
@given(
    data=st.data(),
    namespace=st.sampled_from(sorted(MODELS)),
    replacement=JSON,
    name=st.text(min_size=1, max_size=12),
)
def test_any_mutation_loads_or_gives_a_precise_mistake(
    data: st.DataObject, namespace: str, replacement: Any, name: str
) -> None:
    mutated = deepcopy(full(namespace))
    path = data.draw(st.sampled_from(paths(mutated)[1:]))
    holder = holder_of(mutated, path)
    kind = data.draw(st.sampled_from(["replace", "rename", "add"]))
    if kind == "replace":
        holder[path[-1]] = replacement
    elif kind == "rename":
        holder[name] = holder.pop(path[-1])
    else:
        holder[name] = replacement
    touched = (path[0], *([name] if len(path) == 1 else []))
    assert precise(namespace, mutated, *touched), (kind, path)


def holder_of(values: dict[str, Any], path: tuple[str, ...]) -> dict[str, Any]:
    """The object that the last key of a path stands in."""
    return reduce(dict.__getitem__, path[:-1], values)


def precise(namespace: str, values: dict[str, Any], *tops: str) -> bool:
    """Whether there is no mistake, or one that names one of the top-level keys that were touched."""
    keys = [f"{mistake.key}." for mistake in mistakes_of(namespace, values)]
    return not keys or any(key.startswith(f"{namespace}:{top}.") for key in keys for top in tops)


def mistakes_of(namespace: str, values: dict[str, Any]) -> tuple[config.Mistake, ...]:
    """The mistakes in `values`, none for valid ones; anything else that is raised fails the test."""
    try:
        config.parse_as(MODELS[namespace], namespace, values)
    except config.SettingsError as error:
        return error.mistakes or pytest.fail("an error without a mistake")
    return ()
