"""How much a stack file may hold. The oracle of the limit is this machine's own kernel."""

from __future__ import annotations

import json
import subprocess

import pytest

from infra import config
from infra.settings import EnvironmentSettings
from infra.stack_size import LIMIT_BYTES, size_bytes

REQUIRED = {
    "airflow:region": "eu-west-1",
    "airflow:accountId": "123456789012",
    "airflow:owner": "data-platform",
    "airflow:cluster": {"stack": "organization/airflow-cluster/shared"},
}


def starts_with(configuration: str) -> bool:
    """Whether a program can be started with this configuration, as the engine starts it."""
    try:
        subprocess.run(["/bin/true"], env={"PULUMI_CONFIG": configuration}, check=True)
    except OSError:
        return False
    return True


def test_the_limit_is_the_kernels() -> None:
    assert starts_with("x" * LIMIT_BYTES)
    assert not starts_with("x" * (LIMIT_BYTES + 1))


def test_the_size_is_that_of_the_engines_text() -> None:
    # As the engine printed it for this file: texts in JSON, structured values as JSON in a text.
    values = {"airflow:owner": "grüße", "airflow:tags": {"a<b": 'say "x"'}}
    printed = '{"airflow:owner":"grüße","airflow:tags":"{\\"a\\\\u003cb\\":\\"say \\\\\\"x\\\\\\"\\"}"}'
    assert json.loads(json.loads(printed)["airflow:tags"]) == {"a<b": 'say "x"'}
    assert size_bytes(values) == len(printed.encode())


@pytest.mark.parametrize("encrypted", [False, True])
def test_a_file_that_can_not_be_handed_over_names_its_largest_entries(encrypted: bool) -> None:
    # Base64 of 45000 bytes and a tag: 60024 signs.
    value = {"secure": f"v1:AAAA:{'A' * 60024}"} if encrypted else "x" * 45000
    small = {f"small{number}": {"value": "x"} for number in range(20)}
    large = {f"large{number}": {"value": value} for number in range(3)}
    config.parse_file(EnvironmentSettings, "airflow", {**REQUIRED, "airflow:variables": {**small}})
    with pytest.raises(config.SettingsError) as caught:
        config.parse_file(
            EnvironmentSettings, "airflow", {**REQUIRED, "airflow:variables": {**small, **large}}
        )
    (mistake,) = caught.value.mistakes
    assert f"allowed: {LIMIT_BYTES}" in mistake.allowed
    assert all(f"airflow:variables.{name}" in mistake.allowed for name in large)
    assert "small" not in mistake.allowed
