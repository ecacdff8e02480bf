"""No pattern takes exponential time to refuse a text. Oracle: the structure that Python parses."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any, Final

import pytest

ROOT = Path(__file__).resolve().parents[2]
CHARACTERS: Final = frozenset(map(chr, range(128)))
# So many repetitions are as bad as no limit.
MANY: Final = 10
CLASSES: Final = {"WORD": r"\w", "DIGIT": r"\d", "SPACE": r"\s"}


def in_schema(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("pattern"), str):
            yield node["pattern"]
        yield from node.get("patternProperties", {})
    for child in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from in_schema(child)


def in_code(path: Path) -> Iterator[str]:
    """What is given to the functions of `re` as plain text."""
    text = path.read_text(encoding="utf-8")
    for node in ast.walk(ast.parse(text)) if "import re\n" in text else ():
        function = node.func if isinstance(node, ast.Call) else None
        if isinstance(function, ast.Attribute) and ast.unparse(function.value) == "re":
            arguments = node.args[:1]  # type: ignore[attr-defined]
            yield from (item.value for item in arguments if isinstance(getattr(item, "value", None), str))


def patterns() -> list[str]:
    schemas = [json.loads(path.read_text(encoding="utf-8")) for path in (ROOT / "schemas").glob("*.json")]
    code = [*(ROOT / "infra").rglob("*.py"), *(ROOT / "dags").glob("*.py")]
    return sorted({*in_schema(schemas), *(found for path in code for found in in_code(path))})


def one_of(op: str, value: Any) -> frozenset[str]:
    """The characters that a node of one character takes; none for another node."""
    if op == "LITERAL":
        return frozenset(chr(value))
    if op == "NOT_LITERAL":
        return CHARACTERS - {chr(value)}
    if op == "ANY":
        return CHARACTERS
    if op == "RANGE":
        return frozenset(map(chr, range(value[0], value[1] + 1)))
    if op == "CATEGORY":
        inverted, name = "_NOT_" in str(value), str(value).rpartition("_")[2]
        members = frozenset(char for char in CHARACTERS if re.match(CLASSES[name], char))
        return CHARACTERS - members if inverted else members
    if op == "IN":
        members = frozenset[str]().union(*(one_of(str(kind), item) for kind, item in value))
        return CHARACTERS - members if str(value[0][0]) == "NEGATE" else members
    return frozenset()


def parts(op: str, value: Any) -> list[Sequence[Any]]:
    """What is within a node."""
    if op in ("MAX_REPEAT", "MIN_REPEAT"):
        return [value[2]]
    if op == "SUBPATTERN":
        return [value[3]]
    if op == "BRANCH":
        return list(value[1])
    return [value[1]] if op in ("ASSERT", "ASSERT_NOT") else []


def may_be_empty(op: str, value: Any) -> bool:
    if op in ("MAX_REPEAT", "MIN_REPEAT"):
        return value[0] == 0 or all(may_be_empty(str(kind), item) for kind, item in value[2])
    if op in ("SUBPATTERN", "BRANCH"):
        return any(all(may_be_empty(str(kind), item) for kind, item in part) for part in parts(op, value))
    return op in ("AT", "ASSERT", "ASSERT_NOT")


def begins(nodes: Sequence[Any]) -> frozenset[str]:
    """The characters that a text of these nodes may begin with."""
    found: frozenset[str] = frozenset()
    for kind, value in nodes:
        op = str(kind)
        inner = [begins(part) for part in parts(op, value) if not op.startswith("ASSERT")]
        found = found.union(one_of(op, value), *inner)
        if not may_be_empty(op, value):
            break
    return found


def trails(nodes: Sequence[Any]) -> frozenset[str]:
    """The characters that may go on and on at the end of a text of these nodes."""
    found: frozenset[str] = frozenset()
    for kind, value in reversed(nodes):
        op = str(kind)
        inner = frozenset[str]().union(*map(trails, parts(op, value)))
        if op in ("MAX_REPEAT", "MIN_REPEAT") and value[1] >= MANY:
            [[first_kind, first], *others] = value[2]
            inner |= one_of(str(first_kind), first) if not others else frozenset()
        found |= inner
        if not may_be_empty(op, value):
            break
    return found


def ambiguous(nodes: Sequence[Any]) -> bool:
    """Whether a repetition can divide one run of characters in many ways: 2 to the power of its length."""
    for kind, value in nodes:
        op = str(kind)
        if any(ambiguous(part) for part in parts(op, value)):
            return True
        if op in ("MAX_REPEAT", "MIN_REPEAT") and value[1] >= MANY and trails(value[2]) & begins(value[2]):
            return True
    return False


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("[A-Za-z](-?[A-Za-z0-9]+)*", True),
        ("([a-z]+-?)*", True),
        (r"(\w*|-)+", True),
        ("(a{0,61})*x", True),
        ("[A-Za-z][A-Za-z0-9]*(-[A-Za-z0-9]+)*", False),
        ("[a-z](-?[a-z0-9])*", False),
        (r"([a-z]([-a-z0-9]{0,61}[a-z])?\.)+", False),
    ],
)
def test_ambiguity_is_seen(pattern: str, expected: bool) -> None:
    assert ambiguous(parser.parse(pattern)) is expected


def test_no_pattern_is_ambiguous() -> None:
    found = patterns()
    assert len(found) > 40
    assert [pattern for pattern in found if ambiguous(parser.parse(pattern))] == []
