"""After `make setup` everything is there, runs, and is of the pinned version."""

from __future__ import annotations

import json
import subprocess
import tarfile
from pathlib import Path

import pytest
from embedded.errors import EmbeddedError
from embedded.setup import Toolchain, catalogue, toolchain

pytestmark = pytest.mark.setup


@pytest.fixture(scope="module")
def tools() -> Toolchain:
    try:
        return toolchain()
    except EmbeddedError as error:
        pytest.skip(f"setup has not been run: {error.message}")


def says(*command: str | Path) -> str:
    words = [str(word) for word in command]
    done = subprocess.run(words, capture_output=True, text=True, check=True, timeout=60)
    return done.stdout + done.stderr


def test_the_engine_is_of_the_version_that_the_sdk_wants(tools: Toolchain) -> None:
    major, minor, _ = says(tools.pulumi, "version").strip().removeprefix("v").split(".", 2)
    wanted = [int(part) for part in catalogue.PULUMI_VERSION.split(".")]
    assert (int(major), int(minor)) >= (wanted[0], wanted[1])
    assert int(major) == wanted[0], "the next major may read state that this one wrote, but not the SDK"


def test_the_language_host_and_its_scripts_are_executable(tools: Toolchain) -> None:
    for name in catalogue.LANGUAGE_HOST_FILES:
        assert tools.pulumi.with_name(name).stat().st_mode & 0o111, name


def test_helm_and_kubectl_are_of_the_pinned_versions(tools: Toolchain) -> None:
    assert says(tools.helm, "version", "--short").startswith(f"v{catalogue.HELM_VERSION}")
    client = json.loads(says(tools.kubectl, "version", "--client", "-o", "json"))
    assert client["clientVersion"]["gitVersion"] == f"v{catalogue.KUBECTL_VERSION}"


@pytest.mark.parametrize(
    "daemon", ["kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy"]
)
def test_every_kubernetes_daemon_says_its_version(tools: Toolchain, daemon: str, tmp_path: Path) -> None:
    (tmp_path / daemon).symlink_to(tools.kubernetes)
    assert says(tmp_path / daemon, "--version").split() == ["Kubernetes", f"v{catalogue.KUBERNETES_VERSION}"]


def test_etcd_is_in_the_same_binary(tools: Toolchain, tmp_path: Path) -> None:
    (tmp_path / "etcd").symlink_to(tools.kubernetes)
    assert "etcd Version: 3." in says(tmp_path / "etcd", "--version")


def test_coredns_has_the_plugins_of_the_nodes_configuration(tools: Toolchain) -> None:
    listed = set(says(tools.coredns, "-plugins").split())
    assert {"bind", "cache", "errors", "health", "hosts", "kubernetes", "ready", "template"} <= listed


def test_system_programs_run(tools: Toolchain) -> None:
    assert "containerd" in says(tools.containerd, "--version")
    assert "runc version" in says(tools.runc, "--version")
    assert "PostgreSQL" in says(tools.postgres_directory / "postgres", "--version")
    for plugin in ("ptp", "host-local", "portmap", "loopback"):
        assert (tools.cni_directory / plugin).is_file()


@pytest.mark.parametrize("reference", sorted(catalogue.images()))
def test_each_image_carries_its_reference(tools: Toolchain, reference: str) -> None:
    with tarfile.open(tools.images[reference]) as archive:
        manifest = archive.extractfile("manifest.json")
        assert manifest
        (image,) = json.load(manifest)
    assert image["RepoTags"] == [reference]


def test_tools_and_images_are_static_or_their_own(tools: Toolchain) -> None:
    for program in (tools.kubernetes, tools.coredns, tools.kubectl, tools.helm):
        done = subprocess.run(["ldd", str(program)], capture_output=True, text=True, check=False)
        assert "not a dynamic executable" in done.stdout + done.stderr, program
