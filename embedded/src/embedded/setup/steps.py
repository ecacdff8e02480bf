"""The steps of setup, in the order in which they are started."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from embedded.images import debian
from embedded.images.airflow import build as airflow_build
from embedded.images.git_sync import build as git_sync_build
from embedded.images.pgbouncer import build as pgbouncer_build
from embedded.setup import (
    catalogue,
    debian_packages,
    helm_client,
    kubernetes_client,
    node_programs,
    pulumi_engine,
    python_environment,
)
from embedded.setup.cache import Artifact
from embedded.setup.shell import Shell


@dataclass(frozen=True)
class Step:
    """One unit of work.

    `expected_seconds` is what it took on 2 cores with empty caches beside the others. `compiles` marks Go
    builds, of which only `go_build.CONCURRENT_BUILDS` run at the same time. `needs` names the steps that
    come first.
    """

    name: str
    purpose: str
    expected_seconds: float
    is_done: Callable[[], bool]
    run: Callable[[Shell], None]
    needs: tuple[str, ...] = ()
    compiles: bool = False


def all_steps() -> list[Step]:
    """Every step; the longest builds first, so that short ones fill what is left beside them."""
    return [
        Step(
            "python-environment",
            "the virtual environment is as uv.lock says",
            1,
            # Never done: the check is the whole step, and costs nothing.
            lambda: False,
            lambda _: python_environment.check(),
        ),
        Step(
            "debian-packages",
            "containerd, runc, CNI plugins, Postgres and others",
            40,
            lambda: not debian_packages.missing_packages(),
            debian_packages.install,
        ),
        _go_step(
            "node-programs",
            f"Kubernetes {catalogue.KUBERNETES_VERSION} in one binary, CoreDNS, pause",
            660,
            {
                catalogue.kubernetes(): node_programs.install_kubernetes,
                catalogue.coredns(): node_programs.install_coredns,
                catalogue.pause_image(): node_programs.make_pause_image,
            },
        ),
        _pulumi_step(),
        _go_step("helm", f"helm {catalogue.HELM_VERSION}", 180, {catalogue.helm(): helm_client.install}),
        _go_step(
            "statsd-exporter",
            "image of the metrics exporter",
            30,
            {catalogue.statsd_exporter_image(): node_programs.make_statsd_exporter_image},
        ),
        _go_step(
            "pgbouncer-exporter",
            "image of the exporter of PgBouncer's figures",
            30,
            {catalogue.pgbouncer_exporter_image(): pgbouncer_build.make_exporter_image},
        ),
        _artifact_step(
            "pgbouncer",
            "image of PgBouncer",
            20,
            {catalogue.pgbouncer_image(): pgbouncer_build.make_image},
            needs=("debian-packages",),
        ),
        _artifact_step(
            "kubectl",
            f"kubectl {catalogue.KUBECTL_VERSION}",
            20,
            {catalogue.kubectl(): kubernetes_client.install},
        ),
        _artifact_step(
            "debian-layer",
            "Debian below the Airflow image",
            120,
            {catalogue.debian_layer(): debian.make_layer},
            needs=("debian-packages",),
        ),
        _image_above_debian(
            "airflow-image", "image of Airflow", 120, catalogue.airflow_image(), airflow_build.make_image
        ),
        _image_above_debian(
            "git-sync",
            "image of the git-sync stand-in",
            10,
            catalogue.git_sync_image(),
            git_sync_build.make_image,
        ),
    ]


def _pulumi_step() -> Step:
    artifact = catalogue.pulumi()

    def is_done() -> bool:
        # An official engine that was installed later takes the place of one built here.
        official = pulumi_engine.installed_engine()
        return artifact.is_complete() and (official is None or artifact.path("pulumi").resolve() == official)

    return _artifact_step(
        "pulumi",
        f"Pulumi engine {catalogue.PULUMI_VERSION} and its Python language host",
        600,
        {artifact: pulumi_engine.install},
        compiles=True,
        is_done=is_done,
    )


def _image_above_debian(
    name: str,
    purpose: str,
    expected_seconds: float,
    artifact: Artifact,
    make: Callable[[Path, Path, Shell], None],
) -> Step:
    base = catalogue.debian_layer()

    def make_above(aside: Path, shell: Shell) -> None:
        make(aside, base.path("layer.tar"), shell)

    return _artifact_step(name, purpose, expected_seconds, {artifact: make_above}, needs=("debian-layer",))


Maker = Callable[[Path, Shell], None]


def _go_step(name: str, purpose: str, expected_seconds: float, makers: dict[Artifact, Maker]) -> Step:
    return _artifact_step(name, purpose, expected_seconds, makers, compiles=True)


def _artifact_step(
    name: str,
    purpose: str,
    expected_seconds: float,
    makers: dict[Artifact, Maker],
    *,
    needs: tuple[str, ...] = (),
    compiles: bool = False,
    is_done: Callable[[], bool] | None = None,
) -> Step:
    """A step that makes artefacts one after the other, each of them kept as soon as it is finished."""

    def all_complete() -> bool:
        return all(artifact.is_complete() for artifact in makers)

    done = is_done or all_complete

    def run(shell: Shell) -> None:
        for artifact, make in makers.items():
            if len(makers) > 1 and artifact.is_complete():
                continue
            with artifact.made_aside() as aside:
                make(aside, shell)

    return Step(name, purpose, expected_seconds, done, run, needs, compiles)
