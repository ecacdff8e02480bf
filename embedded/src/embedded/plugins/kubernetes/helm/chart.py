"""Charts: on disk or in a repository, which version they are, and a checksum of those on disk."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import yaml

from embedded.plugins.common.errors import PluginError
from embedded.plugins.kubernetes.helm.binary import Helm
from embedded.plugins.kubernetes.helm.release import Release


@dataclass(frozen=True)
class Chart:
    """A chart as it is now. `checksum` is None for charts of a repository, whose versions do not change."""

    name: str
    version: str
    checksum: str | None


def local_path(release: Release) -> Path | None:
    """The chart on disk, relative to the project directory, or None when the input names a remote chart.

    Raises PluginError when the input is plainly a path and there is nothing.
    """
    text = release.chart
    if release.repository.get("repo") or "://" in text:
        return None
    path = Path(text).expanduser()
    if path.exists():
        return path
    if text.startswith((".", "/", "~")):
        raise PluginError(f"there is no chart at {text} (relative to {Path.cwd()})")
    return None


def find(helm: Helm, release: Release) -> Chart:
    """The chart that a deployment would use now.

    Raises PluginError when there is none, with helm's reason.
    """
    path = local_path(release)
    if path is not None and path.is_dir():
        file = path / "Chart.yaml"
        if not file.is_file():
            raise PluginError(f"{path} is no chart: it has no Chart.yaml")
        text = file.read_text()
    else:
        text = helm.show_chart(release)
    try:
        metadata = yaml.safe_load(text)
        return Chart(str(metadata["name"]), str(metadata["version"]), checksum(path) if path else None)
    except (yaml.YAMLError, KeyError, TypeError):
        raise PluginError(f"the Chart.yaml of {release.chart} has no name and version") from None


def checksum(path: Path) -> str:
    """SHA-256 of a chart's files with their names; times and modes of files do not count."""
    digest = hashlib.sha256()
    if path.is_file():
        digest.update(path.read_bytes())
        return digest.hexdigest()
    for file in sorted(_files(path)):
        for part in (file.relative_to(path).as_posix().encode(), file.read_bytes()):
            # With its length before it, no part can pass for the end of another.
            digest.update(len(part).to_bytes(8, "big"))
            digest.update(part)
    return digest.hexdigest()


def _files(directory: Path) -> list[Path]:
    return [path for path in directory.rglob("*") if path.is_file() and ".git" not in path.parts]
