"""The node's own programs: every Kubernetes daemon in one binary, CoreDNS, and the small images' programs."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from embedded.errors import EmbeddedError
from embedded.images import static, versions
from embedded.setup import catalogue
from embedded.setup.go_build import build
from embedded.setup.shell import Shell

_VERSION_PACKAGE: Final = "k8s.io/component-base/version"
_EXPORTER: Final = "github.com/prometheus/statsd_exporter"


def install_kubernetes(aside: Path, shell: Shell) -> None:
    """Puts `kubernetes` into `aside`.

    Raises StepFailed when it cannot be built, EmbeddedError when a daemon says another version.
    """
    major, minor, _ = catalogue.KUBERNETES_VERSION.split(".")
    # Without these the API server answers v0.0.0, and clients that look at the version go astray.
    texts = {
        "gitVersion": f"v{catalogue.KUBERNETES_VERSION}",
        "gitMajor": major,
        "gitMinor": minor,
        "gitTreeState": "clean",
        "gitCommit": "0" * 40,
        "buildDate": "2026-01-01T00:00:00Z",
    }
    variables = [(f"{_VERSION_PACKAGE}.{name}", text) for name, text in texts.items()]
    build(shell, "node", "./kubernetes", aside / "kubernetes", variables)
    daemon = aside / "kube-apiserver"
    daemon.symlink_to("kubernetes")
    printed = shell.output([daemon, "--version"])
    daemon.unlink()
    if f"v{catalogue.KUBERNETES_VERSION}" not in printed.split():
        raise EmbeddedError(
            f"The built API server says {printed.strip()!r}, not v{catalogue.KUBERNETES_VERSION}.",
            f"Read {shell.log}, then run `make setup` again.",
        )


def install_coredns(aside: Path, shell: Shell) -> None:
    """Puts `coredns` into `aside`. Raises StepFailed when it cannot be built or does not run."""
    build(shell, "node", "./coredns", aside / "coredns")
    shell.run([aside / "coredns", "-version"])


def make_pause_image(aside: Path, shell: Shell) -> None:
    """Writes the sandbox image's `image.tar`. Raises StepFailed when its program cannot be built."""
    binary = aside / "pause"
    build(shell, "node", "./pause", binary)
    config = {"Entrypoint": ["/pause"], "User": "65535:65535", "WorkingDir": "/"}
    static.make_image(aside, versions.PAUSE_REFERENCE, binary, "pause", config)
    binary.unlink()


def make_statsd_exporter_image(aside: Path, shell: Shell) -> None:
    """Writes the metrics exporter's `image.tar`. Raises StepFailed when its program cannot be built."""
    binary = aside / "statsd_exporter"
    version = versions.STATSD_EXPORTER_VERSION.removeprefix("v")
    build(
        shell,
        "statsd_exporter",
        _EXPORTER,
        binary,
        [("github.com/prometheus/common/version.Version", version)],
    )
    shell.run([binary, "--version"])
    config = {
        "Entrypoint": ["/bin/statsd_exporter"],
        "User": "65534",
        "ExposedPorts": {"9102/tcp": {}, "9125/tcp": {}, "9125/udp": {}},
        "Env": ["PATH=/bin"],
    }
    static.make_image(aside, versions.STATSD_EXPORTER_REFERENCE, binary, "bin/statsd_exporter", config)
    binary.unlink()
