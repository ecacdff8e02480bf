"""`rotate`: what is asked of the program, and in what order; no key is dropped that something needs."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.fernet import Fernet

from infra import cluster_job
from infra.jobs import fernet_rotation
from infra.key_ring import ROTATION_VARIABLE, RotatedKey
from infra.lifecycle import rotation
from infra.lifecycle.errors import LifecycleError


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What happens, in order: `encrypt`, `up`, or the request of a run without its nonce."""
    happened: list[str] = []

    class Project:
        def up(self, _stack: str, _line: Any, variables: dict[str, str] | None = None) -> None:
            happened.append((variables or {}).get(ROTATION_VARIABLE, "up:").rsplit(":", 1)[0])

    monkeypatch.setattr(rotation.environments, "exports", lambda _stack: None)
    monkeypatch.setattr(rotation.environments, "project", Project)
    monkeypatch.setattr(rotation.deployment, "check", lambda _stack: None)
    monkeypatch.setattr(rotation, "_encrypt_anew", lambda _exports, _stack: happened.append("encrypt"))
    return happened


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        (RotatedKey.FERNET, ["up", "encrypt", "fernet=advance", "encrypt"]),
        (RotatedKey.JWT, ["up", "jwt=advance"]),
        (RotatedKey.API, ["up", "api=advance"]),
        (RotatedKey.DATABASE, ["up", "database=advance", "database=forget"]),
    ],
)
def test_the_steps_of_a_rotation(key: RotatedKey, expected: list[str], steps: list[str]) -> None:
    rotation.rotate(key, "team-a")
    assert steps == expected


def test_two_rotations_are_two_requests(steps: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    seen = set()

    class Project:
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
    assert steps == ["up"]


def test_what_another_key_encrypted_is_seen() -> None:
    key, other = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    token = Fernet(key).encrypt(b"text").decode()
    assert fernet_rotation.readable(token, key)
    assert not fernet_rotation.readable(token, other)
