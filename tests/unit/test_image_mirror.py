"""Images in a network without a way out: under the mirror by the chart's own names, and nowhere else."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from infra import image_mirror

CHART = Path(__file__).resolve().parents[2] / "embedded" / "charts" / "airflow"
MIRROR = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/mirror"
NAMES = {
    "gitSync": "registry.k8s.io/git-sync/git-sync",
    "pgbouncer": "apache/airflow",
    "pgbouncerExporter": "apache/airflow",
    "statsd": "quay.io/prometheus/statsd-exporter",
}


def _repositories(values: dict[str, Any], mirror: str) -> dict[str, str]:
    async def resolved() -> dict[str, str]:
        found = image_mirror.mirrored(values, image_mirror.chart_repositories(CHART), mirror)["images"]
        return {name: await image["repository"].future() for name, image in found.items()}

    return asyncio.get_event_loop().run_until_complete(resolved())


@pytest.mark.parametrize("mirror", [MIRROR, f"{MIRROR}/"])
def test_every_image_is_under_the_mirror_by_its_own_name(mirror: str) -> None:
    assert _repositories({}, mirror) == {key: f"{MIRROR}/{name}" for key, name in NAMES.items()}


def test_without_a_mirror_images_keep_their_registries() -> None:
    assert _repositories({}, "") == NAMES


def test_a_repository_of_the_values_files_is_the_one_that_is_mirrored() -> None:
    given = {
        "images": {"statsd": {"repository": "quay.io/own/exporter"}, "airflow": {"pullPolicy": "Always"}}
    }
    assert _repositories(given, MIRROR)["statsd"] == f"{MIRROR}/quay.io/own/exporter"
