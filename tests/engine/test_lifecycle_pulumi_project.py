"""The commands' view of the Pulumi CLI, against the real engine and a file backend."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import boto3
import pytest
from embedded.setup import toolchain
from engine_world import REGION, Cloud

from infra.lifecycle.checkout import ProjectFiles
from infra.lifecycle.errors import LifecycleError
from infra.lifecycle.pulumi_project import PulumiProject

pytestmark = pytest.mark.engine

PROGRAM = """
import pulumi


class Thing(pulumi.ComponentResource):
    def __init__(self, name, opts=None):
        super().__init__("test:index:Thing", name, None, opts)
        self.register_outputs({})


if pulumi.Config().get_bool("fail"):
    raise Exception("asked to fail")
Thing("precious", pulumi.ResourceOptions(protect=pulumi.Config().get_bool("protect")))
pulumi.export("clusterName", "shared")
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PulumiProject:
    tools = toolchain()
    directory = tmp_path / "project"
    directory.mkdir()
    (directory / "Pulumi.yaml").write_text("name: tiny\nruntime: python\n")
    (directory / "__main__.py").write_text(PROGRAM)
    (directory / "Pulumi.one.yaml").write_text("config:\n  tiny:protect: 'true'\n")
    (tmp_path / "state").mkdir()
    first = (tools.pulumi.parent, Path(sys.executable).parent)
    monkeypatch.setenv("PATH", os.pathsep.join([*map(str, first), os.environ["PATH"]]))
    monkeypatch.setenv("PULUMI_BACKEND_URL", f"file://{tmp_path / 'state'}")
    monkeypatch.setenv("PULUMI_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "test")
    monkeypatch.setenv("PULUMI_SKIP_UPDATE_CHECK", "true")
    return PulumiProject(directory)


def test_a_stack_lives_and_dies_and_its_file_stays(project: PulumiProject) -> None:
    """Each answer is compared with what the CLI's own files and output show."""
    file = project.directory / "Pulumi.one.yaml"
    assert project.stacks() == []
    assert project.outputs("one") == {}
    project.select("one")
    assert project.stacks() == ["one"]
    lines: list[str] = []
    project.up("one", lines.append)
    assert any("precious" in line for line in lines)
    assert project.outputs("one") == {"clusterName": "shared"}
    assert project.protected("one") == ["test:index:Thing::precious"]
    with pytest.raises(LifecycleError, match="pulumi destroy --stack one"):
        project.destroy("one", lines.append)
    file.write_text(file.read_text().replace("'true'", "'false'"))
    project.up("one", lines.append)
    assert project.protected("one") == []
    project.destroy("one", lines.append)
    project.remove("one")
    assert project.stacks() == []
    assert file.is_file()


def test_a_stack_at_work_is_said_with_its_holder(project: PulumiProject, tmp_path: Path) -> None:
    """The lock is another run's; the engine's advice would have the user delete it."""
    project.select("one")
    held = tmp_path / "state" / ".pulumi" / "locks" / "organization" / "tiny" / "one" / "of-another.json"
    held.parent.mkdir(parents=True, exist_ok=True)
    held.write_text(
        '{"pid": 4711, "username": "somebody", "hostname": "elsewhere", "timestamp": "2026-01-02T03:04:05Z"}'
    )
    for verb in (project.up, project.destroy, project.refresh):
        lines: list[str] = []
        with pytest.raises(
            LifecycleError, match=r"one is locked by somebody@elsewhere \(pid 4711\)"
        ) as refused:
            verb("one", lines.append)
        assert "changed nothing" in refused.value.message
        assert not any("cancel" in line for line in lines)
    assert held.is_file()
    assert project.resources("one") == []


def test_a_run_that_died_before_its_first_step_is_recovered(project: PulumiProject) -> None:
    """The stack is there, and the state knows nothing yet."""
    project.select("one")
    assert project.pending_creates("one") == []
    project.adopt("one", {})
    project.refresh("one", lambda _: None)
    project.up("one", lambda _: None)
    assert project.outputs("one") == {"clusterName": "shared"}


def test_a_failed_program_is_an_error_that_points_to_its_diagnostics(project: PulumiProject) -> None:
    file = project.directory / "Pulumi.one.yaml"
    file.write_text("config:\n  tiny:fail: 'true'\n")
    project.select("one")
    lines: list[str] = []
    with pytest.raises(LifecycleError, match="pulumi up --stack one"):
        project.up("one", lines.append)
    assert any("asked to fail" in line for line in lines)


def test_the_stack_file_says_what_encrypts_the_secrets(
    project: PulumiProject, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a KMS key and no passphrase, also from a checkout whose file has the provider's line alone."""
    for name, value in cloud.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("PULUMI_CONFIG_PASSPHRASE")
    kms = boto3.client("kms", endpoint_url=cloud.url, region_name=REGION)
    kms.create_alias(AliasName="alias/state", TargetKeyId=kms.create_key()["KeyMetadata"]["KeyId"])
    file = project.directory / "Pulumi.one.yaml"
    written = f"secretsprovider: awskms://alias/state?region={REGION}\n{file.read_text()}"
    for _ in range(2):
        file.write_text(written)
        project.select("one")
        project.up("one", lambda _: None)
        assert "encryptedkey: " in file.read_text()
    assert project.stacks() == ["one"]


def test_a_passphrase_of_the_environment_wins(project: PulumiProject) -> None:
    """The embedded cloud sets one: a key of the real account is nothing that it could ask."""
    file = project.directory / "Pulumi.one.yaml"
    file.write_text(f"secretsprovider: awskms://alias/elsewhere?region={REGION}\n{file.read_text()}")
    project.select("one")
    assert project.stacks() == ["one"]


# Forms in which YAML's versions differ, and what the engine writes itself.
FORMS = """config:
  tiny:account: 123456789012
  tiny:on: on
  tiny:true: TRUE
  tiny:version: 1.50
  tiny:empty:
  tiny:list: [1, b, true]
  tiny:nested:
    word: on
    "yes": yes
    number: 1_000
    exponent: 1e2
    whole: 100.0
    part: .5
    hexadecimal: 0x1F
    octal: 0o17
    time: 12:30:00
    window: 02:00-03:00
    nothing:
    mixed: tRue
    exact: 9007199254740993
    <<: {merged: x}
"""


def test_a_stack_file_is_read_as_the_engine_reads_it(project: PulumiProject) -> None:
    """What commands read before a deployment is what the program will be given."""
    (project.directory / "Pulumi.one.yaml").write_text(FORMS)
    project.select("one")
    command = ["pulumi", "config", "--json", "--show-secrets", "--stack", "one"]
    said = subprocess.run(command, cwd=project.directory, check=True, capture_output=True, text=True).stdout
    engine = {
        key: json.loads(entry["value"]) if "objectValue" in entry else entry["value"]
        for key, entry in json.loads(said).items()
    }
    assert ProjectFiles(project.directory).configuration("one") == engine
