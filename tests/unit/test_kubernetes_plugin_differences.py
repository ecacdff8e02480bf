"""Differences and replacement: the paths that a preview shows, and which changes need a new object."""

from __future__ import annotations

import json
from typing import Any

import pytest
from embedded.plugins.common.differences import (
    Difference,
    Kind,
    differences,
    parse_path,
    render_path,
    with_replacements,
    without_ignored,
)
from embedded.plugins.kubernetes.immutable_fields import immutable_fields
from embedded.plugins.kubernetes.kinds import ObjectKind
from hypothesis import given
from hypothesis import strategies as st

_STEPS = st.one_of(st.text(min_size=1, max_size=6).filter(lambda text: text != "*"), st.integers(0, 20))
_JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=4)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(st.lists(_STEPS, min_size=1, max_size=5).filter(lambda steps: isinstance(steps[0], str)))
def test_a_written_path_reads_back_as_itself(steps: list[str | int]) -> None:
    assert parse_path(render_path(tuple(steps))) == tuple(steps)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (("spec", "containers", 0, "image"), "spec.containers[0].image"),
        (("metadata", "labels", "a.b/c"), 'metadata.labels["a.b/c"]'),
        (("data", 'say "hi"'), 'data["say \\"hi\\""]'),
    ],
)
def test_paths_are_written_as_the_engine_writes_them(path: tuple[str | int, ...], text: str) -> None:
    assert render_path(path) == text


@given(_JSON)
def test_a_value_does_not_differ_from_itself(value: Any) -> None:
    assert list(differences(value, value)) == []


@given(_JSON, _JSON)
def test_values_differ_exactly_when_their_json_does(old: Any, new: Any) -> None:
    same = json.dumps(old, sort_keys=True) == json.dumps(new, sort_keys=True)
    assert bool(list(differences(old, new))) is not same


def test_null_is_a_value_and_absence_is_not() -> None:
    found = list(differences({"a": None, "b": 1}, {"b": None, "c": 2}))
    assert found == [
        Difference(("a",), Kind.DELETE),
        Difference(("b",), Kind.UPDATE),
        Difference(("c",), Kind.ADD),
    ]


def test_ignored_paths_cover_what_is_below_them() -> None:
    found = list(
        differences({"a": {"b": 1, "c": 1}, "l": [{"x": 1}]}, {"a": {"b": 2, "c": 2}, "l": [{"x": 2}]})
    )
    kept = without_ignored(found, ["a.b", "l[*].x"])
    assert [one.path for one in kept] == [("a", "c")]


_CASES: list[tuple[str, str, Any, Any, bool]] = [
    ("v1", "ConfigMap", {"data": {"a": "1"}}, {"data": {"a": "2"}}, True),
    ("v1", "Secret", {"stringData": {"a": "1"}}, {"stringData": {"a": "2"}}, True),
    ("v1", "Service", {"spec": {"clusterIP": "10.0.0.1"}}, {"spec": {"clusterIP": "10.0.0.2"}}, True),
    ("v1", "Service", {"spec": {"ports": [{"port": 1}]}}, {"spec": {"ports": [{"port": 2}]}}, False),
    ("v1", "Namespace", {"metadata": {"name": "a"}}, {"metadata": {"name": "b"}}, True),
    (
        "v1",
        "ServiceAccount",
        {"metadata": {"labels": {"a": "1"}}},
        {"metadata": {"labels": {"a": "2"}}},
        False,
    ),
    ("batch/v1", "Job", {"spec": {"template": {"x": 1}}}, {"spec": {"template": {"x": 2}}}, True),
    ("batch/v1", "Job", {"spec": {"suspend": True}}, {"spec": {"suspend": False}}, False),
    ("apps/v1", "Deployment", {"spec": {"selector": {"m": 1}}}, {"spec": {"selector": {"m": 2}}}, True),
    ("apps/v1", "Deployment", {"spec": {"replicas": 1}}, {"spec": {"replicas": 2}}, False),
    ("apps/v1", "StatefulSet", {"spec": {"serviceName": "a"}}, {"spec": {"serviceName": "b"}}, True),
    ("v1", "PersistentVolumeClaim", {"spec": {"storageClassName": "a"}}, {"spec": {}}, True),
    (
        "v1",
        "PersistentVolumeClaim",
        {"spec": {"resources": {"r": 1}}},
        {"spec": {"resources": {"r": 2}}},
        False,
    ),
    (
        "v1",
        "Pod",
        {"spec": {"containers": [{"image": "a"}]}},
        {"spec": {"containers": [{"image": "b"}]}},
        True,
    ),
    ("rbac.authorization.k8s.io/v1", "RoleBinding", {"roleRef": {"n": 1}}, {"roleRef": {"n": 2}}, True),
]


@pytest.mark.parametrize(("api_version", "kind", "old", "new", "replaced"), _CASES)
def test_replacement_follows_the_official_plugins_table(
    api_version: str, kind: str, old: Any, new: Any, replaced: bool
) -> None:
    rules = immutable_fields(
        ObjectKind(api_version, kind), frozen=False, config_map_mutable=False, secret_mutable=False
    )
    found = with_replacements(differences(old, new), rules)
    assert any(one.replaces for one in found) is replaced


@pytest.mark.parametrize("frozen", [True, False])
def test_mutable_data_is_updated_in_place_unless_the_object_is_immutable(frozen: bool) -> None:
    kind = ObjectKind("v1", "ConfigMap")
    rules = immutable_fields(kind, frozen=frozen, config_map_mutable=True, secret_mutable=True)
    (found,) = with_replacements(differences({"data": {"a": "1"}}, {"data": {"a": "2"}}), rules)
    assert found.replaces is frozen
