"""Deployments of the kubernetes plugin while their API server is slow, or ends and comes back.

Their control plane is a bare one; the commands are tried on the cloud's own node, where there is one.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from bare_control_plane import ControlPlane, control_plane
from embedded.errors import EmbeddedError
from embedded.faults import api_server, live
from embedded.faults.settings import changing, settings_path
from embedded.identity import CloudIdentity
from embedded.processes import Supervisor
from embedded.setup import Toolchain, toolchain
from kubernetes_plugin_world import World, new_world
from pulumi import automation
from pulumi.automation.events import EngineEvent
from witness import parsed, run, succeed

pytestmark = pytest.mark.control_plane

CHAIN = """
before = namespace
for index in range(6):
    before = k8s.core.v1.ConfigMap(f"map-{index}", metadata=meta(f"map-{index}"), data={"a": "b"},
        opts=pulumi.ResourceOptions(provider=provider, depends_on=[before]))
"""
RELEASE = """
k8s.helm.v3.Release("web", chart="./chart", name="web", namespace=namespace.metadata.name,
    timeout=120, values={}, opts=options)
"""
# Enough that helm is still at work when its note is seen.
OBJECTS = 60
MANY = "\n---\n".join(
    f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: web-{number}}}" for number in range(OBJECTS)
)
MAPS = {f"map-{number}" for number in range(6)}


@pytest.fixture(scope="module")
def tools() -> Toolchain:
    try:
        return toolchain()
    except EmbeddedError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def plane(tools: Toolchain, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    with control_plane(tools.kubernetes, tmp_path_factory.mktemp("control-plane")) as made:
        yield made


@pytest.fixture
def world(tools: Toolchain, plane: ControlPlane, tmp_path: Path) -> Iterator[World]:
    with new_world(tools, plane.kubeconfig, tmp_path) as made:
        yield made


def names(world: World) -> set[str]:
    return {one["metadata"]["name"] for one in world.get("configmap")["items"]} - {"kube-root-ca.crt"}


def state(process: int) -> str:
    """proc(5): T is a process that is held."""
    return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]


def once(work: Callable[[], None]) -> Callable[[EngineEvent], None]:
    """Do it in a thread as soon as the engine tells of the first object that was made."""
    begun = threading.Event()

    def on_event(event: EngineEvent) -> None:
        made = event.res_outputs_event
        if made and "Namespace" in made.metadata.type and not begun.is_set():
            begun.set()
            threading.Thread(target=work).start()

    return on_event


def test_a_deployment_survives_a_slow_api_server(
    world: World, plane: ControlPlane, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The settings' own brake holds the server; /proc sees it held, and everything is made all the same."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    identity = CloudIdentity.of(tmp_path)
    Supervisor(identity).register(api_server.PART_NAME, plane.api_server.pid)
    monkeypatch.setattr(live, "_live", None)
    live.install(settings_path(identity))
    brake = api_server.Brake(identity)
    brake.start()
    seen: set[str] = set()
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(0.01):
            seen.add(state(plane.api_server.pid))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        with changing(identity) as change:
            change.settings = replace(change.settings, api_server_pause_seconds=0.5)
        world.write(CHAIN)
        world.up()
    finally:
        with changing(identity) as change:
            change.settings = replace(change.settings, api_server_pause_seconds=0.0)
        ended.set()
        watcher.join()
    assert "T" in seen
    assert names(world) == MAPS


def test_a_deployment_survives_an_api_server_that_is_away_for_a_while(
    world: World, plane: ControlPlane
) -> None:
    def restart() -> None:
        plane.kill_api_server()
        plane.start("kube-apiserver")

    before = plane.api_server.pid
    world.write(CHAIN)
    world.stack.up(color="never", on_event=once(restart))
    assert plane.api_server.pid != before
    assert names(world) == MAPS


def test_a_release_that_lost_its_api_server_is_told_of_and_mended_by_the_next_run(
    world: World, plane: ControlPlane
) -> None:
    """helm itself does not try again; what it left is no obstacle."""
    world.write()
    world.up()
    world.chart(MANY)
    world.write(RELEASE)
    cutting = threading.Thread(target=cut_off, args=(world, plane))
    cutting.start()
    try:
        with pytest.raises(automation.CommandError, match="web is not deployed: INSTALLATION FAILED") as told:
            world.up()
    finally:
        cutting.join()
    said = [line.strip() for line in str(told.value).splitlines() if "fieldManager=helm" in line]
    assert 0 < len(said) == len(set(said)), "each reason is told once"
    world.up()
    (listed,) = json.loads(world.helm("list", "--all", "--output", "json"))
    assert listed["status"] == "deployed"
    assert len(names(world)) == OBJECTS


def cut_off(world: World, plane: ControlPlane) -> None:
    """End the API server in the middle of a release, and start it again.

    helm notes what it is about to make before the first object.
    """
    path = f"/api/v1/namespaces/{world.namespace}/secrets/sh.helm.release.v1.web.v1"
    while plane.ask(path).status_code != 200:
        pass
    plane.kill_api_server()
    plane.start("kube-apiserver")


@pytest.fixture
def node() -> Iterator[None]:
    """The cloud that these tests run in."""
    if "AWS_ENDPOINT_URL" not in os.environ:
        pytest.skip("needs the embedded cloud: embedded run -- pytest -m cluster")
    yield
    run("embedded", "faults", "api-server", "slow", "0")


def parts() -> dict[str, dict[str, Any]]:
    return {part["name"]: part for part in parsed("embedded", "status", "--json")}


@pytest.mark.cluster
@pytest.mark.usefixtures("node")
def test_a_nodes_api_server_is_slow_on_command_and_fast_again() -> None:
    server = parts()["kube-apiserver"]["pid"]
    succeed("embedded", "faults", "api-server", "slow", "1")
    assert "T" in states(server)
    succeed("kubectl", "get", "nodes")
    succeed("embedded", "faults", "api-server", "slow", "0")
    # One more pause may have begun meanwhile.
    states(server)
    assert "T" not in states(server)


def states(process: int) -> list[str]:
    """A hundred looks within two seconds."""
    seen = []
    for _ in range(100):
        time.sleep(0.02)
        seen.append(state(process))
    return seen


@pytest.mark.cluster
@pytest.mark.usefixtures("node")
def test_a_nodes_api_server_restarts_on_command_and_nothing_else_does() -> None:
    before = parts()
    succeed("embedded", "faults", "api-server", "restart", "--kill", "--away", "1")
    after = parts()
    assert {part["health"] for part in after.values()} == {"ok"}
    changed = {name for name, part in after.items() if part["pid"] != before[name]["pid"]}
    assert changed == {"kube-apiserver"}
    succeed("kubectl", "get", "nodes")
