"""An environment whose cluster's stack is not there, or holds nothing, is told so in one sentence."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from engine_world import REGION, Project
from pulumi import automation

pytestmark = pytest.mark.engine

CHECKOUT = Path(__file__).resolve().parents[2]
PROGRAM = f"""
import sys
sys.path.insert(0, {str(CHECKOUT)!r})
import pulumi
from infra import cluster_ref
from infra.settings import ClusterSettings

if pulumi.get_stack() == "elsewhere":
    pulumi.export("region", "us-west-2")
    raise SystemExit
settings = ClusterSettings(stack="organization/probe/STACK")
found = cluster_ref.cluster_reference(settings, region="{REGION}", account_id="123456789012", provider=None)
pulumi.export("cluster", found.name)
"""


@pytest.mark.parametrize("stack", ["absent", "empty"])
def test_a_missing_cluster_is_one_sentence_with_the_command(
    new_project: Callable[[str], Project], stack: str
) -> None:
    project = new_project(PROGRAM.replace("STACK", stack))
    project.stack.workspace.create_stack("empty")
    project.stack.workspace.select_stack("test")
    with pytest.raises(automation.CommandError) as refusal:
        project.stack.preview(color="never")
    said = str(refusal.value)
    assert f"There is no cluster in stack organization/probe/{stack}" in said
    assert f"pulumi --cwd cluster up --stack {stack}" in said
    assert "Traceback" not in said


def test_a_cluster_of_another_region_is_refused_before_anything_is_made(
    new_project: Callable[[str], Project],
) -> None:
    project = new_project(PROGRAM.replace("STACK", "elsewhere"))
    automation.create_stack(
        "elsewhere",
        work_dir=str(project.directory),
        opts=automation.LocalWorkspaceOptions(env_vars=project.environment),
    ).up()
    project.stack.workspace.select_stack("test")
    with pytest.raises(automation.CommandError, match=f"airflow:region is {REGION}.*is in us-west-2"):
        project.stack.preview(color="never")
