"""Helm: the official download, or built from its Go module."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from embedded.errors import EmbeddedError
from embedded.setup import catalogue
from embedded.setup.download import take_from_archive, try_download_checked
from embedded.setup.go_build import build
from embedded.setup.shell import Shell

_DOWNLOAD: Final = f"https://get.helm.sh/helm-v{catalogue.HELM_VERSION}-linux-amd64.tar.gz"


def install(aside: Path, shell: Shell) -> None:
    """Puts `helm` into `aside`.

    Raises StepFailed when it can neither be downloaded nor built, EmbeddedError when it is another version.
    """
    archive = aside / "helm.tar.gz"
    if try_download_checked(_DOWNLOAD, f"{_DOWNLOAD}.sha256sum", archive, shell):
        take_from_archive(archive, "linux-amd64/helm", aside / "helm")
        archive.unlink()
    else:
        version = ("helm.sh/helm/v3/internal/version.version", f"v{catalogue.HELM_VERSION}")
        build(shell, "helm", "helm.sh/helm/v3/cmd/helm", aside / "helm", [version])
    printed = shell.output([aside / "helm", "version", "--template", "{{.Version}}"])
    if printed.strip() != f"v{catalogue.HELM_VERSION}":
        raise EmbeddedError(
            f"helm says it is {printed.strip()!r}, not v{catalogue.HELM_VERSION}.",
            f"Read {shell.log}, then run `make setup` again.",
        )
