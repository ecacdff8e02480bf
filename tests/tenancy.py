"""Stack files of a cluster whose instance takes tenants, and of an environment that is one.

They are the checkout's own files with the tenancy changed: a disposable environment on an instance that was
there before it and outlives it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

CLUSTER, TENANT = "host", "tenant"


@contextmanager
def files(root: Path) -> Iterator[None]:
    """Write `cluster/Pulumi.host.yaml` and `Pulumi.tenant.yaml`; they are gone afterwards."""
    written = {
        root / "cluster" / f"Pulumi.{CLUSTER}.yaml": _cluster(root),
        root / f"Pulumi.{TENANT}.yaml": _tenant(root),
    }
    try:
        for path, config in written.items():
            path.write_text(yaml.safe_dump({"config": config}, sort_keys=False), encoding="utf-8")
        yield
    finally:
        for path in written:
            path.unlink(missing_ok=True)


def _tenant(root: Path) -> dict[str, Any]:
    config = _disposable(root)
    config["airflow:cluster"] = {"stack": f"organization/airflow-cluster/{CLUSTER}"}
    config["airflow:database"]["tenancy"] = "shared"
    return config


def _cluster(root: Path) -> dict[str, Any]:
    config = _config(min((root / "cluster").glob("Pulumi.*.yaml")))
    instance = {**_disposable(root)["airflow:database"], "tenancy": "dedicated"}
    config["airflow-cluster:databaseHost"] = {"enabled": True, "instance": instance}
    return config


def _disposable(root: Path) -> dict[str, Any]:
    found = (_config(path) for path in sorted(root.glob("Pulumi.*.yaml")))
    return next(config for config in found if config["airflow:durability"] == "disposable")


def _config(path: Path) -> dict[str, Any]:
    return dict(yaml.safe_load(path.read_text(encoding="utf-8"))["config"])
