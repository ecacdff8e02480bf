"""Figures of the aws plugin: what it costs to start it, and what the engine adds to the bare calls of AWS.

    python tests/bench/aws_plugin.py

The same resources are made and read twice against one embedded AWS API: by boto3, and by `pulumi up` and
`pulumi refresh` through the plugin, one after the other in both cases. The engine's time runs from its first
word on a resource to its last one: its own start is the same for one resource and for a hundred.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pulumi
import pytest
from measurement import Measurement, load
from pulumi import automation

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "engine"))

from aws_api_server import REGION, Account, running_account
from engine_world import engine_environment

RESOURCES = 100
"""Resources of a run; the engine's events arrive some tenths of a second late, now more and now less."""
STARTS = 7
TRUST = json.dumps({"Version": "2012-10-17", "Statement": []})


def cpu_seconds(process: int) -> float:
    """CPU of a process so far, in user and system mode."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def plugin_start() -> Measurement:
    """CPU of the plugin until it can be called; median of several starts, the first one not counted."""
    taken = []
    for _ in range(STARTS + 1):
        command = [sys.executable, "-m", "embedded.plugins.aws", "127.0.0.1:1"]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as plugin:
            assert plugin.stdout is not None
            plugin.stdout.readline()
            taken.append(cpu_seconds(plugin.pid))
            plugin.kill()
    return Measurement("aws plugin, CPU of a start", f"{statistics.median(taken[1:]):.2f} s", "1 s", load())


@contextmanager
def account() -> Iterator[tuple[Account, dict[str, str]]]:
    """An embedded AWS API of its own, and the environment in which the engine uses it."""
    with (
        tempfile.TemporaryDirectory(prefix="bench-aws-") as directory,
        running_account(Path(directory)) as made,
        pytest.MonkeyPatch.context() as patch,
    ):
        variables = {**made.environment, **engine_environment(Path(directory))}
        for name, value in variables.items():
            patch.setenv(name, value)
        yield made, variables


def timed(work: Callable[[], object]) -> float:
    """Wall time of the work in seconds."""
    start = time.monotonic()
    work()
    return time.monotonic() - start


def bare_seconds(iam: Any) -> float:
    """Create and read roles as the plugin does, by boto3."""

    def work() -> None:
        for index in range(RESOURCES):
            name = f"bare-{index}"
            iam.create_role(RoleName=name, AssumeRolePolicyDocument=TRUST, MaxSessionDuration=3600, Path="/")
            for _ in ("when it is made", "when it is refreshed"):
                iam.get_role(RoleName=name)
                iam.list_role_tags(RoleName=name)

    return timed(work)


def engine_seconds(variables: dict[str, str]) -> float:
    """The same through the engine and the plugin."""

    def program() -> None:
        options = pulumi.ResourceOptions(version=version("pulumi-aws"))
        provider = pulumi.ProviderResource("aws", "aws", {"region": REGION}, options)
        for index in range(RESOURCES):
            inputs = {"name": f"engine-{index}", "assumeRolePolicy": TRUST}
            own = pulumi.ResourceOptions(provider=provider)
            pulumi.CustomResource("aws:iam/role:Role", f"role-{index}", inputs, own)

    backend = automation.ProjectBackend(variables["PULUMI_BACKEND_URL"])
    stack = automation.create_or_select_stack(
        "bench",
        project_name="bench",
        program=program,
        opts=automation.LocalWorkspaceOptions(
            env_vars=variables,
            project_settings=automation.ProjectSettings("bench", "python", backend=backend),
        ),
    )
    return _spent(stack.up) + _spent(stack.refresh)


def _spent(run: Callable[..., object]) -> float:
    """Seconds from the engine's first event on a role to its last one."""
    seen: list[float] = []

    def note(event: automation.EngineEvent) -> None:
        step = event.resource_pre_event or event.res_outputs_event
        if step is not None and step.metadata.type == "aws:iam/role:Role":
            seen.append(time.monotonic())

    run(on_event=note, parallel=1)
    return seen[-1] - seen[0]


def figures() -> list[Measurement]:
    """All figures of the plugin."""
    with account() as (made, variables):
        made.client("iam").list_roles()
        bare = bare_seconds(made.client("iam")) / RESOURCES
        through = engine_seconds(variables) / RESOURCES
    rows = [
        ("a resource by bare boto3: create, read twice", f"{bare * 1000:.0f} ms", "-"),
        ("the same through engine and plugin", f"{through * 1000:.0f} ms", "-"),
        ("engine and plugin beside bare boto3", f"{through / bare:.1f} x", "3 x"),
    ]
    return [plugin_start(), *(Measurement(*row, load()) for row in rows)]


if __name__ == "__main__":
    for row in figures():
        print(f"{row.name:48} {row.value:>8}   at most {row.target:4} load {row.load}")
