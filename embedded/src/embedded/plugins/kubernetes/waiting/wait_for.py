"""The annotation `pulumi.com/waitFor`: what a program waits for in place of its kind's own rule.

Its forms are the official plugin's: `jsonpath={.status.phase}=Running`, `jsonpath={.status.ready}` (any
value), `condition=Ready`, `condition=Ready=False`, or a JSON list of such texts, all of which must hold.
Source: provider/pkg/metadata/overrides.go of the official plugin.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from embedded.plugins.kubernetes.waiting.pods import condition
from embedded.plugins.kubernetes.waiting.readiness import Readiness

JsonMap = dict[str, Any]

ANNOTATION = "pulumi.com/waitFor"
_STEP = re.compile(
    r"""\.(?P<name>[\w-]+) | \[(?P<index>\d+)\] | \[['"](?P<key>[^'"]+)['"]\] | (?P<all>\[\*\])
      | \[\?\(@\.(?P<field>[\w.-]+)\s*==\s*['"](?P<text>[^'"]*)['"]\)\]""",
    re.VERBOSE,
)


@dataclass(frozen=True)
class Criterion:
    """One thing that must hold: a condition by type, or what a path leads to; `wanted` None: anything."""

    text: str
    wanted: str | None
    condition: str = ""
    steps: tuple[re.Match[str], ...] = ()

    def readiness(self, item: JsonMap) -> Readiness:
        """Whether it holds; a status that is older than the object says nothing."""
        metadata, status = item.get("metadata") or {}, item.get("status") or {}
        if int(status.get("observedGeneration", metadata.get("generation", 0))) < metadata.get(
            "generation", 0
        ):
            return Readiness(False, f"{self.text}, once its controller has seen the object")
        found = self._found(item)
        holds = bool(found) if self.wanted is None else self.wanted in found
        seen = f" (it is {', '.join(found)})" if found and self.wanted is not None else ""
        return Readiness.when(holds, f"{self.text}{seen}")

    def _found(self, item: JsonMap) -> list[str]:
        if self.condition:
            status = condition(item, self.condition).get("status")
            return [] if status is None else [str(status)]
        values: list[Any] = [item]
        for step in self.steps:
            values = [below for value in values for below in _below(value, step)]
        return [_text(value) for value in values]


def readiness(criteria: Sequence[Criterion], item: JsonMap) -> Readiness:
    """Whether all hold; else what the first of the others waits for."""
    return next((one for found in criteria if not (one := found.readiness(item)).ready), Readiness(True))


def parse(annotation: object) -> list[Criterion]:
    """The criteria of the annotation's text.

    Raises:
        ValueError: it has none of the forms; the text says which.
    """
    try:
        listed = json.loads(str(annotation))
    except ValueError:
        listed = [annotation]
    if not isinstance(listed, list) or not listed or not all(isinstance(one, str) for one in listed):
        raise ValueError(f"{annotation!r} is neither a criterion nor a JSON list of criteria")
    return [_criterion(one) for one in listed]


def _criterion(text: str) -> Criterion:
    kind, _, rest = text.partition("=")
    if kind == "condition" and rest:
        name, has_status, status = rest.partition("=")
        return Criterion(text, status if has_status else "True", condition=name)
    if kind != "jsonpath":
        raise ValueError(f"{text!r} must begin with jsonpath= or condition=")
    path, has_value, value = rest.strip().partition("}=")
    if not path.startswith("{"):
        raise ValueError(f"{text!r}: the path stands in braces, such as jsonpath={{.status.phase}}=Running")
    wanted = value.strip().strip("'\"") if has_value else None
    return Criterion(text, wanted, steps=_steps(text, path.removeprefix("{").removesuffix("}")))


def _steps(text: str, path: str) -> tuple[re.Match[str], ...]:
    steps: list[re.Match[str]] = []
    position = 0
    while position < len(path):
        step = _STEP.match(path, position)
        if step is None:
            known = ".name, [0], ['key'], [*] and [?(@.name==\"text\")]"
            raise ValueError(f"{text!r}: {path[position:]!r} is not understood; {known} are emulated")
        steps.append(step)
        position = step.end()
    if not steps:
        raise ValueError(f"{text!r} names no field")
    return tuple(steps)


def _below(value: Any, step: re.Match[str]) -> list[Any]:
    name = step["name"] or step["key"]
    if name is not None:
        return [value[name]] if isinstance(value, dict) and value.get(name) is not None else []
    if not isinstance(value, list):
        return []
    if step["index"] is not None:
        return value[int(step["index"]) : int(step["index"]) + 1]
    if step["all"]:
        return list(value)
    return [one for one in value if _field(one, step["field"]) == step["text"]]


def _field(value: Any, path: str) -> str | None:
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return None if value is None else _text(value)


def _text(value: Any) -> str:
    """As JSON writes it, texts without their quotes."""
    return value if isinstance(value, str) else json.dumps(value)
