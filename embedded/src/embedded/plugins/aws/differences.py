"""What differs between the last known state and new inputs, and whether that means another resource."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from embedded.plugins.aws.checking import DEFAULTS_MARK
from embedded.plugins.aws.documents import absent, same
from embedded.plugins.aws.schema import Property, ResourceType
from embedded.plugins.aws.tagging import all_tags
from embedded.plugins.common.values import Values, has_unknown

Change = Literal["add", "delete", "update"]


@dataclass(frozen=True)
class Differences:
    """changed: property -> how. replaces: those that need another resource. detailed: path -> how."""

    changed: Mapping[str, Change]
    replaces: tuple[str, ...]
    detailed: Mapping[str, Change]
    delete_first: bool


def differences(
    kind: ResourceType, state: Values, inputs: Values, default_tags: Mapping[str, str]
) -> Differences:
    """Compare every declared property, by what it means to AWS."""
    changed: dict[str, Change] = {}
    detailed: dict[str, Change] = {}
    for name, declared in kind.all_properties.items():
        change = _change(declared, state.get(name), inputs.get(name), name in inputs)
        if change is not None:
            changed[name] = change
            detailed.update(_paths(name, declared, state.get(name), inputs.get(name), change))
    if kind.tags is not None:
        wanted = all_tags(default_tags, inputs)
        if has_unknown(wanted) or not same(state.get("tagsAll"), wanted):
            changed["tagsAll"] = "update"
            if "tags" not in changed:
                detailed.update(_map_paths("tagsAll", state.get("tagsAll") or {}, wanted))
    properties = kind.all_properties
    replaces = tuple(name for name in changed if name in properties and properties[name].fixed)
    return Differences(changed, replaces, detailed, bool(replaces) and _name_stays(kind, state, inputs))


def _change(declared: Property, old: Any, new: Any, given: bool) -> Change | None:
    if not given:
        leaves_it = declared.computed or declared.automatic or absent(old) or declared.write_only
        return None if leaves_it else "delete"
    if has_unknown(new):
        return "update" if not absent(old) else "add"
    if declared.same(old, new):
        return None
    return "add" if absent(old) else "update"


def _name_stays(kind: ResourceType, state: Values, inputs: Values) -> bool:
    """Whether the replacement would bear the name of the old one, which then has to go first."""
    made_up = inputs.get(DEFAULTS_MARK, [])
    return any(
        declared.automatic and name not in made_up and state.get(name) == inputs.get(name)
        for name, declared in kind.properties.items()
    )


def _paths(name: str, declared: Property, old: Any, new: Any, change: Change) -> dict[str, Change]:
    if change == "update" and declared.kind in ("map", "block") and not has_unknown(new):
        return _map_paths(name, old or {}, new or {}) or {name: change}
    return {name: change}


def _map_paths(name: str, old: Any, new: Any) -> dict[str, Change]:
    if not isinstance(old, Mapping) or not isinstance(new, Mapping):
        return {name: "update"}
    found: dict[str, Change] = {}
    for key in sorted({*old, *new}):
        if not same(old.get(key), new.get(key)):
            how: Change = "add" if absent(old.get(key)) else "delete" if key not in new else "update"
            found[_member(name, key)] = how
    return found


def _member(name: str, key: str) -> str:
    return f"{name}.{key}" if re.fullmatch(r"[A-Za-z_]\w*", key) else f'{name}["{key}"]'
