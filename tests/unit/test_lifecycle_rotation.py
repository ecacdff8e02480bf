"""`rotate`: what is asked of the program, and in what order; no key is dropped that something needs."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from cryptography.fernet import Fernet

from infra import cluster_job
from infra.components.airflow_secrets import RING_ROLES
from infra.jobs import fernet_rotation
from infra.key_ring import ROTATION_VARIABLE, RotatedKey
from infra.lifecycle import recovery, rotation
from infra.lifecycle.errors import LifecycleError


def _ring(key: RotatedKey, generation: int) -> dict[str, Any]:
    name = f"secrets-{RING_ROLES[key]}"
    type_ = "airflowinfra:index:AirflowSecrets$pulumi-python:dynamic/airflow:KeyRing"
    return {"urn": f"urn:pulumi:team-a::airflow::{type_}::{name}", "outputs": {"generation": generation}}


class Stack:
    """A deployed stack whose rings all advanced once; `reached` is what the last deployment exported."""

    reached = "api=1 database=1 fernet=1 jwt=1"

    def resources(self, _stack: str) -> list[dict[str, Any]]:
        return [_ring(key, 1) for key in RotatedKey]


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What happens, in order: `encrypt`, `up`, or the request of a run without its nonce."""
    happened: list[str] = []

    class Project(Stack):
        def up(self, _stack: str, _line: Any, variables: dict[str, str] | None = None) -> None:
            happened.append((variables or {}).get(ROTATION_VARIABLE, "up:").rsplit(":", 1)[0])

    monkeypatch.setattr(
        rotation.environments, "exports", lambda _stack: SimpleNamespace(key_generations=Stack.reached)
    )
    monkeypatch.setattr(rotation.environments, "project", Project)
    monkeypatch.setattr(rotation.deployment, "check", lambda _stack: None)
    monkeypatch.setattr(rotation, "_encrypt_anew", lambda _exports, _stack: happened.append("encrypt"))
    return happened


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        (RotatedKey.FERNET, ["encrypt", "fernet=advance", "encrypt"]),
        (RotatedKey.JWT, ["jwt=advance"]),
        (RotatedKey.API, ["api=advance"]),
        (RotatedKey.DATABASE, ["database=advance", "database=forget"]),
    ],
)
def test_the_steps_of_a_rotation(key: RotatedKey, expected: list[str], steps: list[str]) -> None:
    rotation.rotate(key, "team-a")
    assert steps == expected


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        (RotatedKey.API, ["up"]),
        (RotatedKey.FERNET, ["up", "encrypt"]),
        (RotatedKey.JWT, ["up"]),
        (RotatedKey.DATABASE, ["up", "database=forget"]),
    ],
)
def test_a_rotation_that_was_cut_off_is_brought_to_its_end(
    key: RotatedKey, expected: list[str], steps: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Moving its ring once more would drop what pods use that have not been replaced."""
    reached = " ".join(f"{other}={0 if other is key else 1}" for other in RotatedKey)
    monkeypatch.setattr(Stack, "reached", reached)
    rotation.rotate(key, "team-a")
    assert steps == expected


def test_a_login_that_was_left_open_is_closed_and_no_further_one_is_made(
    steps: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run ended between the two: all pods have the new login, and whoever has the old one gets in."""
    rings = [_ring(key, 1) for key in RotatedKey]
    for closed, expected in (("", ["forget"]), ("airflow_a", ["advance", "forget"])):
        variable = {"name": "DATABASE_CLOSED_LOGIN_ROLE", "value": closed}
        job = {"template": {"spec": {"containers": [{"env": [variable]}]}}}
        tenant = {
            "urn": "urn:pulumi:team-a::airflow::pulumi-python:dynamic/airflow:DatabaseTenant::tenant",
            "type": "pulumi-python:dynamic/airflow:DatabaseTenant",
            "outputs": {"job": json.dumps(job)},
        }
        monkeypatch.setattr(Stack, "resources", lambda *_, found=[*rings, tenant]: found)
        steps.clear()
        rotation.rotate(RotatedKey.DATABASE, "team-a")
        assert steps == [f"database={verb}" for verb in expected]


def test_recover_names_the_rotation_that_it_does_not_end(capsys: pytest.CaptureFixture[str]) -> None:
    """The run that moved the ring died; an `up` would be green, and the login from before open."""
    outputs = {"keyGenerations": "api=1 database=0 fernet=1 jwt=1"}
    project: Any = SimpleNamespace(outputs=lambda _: outputs, resources=Stack().resources)
    recovery._tell_rotations(project, "team-a")
    assert capsys.readouterr().out.count("airflow-env rotate") == 1
    outputs["keyGenerations"] = Stack.reached
    recovery._tell_rotations(project, "team-a")
    assert capsys.readouterr().out == ""


def test_of_a_deployment_that_exported_no_generations_nothing_is_taken_for_cut_off(
    steps: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Stack, "reached", "")
    rotation.rotate(RotatedKey.JWT, "team-a")
    assert steps == ["jwt=advance"]


def test_before_another_key_is_rotated_the_one_that_was_cut_off_is_ended(
    steps: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Stack, "reached", "api=1 database=1 fernet=0 jwt=1")
    rotation.rotate(RotatedKey.JWT, "team-a")
    assert steps == ["up", "jwt=advance"]


def test_two_rotations_are_two_requests(steps: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    seen = set()

    class Project(Stack):
        def up(self, *_: Any, variables: dict[str, str] | None = None) -> None:
            seen.update((variables or {}).values())

    monkeypatch.setattr(rotation.environments, "project", Project)
    for _ in range(2):
        rotation.rotate(RotatedKey.JWT, "team-a")
    assert len(seen) == 2


def test_values_that_cannot_be_encrypted_anew_stop_the_rotation_before_a_key_is_dropped(
    steps: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise cluster_job.JobError("2 values need another key")

    monkeypatch.setattr(rotation, "_encrypt_anew", lambda _exports, stack: rotation._guarded(fail, stack))
    with pytest.raises(LifecycleError, match="2 values need another key"):
        rotation.rotate(RotatedKey.FERNET, "team-a")
    assert steps == []


@pytest.mark.parametrize(
    "data", [{}, {"fernet_rotation.py": "print('of the year before')"}], ids=["none", "old"]
)
def test_a_cluster_with_another_script_is_sent_to_up_first(data: dict[str, str]) -> None:
    with pytest.raises(LifecycleError, match="No key was changed") as refused:
        rotation.refuse_another_script({"data": data}, "team-a")
    assert "airflow-env up team-a" in refused.value.next_step
    script = Path(fernet_rotation.__file__).read_text()
    rotation.refuse_another_script({"data": {"fernet_rotation.py": script}}, "team-a")


def test_what_another_key_encrypted_is_seen() -> None:
    key, other = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    token = Fernet(key).encrypt(b"text").decode()
    assert fernet_rotation.readable(token, key)
    assert not fernet_rotation.readable(token, other)
