"""Property values: nothing changes on the way through the plugin, and no secret loses its mark."""

from __future__ import annotations

from typing import Any

import pulumi
import pytest
from embedded.plugins.kubernetes.properties import UNKNOWN, Properties, mask
from hypothesis import given
from hypothesis import strategies as st
from pulumi.provider.experimental.property_value import PropertyValue
from pulumi.runtime import rpc

_KEYS = st.text(min_size=1, max_size=8)
_LEAVES = st.one_of(
    st.booleans(), st.text(max_size=8), st.floats(allow_nan=False, allow_infinity=False).map(abs)
)


def _wrap(children: st.SearchStrategy[PropertyValue]) -> st.SearchStrategy[PropertyValue]:
    inner = st.one_of(st.lists(children, max_size=3), st.dictionaries(_KEYS, children, max_size=3))
    return st.builds(PropertyValue, inner, st.booleans())


_VALUES = st.recursive(st.builds(PropertyValue, _LEAVES, st.booleans()), _wrap, max_leaves=12)


@given(st.dictionaries(_KEYS, _VALUES, max_size=4))
def test_reading_and_writing_changes_nothing(properties: dict[str, PropertyValue]) -> None:
    """Oracle: the SDK's own wire form of both."""
    again = Properties.of(properties).to_engine()
    assert PropertyValue.marshal_map(again) == PropertyValue.marshal_map(properties)


def _secret(value: Any) -> PropertyValue:
    return PropertyValue(value, is_secret=True)


def test_a_secret_in_a_list_hides_the_list_when_the_server_answers() -> None:
    inputs = Properties.of(
        {"spec": PropertyValue({"env": PropertyValue([PropertyValue("a"), _secret("hunter2")])})}
    )
    answered = inputs.with_values({"spec": {"env": ["hunter2", "a", "injected"], "replicas": 1}}).to_engine()
    spec = answered["spec"].value
    assert spec["env"].is_secret
    assert not spec["replicas"].is_secret
    assert not answered["spec"].is_secret


def test_every_mark_of_an_unknown_value_is_understood() -> None:
    known = Properties.of({"a": PropertyValue(rpc.UNKNOWN), "b": PropertyValue("plain")})
    assert known.values == {"a": UNKNOWN, "b": "plain"}


def test_masking_hides_whole_secrets_and_spares_short_ones() -> None:
    properties = Properties.of(
        {
            "values": PropertyValue(
                {"a": _secret("longsecret"), "b": _secret("longsecret-longer"), "c": _secret("x")}
            )
        }
    )
    text = mask("saw longsecret-longer and longsecret in a box", properties.secret_texts())
    assert text == "saw [secret] and [secret] in a box"


@pytest.mark.parametrize("asset", [pulumi.StringAsset("a: 1"), pulumi.FileAsset("values.yaml")])
def test_assets_pass_through(asset: Any) -> None:
    again = Properties.of({"valueYamlFiles": PropertyValue([PropertyValue(asset)])}).to_engine()
    (kept,) = again["valueYamlFiles"].value
    assert vars(kept.value) == vars(asset)
