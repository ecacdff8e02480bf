"""Differences between two JSON values, as the paths that the engine shows.

Pure functions: both values are what a program wrote, or would write; nothing here asks a server.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from embedded.plugins.common.properties import Path

_PLAIN_KEY = re.compile(r"^[A-Za-z_][A-Za-z0-9_]*$")


class Kind(Enum):
    """What happened to the value at a path."""

    ADD = "add"
    DELETE = "delete"
    UPDATE = "update"


@dataclass(frozen=True)
class Difference:
    """One changed value; `replaces` when it can only be changed by a new object."""

    path: Path
    kind: Kind
    replaces: bool = False


_MISSING = object()


def differences(old: Any, new: Any, path: Path = ()) -> Iterator[Difference]:
    """Every leaf that differs, in order of the keys; lists are compared position by position.

    A null is a value of its own: in chart values it takes a default away.
    """
    if old is _MISSING:
        yield Difference(path, Kind.ADD)
    elif new is _MISSING:
        yield Difference(path, Kind.DELETE)
    elif isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in sorted({*old, *new}):
            yield from differences(old.get(key, _MISSING), new.get(key, _MISSING), (*path, key))
    elif isinstance(old, list) and isinstance(new, list):
        for index in range(max(len(old), len(new))):
            yield from differences(_item(old, index), _item(new, index), (*path, index))
    elif old != new or isinstance(old, bool) != isinstance(new, bool):
        yield Difference(path, Kind.UPDATE)


def _item(items: list[Any], index: int) -> Any:
    return items[index] if index < len(items) else _MISSING


def with_replacements(found: Iterable[Difference], immutable: Iterable[tuple[str, ...]]) -> list[Difference]:
    """Mark the differences at or below one of the immutable paths, or that take such a path away.

    An immutable path is a tuple of keys; `*` stands for any position in a list.
    """
    rules = list(immutable)
    return [Difference(one.path, one.kind, any(_touches(one.path, rule) for rule in rules)) for one in found]


def _touches(path: Path, rule: tuple[str, ...]) -> bool:
    # A path shorter than the rule is an object that appeared or went as a whole, with the rule's in it.
    return all(want in ("*", str(step)) for step, want in zip(path, rule, strict=False))


def without_ignored(found: Iterable[Difference], ignored: Iterable[str]) -> list[Difference]:
    """Drop the differences at or below a path that the program tells to ignore (`ignoreChanges`)."""
    prefixes = [parse_path(text) for text in ignored]
    return [one for one in found if not any(_below(one.path, prefix) for prefix in prefixes)]


def _below(path: Path, prefix: Path) -> bool:
    return len(path) >= len(prefix) and all(
        want in ("*", step) for step, want in zip(path, prefix, strict=False)
    )


def render_path(path: Path) -> str:
    """The path as the engine writes it: `spec.containers[0].env`, `metadata.labels["a.b/c"]`."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        elif _PLAIN_KEY.match(step):
            text += f".{step}" if text else step
        else:
            quoted = step.replace("\\", "\\\\").replace('"', '\\"')
            text += f'["{quoted}"]'
    return text


_STEP = re.compile(r'\.?(?:\["((?:[^"\\]|\\.)*)"\]|\[(\*|\d+)\]|([^.\[]+))')


def parse_path(text: str) -> Path:
    """The reverse of `render_path`; `[*]` and `.*` become `*`."""
    steps: list[str | int] = []
    for quoted, index, plain in _STEP.findall(text):
        if quoted:
            steps.append(re.sub(r"\\(.)", r"\1", quoted))
        elif index:
            steps.append(index if index == "*" else int(index))
        else:
            steps.append(plain)
    return tuple(steps)
