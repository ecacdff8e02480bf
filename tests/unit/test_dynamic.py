"""Dynamic resources: what state refers to, what they make, when they run again."""

from __future__ import annotations

import base64
from typing import Any

import dill
import pytest
from cryptography.fernet import Fernet
from hypothesis import given
from hypothesis import strategies as st
from pulumi.dynamic.dynamic import serialize_provider

from infra import cluster_job, dynamic
from infra.dynamic import (
    DatabaseTenantProvider,
    KeyRingProvider,
    RandomKind,
    RandomValueProvider,
    random_value,
)
from infra.lifecycle.half_made import PendingCreate, Surroundings, find_id
from infra.lifecycle.state_additions import imported

TENANT: dict[str, Any] = {
    "kubeconfig": "{}",
    "namespace": "airflow-team-a",
    "jobName": "airflow-database-tenant",
    "job": "{}",
    "timeoutSeconds": 60,
    "instanceResourceId": "db-1",
    "database": "airflow",
    "role": "airflow",
    "passwordDigest": "one",
    "dropOnDelete": True,
}


@pytest.mark.parametrize("provider", [RandomValueProvider(), KeyRingProvider(), DatabaseTenantProvider()])
def test_state_holds_a_reference_to_the_class_and_no_code(provider: Any) -> None:
    serialised = base64.b64decode(serialize_provider(provider))
    assert b"infra.dynamic" in serialised
    assert type(provider).__name__.encode() in serialised
    # A class by value takes kilobytes; then each change of its code would be a change of every resource.
    assert len(serialised) < 200
    assert type(dill.loads(serialised)) is type(provider)  # noqa: S301 - made two lines above


def test_names_that_state_refers_to() -> None:
    assert dynamic.RandomSecret._resource_type_name == "dynamic/airflow:RandomSecret"
    assert dynamic.KeyRing._resource_type_name == "dynamic/airflow:KeyRing"
    assert dynamic.RandomSuffix._resource_type_name == "dynamic/airflow:RandomSuffix"
    assert dynamic.DatabaseTenantResource._resource_type_name == "dynamic/airflow:DatabaseTenant"


def test_a_fernet_key_encrypts() -> None:
    key = Fernet(random_value("fernet", 32))
    assert key.decrypt(key.encrypt(b"text")) == b"text"


@given(length=st.integers(16, 128))
def test_a_token_needs_no_escape_in_a_url_and_holds_its_bytes(length: int) -> None:
    token = random_value("token", length)
    assert len(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))) == length


@given(length=st.integers(1, 32))
def test_a_suffix_fits_into_names(length: int) -> None:
    suffix = random_value("suffix", length)
    assert len(suffix) == length
    assert suffix.isalnum()
    assert suffix == suffix.lower()


def test_values_are_made_once_and_differ() -> None:
    provider = RandomValueProvider()
    props = {"kind": RandomKind.TOKEN.value, "length": 32, "value": None}
    first, second = provider.create(dict(props)), provider.create(dict(props))
    assert first.outs is not None
    assert second.outs is not None
    assert first.outs["value"] != second.outs["value"]
    assert first.id != second.id
    # The input holds no value; that the output has one is no change.
    assert provider.diff(first.id, first.outs, dict(props)).changes is False
    assert provider.diff(first.id, first.outs, {**props, "length": 16}).replaces == ["length"]


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    calls: list[list[str]] = []
    monkeypatch.setattr(cluster_job, "run", lambda **call: calls.append(call["arguments"]))
    return calls


def test_the_tenants_job_runs_on_create_and_drop(runs: list[list[str]]) -> None:
    provider = DatabaseTenantProvider()
    created = provider.create(dict(TENANT))
    assert created.outs is not None
    provider.delete(created.id, created.outs)
    assert runs == [["create"], ["drop"]]
    # Made again under the same names, it is another database.
    assert provider.create(dict(TENANT)).id != created.id


def test_a_tenant_whose_instance_goes_too_is_left_for_the_final_snapshot(runs: list[list[str]]) -> None:
    DatabaseTenantProvider().delete("db-1/airflow", {**TENANT, "dropOnDelete": False})
    assert runs == []


@pytest.mark.parametrize(
    ("change", "replaces", "again"),
    [
        ({}, [], []),
        ({"instanceResourceId": "db-2"}, ["instanceResourceId"], None),
        ({"database": "other"}, ["database"], None),
        ({"passwordDigest": "two"}, [], [["create"]]),
        ({"kubeconfig": "{ }", "job": "{ }"}, [], []),
    ],
)
def test_what_a_change_of_the_tenant_does(
    change: dict[str, Any], replaces: list[str], again: list[list[str]] | None, runs: list[list[str]]
) -> None:
    provider = DatabaseTenantProvider()
    news = {**TENANT, **change}
    difference = provider.diff("id", TENANT, news)
    assert difference.changes is bool(change)
    assert difference.replaces == replaces
    if again is not None:
        assert provider.update("id", TENANT, news).outs == news
        assert runs == again


def test_a_tenant_whose_run_was_killed_is_made_again_or_dropped(runs: list[list[str]]) -> None:
    """Its Job goes on without that run: what `recover` takes in may be there, in part or not at all."""
    type_ = "pulumi-python:dynamic/airflow:DatabaseTenant"
    begun = PendingCreate("urn:pulumi:one::airflow::airflow:DatabaseTenant::tenant", type_, TENANT)
    id_ = find_id(begun, Surroundings("eu-west-1", "one", ()))
    assert id_ is not None
    taken_in = imported({"urn": begun.urn, "type": type_, "inputs": TENANT}, id_)
    provider = DatabaseTenantProvider()
    assert provider.diff(id_, taken_in["outputs"], TENANT).changes
    assert not provider.diff(id_, taken_in["outputs"], TENANT).replaces
    provider.update(id_, taken_in["outputs"], TENANT)
    provider.delete(id_, taken_in["outputs"])
    assert runs == [["create"], ["drop"]]
