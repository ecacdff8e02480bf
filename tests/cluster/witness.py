"""Witnesses of the cluster tier: kubectl, git and the Pulumi CLI, never the code under test."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from residue import Listing

ROOT = Path(__file__).resolve().parents[2]
# The stack of staging's file, with a host: see stack_file.py.
STACK = "witness"
UP_SECONDS = 1500
DOWN_SECONDS = 900


def run(*command: str, seconds: float = 120, directory: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Run a command in the checkout and return what it said."""
    return subprocess.run(
        command, cwd=directory, capture_output=True, text=True, timeout=seconds, check=False
    )


def succeed(*command: str, seconds: float = 120, directory: Path = ROOT) -> str:
    """Run a command that must succeed, and return its standard output."""
    ended = run(*command, seconds=seconds, directory=directory)
    if ended.returncode != 0:
        pytest.fail(f"`{' '.join(command)}` ended with {ended.returncode}:\n{ended.stdout}\n{ended.stderr}")
    return ended.stdout


def parsed(*command: str) -> Any:
    """Run a command that must print JSON."""
    return json.loads(succeed(*command))


def stacks(directory: Path = ROOT) -> set[str]:
    """Names of the stacks in the state backend."""
    return {
        item["name"] for item in json.loads(succeed("pulumi", "stack", "ls", "--json", directory=directory))
    }


def checkout_files() -> str:
    """State of the checkout as git sees it, with the content of what the Pulumi CLI likes to write into."""
    written = [*ROOT.glob("Pulumi*.yaml"), *(ROOT / "cluster").glob("Pulumi*.yaml")]
    contents = [f"{path}\n{path.read_text(encoding='utf-8')}" for path in sorted(written)]
    return "\n".join([succeed("git", "status", "--porcelain"), *contents])


@dataclass(frozen=True)
class Environment:
    """A deployed environment, and what was there before it."""

    stack: str
    outputs: dict[str, str]
    said: str
    """What `airflow-env up` printed."""
    before: Listing
    """Everything that was there, without its cluster."""
    checkout_before: str
    planted: dict[str, str]
    """Secrets of the stack file, by the names that they get below the environment's prefix."""
    processes: set[str]
    """Arguments of the processes that were seen while `airflow-env up` ran."""

    @property
    def namespace(self) -> str:
        """Its Kubernetes namespace."""
        return self.outputs["namespace"]

    def kubectl(self, *arguments: str) -> str:
        """Run kubectl in its namespace."""
        return succeed("kubectl", "--namespace", self.namespace, *arguments)


def diagnosis() -> str:
    """What is worth knowing of a cluster on which a deployment failed."""
    commands: Sequence[tuple[str, ...]] = (
        ("kubectl", "get", "pods,jobs", "--all-namespaces", "--output", "wide"),
        ("kubectl", "get", "events", "--all-namespaces", "--sort-by", ".lastTimestamp"),
    )
    return "\n".join(run(*command).stdout[-2500:] for command in commands)
