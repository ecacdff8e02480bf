"""The models themselves: documented, frozen, and the same as the project files declare."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

import pytest
import yaml
from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from infra import config
from infra.cluster_settings import ClusterProjectSettings
from infra.settings import EnvironmentSettings

ROOT = Path(__file__).resolve().parents[2]
PROJECTS = [
    (EnvironmentSettings, ROOT / "Pulumi.yaml"),
    (ClusterProjectSettings, ROOT / "cluster" / "Pulumi.yaml"),
]
REQUIRED = {
    "region": "eu-west-1",
    "accountId": "123456789012",
    "owner": "data-platform",
    "cluster": {"name": "platform"},
}


# End of a number's name -> how its description says the unit.
UNITS = {
    "days": r"\bDays\b",
    "minutes": r"\bmin\b",
    "seconds": r"\bs(econds)?\b",
    "milliseconds": r"\bms\b",
    "gib": r"\bGiB\b",
    "bytes": r"\bbytes\b",
    "percent": "%",
}
# Numbers that count what they are called.
COUNTS = {
    "port",
    "postgres_major",
    "tenant_connections",
    "cpu_credits",
    "parallelism",
    "pool_size",
    "replicas",
    "scheduler",
    "api_server",
    "dag_processor",
    "triggerer",
}


def models(annotation: object) -> Iterator[type[BaseModel]]:
    """The models in a type: itself, one of several, or a value of a mapping or list."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from models(part)


def fields(model: type[BaseModel], path: str = "") -> Iterator[tuple[str, FieldInfo]]:
    for name, field in model.model_fields.items():
        yield f"{path}{name}", field
        for below in models(field.annotation):
            yield from fields(below, f"{path}{name}.")


def is_number(annotation: object) -> bool:
    parts = get_args(annotation)
    if get_origin(annotation) is Literal:
        return all(isinstance(part, int) for part in parts)
    return annotation is int or (type(None) in parts and any(is_number(part) for part in parts))


def test_fields_are_found_behind_nothing_and_in_mappings() -> None:
    environment, cluster = (dict(fields(model)) for model, _ in PROJECTS)
    assert {"access.oidc.roles_claim", "variables.value", "connections.port"} <= environment.keys()
    assert {"deploy_from.runner.volume_gib", "database_host.instance.restore.snapshot"} <= cluster.keys()


@pytest.mark.parametrize(("model", "path"), PROJECTS, ids=["environment", "cluster"])
def test_every_parameter_says_what_it_is(model: type[BaseModel], path: Path) -> None:
    assert [name for name, field in fields(model) if len(field.description or "") < 10] == []


@pytest.mark.parametrize(("model", "path"), PROJECTS, ids=["environment", "cluster"])
def test_every_number_says_its_unit(model: type[BaseModel], path: Path) -> None:
    numbers = {name: field.description or "" for name, field in fields(model) if is_number(field.annotation)}
    assert len(numbers) > 5
    for name, description in numbers.items():
        key = name.rpartition(".")[2]
        unit = UNITS.get(key.rpartition("_")[2])
        assert key in COUNTS if unit is None else re.search(unit, description), (name, description)


@pytest.mark.parametrize(("model", "path"), PROJECTS, ids=["environment", "cluster"])
def test_project_file_declares_the_models_keys(model: type[BaseModel], path: Path) -> None:
    declared = yaml.safe_load(path.read_text(encoding="utf-8"))["config"]
    own = {key: entry for key, entry in declared.items() if ":" not in key}
    expected = {field.alias or name: field for name, field in model.model_fields.items()}
    assert set(own) == set(expected)
    for key, field in expected.items():
        assert own[key]["description"].strip() == field.description, key
        # A key without a default is required of every stack by the engine.
        assert ("default" not in own[key]) == field.is_required(), key


@pytest.mark.parametrize(("model", "path"), PROJECTS, ids=["environment", "cluster"])
def test_declared_defaults_are_the_models(model: type[BaseModel], path: Path) -> None:
    # The engine fills declared defaults in, so they must mean what an absent key means.
    project = yaml.safe_load(path.read_text(encoding="utf-8"))
    stack = next(iter(sorted(path.parent.glob("Pulumi.*.yaml"))))
    given = yaml.safe_load(stack.read_text(encoding="utf-8"))["config"]
    name = project["name"]
    required = {
        key: given[f"{name}:{key}"]
        for key, entry in project["config"].items()
        if ":" not in key and "default" not in entry
    }
    defaults = {
        key: entry["default"]
        for key, entry in project["config"].items()
        if ":" not in key and "default" in entry
    }
    assert config.parse_as(model, name, {**required, **defaults}) == config.parse_as(model, name, required)


def test_settings_can_not_be_changed() -> None:
    settings = config.parse(REQUIRED)
    with pytest.raises(ValidationError):
        settings.retire = True  # type: ignore[misc]


@pytest.mark.parametrize(
    ("durability", "retire", "persistent", "protected"),
    [
        ("persistent", False, True, True),
        ("persistent", True, True, False),
        ("disposable", False, False, False),
    ],
)
def test_protection_follows_durability(
    durability: str, retire: bool, persistent: bool, protected: bool
) -> None:
    settings = config.parse({**REQUIRED, "durability": durability, "retire": retire})
    assert (settings.persistent, settings.protected) == (persistent, protected)


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"network": "10.0.0.0/24"}, "airflow-cluster:network"),
        ({"network": "10.0.0.1/16"}, "airflow-cluster:network"),
        ({"deployFrom": {"networks": ["0.0.0.0/0"]}}, "airflow-cluster:deployFrom.networks"),
        (
            {"deployFrom": {"runner": {"imageId": "ami-0123456789abcdef0"}}},
            "airflow-cluster:deployFrom.runner.roleArns",
        ),
        ({"nat": "none"}, "airflow-cluster:imageMirror"),
        ({"imageMirror": "123456789012.dkr.ecr.eu-west-1.amazonaws.com"}, "airflow-cluster:imageMirror"),
        ({"nat": "two"}, "airflow-cluster:nat"),
        ({"network": "8.0.0.0/16"}, "airflow-cluster:network"),
        ({"network": "169.254.0.0/16"}, "airflow-cluster:network"),
        (
            {"deployFrom": {"networks": ["203.0.113.0/24", "203.0.113.0/24"]}},
            "airflow-cluster:deployFrom.networks",
        ),
        (
            {"deployFrom": {"networks": [f"198.51.{part}.0/24" for part in range(41)]}},
            "airflow-cluster:deployFrom.networks",
        ),
        ({"administrators": ["arn:aws:iam::123456789012:role/a"] * 2}, "airflow-cluster:administrators"),
        (
            {"permissionsBoundary": "arn:aws:iam::999999999999:policy/x"},
            "airflow-cluster:permissionsBoundary",
        ),
        ({"logRetentionDays": 91}, "airflow-cluster:logRetentionDays"),
        ({"tags": {"Team": "a", "team": "b"}}, "airflow-cluster:tags.team"),
        ({"tags": {"cost=centre": "a"}}, "airflow-cluster:tags.cost=centre"),
        ({"tags": {"eks:eks-cluster-name": "a"}}, "airflow-cluster:tags.eks:eks-cluster-name"),
        ({"tags": {"kubernetes.io/cluster/a": "b"}}, "airflow-cluster:tags.kubernetes.io/cluster/a"),
        ({"administrators": ["me"]}, "airflow-cluster:administrators.0"),
        ({"name": "A"}, "airflow-cluster:name"),
        ({"name": "a" * 36}, "airflow-cluster:name"),
        ({"name": "two--hyphens"}, "airflow-cluster:name"),
        ({"deployFrom": {"networks": ["10.1.0.0/16"]}}, "airflow-cluster:deployFrom.networks"),
        ({"deployFrom": {"networks": ["100.64.0.0/12"]}}, "airflow-cluster:deployFrom.networks"),
        ({"logRetentionDays": 100}, "airflow-cluster:logRetentionDays"),
    ],
)
def test_cluster_mistakes_name_their_key(change: dict[str, Any], key: str) -> None:
    valid = {key: REQUIRED[key] for key in ("region", "accountId", "owner")} | {"name": "shared"}
    config.parse_as(ClusterProjectSettings, "airflow-cluster", valid)
    with pytest.raises(config.SettingsError) as caught:
        config.parse_as(ClusterProjectSettings, "airflow-cluster", valid | change)
    assert [mistake.key for mistake in caught.value.mistakes] == [key]


MIRROR = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/mirror"
CLUSTER = {key: REQUIRED[key] for key in ("region", "accountId", "owner")} | {"name": "shared"}


def cluster_settings(change: dict[str, Any]) -> ClusterProjectSettings:
    given = {key: config.decode_as(ClusterProjectSettings, key, value) for key, value in change.items()}
    return config.parse_as(ClusterProjectSettings, "airflow-cluster", CLUSTER | given)


@pytest.mark.parametrize(
    ("change", "key", "said"),
    [
        (
            {"nat": "none", "imageMirror": MIRROR.replace("eu-west-1", "us-east-1")},
            "imageMirror",
            "allowed: a registry of region eu-west-1",
        ),
        (
            {"nat": "none", "imageMirror": MIRROR, "databaseHost": {"enabled": True}},
            "databaseHost.image",
            f"such as {MIRROR}/apache/airflow:",
        ),
        (
            {
                "nat": "none",
                "imageMirror": MIRROR,
                "databaseHost": {
                    "enabled": True,
                    "image": "123456789012.dkr.ecr.us-east-1.amazonaws.com/a:1",
                },
            },
            "databaseHost.image",
            "nat none reaches no registry but ECR of region eu-west-1",
        ),
        ({"databaseHost": {"image": "Foo bar:$x"}}, "databaseHost.image", "allowed: text such as"),
        ({"databaseHost": {"image": "apache/airflow"}}, "databaseHost.image", "allowed: text such as"),
        ({"databaseHost": {"instance": {"tenancy": "shared"}}}, "databaseHost.instance.tenancy", "shared"),
        (
            {"databaseHost": {"instance": {"restore": {"snapshot": "old", "fernetKeysSecret": "keys"}}}},
            "databaseHost.instance.restore.snapshot",
            '"old": a host begins empty; remove restore',
        ),
        (
            {"databaseHost": {"instance": {"monitoringIntervalSeconds": True}}},
            "databaseHost.instance.monitoringIntervalSeconds",
            "true: allowed: 0, 1, 5,",
        ),
        # The engine hands booleans and numbers over as text.
        ({"logRetentionDays": "true"}, "logRetentionDays", "true: allowed: 1, 3, 5,"),
        ({"region": "cn-north-1"}, "region", "in AWS China"),
    ],
)
def test_cluster_mistakes_say_what_is_allowed(change: dict[str, Any], key: str, said: str) -> None:
    with pytest.raises(config.SettingsError) as caught:
        cluster_settings(change)
    [mistake] = caught.value.mistakes
    assert mistake.key == f"airflow-cluster:{key}"
    assert said in str(mistake)


@pytest.mark.parametrize("image", [f"{MIRROR}/apache/airflow:3.2.2", f"{MIRROR}/a@sha256:{'0' * 64}"])
def test_a_network_without_a_way_out_takes_images_of_its_region(image: str) -> None:
    host = {"enabled": True, "image": image}
    assert cluster_settings({"nat": "none", "imageMirror": MIRROR, "databaseHost": host}).nat.value == "none"


@pytest.mark.parametrize("model", [EnvironmentSettings, ClusterProjectSettings])
def test_naming_one_field_of_a_part_leaves_the_others(model: type[BaseModel]) -> None:
    """What a part is by default is what its own fields are by default."""

    def differ(holder: type[BaseModel], path: str) -> list[str]:
        parts = {
            f"{path}{name}": (field, field.annotation)
            for name, field in holder.model_fields.items()
            if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)
        }
        own = [
            name
            for name, (field, part) in parts.items()
            if not field.is_required() and field.get_default(call_default_factory=True) != part()  # type: ignore[misc]
        ]
        return own + [below for name, (_, part) in parts.items() for below in differ(part, f"{name}.")]  # type: ignore[arg-type]

    assert differ(model, "") == []


def test_the_instance_of_a_host_is_small_by_default() -> None:
    """Its tenants are disposable."""
    instance = cluster_settings({"databaseHost": {"instance": {"port": 5433}}}).database_host.instance
    assert (instance.multi_az, instance.backup_retention_days) == (False, 1)


def test_choices_of_numbers_take_no_boolean() -> None:
    """To Python, true is 1."""
    choices = [
        (name, field)
        for model, _ in PROJECTS
        for name, field in fields(model)
        if get_origin(field.annotation) is Literal
        and any(isinstance(choice, int) for choice in get_args(field.annotation))
    ]
    assert len(choices) >= 3
    for _, field in choices:
        adapter = TypeAdapter[Any](Annotated[field.annotation, *field.metadata])
        for value in (True, False):
            with pytest.raises(ValidationError):
                adapter.validate_python(value)
