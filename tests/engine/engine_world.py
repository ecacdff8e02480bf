"""What the engine tests stand on: the emulated account, a Pulumi project, and where the engine is."""

import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
from embedded.errors import EmbeddedError
from embedded.plugins.install import install
from embedded.setup import toolchain
from pulumi import automation

REGION = "eu-west-1"
ACCOUNT = "123456789012"


def tool_directories() -> list[Path]:
    """The directory with the engine and its language host, as `make setup` installed them; or none."""
    try:
        return [toolchain().pulumi.parent]
    except EmbeddedError:
        return []


def engine_environment(place: Path) -> dict[str, str]:
    """The variables of an engine with a home, plugins and a backend of its own below `place`."""
    home, backend = place / "home", place / "backend"
    for directory in (home, backend):
        directory.mkdir()
    install(home)
    path = [*tool_directories(), Path(sys.executable).parent, os.environ["PATH"]]
    return {
        "PATH": os.pathsep.join(map(str, path)),
        "PULUMI_HOME": str(home),
        "PULUMI_BACKEND_URL": backend.as_uri(),
        "PULUMI_CONFIG_PASSPHRASE": "test",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
    }


@dataclass
class Cloud:
    """The emulated account, and boto3 as an observer of it that shares nothing with the plugin."""

    url: str
    environment: dict[str, str] = field(default_factory=dict)

    def client(self, service: str) -> Any:
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id="observer",
            aws_secret_access_key="observer",
        )


@dataclass
class Project:
    """A Pulumi project with one stack whose program a test may rewrite between runs."""

    directory: Path
    stack: automation.Stack
    environment: dict[str, str]

    def write(self, program: str) -> None:
        (self.directory / "__main__.py").write_text(program)

    def up(self) -> dict[str, int]:
        """Bring the stack to the program; how many resources were created, updated and so on."""
        changes = self.stack.up().summary.resource_changes or {}
        return {str(getattr(kind, "value", kind)): count for kind, count in changes.items()}

    def refresh(self) -> dict[str, int]:
        changes = self.stack.refresh().summary.resource_changes or {}
        return {str(getattr(kind, "value", kind)): count for kind, count in changes.items()}

    def destroy(self) -> None:
        self.stack.destroy()

    def outputs(self) -> dict[str, Any]:
        return {name: output.value for name, output in self.stack.outputs().items()}

    def state_text(self) -> str:
        """The state file as it lies on disk."""
        files = sorted((self.directory.parent / "backend").rglob("stacks/**/*.json"))
        return "\n".join(file.read_text() for file in files)
