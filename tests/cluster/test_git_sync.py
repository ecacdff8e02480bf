"""git-sync in a pod of the node, as the chart starts it, on a repository that is served over the network."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
import urllib.parse
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from embedded.images.versions import GIT_SYNC_REFERENCE
from witness import run, succeed

pytestmark = pytest.mark.cluster

SYNC_SECONDS = 60
USER = 65_533
# Chart keys dags.gitSync.httpPort, .uid and .startupProbe, and the variables of its git_sync_container.
PROBE_PORT = 1234


@dataclass(frozen=True)
class Repository:
    """A repository that pods can clone."""

    directory: Path
    url: str

    def git(self, *arguments: str) -> None:
        identity = ("-c", "user.name=a", "-c", "user.email=a@example.org")
        succeed("git", "-C", str(self.directory), *identity, *arguments)

    def commit(self, text: str) -> None:
        (self.directory / "dag.py").write_text(text)
        self.git("add", "dag.py")
        self.git("commit", "--quiet", "--message", text)


@pytest.fixture
def repository(tmp_path: Path) -> Iterator[Repository]:
    if "AWS_ENDPOINT_URL" not in os.environ:
        pytest.skip("needs the embedded cloud: embedded run -- pytest -m cluster")
    # Where pods find the AWS API they find this too.
    address = str(urllib.parse.urlsplit(os.environ["AWS_ENDPOINT_URL"]).hostname)
    with socket.create_server((address, 0)) as probe:
        port = probe.getsockname()[1]
    made = Repository(tmp_path / "dags", f"git://{address}:{port}/dags")
    made.directory.mkdir()
    made.git("init", "--quiet", "--initial-branch", "main")
    made.commit("first")
    served = ("--export-all", f"--base-path={tmp_path}", f"--listen={address}", f"--port={port}")
    with subprocess.Popen(["git", "daemon", "--reuseaddr", *served, str(tmp_path)]) as server:
        yield made
        server.terminate()


@pytest.fixture
def namespace() -> Iterator[str]:
    name = f"git-sync-{uuid.uuid4().hex[:8]}"
    succeed("kubectl", "create", "namespace", name)
    yield name
    run("kubectl", "delete", "namespace", name, "--wait=false")


def pod(url: str) -> str:
    variables = {
        "GITSYNC_REPO": url,
        "GITSYNC_REF": "main",
        "GIT_SYNC_BRANCH": "main",
        "GIT_SYNC_REV": "HEAD",
        "GITSYNC_ROOT": "/git",
        "GITSYNC_LINK": "repo",
        "GITSYNC_ADD_USER": "true",
        "GITSYNC_PERIOD": "1s",
        "GITSYNC_MAX_FAILURES": "0",
        "GITSYNC_HTTP_BIND": f":{PROBE_PORT}",
    }
    container = {
        "name": "git-sync",
        "image": GIT_SYNC_REFERENCE,
        "imagePullPolicy": "IfNotPresent",
        "env": [{"name": name, "value": value} for name, value in variables.items()],
        "startupProbe": {"httpGet": {"path": "/", "port": PROBE_PORT}, "periodSeconds": 1},
        "securityContext": {
            "runAsUser": USER,
            "runAsNonRoot": True,
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [{"name": "dags", "mountPath": "/git"}],
    }
    volumes = [{"name": "dags", "emptyDir": {}}]
    spec = {"terminationGracePeriodSeconds": 0, "containers": [container], "volumes": volumes}
    return json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "follower"}, "spec": spec})


def test_a_pod_follows_the_repository(repository: Repository, namespace: str, tmp_path: Path) -> None:
    """Its probe passes with the first commit in place; a later commit replaces it."""
    manifest = tmp_path / "pod.json"
    manifest.write_text(pod(repository.url))
    kubectl = ("kubectl", "--namespace", namespace)
    succeed(*kubectl, "apply", "--filename", str(manifest))
    ready = run(*kubectl, "wait", "--for=condition=Ready", f"--timeout={SYNC_SECONDS}s", "pod/follower")
    assert ready.returncode == 0, run(*kubectl, "logs", "follower").stdout
    published = (*kubectl, "exec", "follower", "--", "cat", "/git/repo/dag.py")
    assert succeed(*published) == "first"
    repository.commit("second")
    deadline = time.monotonic() + SYNC_SECONDS
    while (found := succeed(*published)) == "first" and time.monotonic() < deadline:
        time.sleep(0.5)
    assert found == "second"
