"""Property values: nothing changes on the way through a plugin, and no secret loses its mark."""

from __future__ import annotations

from typing import Any

import pulumi
import pytest
from embedded.plugins.common.properties import UNKNOWN, Properties, has_unknown, mask
from hypothesis import given
from hypothesis import strategies as st
from pulumi.provider.experimental.property_value import PropertyValue
from pulumi.runtime import rpc

_KEYS = st.text(min_size=1, max_size=8)
_LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.text(max_size=8),
    st.floats(allow_nan=False, allow_infinity=False).map(abs),
    st.just(rpc.UNKNOWN),
    st.builds(pulumi.StringAsset, st.text(max_size=4)),
    st.builds(pulumi.FileAsset, st.text(max_size=4)),
    st.builds(pulumi.RemoteAsset, st.text(max_size=4)),
    st.builds(pulumi.FileArchive, st.text(max_size=4)),
)


def _wrap(children: st.SearchStrategy[PropertyValue]) -> st.SearchStrategy[PropertyValue]:
    inner = st.one_of(st.lists(children, max_size=3), st.dictionaries(_KEYS, children, max_size=3))
    return st.builds(PropertyValue, inner, st.booleans())


_VALUES = st.recursive(st.builds(PropertyValue, _LEAVES, st.booleans()), _wrap, max_leaves=12)


def _read(properties: dict[str, PropertyValue]) -> Properties:
    return Properties.of(PropertyValue.marshal_map(properties))


@given(st.dictionaries(_KEYS, _VALUES, max_size=4))
def test_reading_and_writing_changes_nothing(properties: dict[str, PropertyValue]) -> None:
    """Oracle: the SDK's own wire form; a null at the top is an absent value, secret or not."""
    present = {name: value for name, value in properties.items() if value.value is not None}
    assert _read(properties).to_struct() == PropertyValue.marshal_map(present)


@given(st.dictionaries(_KEYS, _VALUES, max_size=4))
def test_what_is_unknown_is_seen_at_any_depth(properties: dict[str, PropertyValue]) -> None:
    """Oracle: the SDK's mark of an unknown value in the wire form."""
    assert has_unknown(_read(properties).values) == (
        rpc.UNKNOWN in str(PropertyValue.marshal_map(properties))
    )


def _secret(value: Any) -> PropertyValue:
    return PropertyValue(value, is_secret=True)


def test_a_secret_in_a_list_hides_the_list_when_the_server_answers() -> None:
    inputs = _read({"spec": PropertyValue({"env": PropertyValue([PropertyValue("a"), _secret("hunter2")])})})
    answered = inputs.with_values({"spec": {"env": ["hunter2", "a", "injected"], "replicas": 1}})
    spec = PropertyValue.unmarshal_map(answered.to_struct())["spec"]
    assert spec.value["env"].is_secret
    assert not spec.value["replicas"].is_secret
    assert not spec.is_secret


def test_a_whole_number_is_no_fraction() -> None:
    known = _read({"count": PropertyValue(3.0), "ratio": PropertyValue(0.5), "on": PropertyValue(True)})
    kinds = {name: type(value) for name, value in known.values.items()}
    assert kinds == {"count": int, "ratio": float, "on": bool}


def test_every_mark_of_an_unknown_value_is_understood() -> None:
    known = _read({"a": PropertyValue(rpc.UNKNOWN), "b": PropertyValue("plain")})
    assert known.values == {"a": UNKNOWN, "b": "plain"}


def test_masking_hides_whole_secrets_and_spares_short_ones() -> None:
    properties = _read(
        {
            "values": PropertyValue(
                {"a": _secret("longsecret"), "b": _secret("longsecret-longer"), "c": _secret("x")}
            )
        }
    )
    text = mask("saw longsecret-longer and longsecret in a box", properties.secret_texts())
    assert text == "saw [secret] and [secret] in a box"


@pytest.mark.parametrize("given_by", ["urn", "id"])
def test_a_resource_stands_for_its_id(given_by: str) -> None:
    from google.protobuf.struct_pb2 import Struct

    reference = {"4dabf18193072939515e22adb298388d": "5cf8f73096256a8f31e491e813e4eb8e", given_by: "x"}
    wire = Struct()
    wire.update({"bucket": reference})
    assert Properties.of(wire).values == {"bucket": "x"}
