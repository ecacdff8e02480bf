"""What commands read from a project's files is what the Pulumi CLI would hand to the program."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from infra.lifecycle import checkout, environments, rendering
from infra.lifecycle.checkout import ProjectFiles
from infra.lifecycle.errors import LifecycleError

PROJECT = """name: airflow
config:
  pulumi:disable-default-providers: {value: [aws]}
  region: {type: string}
  canary: {type: boolean, default: true}
  airflow:size: {type: string, default: small}
"""
STACK = """secretsprovider: awskms://alias/x
config:
  airflow:region: eu-west-1
  airflow:size: large
  airflow:password: {secure: v1:abc}
  aws:profile: someone
"""


def test_defaults_are_filled_in_and_all_keys_have_their_namespace(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.yaml").write_text(PROJECT)
    (tmp_path / "Pulumi.one.yaml").write_text(STACK)
    assert ProjectFiles(tmp_path).configuration("one") == {
        "airflow:region": "eu-west-1",
        "airflow:size": "large",
        "airflow:canary": True,
        "airflow:password": {"secure": "v1:abc"},
        "aws:profile": "someone",
    }


def test_a_name_with_dots_is_a_stacks_name(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.pr-1.2.yaml").write_text(STACK)
    assert ProjectFiles(tmp_path).stack_names() == ["pr-1.2"]


def test_a_stack_file_with_an_encrypted_password_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As `pulumi config set --secret --path` writes it: no command can read it, and none needs to."""
    config = {
        "airflow:region": "eu-west-1",
        "airflow:accountId": "123456789012",
        "airflow:owner": "platform",
        "airflow:cluster": {"stack": "organization/airflow-cluster/shared"},
        "airflow:variables": {"token": {"value": {"secure": "v1:abc:def"}}},
        "airflow:connections": {
            "crm": {"type": "http", "password": {"secure": "v1:x"}, "extra": {"a": [{"secure": "v1:y"}]}}
        },
    }
    (tmp_path / "Pulumi.yaml").write_text("name: airflow\n")
    (tmp_path / "Pulumi.one.yaml").write_text(yaml.safe_dump({"config": config}))
    monkeypatch.setattr(checkout, "ROOT", tmp_path)
    settings = environments.settings("one")
    assert set(settings.variables) == {"token"}
    assert set(settings.connections) == {"crm"}
    assert "v1:" not in str(
        [entry.text for entry in (*settings.variables.values(), *settings.connections.values())]
    )


def test_an_encrypted_part_of_airflow_cfg_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = {"config": {"smtp": {"smtp_password": {"secure": "v1:abc:def"}}}}
    (tmp_path / "Pulumi.yaml").write_text("name: airflow\n")
    (tmp_path / "Pulumi.one.yaml").write_text(yaml.safe_dump({"config": {"airflow:airflow": secret}}))
    monkeypatch.setattr(checkout, "ROOT", tmp_path)
    with pytest.raises(LifecycleError, match=r"airflow\.config\.smtp\.smtp_password: holds a secret"):
        environments.settings("one")


def test_an_unknown_stack_is_told_the_known_ones(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.yaml").write_text(PROJECT)
    (tmp_path / "Pulumi.one.yaml").write_text(STACK)
    with pytest.raises(LifecycleError, match=r"Pulumi\.two\.yaml; stacks with a file: one\."):
        ProjectFiles(tmp_path).configuration("two")


def test_a_mistake_in_a_stack_file_names_key_and_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "Pulumi.yaml").write_text(PROJECT)
    (tmp_path / "Pulumi.one.yaml").write_text(STACK)
    monkeypatch.setattr(checkout, "ROOT", tmp_path)
    with pytest.raises(LifecycleError) as error:
        environments.settings("one")
    assert "airflow:accountId" in error.value.message
    assert error.value.next_step == "Correct Pulumi.one.yaml."


# As `pulumi config set --path --secret` writes them.
ENCRYPTED = """config:
  airflow:region: eu-west-1
  airflow:accountId: "123456789012"
  airflow:owner: data-platform
  airflow:cluster: {stack: organization/airflow-cluster/shared}
  airflow:variables:
    token: {value: {secure: v1:abc}}
  airflow:connections:
    warehouse:
      type: postgres
      host: {secure: v1:abc}
      password: {secure: v1:def}
      extra: {options: [{secure: v1:ghi}]}
"""


def refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> str:
    project = (checkout.ROOT / "Pulumi.yaml").read_bytes()
    (tmp_path / "Pulumi.yaml").write_bytes(project)
    (tmp_path / "Pulumi.one.yaml").write_text(text)
    monkeypatch.setattr(checkout, "ROOT", tmp_path)
    with pytest.raises(LifecycleError) as error:
        rendering.rendered_values("one")
    return error.value.message


def test_a_value_that_commands_need_is_not_encrypted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An encrypted durability would be taken for absent, and the default shown as what is deployed."""
    text = (
        ENCRYPTED + "  airflow:durability: {secure: v1:abc}\n  airflow:database: {port: {secure: v1:abc}}\n"
    )
    message = refused(tmp_path, monkeypatch, text)
    assert message.count("holds a secret") == 2
    assert "airflow:durability: holds a secret" in message
    assert "airflow:database.port: holds a secret" in message


def test_settings_and_overrides_of_airflow_cfg_are_judged_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (
        ENCRYPTED + "  airflow:logs: {retentionDays: 0}\n  airflow:airflow: {config: {core: {nothing: x}}}\n"
    )
    message = refused(tmp_path, monkeypatch, text)
    assert "2 mistakes" in message
    assert "airflow:logs.retentionDays" in message
    assert "airflow:airflow.config.core.nothing: unknown option" in message


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("airflow-cluster:nat", "its keys belong in cluster/Pulumi.STACK.yaml"),
        ("airflwo:owner", "did you mean airflow?"),
    ],
)
def test_a_key_of_an_unknown_namespace_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str, said: str
) -> None:
    assert f"{key}: unknown namespace; {said}" in refused(tmp_path, monkeypatch, f"{ENCRYPTED}  {key}: x\n")


STACKS = checkout.environment_files().stack_names()


def test_the_checkout_has_stack_files() -> None:
    assert STACKS


@pytest.mark.parametrize("stack", STACKS)
def test_every_committed_stack_shows_its_configuration_without_secrets(stack: str) -> None:
    """airflow.cfg and values of real stack files render offline, and hold references to secrets only."""
    text = rendering.rendered_config(stack)
    assert "remote_logging = True" in text
    assert "s3://" in text
    values = rendering.rendered_values(stack)
    assert "fernetKeySecretName: airflow-fernet-key" in values
    for line in (*text.splitlines(), *values.splitlines()):
        name, _, value = line.strip().partition(":")
        assert not (name in ("password", "fernetKey", "connection") and value.strip(" '\"")), line
