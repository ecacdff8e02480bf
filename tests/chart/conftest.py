"""helm, both charts, and one render of each per scenario."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from chart_rendering import CHECKOUT, Render, render, scenario_values

from infra import versions
from infra.lifecycle import chart_source

STAND_IN = CHECKOUT / "embedded" / "charts" / "airflow"


@pytest.fixture(scope="session")
def helm() -> Path:
    """helm on the PATH, else the one that `make setup` made."""
    found = shutil.which("helm")
    if found is None:
        from embedded.errors import EmbeddedError
        from embedded.setup import toolchain

        try:
            found = str(toolchain().helm)
        except EmbeddedError as error:
            pytest.skip(f"no helm: {error}")
    return Path(found)


@pytest.fixture(scope="session")
def stand_in() -> Path:
    return STAND_IN


@pytest.fixture(scope="session")
def official(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The official chart where it is at hand: named by AIRFLOW_CHART, or in the cache."""
    cached = chart_source.cache_directory(os.environ) / f"airflow-{versions.CHART}"
    source = Path(os.environ.get("AIRFLOW_CHART") or cached)
    if not source.exists():
        pytest.skip(f"the official chart {versions.CHART} is not at hand; AIRFLOW_CHART=DIRECTORY gives it")
    project = tmp_path_factory.mktemp("official")
    chart_source.fill(project, environment={**os.environ, "AIRFLOW_CHART": str(source)})
    return project / ".charts" / "airflow"


@pytest.fixture(scope="session")
def rendered(helm: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path, str], Render]:
    """The render of a chart in a scenario, made once."""

    @cache
    def made(chart: Path, scenario: str) -> Render:
        return render(helm, chart, scenario_values(scenario), tmp_path_factory.mktemp("values"))

    return made


@pytest.fixture(params=["stand-in", "official"])
def chart(request: pytest.FixtureRequest) -> Path:
    """Each chart in turn."""
    path: Path = request.getfixturevalue("stand_in" if request.param == "stand-in" else "official")
    return path
