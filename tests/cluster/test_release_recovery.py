"""A run that dies while helm works: `recover` clears what is in the way, and the next run converges.

Nothing of it needs a node: what helm waits for never comes, which is the moment to kill.
"""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Callable

import psutil
import pytest
from kubernetes_plugin_world import World

from infra.lifecycle import half_made_release, recovery
from infra.lifecycle.cluster_access import ClusterAccess
from infra.lifecycle.pulumi_project import PulumiProject

pytestmark = pytest.mark.control_plane

# The name that the environment's own release has.
RELEASE = """
release = k8s.helm.v3.Release("airflow", chart="./chart", name="airflow", timeout=300,
    namespace=namespace.metadata.name, values={"step": "%s"}, opts=options)
"""
SETTINGS = """
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {step: {{ .Values.step }}}
"""
NEVER_READY = """
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: never-ready}
spec:
  selector: {matchLabels: {app: never-ready}}
  template:
    metadata: {labels: {app: never-ready}}
    spec: {containers: [{name: main, image: registry.invalid/nothing:1}]}
"""
# Nothing takes it away until somebody removes the mark.
HELD = """
---
apiVersion: v1
kind: ConfigMap
metadata: {name: held, finalizers: [example.org/held]}
"""
SECONDS = 120
Victims = Callable[[psutil.Process], list[psutil.Process]]


@pytest.fixture
def project(world: World, monkeypatch: pytest.MonkeyPatch) -> PulumiProject:
    for name, value in world.variables.items():
        monkeypatch.setenv(name, value)
    return PulumiProject(world.directory)


def _whole_run(engine: psutil.Process) -> list[psutil.Process]:
    # The engine first: to it, a plugin that dies is a failed step, no unknown one.
    return [engine, *engine.children(recursive=True)]


def _plugin(engine: psutil.Process) -> list[psutil.Process]:
    """The plugin alone: as it is when memory runs out."""
    children = engine.children(recursive=True)
    [plugin] = [child for child in children if "embedded.plugins.kubernetes" in " ".join(child.cmdline())]
    return [plugin]


def _engine(engine: psutil.Process) -> list[psutil.Process]:
    """The engine alone: helm is asked to end, and has the time to call its revision failed."""
    return [engine]


def _helms(engine: psutil.Process) -> list[psutil.Process]:
    return [child for child in engine.children(recursive=True) if "helm" in child.name()]


def _kill(world: World, status: str, victims: Victims, verb: str = "up") -> None:
    """Start `up`, and kill `victims` when helm's record of the release has `status`."""
    command = ["pulumi", verb, "--yes", "--skip-preview", "--non-interactive", "--stack", "test"]
    with subprocess.Popen(
        command, cwd=world.directory, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        end = time.monotonic() + SECONDS
        while status not in _statuses(world):
            assert process.poll() is None, "the run ended before helm began to wait"
            assert time.monotonic() < end, f"helm's record has no status {status}"
            time.sleep(0.3)
        engine = psutil.Process(process.pid)
        killed, helms = victims(engine), _helms(engine)
        assert helms
        for one in killed:
            one.send_signal(signal.SIGKILL)
        # What goes on to work would work against the next run.
        _, left = psutil.wait_procs([*killed, *helms], timeout=30)
        assert left == []


def _statuses(world: World) -> list[str]:
    return [item["status"] for item in json.loads(world.helm("list", "--all", "--output", "json"))]


def _access(world: World) -> ClusterAccess:
    return ClusterAccess(world.kubeconfig, world.namespace)


def _recover(world: World, project: PulumiProject) -> None:
    """What `airflow-env recover` does, apart from finding the environment's cluster."""
    recovery.release_lock(project, "probe", "test", unlock=False)
    known = recovery.RELEASE_TYPE in project.types("test")
    half_made_release.settle(_access(world), known=known)
    recovery.reconcile(project, "test", region="eu-west-1", deployment_id="probe")


def _converges(world: World, step: str, revision: str) -> None:
    """With a chart that becomes ready, one release stays, and a second run changes nothing."""
    world.chart(SETTINGS)
    world.write(RELEASE % step)
    world.up()
    assert set(world.up()) == {"same"}
    [listed] = json.loads(world.helm("list", "--all", "--output", "json"))
    assert (listed["name"], listed["status"], listed["revision"]) == ("airflow", "deployed", revision)
    assert world.get("configmap", "settings")["data"] == {"step": step}
    assert world.kubectl("get", "deployment", "never-ready", "--ignore-not-found") == ""


@pytest.mark.parametrize("victims", [_whole_run, _plugin], ids=["the whole run", "the plugin alone"])
def test_a_run_that_dies_while_helm_installs_is_recovered(
    world: World, project: PulumiProject, victims: Victims
) -> None:
    world.chart(SETTINGS + NEVER_READY)
    world.write(RELEASE % "first")
    _kill(world, "pending-install", victims)
    _recover(world, project)
    assert project.pending_creates("test") == []
    assert _statuses(world) == []
    _converges(world, "first", "1")


def test_a_run_that_dies_while_helm_upgrades_is_recovered(world: World, project: PulumiProject) -> None:
    """What was deployed stays; what the revision that was cut off alone brought goes with it.

    What was asked for is still to be done, though the cluster may have it in part already.
    """
    world.chart(SETTINGS)
    world.write(RELEASE % "first")
    world.up()
    uid = world.get("configmap", "settings")["metadata"]["uid"]
    for victims in (_whole_run, _engine):
        world.chart(SETTINGS + NEVER_READY)
        world.write(RELEASE % "second")
        _kill(world, "pending-upgrade", victims)
        _recover(world, project)
        assert _statuses(world) == ["deployed"]
    _converges(world, "second", "2")
    assert world.get("configmap", "settings")["metadata"]["uid"] == uid


def test_a_run_that_dies_while_helm_uninstalls_is_recovered(world: World, project: PulumiProject) -> None:
    """Its objects are gone and the state has it all: only the release's record tells."""
    world.chart(SETTINGS + HELD)
    world.write(RELEASE % "first")
    world.up()
    assert not half_made_release.is_half_gone(_access(world))
    _kill(world, "uninstalling", _whole_run, verb="destroy")
    assert world.kubectl("get", "configmap", "settings", "--ignore-not-found") == ""
    assert half_made_release.is_half_gone(_access(world))
    world.kubectl("patch", "configmap", "held", "--patch", '{"metadata": {"finalizers": null}}')
    _recover(world, project)
    assert _statuses(world) == []
    _converges(world, "second", "1")
