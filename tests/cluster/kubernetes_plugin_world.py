"""A Pulumi project on one Kubernetes cluster, and the witnesses of what happens there: kubectl and helm."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from embedded.plugins.install import install
from embedded.setup import Toolchain
from pulumi import automation

HEAD = """
import pulumi, pulumi_kubernetes as k8s
provider = k8s.Provider("cluster", kubeconfig={kubeconfig!r}, enable_config_map_mutable=True)
options = pulumi.ResourceOptions(provider=provider)
namespace = k8s.core.v1.Namespace("space", metadata={{"name": {namespace!r}}}, opts=options)
def meta(name=None, **more):
    return {{"namespace": namespace.metadata.name, **({{"name": name}} if name else {{}}), **more}}
"""


@dataclass
class World:
    """A Pulumi project with a stack of its own, a namespace's name of its own, and the witnesses."""

    tools: Toolchain
    kubeconfig: Path
    directory: Path
    namespace: str
    stack: automation.Stack
    variables: dict[str, str]
    """What the engine's command line needs in its environment."""

    def write(self, *parts: str) -> None:
        head = HEAD.format(kubeconfig=self.kubeconfig.read_text(), namespace=self.namespace)
        (self.directory / "__main__.py").write_text(head + "".join(parts))

    def up(self) -> dict[str, int]:
        """Changes by kind: create, update, same, ..."""
        return dict(self.stack.up(color="never").summary.resource_changes or {})

    def kubectl(self, *arguments: str, check: bool = True) -> str:
        return self._witness(self.tools.kubectl, arguments, check)

    def helm(self, *arguments: str) -> str:
        return self._witness(self.tools.helm, arguments, True)

    def _witness(self, program: Path, arguments: tuple[str, ...], check: bool) -> str:
        environment = {**os.environ, "KUBECONFIG": str(self.kubeconfig)}
        command = [str(program), "--namespace", self.namespace, *arguments]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert not check or done.returncode == 0, done.stderr
        return done.stdout

    def get(self, *arguments: str) -> Any:
        return json.loads(self.kubectl("get", *arguments, "-o", "json"))

    def chart(self, template: str) -> None:
        (self.directory / "chart" / "templates").mkdir(parents=True, exist_ok=True)
        (self.directory / "chart" / "Chart.yaml").write_text("apiVersion: v2\nname: web\nversion: 1.0.0\n")
        (self.directory / "chart" / "values.yaml").write_text("password: none\n")
        (self.directory / "chart" / "templates" / "objects.yaml").write_text(template)


def _environment(tools: Toolchain, place: Path) -> dict[str, str]:
    first = [tools.pulumi.parent, tools.helm.parent, Path(sys.executable).parent]
    return {
        **os.environ,
        "PATH": os.pathsep.join([*map(str, first), os.environ["PATH"]]),
        "HELM_BIN": str(tools.helm),
        "PULUMI_HOME": str(place / "home"),
        "PULUMI_BACKEND_URL": (place / "backend").as_uri(),
        "PULUMI_CONFIG_PASSPHRASE": "test",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
    }


@contextlib.contextmanager
def new_world(tools: Toolchain, kubeconfig: Path, place: Path) -> Iterator[World]:
    directory = place / "project"
    for needed in (place / "home", place / "backend", directory, place / "engine" / "bin"):
        needed.mkdir(parents=True)
    install(place / "home")
    (directory / "Pulumi.yaml").write_text("name: probe\nruntime: python\n")
    (directory / "__main__.py").write_text("")
    # The SDK looks for bin/pulumi below a directory; `pulumi` on PATH may be the cloud's own wrapper.
    (place / "engine" / "bin" / "pulumi").symlink_to(tools.pulumi)
    command = automation.PulumiCommand(str(place / "engine"), skip_version_check=True)
    variables = _environment(tools, place)
    options = automation.LocalWorkspaceOptions(env_vars=variables, pulumi_command=command)
    stack = automation.create_or_select_stack("test", work_dir=str(directory), opts=options)
    made = World(tools, kubeconfig, directory, f"plugin-{uuid.uuid4().hex[:8]}", stack, variables)
    try:
        yield made
    finally:
        made.kubectl("patch", "configmap", "held", "-p", '{"metadata":{"finalizers":null}}', check=False)
        made.kubectl("delete", "namespace", made.namespace, "--ignore-not-found", "--wait=false", check=False)
