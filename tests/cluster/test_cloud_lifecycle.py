"""A cloud's life on a real machine: it comes up, mends itself, keeps its state, and leaves nothing behind.

The clouds of this module belong to checkouts and a state directory of their own, so that they neither use
nor disturb the cloud that the other tests of this tier run in.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import machine_listing
import pytest
from embedded.identity import CloudIdentity

pytestmark = pytest.mark.cluster

_PAUSE = "registry.k8s.io/pause:3.10"
_POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "witness"},
    "spec": {"containers": [{"name": "pause", "image": _PAUSE, "imagePullPolicy": "Never"}]},
}
# pkg/kubelet/cm/container_manager_linux.go of Kubernetes 1.34.
_SET_BY_KUBELET = {"vm.overcommit_memory", "kernel.panic", "kernel.panic_on_oops", "kernel.keys.root_maxkeys"}
_COMMAND_SECONDS = 600


@dataclass(frozen=True)
class Cloud:
    """One cloud under test, known by what its command line prints."""

    checkout: Path
    state_home: Path

    def embedded(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the `embedded` command as a user would, outside of any other cloud's environment."""
        command = [
            str(Path(sys.executable).with_name("embedded")),
            "--checkout",
            str(self.checkout),
            *arguments,
        ]
        kept = ("PATH", "HOME", "AIRFLOW_IAC_CACHE", "XDG_CACHE_HOME")
        environment = {name: os.environ[name] for name in kept if name in os.environ}
        return subprocess.run(
            command,
            env={**environment, "XDG_STATE_HOME": str(self.state_home)},
            capture_output=True,
            text=True,
            timeout=_COMMAND_SECONDS,
            check=False,
        )

    def must(self, *arguments: str) -> str:
        """The command's output; it has to succeed."""
        done = self.embedded(*arguments)
        assert done.returncode == 0, f"embedded {' '.join(arguments)}:\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def kubectl(self, *arguments: str) -> str:
        """kubectl as the cloud's administrator."""
        return self.must("run", "--", "kubectl", *arguments)

    def parts(self) -> dict[str, dict[str, Any]]:
        """`status` by the parts' names."""
        return {part["name"]: part for part in json.loads(self.embedded("status", "--json").stdout)}

    @property
    def identity(self) -> CloudIdentity:
        """Its names and addresses."""
        return CloudIdentity.of(self.checkout)

    @property
    def name(self) -> str:
        """The cloud's name, by which listings show it."""
        return self.identity.name

    @property
    def state(self) -> Path:
        """Where the cloud's state is."""
        return self.state_home / "airflow-iac" / self.name


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    """A directory for checkouts and states. Not pytest's: paths of sockets below it may have 107 bytes."""
    if os.geteuid() != 0:
        pytest.skip("namespaces and mounts need root")
    place = Path(tempfile.mkdtemp(prefix="cloud-"))
    yield place
    shutil.rmtree(place)


def _clouds(place: Path, *names: str) -> Iterator[list[Cloud]]:
    for name in names:
        (place / name).mkdir()
    found = [Cloud(place / name, place / "state") for name in names]
    try:
        yield found
    finally:
        for cloud in found:
            cloud.must("reset")


@pytest.fixture(scope="module")
def shared_clouds(place: Path) -> Iterator[list[Cloud]]:
    """Two clouds; their states are kept between the tests, since containers' images take long to unpack."""
    yield from _clouds(place, "one", "two")


@pytest.fixture
def clouds(shared_clouds: list[Cloud]) -> Iterator[list[Cloud]]:
    """The two, down before and after the test whatever happens in it."""
    yield shared_clouds
    for cloud in shared_clouds:
        cloud.must("down")


@pytest.fixture
def new_cloud(place: Path) -> Iterator[Cloud]:
    """A cloud that was never started."""
    for [cloud] in _clouds(place, "new"):
        yield cloud


def _run_pod(cloud: Cloud) -> None:
    (cloud.checkout / "pod.json").write_text(json.dumps(_POD))
    _retry(lambda: cloud.kubectl("apply", "-f", str(cloud.checkout / "pod.json")))
    cloud.kubectl("wait", "--for=condition=Ready", "--timeout=120s", "pod/witness")


def _retry(work: Any, seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while True:
        try:
            work()
            return
        except AssertionError:
            if time.monotonic() > deadline:
                raise
            time.sleep(1)


def _make_database(cloud: Cloud) -> None:
    """A database instance, and with it a server process, an address and mounts of its own."""
    made = "aws rds create-db-instance --db-instance-identifier kept --engine postgres --allocated-storage 20"
    master = "--db-instance-class db.t4g.micro --master-username somebody --manage-master-user-password"
    cloud.must("run", "--", *made.split(), *master.split())
    deadline = time.monotonic() + 120
    while cloud.parts().get("rds-kept", {}).get("health") != "ok":
        assert time.monotonic() < deadline, cloud.parts().get("rds-kept")
        time.sleep(1)
    shown = cloud.parts()["rds-kept"]
    assert shown["version"].startswith("15.")
    assert shown["address"].endswith(":5432")


def test_up_and_down_leave_the_machine_as_it_was(clouds: list[Cloud]) -> None:
    names = [cloud.name for cloud in clouds]
    before = machine_listing.take(names)
    listed = {line.split(" = ")[0] for line in before.settings}
    assert listed >= _SET_BY_KUBELET
    one, two = clouds
    one.must("up")
    _run_pod(one)
    _make_database(one)
    during = before.differences(machine_listing.take(names))
    # Otherwise the comparison at the end would compare nothing.
    assert {"processes", "mounts", "links", "namespaces", "routes", "control_groups"} <= set(during)
    two.must("up")
    one.must("down")
    assert {part["health"] for part in two.parts().values()} == {"ok"}
    two.must("down")
    left = before.differences(machine_listing.take(names))
    assert left == {}, json.dumps(left, indent=2)


def test_down_leaves_nothing_even_when_the_cloud_was_broken(clouds: list[Cloud]) -> None:
    cloud = clouds[0]
    before = machine_listing.take([cloud.name])
    cloud.must("up")
    _run_pod(cloud)
    for name in ("containerd", "kube-apiserver", "kubelet"):
        os.kill(cloud.parts()[name]["pid"], signal.SIGKILL)
    shutil.rmtree(
        cloud.state / "run" / "containerd" / "io.containerd.grpc.v1.introspection", ignore_errors=True
    )
    cloud.must("down")
    left = before.differences(machine_listing.take([cloud.name]))
    assert left == {}, json.dumps(left, indent=2)
    cloud.must("down")


def test_up_mends_what_died_and_down_keeps_the_state(clouds: list[Cloud]) -> None:
    cloud = clouds[0]
    cloud.must("up")
    cloud.kubectl("create", "configmap", "kept", "--from-literal=a=b")
    well = cloud.parts()
    assert {part["health"] for part in well.values()} == {"ok"}
    for name in ("etcd", "kube-proxy", "aws"):
        os.kill(well[name]["pid"], signal.SIGKILL)
    broken = cloud.parts()
    assert cloud.embedded("status").returncode == 1
    assert [broken[name]["pid"] for name in ("etcd", "kube-proxy", "aws")] == [None] * 3
    cloud.must("up")
    mended = cloud.parts()
    assert {part["health"] for part in mended.values()} == {"ok"}
    assert mended["kubelet"]["pid"] == well["kubelet"]["pid"]
    cloud.must("up")
    assert {name: part["pid"] for name, part in cloud.parts().items()} == {
        name: part["pid"] for name, part in mended.items()
    }
    cloud.must("down")
    cloud.must("up")
    assert cloud.kubectl("get", "configmap", "kept", "-o", "jsonpath={.data.a}") == "b"


def test_a_start_that_is_refused_leaves_nothing_and_says_why(new_cloud: Cloud) -> None:
    """Something else on the machine has an address of the cloud's range."""
    address = new_cloud.identity.node_address
    subprocess.run(["ip", "address", "add", f"{address}/32", "dev", "lo"], check=True)
    try:
        before = machine_listing.take([new_cloud.name])
        refused = new_cloud.embedded("up")
        assert refused.returncode == 1
        assert f"{address} of link lo" in refused.stderr
        assert "Traceback" not in refused.stderr
        left = before.differences(machine_listing.take([new_cloud.name]))
        assert left == {}, json.dumps(left, indent=2)
        assert not (new_cloud.state_home / "airflow-iac" / new_cloud.name).exists()
    finally:
        subprocess.run(["ip", "address", "delete", f"{address}/32", "dev", "lo"], check=True)
