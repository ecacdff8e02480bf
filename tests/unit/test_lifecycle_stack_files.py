"""Stack files are read as the engine reads them. What it gives was recorded; tests/engine asks it again."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.lifecycle.stack_files import StackFileError, read


def value(text: str) -> Any:
    """What `text` means below a top-level key."""
    return read(f"config:\n  airflow:top:\n    below: {text}\n".encode())["airflow:top"]["below"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("on", "on"),
        ("yes", "yes"),
        ("n", "n"),
        ("TRUE", True),
        ("tRue", "tRue"),
        ("NULL", None),
        ("", None),
        ("nULL", "nULL"),
        ("+5", 5),
        ("1_000", 1000),
        ("_1", "_1"),
        ("1e2", 100),
        ("100.0", 100),
        ("1_2.5", 12.5),
        (".5", 0.5),
        ("0x1F", 31),
        ("0o17", 15),
        ("0b11", 3),
        ("9007199254740993", 9007199254740993),
        ("12:30:00", "12:30:00"),
        ("02:00-03:00", "02:00-03:00"),
        ("2024-01-01-release", "2024-01-01-release"),
        ("3.2.2", "3.2.2"),
        ("'012'", "012"),
        # Numbers by their look, and none for Go's strconv.
        ("0x_", "0x_"),
        ("0b_", "0b_"),
        ("-0o_", "-0o_"),
        ("1e_", "1e_"),
        ("1e+_", "1e+_"),
        ("._", "._"),
        ("._5", "._5"),
        (".5_", ".5_"),
        (".5_0", 0.5),
        ("1._", 1),
    ],
)
def test_plain_scalars_are_what_the_engine_takes_them_for(text: str, expected: object) -> None:
    found = value(text)
    assert (type(found), found) == (type(expected), expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("123456789012", "123456789012"), ("true", "true"), ("1.50", "1.5"), ("", ""), ("[1, b]", [1, "b"])],
)
def test_top_level_scalars_are_text(text: str, expected: object) -> None:
    assert read(f"config:\n  airflow:top: {text}\n".encode()) == {"airflow:top": expected}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("2024-01-01", "is a date"),
        ("2001-12-14T21:59:43Z", "is a date"),
        ("012345670123", "begins with 0"),
        ("-012", "begins with 0"),
        (".nan", "no number that the engine can keep"),
        ("-.inf", "no number that the engine can keep"),
        ("1e400", "too large"),
        ("9" * 19, "too large"),
        ("1" * 5000, "too large"),
        ("!env X", "YAML tag !env"),
        ("!!binary aGVsbG8=", "YAML tag"),
        ("!!set {a, b}", "YAML tag"),
        ("{1: a}", "the key 1 is no text"),
        ("{2024-01-01: a}", "the key 2024-01-01 is no text"),
        ("{[a, b]: a}", "is no text"),
        ("{a: 1, a: 2}", "a: stands twice, first in line 3"),
    ],
)
def test_what_the_engine_takes_for_something_else_is_refused_with_its_line(text: str, said: str) -> None:
    with pytest.raises(StackFileError) as caught:
        value(text)
    (mistake,) = caught.value.mistakes
    assert mistake.startswith("line 3: ")
    assert said in mistake


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"config:\n\tairflow:owner: x\n", "line 2, column 1: is no YAML: found character '\\t'"),
        (b"config:\n  airflow:owner: d\xe4ta\n", "line 2: is no UTF-8 text"),
        (b"config: {a: 'b\0'}\n", "unacceptable character"),
        (b"config: {a: *t}\n", "undefined alias"),
        (b"config: &a {b: *a}\n", "holds itself"),
        (b"config: {}\n---\nconfig: {}\n", "another document"),
        (b"- a\n", "holds no keys and values"),
        (b"config: [a]\n", "config: holds no keys and values"),
        (b"airflow:owner: x\n", "airflow:owner: unknown key; allowed: config,"),
        (b"config: {a: " + b"[" * 600, "is nested too deep"),
    ],
)
def test_a_file_that_is_none_says_where_and_why(content: bytes, said: str) -> None:
    with pytest.raises(StackFileError) as caught:
        read(content)
    assert said in caught.value.mistakes[0]


def test_all_mistakes_of_a_file_come_together() -> None:
    with pytest.raises(StackFileError) as caught:
        read(b"config:\n  a: 012\n  a: x\n  b: 2024-01-01\nelse: 1\n")
    assert len(caught.value.mistakes) == 4


@pytest.mark.parametrize("content", [b"", b"# nothing\n", b"config:\n", b"\xef\xbb\xbfconfig: {}\r\n"])
def test_a_file_without_configuration_has_none(content: bytes) -> None:
    assert read(content) == {}


def test_anchors_and_merges_are_resolved() -> None:
    text = b"config:\n  a: &a {x: 1, y: 2}\n  b: {<<: *a, y: 3}\n"
    assert read(text) == {"a": {"x": 1, "y": 2}, "b": {"x": 1, "y": 3}}


ANY_TEXT = st.text(alphabet=st.characters(codec="utf-8"), max_size=60).map(str.encode)


@given(content=st.one_of(st.binary(max_size=60), ANY_TEXT))
def test_any_content_is_read_or_refused(content: bytes) -> None:
    with contextlib.suppress(StackFileError):
        assert isinstance(read(b"config:\n  a: " + content), dict)
