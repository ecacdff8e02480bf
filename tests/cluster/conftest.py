"""One environment for all tests of this tier: stood up once, by the commands that a user types.

The tier runs inside `embedded run --`, so plain tools talk to the embedded cloud.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import residue
from bare_control_plane import bare_control_plane
from embedded.errors import EmbeddedError
from embedded.setup import Toolchain, toolchain
from kubernetes_plugin_world import World, new_world
from places import processes_meanwhile
from stack_file import plant, stack_with_host
from witness import (
    DOWN_SECONDS,
    ROOT,
    STACK,
    UP_SECONDS,
    Environment,
    checkout_files,
    diagnosis,
    parsed,
    run,
    stacks,
)


@pytest.fixture(scope="session")
def environment() -> Iterator[Environment]:
    """STACK, deployed by `airflow-env up`; deleted at the end, with the cluster that it came with."""
    if "AWS_ENDPOINT_URL" not in os.environ:
        pytest.skip("needs the embedded cloud: embedded run -- pytest -m cluster")
    # These tests end with `down --all`, which must not meet anything that somebody uses.
    in_use = [*stacks(), *stacks(ROOT / "cluster")]
    if in_use:
        # A run that nobody reads must not be green without its main part.
        unable = pytest.fail if os.environ.get("CI") else pytest.skip
        unable(f"in use: {', '.join(in_use)}; end it with `make down` first")
    with stack_with_host():
        yield from _deployed()


def _deployed() -> Iterator[Environment]:
    before = residue.take()
    try:
        planted, files = plant(), checkout_files()
        with processes_meanwhile() as processes:
            ended = run("airflow-env", "up", STACK, seconds=UP_SECONDS)
        said = ended.stdout + ended.stderr
        print(said)
        if ended.returncode != 0:
            # The whole output is shown once, as captured output; every test that needs this shows the end.
            end = "\n".join(said.splitlines()[-25:])
            pytest.fail(f"airflow-env up {STACK} failed:\n{end}\n{diagnosis()}", pytrace=False)
        outputs = parsed("pulumi", "stack", "output", "--json", "--stack", STACK)
        yield Environment(STACK, outputs, said, before, files, planted, processes)
    finally:
        if STACK in stacks():
            run("airflow-env", "down", STACK, seconds=DOWN_SECONDS)
        if stacks(ROOT / "cluster"):
            run("airflow-env", "down", "--all", seconds=DOWN_SECONDS)


@pytest.fixture(scope="session")
def tools() -> Toolchain:
    """Engine, helm and kubectl."""
    try:
        return toolchain()
    except EmbeddedError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def kubeconfig(tools: Toolchain, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Inside `embedded run --` the cloud's own cluster; elsewhere a bare control plane."""
    if "AWS_ENDPOINT_URL" in os.environ and os.environ.get("KUBECONFIG"):
        yield Path(os.environ["KUBECONFIG"])
        return
    with bare_control_plane(tools.kubernetes, tmp_path_factory.mktemp("control-plane")) as made:
        yield made


@pytest.fixture
def world(tools: Toolchain, kubeconfig: Path, tmp_path: Path) -> Iterator[World]:
    """A Pulumi project with an empty stack, on that cluster."""
    with new_world(tools, kubeconfig, tmp_path) as made:
        yield made
