"""Fills `.charts/airflow`, the one chart input of the program, and says which chart that is.

The program names the same relative path on every machine; only the way the directory is filled differs:
1. the directory or archive that the environment variable AIRFLOW_CHART names,
2. the official chart in the cache, from an earlier run,
3. the official chart, downloaded by `helm pull` into the cache,
4. the chart that AIRFLOW_CHART_STANDIN names, where the official one cannot be had.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import shutil
import tarfile
import tempfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import yaml

from infra import versions
from infra.lifecycle import processes
from infra.lifecycle.errors import LifecycleError

# The chart's home, as its own documentation gives it: https://airflow.apache.org/docs/helm-chart/stable/
# Where the program expects the chart, below its project.
PLACE = Path(".charts") / "airflow"
OFFICIAL_REPOSITORY = "https://airflow.apache.org"
# A machine without that network must not wait long for the stand-in.
_DOWNLOAD_SECONDS = 60


class Kind(StrEnum):
    """Where a chart comes from."""

    GIVEN = "given by AIRFLOW_CHART"
    OFFICIAL = "official"
    STANDIN = "stand-in"


@dataclass(frozen=True)
class Chart:
    """The chart in use."""

    kind: Kind
    version: str
    digest: str
    """SHA-256 over the paths and contents of all files."""
    origin: str
    """Directory or archive that it was taken from."""

    def sentence(self) -> str:
        """What to tell the user, on every run."""
        text = f"Chart: {self.kind.value} {self.version}, sha256 {self.digest[:16]}, from {self.origin}."
        if self.kind is Kind.STANDIN:
            text += (
                " The official chart could not be had; the stand-in renders what Airflow needs, but"
                " environments that people use run the official one. AIRFLOW_CHART=DIRECTORY gives it."
            )
        return text


def content_digest(directory: Path) -> str:
    """SHA-256 over all files below `directory`: relative path and content, in order of path.

    Times, owners and modes do not count, so that a copy, an unpacked archive and a clone of one chart agree.
    """
    digest = hashlib.sha256()
    for path in sorted(directory.rglob("*"), key=lambda item: item.relative_to(directory).as_posix()):
        if path.is_file():
            name = path.relative_to(directory).as_posix().encode()
            content = path.read_bytes()
            digest.update(b"%d:%s%d:" % (len(name), name, len(content)))
            digest.update(content)
    return digest.hexdigest()


def cache_directory(environment: Mapping[str, str]) -> Path:
    """Where official charts are kept between runs."""
    base = Path(
        environment.get("XDG_CACHE_HOME") or Path(environment.get("HOME", "~")).expanduser() / ".cache"
    )
    return base / "airflow-iac" / "charts"


def fill(
    project: Path,
    version: str = versions.CHART,
    environment: Mapping[str, str] | None = None,
    download: Callable[[str, Path], None] | None = None,
) -> Chart:
    """Bring the chart into `project`/.charts/airflow; nothing is written when it is there already.

    Args:
        project: directory of the environment project.
        version: chart version that the stack is pinned to.
        environment: variables to read; the process's own by default.
        download: called with version and target directory; `helm pull` by default.

    Raises:
        LifecycleError: no chart can be had, or the one given is no chart of the pinned version.
    """
    environment = os.environ if environment is None else environment
    kind, source = _source(version, environment, download or _pull)
    target = project / PLACE
    with tempfile.TemporaryDirectory(prefix="chart-") as scratch:
        directory = _unpacked(source, Path(scratch))
        prepared = _prepared(directory, Path(scratch) / "prepared" / "airflow", version)
        chart = Chart(kind, version, content_digest(prepared), str(source))
        if not target.is_dir() or content_digest(target) != chart.digest:
            _replace(prepared, target)
    record = target.parent / "source.json"
    text = json.dumps(asdict(chart), indent=2) + "\n"
    if not record.is_file() or record.read_text(encoding="utf-8") != text:
        record.write_text(text, encoding="utf-8")
    return chart


def _source(
    version: str, environment: Mapping[str, str], download: Callable[[str, Path], None]
) -> tuple[Kind, Path]:
    given = environment.get("AIRFLOW_CHART")
    if given:
        if not Path(given).exists():
            raise LifecycleError(
                f"AIRFLOW_CHART names {given}, which does not exist.",
                "Set it to the chart's directory or .tgz, or unset it.",
            )
        return Kind.GIVEN, Path(given)
    cached = cache_directory(environment) / f"airflow-{version}"
    standin = environment.get("AIRFLOW_CHART_STANDIN")
    if cached.is_dir():
        return Kind.OFFICIAL, cached
    try:
        download(version, cached)
    except LifecycleError as error:
        if standin and Path(standin).is_dir():
            return Kind.STANDIN, Path(standin)
        raise LifecycleError(
            f"The Airflow chart {version} cannot be had: {error.message}",
            f"Give a copy by AIRFLOW_CHART=DIRECTORY, or put one into {cached}.",
        ) from error
    return Kind.OFFICIAL, cached


def _pull(version: str, target: Path) -> None:
    """Download the official chart and rename it into place, so that a broken download is never used."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".pull-") as scratch:
        command = ["helm", "pull", "airflow", "--repo", OFFICIAL_REPOSITORY, "--version", version]
        processes.output([*command, "--untar", "--untardir", scratch], timeout_seconds=_DOWNLOAD_SECONDS)
        _put(Path(scratch) / "airflow", target)


def _unpacked(source: Path, scratch: Path) -> Path:
    if source.is_dir():
        return source
    try:
        with tarfile.open(source) as archive:
            archive.extractall(scratch / "unpacked", filter="data")
    except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
        raise LifecycleError(
            f"AIRFLOW_CHART names {source}, which is neither a directory nor a chart archive: {error}",
            "Set it to the chart's directory or .tgz.",
        ) from error
    charts = [path.parent for path in (scratch / "unpacked").glob("*/Chart.yaml")]
    if len(charts) != 1:
        raise LifecycleError(f"{source} holds {len(charts)} charts, not one.", "Give another archive.")
    return charts[0]


def _prepared(source: Path, target: Path, version: str) -> Path:
    """A clean copy of the chart, checked to be Airflow's in the pinned version."""
    manifest = source / "Chart.yaml"
    try:
        content = yaml.safe_load(manifest.read_text(encoding="utf-8")) if manifest.is_file() else None
    except (yaml.YAMLError, UnicodeDecodeError):
        content = None
    whole = (source / "templates").is_dir() and (source / "values.schema.json").is_file()
    if not isinstance(content, dict) or content.get("name") != "airflow" or not whole:
        raise LifecycleError(
            f"{source} is not the whole Airflow chart.",
            "Set AIRFLOW_CHART to the chart's directory; if this is the cache, remove it to fetch it again.",
        )
    if content.get("version") != version:
        raise LifecycleError(
            f"The chart in {source} is version {content.get('version')}; the stack is pinned to {version}.",
            "Give the chart in that version, or change chartVersion in the stack file.",
        )
    shutil.copytree(source, target, ignore=shutil.ignore_patterns(".git", "tests", "__pycache__"))
    _drop_absent_dependencies(target, content)
    return target


def _drop_absent_dependencies(chart: Path, content: dict[str, Any]) -> None:
    """Take dependencies that are not packed with the chart out of its manifest, or helm refuses to render.

    A clone of the chart has none of them. The only one is an in-cluster Postgres, which the values turn off.
    """
    dependencies = content.get("dependencies") or []
    present = [item for item in dependencies if _packed(chart, str(item["name"]))]
    if len(present) == len(dependencies):
        return
    content = {key: value for key, value in content.items() if key != "dependencies"}
    if present:
        content["dependencies"] = present
    (chart / "Chart.yaml").write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    (chart / "Chart.lock").unlink(missing_ok=True)


def _packed(chart: Path, name: str) -> bool:
    return (chart / "charts" / name).is_dir() or any((chart / "charts").glob(f"{name}-*.tgz"))


def _replace(source: Path, target: Path) -> None:
    """Put a copy of `source` in `target`'s place by renames, so that no half copy is ever there."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".new-") as scratch:
        fresh = Path(scratch) / "new"
        shutil.copytree(source, fresh)
        with contextlib.suppress(FileNotFoundError):
            target.rename(Path(scratch) / "old")
        _put(fresh, target)


def _put(fresh: Path, target: Path) -> None:
    """Rename a directory into its place, unless another run has put the same there meanwhile.

    Raises:
        LifecycleError: what is there is another chart.
    """
    try:
        fresh.rename(target)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
        if content_digest(fresh) != content_digest(target):
            raise LifecycleError(
                f"Another run has put another chart into {target}.", "Wait for its end, then run this again."
            ) from error
