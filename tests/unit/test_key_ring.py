"""Rings of keys: what some pod wrote, every other one reads, before, during and after a rotation."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from hypothesis import given
from hypothesis import strategies as st

from infra import key_ring
from infra.dynamic import KeyRingProvider
from infra.key_ring import RotatedKey

FERNET: dict[str, Any] = {
    "kind": "fernet",
    "length": 32,
    "standby": True,
    "previous": 1,
    "request": "",
    "value": None,
    "history": None,
    "generation": None,
}


class Ring:
    """A ring as the engine keeps it: each run diffs first, and updates on a change."""

    def __init__(self, **inputs: Any) -> None:
        self.provider, self.inputs = KeyRingProvider(), {**FERNET, **inputs}
        self.outputs: dict[str, Any] = dict(self.provider.create(dict(self.inputs)).outs or {})

    def run(self, request: str = "", **inputs: Any) -> bool:
        """One run of the program; whether it found a change."""
        news = {**self.inputs, **inputs, "request": request}
        difference = self.provider.diff("id", self.outputs, news)
        assert not difference.replaces
        if difference.changes:
            self.outputs = dict(self.provider.update("id", self.outputs, news).outs or {})
        return bool(difference.changes)

    @property
    def cipher(self) -> MultiFernet:
        """As Airflow reads the text: it encrypts with the first key, and decrypts with any."""
        return MultiFernet([Fernet(key) for key in self.outputs["value"].split(",")])

    @property
    def keys(self) -> list[str]:
        return str(self.outputs["value"]).split(",")


def test_pods_of_both_ages_read_what_the_other_wrote() -> None:
    ring = Ring()
    for number in range(5):
        old = ring.cipher
        before = old.encrypt(b"text")
        assert ring.run(f"advance:{number}")
        assert ring.cipher.decrypt(before) == b"text"
        assert old.decrypt(ring.cipher.encrypt(b"text")) == b"text"


def test_a_rotation_takes_another_key_into_use_and_re_encryption_frees_the_old_one() -> None:
    ring = Ring()
    token, first = ring.cipher.encrypt(b"text"), ring.keys[0]
    ring.run("advance:1")
    assert ring.keys[0] != first
    token = ring.cipher.rotate(token)
    with pytest.raises(InvalidToken):
        Fernet(first).decrypt(token)
    ring.run("advance:2")
    ring.run("advance:3")
    assert first not in ring.keys
    # The backups of then need it still.
    assert first in str(ring.outputs["history"]).split(",")


@given(st.lists(st.sampled_from(["", "advance:a", "advance:b", "forget:c", "advance:d"]), max_size=12))
def test_a_request_is_served_once_and_an_ordinary_run_changes_nothing(requests: list[str]) -> None:
    ring = Ring()
    for request in requests:
        ring.run(request)
        before = dict(ring.outputs)
        assert not ring.run(request)
        assert not ring.run()
        assert ring.outputs == before
        assert len(set(ring.keys)) == len(ring.keys) <= 3
        assert set(ring.keys) <= set(str(ring.outputs["history"]).split(","))


def test_restored_keys_read_old_values_and_count_at_the_beginning_alone() -> None:
    lost = Ring()
    lost.run("advance:1")
    lost.run("advance:2")
    oldest = Fernet(str(lost.outputs["history"]).split(",")[-1])
    ring = Ring(restored=lost.outputs["history"])
    assert ring.cipher.decrypt(oldest.encrypt(b"text")) == b"text"
    assert not ring.run(restored="other")
    assert not ring.run(restored=None)


def test_forgetting_drops_what_was_used_before_and_nothing_else() -> None:
    ring = Ring()
    ring.run("advance:1")
    in_use, standby, previous = ring.keys
    ring.run("forget:2")
    assert ring.keys == [in_use, standby]
    assert previous in str(ring.outputs["history"])


def test_a_ring_without_standby_alternates() -> None:
    ring = Ring(kind="token", standby=False)
    (first,) = ring.keys
    ring.run("advance:1")
    assert len(ring.keys) == 2
    assert ring.keys[1] == first
    assert int(ring.outputs["generation"]) == 1


def test_the_variable_names_one_key_and_one_request() -> None:
    assert key_ring.requests_of({}) == {}
    assert key_ring.requests_of({key_ring.ROTATION_VARIABLE: "jwt=advance:x"}) == {
        RotatedKey.JWT: "advance:x"
    }


@pytest.mark.parametrize("text", ["jwt", "jwt=advance", "jwt=advance:", "jwt=burn:x", "all=advance:x"])
def test_a_variable_that_holds_something_else_is_refused_by_name(text: str) -> None:
    with pytest.raises(ValueError, match=r"AIRFLOW_ENV_ROTATION.*airflow-env rotate"):
        key_ring.requests_of({key_ring.ROTATION_VARIABLE: text})


def test_generations_are_one_text_and_come_back() -> None:
    found = {key: number for number, key in enumerate(RotatedKey)}
    text = key_ring.generations_text(found)
    assert text == "api=1 database=3 fernet=0 jwt=2"
    assert key_ring.generations_of(text) == found
