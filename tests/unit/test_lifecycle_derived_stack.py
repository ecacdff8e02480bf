"""A passing environment gets what it is allowed to have of the one it is made like, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra.lifecycle import checkout, derived_stack, environments
from infra.lifecycle.errors import LifecycleError
from infra.settings import Durability

SOURCE = """secretsprovider: awskms://alias/state
encryptedkey: abc
config:
  airflow:region: eu-west-1
  airflow:accountId: "012345678901"
  airflow:owner: "1e2"
  airflow:durability: persistent
  airflow:deploymentId: mine
  airflow:cluster: {stack: organization/airflow-cluster/shared}
  airflow:access: {host: airflow.example.com}
  airflow:alarms: {emails: [team@example.com]}
  airflow:networkPolicies: {clientNetworks: [10.0.0.0/16]}
  airflow:database:
    storageGib: 100
    restore: {snapshot: old, fernetKeysSecret: keys}
  airflow:variables:
    kept: {value: "on", shareable: true}
    own: {value: {secure: v1:planted}}
  airflow:connections:
    kept: {type: http, password: {secure: v1:shared}, shareable: true}
    own: {type: http, password: {secure: v1:planted}}
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "Pulumi.yaml").write_bytes((checkout.ROOT / "Pulumi.yaml").read_bytes())
    (tmp_path / "Pulumi.source.yaml").write_text(SOURCE)
    monkeypatch.setattr(checkout, "ROOT", tmp_path)
    return tmp_path


@pytest.mark.parametrize("namespace", ["airflow:", ""], ids=["with namespace", "without"])
def test_only_what_is_shareable_is_taken_over(project: Path, namespace: str) -> None:
    (project / "Pulumi.source.yaml").write_text(SOURCE.replace("airflow:", namespace))
    path, left_out = derived_stack.derive("pr-7", "source")
    assert left_out == ["variables.own", "connections.own"]
    assert "planted" not in path.read_text()
    settings = environments.settings("pr-7")
    assert (list(settings.variables), list(settings.connections)) == (["kept"], ["kept"])


@pytest.mark.parametrize("kind", ["variables", "connections"])
def test_parameters_written_as_text_are_left_out(project: Path, kind: str) -> None:
    text = f'config:\n  airflow:{kind}: \'{{"own": {{"password": "planted"}}}}\'\n'
    (project / "Pulumi.source.yaml").write_text(text)
    path, left_out = derived_stack.derive("pr-7", "source")
    assert left_out == [kind]
    assert "planted" not in path.read_text()


@pytest.mark.parametrize("namespace", ["airflow:", ""], ids=["with namespace", "without"])
def test_it_is_disposable_and_nobody_elses(project: Path, namespace: str) -> None:
    (project / "Pulumi.source.yaml").write_text(SOURCE.replace("airflow:", namespace))
    derived_stack.derive("pr-7", "source")
    settings = environments.settings("pr-7")
    assert settings.durability is Durability.DISPOSABLE
    assert settings.alarms.emails == ()
    assert (settings.access.host, settings.deployment_id, settings.database.restore.wanted) == (None,) * 2 + (
        False,
    )


def test_texts_stay_texts_and_the_key_of_encrypted_ones_stays(project: Path) -> None:
    derived_stack.derive("pr-7", "source")
    settings = environments.settings("pr-7")
    assert (settings.account_id, settings.owner, settings.variables["kept"].text) == (
        "012345678901",
        "1e2",
        "on",
    )
    files = checkout.environment_files()
    assert files.secrets_provider("pr-7") == "awskms://alias/state"
    assert files.document("pr-7")["encryptedkey"] == "abc"


def test_a_file_that_says_something_else_is_not_overwritten(project: Path) -> None:
    derived_stack.derive("pr-7", "source")
    derived_stack.derive("pr-7", "source")
    (project / "Pulumi.pr-7.yaml").write_text("config: {}\n")
    with pytest.raises(LifecycleError, match="is there already"):
        derived_stack.derive("pr-7", "source")


@pytest.mark.parametrize("name", ["../x", "", "a b", "x" * 101])
def test_what_is_no_name_of_a_stack_is_refused(project: Path, name: str) -> None:
    with pytest.raises(LifecycleError, match="is no name of a stack"):
        derived_stack.derive(name, "source")
