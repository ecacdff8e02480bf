"""A second cloud takes the first one's node for somebody's cluster; kubectl is the witness.

Pods are not tried here, since the first cloud's webhook stands before them: see docs/other-clusters.md.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

pytestmark = pytest.mark.cluster

REGISTERED = "mutatingwebhookconfigurations,clusterrolebindings"


@dataclass(frozen=True)
class SecondCloud:
    checkout: Path
    environment: dict[str, str]

    def embedded(self, *arguments: str, check: bool = True) -> str:
        command = [sys.executable, "-m", "embedded.cli", "--checkout", str(self.checkout), *arguments]
        done = subprocess.run(
            command, env=self.environment, capture_output=True, text=True, timeout=120, check=False
        )
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr


def objects(name: str) -> list[str]:
    found = subprocess.run(
        ["kubectl", "get", REGISTERED, "-o", "name"], capture_output=True, text=True, check=True
    )
    return [line for line in found.stdout.split() if f"/{name}" in line]


@pytest.fixture
def cloud() -> Iterator[SecondCloud]:
    if "AWS_ENDPOINT_URL" not in os.environ:
        pytest.skip("needs the embedded cloud: embedded run -- pytest -m cluster")
    place = Path(tempfile.mkdtemp(prefix="second-"))
    (place / "checkout" / "embedded").mkdir(parents=True)
    shutil.copy(Path(__file__).parents[2] / "Pulumi.yaml", place / "checkout")
    (place / "checkout" / "embedded" / "pyproject.toml").write_text("")
    environment = {name: text for name, text in os.environ.items() if not name.startswith("AWS_")}
    made = SecondCloud(place / "checkout", {**environment, "XDG_STATE_HOME": str(place / "state")})
    try:
        yield made
    finally:
        made.embedded("reset", check=False)
        shutil.rmtree(place, ignore_errors=True)


def test_a_brought_cluster_serves_and_is_left_as_it_was(cloud: SecondCloud) -> None:
    said = cloud.embedded("up", "--cluster", "kubeconfig")
    name = next(word for word in said.split() if word.startswith("airflow-"))
    assert objects(name)
    identity = cloud.embedded("run", "--", "aws", "sts", "get-caller-identity")
    assert "user/deployer" in identity
    refused = subprocess.run(
        ["curl", "--silent", "--insecure", f"{said.split('Kubernetes API ')[1].split()[0]}/api"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert '"code": 401' in refused.stdout, "EKS's endpoint answers tokens of the account alone"
    assert '"health": "ok"' in cloud.embedded("status", "--json")
    cloud.embedded("down")
    assert objects(name) == []
