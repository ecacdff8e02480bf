"""The image's recipe keeps to the versions that are pinned elsewhere, and that the tests' image has."""

from __future__ import annotations

import re
from pathlib import Path

from embedded.images import airflow
from embedded.images import versions as embedded

from infra import versions

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILE = (ROOT / "image" / "Dockerfile").read_text(encoding="utf-8")
PACKAGES = (ROOT / "image" / "requirements.txt").read_text(encoding="utf-8")
EMBEDDED = Path(airflow.__file__).parent


def pins(text: str) -> dict[str, str]:
    """Package -> version, of `package==version` at the beginning of a line or a quoted argument."""
    return dict(re.findall(r'(?m)(?:^|")([a-z0-9-]+)==([0-9][^\s"]*)', text))


def test_the_image_is_the_official_one_of_the_pinned_airflow() -> None:
    defaults = dict(re.findall(r"(?m)^ARG (\w+)=(\S+)$", DOCKERFILE))
    assert defaults["AIRFLOW_VERSION"] == versions.AIRFLOW == embedded.AIRFLOW_VERSION
    [base] = re.findall(r"(?m)^FROM (\S+)$", DOCKERFILE)
    assert base == f"{versions.AIRFLOW_IMAGE_REPOSITORY}:${{AIRFLOW_VERSION}}-python${{PYTHON_VERSION}}"
    # Beside a package, pip would take another Airflow if it may.
    assert '"apache-airflow==${AIRFLOW_VERSION}"' in DOCKERFILE


def test_providers_are_those_that_the_tests_run() -> None:
    pinned, tested = pins(DOCKERFILE), pins((EMBEDDED / "requirements.txt").read_text(encoding="utf-8"))
    assert "apache-airflow-providers-cncf-kubernetes" in pinned
    assert pinned == {package: tested.get(package) for package in pinned}


def test_large_xcoms_can_be_opened() -> None:
    """By a package that the official image lacks; deployments add their own ones beside it."""
    for needs in (PACKAGES, (EMBEDDED / "requirements.in").read_text(encoding="utf-8")):
        assert re.search(r"(?m)^s3fs\b", needs)


def test_what_the_recipe_copies_is_there() -> None:
    sources = re.findall(r"(?m)^COPY (?:--\S+ )*(\S+) \S+$", DOCKERFILE)
    assert sources
    assert [source for source in sources if not (ROOT / source).exists()] == []
