"""Valid settings of both projects with nearly every key, for tests that spoil them; not to be changed."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel

from infra import config
from infra.cluster_settings import ClusterProjectSettings
from infra.settings import EnvironmentSettings

ROOT = Path(__file__).resolve().parents[2]
# Case files whose keys go together.
_CASES = ("valid_oidc", "valid_scrapers", "valid_git_sync", "valid_restore", "valid_dag_parameters")
_CLUSTER: dict[str, Any] = {
    "administrators": ["arn:aws:iam::123456789012:role/platform"],
    "deployFrom": {
        "networks": ["203.0.113.0/24"],
        "runner": {
            "imageId": "ami-0123456789abcdef0",
            "instanceType": "t4g.medium",
            "volumeGib": 30,
            "roleArns": ["arn:aws:iam::123456789012:role/deployer"],
        },
    },
    "databaseHost": {
        "enabled": True,
        "instance": {"instanceClass": "db.t4g.small", "storageGib": 20, "multiAz": False},
        "image": "apache/airflow:3.2.2",
    },
}
# Namespace of a project's keys -> model of its settings.
MODELS: dict[str, type[BaseModel]] = {
    "airflow": EnvironmentSettings,
    "airflow-cluster": ClusterProjectSettings,
}


@cache
def full(namespace: str) -> dict[str, Any]:
    """Natural values by key, without the namespace: a stack file of the project, and optional parts."""
    folder = ROOT if namespace == "airflow" else ROOT / "cluster"
    written = yaml.safe_load(sorted(folder.glob("Pulumi.*.yaml"))[0].read_text(encoding="utf-8"))["config"]
    own = {key.removeprefix(f"{namespace}:"): value for key, value in written.items()}
    values = {key: config.decode_as(MODELS[namespace], key, value) for key, value in own.items()}
    cases = (
        yaml.safe_load((ROOT / "tests" / "cases" / f"{name}.yaml").read_text("utf-8")) for name in _CASES
    )
    for extra in [case["set"] for case in cases] if namespace == "airflow" else [_CLUSTER]:
        for key, value in extra.items():
            values[key] = {**values[key], **value} if isinstance(values.get(key), dict) else value
    return values
