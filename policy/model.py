"""What a check is, what it looks at, and what it finds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol


class Level(StrEnum):
    """How binding a check is."""

    MANDATORY = "mandatory"
    """Everywhere; nothing waives it but a reason in waivers.yaml."""
    DURABLE = "durable"
    """Where durability is persistent."""
    ADVISORY = "advisory"


class Resource(Protocol):
    """A registered resource: its type token, logical name, and inputs in camelCase."""

    @property
    def type(self) -> str:
        """Type token."""

    @property
    def name(self) -> str:
        """Logical name."""

    @property
    def inputs(self) -> dict[str, Any]:
        """Inputs, Outputs resolved."""


Program = Sequence[Resource]
Look = Callable[[Program], Iterator[str]]
"""Yields one sentence for each thing that is wrong."""


@dataclass(frozen=True)
class Check:
    """One row of the baseline."""

    row: int
    title: str
    ids: tuple[str, ...]
    level: Level
    look: Look

    @property
    def id(self) -> str:
        """The first public id, or the row where there is none; waivers name it."""
        return self.ids[0] if self.ids else f"row-{self.row}"


class Watched(list[Resource]):
    """A program that remembers which of its resources a look was given: none of them proves nothing."""

    def __init__(self, program: Program) -> None:
        super().__init__(program)
        self.seen: set[tuple[str, str]] = set()


def resources_of(check: Check, program: Program) -> int:
    """Return how many resources of a program a check looks at."""
    watched = Watched(program)
    list(check.look(watched))
    return len(watched.seen)


def at(values: Any, path: str) -> Any:
    """Return the value at a path of keys with dots between them; the first item of a list; None for none."""
    for key in path.split("."):
        if isinstance(values, list):
            values = values[0] if values else None
        if not isinstance(values, Mapping):
            return None
        values = values.get(key)
    return values


def every(type_: str, path: str, right: Callable[[Any], bool], wanted: str) -> Look:
    """Return a look at one property of every resource of a type; in every item where lists are on the way."""

    def look(program: Program) -> Iterator[str]:
        for resource in of(program, type_):
            for value in all_at(resource.inputs, path):
                if not right(value):
                    yield f"{resource.name}: {path} is {value!r}; wanted: {wanted}"

    return look


def all_at(values: Any, path: str) -> list[Any]:
    """Return the values at a path of keys with dots between them, one of each item of lists on the way.

    What is not there is None; so is an empty list on the way, since nothing there is right.
    """
    key, _, rest = path.partition(".")
    if isinstance(values, list):
        return [found for item in values for found in all_at(item, path)] or [None]
    if not isinstance(values, Mapping):
        return [None]
    return all_at(values.get(key), rest) if rest else [values.get(key)]


def together(*looks: Look) -> Look:
    """Return a look that finds what any of these finds."""

    def look(program: Program) -> Iterator[str]:
        for one in looks:
            yield from one(program)

    return look


def beside(type_: str, companion: str, key: str = "bucket") -> Look:
    """Return a look for resources of a type without a companion that names them by `key`."""

    def look(program: Program) -> Iterator[str]:
        named = {str(resource.inputs.get(key)) for resource in of(program, companion)}
        for resource in of(program, type_):
            if not any(resource.name in text or str(resource.inputs.get(key)) == text for text in named):
                yield f"{resource.name}: has no {companion}"

    return look


def of(program: Program, *types: str) -> list[Resource]:
    """Return the resources of some types."""
    found = [resource for resource in program if resource.type in types]
    if isinstance(program, Watched):
        program.seen |= {(resource.type, resource.name) for resource in found}
    return found
