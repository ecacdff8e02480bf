"""Images beside Airflow's own, from the registry that a cluster's stack names.

In a network without a way out no public registry answers, so its stack exports a mirror: a registry that
holds every image under the name that the chart gives it. Airflow's image is a parameter of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pulumi
import yaml

from infra.chart_values_rules import Values

# Output of a cluster stack; empty where images come from their own registries.
EXPORT: Final = "imageMirror"

# Keys under the chart's `images` that this project uses.
IMAGES: Final = ("gitSync", "pgbouncer", "pgbouncerExporter", "statsd")


def chart_repositories(chart: Path) -> dict[str, str]:
    """Return the repositories that the chart in a directory names by itself, by their keys under `images`.

    Raises:
        OSError: there is no chart.
    """
    images = yaml.safe_load((chart / "values.yaml").read_text(encoding="utf-8"))["images"]
    return {name: str(images[name]["repository"]) for name in IMAGES}


def mirrored(values: Values, repositories: Mapping[str, str], mirror: pulumi.Input[str]) -> Values:
    """Return chart values that take each image from the mirror.

    Args:
        values: what is laid over the chart; a repository that it names is the one that is mirrored.
        repositories: what the chart names by itself.
        mirror: registry, with a path or without; empty for none.
    """
    given: Mapping[str, Any] = values.get("images", {})
    names = {name: str(given.get(name, {}).get("repository", repositories[name])) for name in IMAGES}
    return {"images": {name: {"repository": _within(mirror, own)} for name, own in names.items()}}


def _within(mirror: pulumi.Input[str], repository: str) -> pulumi.Output[str]:
    def named(registry: str | None) -> str:
        return f"{registry.rstrip('/')}/{repository}" if registry else repository

    return pulumi.Output.from_input(mirror).apply(named)
