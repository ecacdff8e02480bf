"""What pages show is what the program takes: settings, commands of workflows, files that are named."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.main import get_command

from embedded import cli as embedded_cli
from infra import config, versions
from infra.cluster_settings import ClusterProjectSettings
from infra.lifecycle import cli

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
WORKFLOW = ROOT / "docs" / "examples" / "pull-request.yml"
REQUIRED = {"region": "eu-west-1", "accountId": "123456789012", "owner": "data-platform"}
NEEDED = {
    "airflow": {**REQUIRED, "cluster": {"stack": "organization/airflow-cluster/shared"}},
    "airflow-cluster": {**REQUIRED, "name": "shared"},
}


def blocks() -> list[tuple[str, str, dict[str, Any]]]:
    """Page, namespace and settings of each YAML example."""
    found = []
    for page in PAGES:
        for text in re.findall(r"^ *```yaml\n(.*?)^ *```", page.read_text(encoding="utf-8"), re.M | re.S):
            example = yaml.safe_load(text)
            for namespace in NEEDED:
                own = {
                    key.partition(":")[2]: value
                    for key, value in example.items()
                    if key.partition(":")[0] == namespace
                }
                if own:
                    found.append((page.name, namespace, own))
    return found


@pytest.mark.parametrize(("page", "namespace", "settings"), blocks())
def test_settings_that_a_page_shows_are_taken(page: str, namespace: str, settings: dict[str, Any]) -> None:
    values = {**NEEDED[namespace], **settings}
    if namespace == config.NAMESPACE:
        config.parse(values)
    else:
        config.parse_as(ClusterProjectSettings, namespace, values)


def test_pages_have_such_examples() -> None:
    assert {namespace for _, namespace, _ in blocks()} == set(NEEDED)


def test_links_lead_to_files() -> None:
    broken = []
    for page in PAGES:
        for link in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            if "://" not in link and not (page.parent / link).exists():
                broken.append((page.name, link))
    assert broken == []


def test_the_workflows_commands_exist() -> None:
    commands = get_command(cli.app)
    text = WORKFLOW.read_text(encoding="utf-8")
    steps = yaml.safe_load(text)["jobs"]["environment"]["steps"]
    scripts = "\n".join(step["run"] for step in steps if "run" in step)
    used = re.findall(r"airflow-env ([a-z-]+) \S+((?: --[a-z-]+)*)", scripts)
    assert {name for name, _ in used} == {"up", "down", "recover", "derive"}
    for name, options in used:
        known = {option for item in commands.commands[name].params for option in item.opts}
        assert set(options.split()) <= known
    assert (ROOT / "scripts" / "bootstrap").is_file()
    assert f"version: v{versions.KUBERNETES}." in text


def test_the_workflow_removes_what_it_makes() -> None:
    """For each event of a pull request exactly one of the two scripts runs."""
    workflow = yaml.safe_load(WORKFLOW.read_text(encoding="utf-8"))
    # YAML 1.1 takes the key for a boolean.
    events = workflow[True]["pull_request"]["types"]
    conditions = {
        step["name"]: step["if"] for step in workflow["jobs"]["environment"]["steps"] if "if" in step
    }
    assert "closed" in events
    assert conditions["remove"] == "github.event.action == 'closed'"
    assert conditions["deploy"].endswith("github.event.action != 'closed'")
    assert workflow["concurrency"]["cancel-in-progress"] is False


def documented() -> list[tuple[str, list[str]]]:
    """Page and words of each line of the pages' code blocks that is a command of the embedded cloud."""
    return [
        (page.name, shlex.split(line))
        for page in PAGES
        for block in re.findall(r"^```\n(.*?)^```", page.read_text(encoding="utf-8"), re.M | re.S)
        for line in re.findall(r"^embedded (?!run)([^#\n|]*)", block, re.M)
    ]


def test_commands_of_the_cloud_are_taken_as_pages_show_them() -> None:
    """Parsed as the program would, and not run."""
    assert len(documented()) > 8
    for page, words in documented():
        command: Any = get_command(embedded_cli.app)
        rest = list(words)
        while hasattr(command, "commands"):
            assert rest[0] in command.commands, (page, words)
            command = command.commands[rest.pop(0)]
        command.make_context(words[0], rest)


def test_make_targets_that_pages_name_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):", makefile, re.M))
    named = {
        target
        for page in PAGES
        for target in re.findall(r"(?:^|`)make ([a-z]+)", page.read_text(encoding="utf-8"), re.M)
    }
    assert {"up", "down", "test"} <= named
    assert named <= targets


def test_the_workflow_removes_what_ended_and_nothing_that_it_is_not_sure_of(tmp_path: Path) -> None:
    """Pull request 1 is open or ended just now, 2 ended long ago, of 3 the answer is lost."""
    programs = {
        "pulumi": "echo",
        "jq": "echo pr-1 pr-2 pr-3",
        "gh": 'case "$3" in 2) echo ended;; 3) exit 1;; esac',
        "airflow-env": f'echo "$1 $2" >> {tmp_path}/done',
    }
    for name, body in programs.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{body}\n")
        (tmp_path / name).chmod(0o755)
    steps = yaml.safe_load(WORKFLOW.read_text(encoding="utf-8"))["jobs"]["environment"]["steps"]
    [script] = [step["run"] for step in steps if step["name" if "name" in step else "uses"] == "forgotten"]
    path = f"{tmp_path}:{os.environ['PATH']}"
    ended = subprocess.run(["bash", "-e", "-c", script], env={"PATH": path}, check=False)
    assert ended.returncode == 1, "an answer that was lost is no success"
    assert (tmp_path / "done").read_text().splitlines() == ["derive pr-2", "down pr-2"]
