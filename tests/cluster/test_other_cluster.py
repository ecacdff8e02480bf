"""A cloud on a cluster that the user brings: here a bare control plane, which is enough for all but pods.

kubectl is the witness. What was tried with pods is in docs/other-clusters.md.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from bare_control_plane import bare_control_plane
from embedded.errors import EmbeddedError
from embedded.setup import Toolchain, toolchain

pytestmark = pytest.mark.control_plane

REGISTERED = "mutatingwebhookconfigurations,clusterrolebindings"


def own_address() -> str:
    """An address of this machine that is not the loopback's; no packet is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            pytest.skip("this machine has no address beside the loopback's")
        return str(probe.getsockname()[0])


@dataclass(frozen=True)
class Cloud:
    """A checkout with nothing in it but what marks one, and the cluster that its cloud is given."""

    checkout: Path
    environment: dict[str, str]
    kubectl: Path

    def embedded(self, *arguments: str, check: bool = True) -> str:
        command = [sys.executable, "-m", "embedded.cli", "--checkout", str(self.checkout), *arguments]
        done = subprocess.run(
            command, env=self.environment, capture_output=True, text=True, timeout=120, check=False
        )
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    def health(self) -> list[str]:
        # A kubeconfig without verification makes a warning on standard error.
        text = self.embedded("status", "--json").partition("\n]")[0]
        return [str(part["health"]) for part in json.loads(f"{text}]")]

    def registered(self, name: str) -> list[str]:
        command = [str(self.kubectl), "get", REGISTERED, "-o", "name"]
        found = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=True)
        return [line for line in found.stdout.split() if f"/{name}" in line]


@pytest.fixture(scope="module")
def tools() -> Toolchain:
    try:
        return toolchain()
    except EmbeddedError as error:
        pytest.skip(str(error))


@pytest.fixture
def cloud(tools: Toolchain, tmp_path: Path) -> Iterator[Cloud]:
    # Paths of sockets may have 107 characters, and pytest's own directories are long.
    place = Path(tempfile.mkdtemp(prefix="brought-"))
    (place / "checkout" / "embedded").mkdir(parents=True)
    shutil.copy(Path(__file__).parents[2] / "Pulumi.yaml", place / "checkout")
    (place / "checkout" / "embedded" / "pyproject.toml").write_text("")
    with bare_control_plane(tools.kubernetes, tmp_path) as kubeconfig:
        own = {"XDG_STATE_HOME": str(place / "state"), "KUBECONFIG": str(kubeconfig)}
        others = {name: text for name, text in os.environ.items() if not name.startswith("AWS_")}
        made = Cloud(place / "checkout", {**others, **own}, tools.kubectl)
        try:
            yield made
        finally:
            made.embedded("reset", check=False)
            shutil.rmtree(place, ignore_errors=True)


def test_a_brought_cluster_serves_and_is_left_as_it_was(cloud: Cloud) -> None:
    refused = cloud.embedded("up", "--cluster", "kubeconfig", check=False)
    assert "on the loopback" in refused, "pods cannot call that back"
    said = cloud.embedded("up", "--cluster", "kubeconfig", "--advertise", own_address())
    name = next(word for word in said.split() if word.startswith("airflow-"))
    assert len(cloud.registered(name)) == 4
    assert "user/deployer" in cloud.embedded("run", "--", "aws", "sts", "get-caller-identity")
    endpoint = said.split("Kubernetes API ")[1].split()[0]
    asked = [
        "curl",
        "--silent",
        "--insecure",
        "--noproxy",
        "*",
        "-H",
        "Impersonate-User: admin",
        f"{endpoint}/api",
    ]
    answer = subprocess.run(asked, capture_output=True, text=True, check=True)
    assert json.loads(answer.stdout)["code"] == 401, "EKS's endpoint knows tokens of the account alone"
    assert cloud.health() == ["ok", "ok"]
    for fault in (("slow", "1"), ("restart",)):
        assert "of a brought cluster" in cloud.embedded("faults", "api-server", *fault, check=False)
    cloud.embedded("down")
    assert cloud.registered(name) == []
