"""What setup installs: the pinned versions, and for each artefact the inputs its key is made of."""

from __future__ import annotations

import functools
import shutil
import subprocess
from pathlib import Path
from typing import Final

import embedded
from embedded.images import versions
from embedded.setup.cache import Artifact, content_key

PULUMI_VERSION: Final = "3.255.0"
HELM_VERSION: Final = "3.20.2"
KUBECTL_VERSION: Final = "1.34.5"
KUBERNETES_VERSION: Final = "1.34.4"

#: Files of the language host's directory. The two scripts start Python programs and dynamic providers.
LANGUAGE_HOST_FILES: Final = (
    "pulumi-language-python",
    "pulumi-language-python-exec",
    "pulumi-resource-pulumi-python",
)

#: Raise to make every image again after a change of the archive's format.
_IMAGE_FORMAT: Final = "1"


def native_directory() -> Path:
    """The Go modules: `embedded/native` of the checkout that this package runs from."""
    return Path(embedded.__file__).resolve().parents[2] / "native"


@functools.cache
def go_version() -> str:
    """The Go release on PATH as `go1.26.8`, or an empty text without Go.

    Read from the installation's VERSION file: starting `go` would cost more than all other checks together.
    """
    go = shutil.which("go")
    if not go:
        return ""
    file = Path(go).resolve().parent.parent / "VERSION"
    if file.is_file():
        return file.read_text().split()[0]
    answer = subprocess.run([go, "env", "GOVERSION"], capture_output=True, text=True, check=False)
    return answer.stdout.strip()


def _images_directory() -> Path:
    return Path(versions.__file__).resolve().parent


def _go_tool(name: str, module: str, version: str, files: tuple[str, ...], package: str = "") -> Artifact:
    source = native_directory() / module
    parts: dict[str, str | Path] = {
        "version": version,
        "go": go_version(),
        "go.mod": source / "go.mod",
        "go.sum": source / "go.sum",
    }
    if package:
        parts["source"] = source / package
    return Artifact("tools", name, content_key(parts), files)


def kubernetes() -> Artifact:
    """Every daemon of the node in one binary, told apart by the name it is started under."""
    return _go_tool("kubernetes", "node", KUBERNETES_VERSION, ("kubernetes",), "kubernetes")


def coredns() -> Artifact:
    return _go_tool("coredns", "node", "", ("coredns",), "coredns")


def helm() -> Artifact:
    return _go_tool("helm", "helm", HELM_VERSION, ("helm",))


def kubectl() -> Artifact:
    return Artifact("tools", "kubectl", content_key({"version": KUBECTL_VERSION}), ("kubectl",))


def pulumi() -> Artifact:
    """The engine with the Python language host of the same origin beside it, where it looks first."""
    native = native_directory()
    parts: dict[str, str | Path] = {"version": PULUMI_VERSION, "go": go_version(), "layout": "one directory"}
    for module in ("engine", "language_host"):
        parts[f"{module}/go.mod"] = native / module / "go.mod"
        parts[f"{module}/go.sum"] = native / module / "go.sum"
    return Artifact("tools", "pulumi", content_key(parts), ("pulumi", *LANGUAGE_HOST_FILES))


def debian_layer() -> Artifact:
    """The layer below the Airflow image; apart, since its packages change less often than Airflow's."""
    parts: dict[str, str | Path] = {"format": _IMAGE_FORMAT, "source": _images_directory() / "debian.py"}
    return Artifact("images", "debian", content_key(parts), ("layer.tar",))


def airflow_image() -> Artifact:
    parts: dict[str, str | Path] = {
        "format": _IMAGE_FORMAT,
        "reference": versions.AIRFLOW_REFERENCE,
        "base": debian_layer().key,
        "sources": _images_directory() / "airflow",
    }
    return Artifact("images", "airflow", content_key(parts), ("image.tar",))


def pause_image() -> Artifact:
    parts: dict[str, str | Path] = {
        "format": _IMAGE_FORMAT,
        "reference": versions.PAUSE_REFERENCE,
        "source": native_directory() / "node" / "pause",
    }
    return Artifact("images", "pause", content_key(parts), ("image.tar",))


def statsd_exporter_image() -> Artifact:
    source = native_directory() / "statsd_exporter"
    parts: dict[str, str | Path] = {
        "format": _IMAGE_FORMAT,
        "reference": versions.STATSD_EXPORTER_REFERENCE,
        "go.mod": source / "go.mod",
        "go.sum": source / "go.sum",
    }
    return Artifact("images", "statsd-exporter", content_key(parts), ("image.tar",))


def pgbouncer_image() -> Artifact:
    parts: dict[str, str | Path] = {
        "format": _IMAGE_FORMAT,
        "reference": versions.PGBOUNCER_REFERENCE,
        "sources": _images_directory() / "pgbouncer",
    }
    return Artifact("images", "pgbouncer", content_key(parts), ("image.tar",))


def pgbouncer_exporter_image() -> Artifact:
    parts: dict[str, str | Path] = {
        "format": _IMAGE_FORMAT,
        "reference": versions.PGBOUNCER_EXPORTER_REFERENCE,
        "source": native_directory() / "pgbouncer_exporter",
    }
    return Artifact("images", "pgbouncer-exporter", content_key(parts), ("image.tar",))


def git_sync_image() -> Artifact:
    parts: dict[str, str | Path] = {
        "format": _IMAGE_FORMAT,
        "reference": versions.GIT_SYNC_REFERENCE,
        "base": debian_layer().key,
        "sources": _images_directory() / "git_sync",
    }
    return Artifact("images", "git-sync", content_key(parts), ("image.tar",))


def artifacts() -> list[Artifact]:
    """Everything in the cache that this checkout uses."""
    tools = [kubernetes(), coredns(), helm(), kubectl(), pulumi()]
    return [*tools, debian_layer(), *images().values()]


def images() -> dict[str, Artifact]:
    """Every image of the node, by reference."""
    return {
        versions.PAUSE_REFERENCE: pause_image(),
        versions.AIRFLOW_REFERENCE: airflow_image(),
        versions.STATSD_EXPORTER_REFERENCE: statsd_exporter_image(),
        versions.PGBOUNCER_REFERENCE: pgbouncer_image(),
        versions.PGBOUNCER_EXPORTER_REFERENCE: pgbouncer_exporter_image(),
        versions.GIT_SYNC_REFERENCE: git_sync_image(),
    }
