"""When two values mean the same: JSON documents, sets, and absent against empty."""

import json
from collections.abc import Mapping
from typing import Any

from embedded.plugins.common.values import Unknown


def absent(value: Any) -> bool:
    """Whether a value says no more than leaving it out: None, "", 0, False, [] and {}."""
    return value is None or (not isinstance(value, Unknown) and value in ("", 0, False, [], {}))


def same(left: Any, right: Any) -> bool:
    """Whether two values are equal, where empty parts and left-out parts are alike.

    A number may be written as text ("5432"), as the engine's languages allow it.
    """
    if isinstance(left, Unknown) or isinstance(right, Unknown):
        return False
    if absent(left) and absent(right):
        return True
    if isinstance(left, Mapping) and isinstance(right, Mapping):
        return all(same(left.get(name), right.get(name)) for name in {*left, *right})
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, bool) or isinstance(right, bool):
        return _text(left) == _text(right)
    return bool(left == right) or (_scalar(left) and _scalar(right) and _text(left) == _text(right))


def same_set(left: Any, right: Any) -> bool:
    """Whether two lists hold the same things in whatever order."""
    if isinstance(left, Unknown) or isinstance(right, Unknown):
        return False
    rest = list(right or [])
    for item in left or []:
        found = next((index for index, other in enumerate(rest) if same(item, other)), None)
        if found is None:
            return False
        del rest[found]
    return not rest


def same_document(left: Any, right: Any) -> bool:
    """Whether two JSON texts mean the same policy.

    IAM writes a list of one as its only element and does not keep the order of actions, resources and
    principals. Source: IAM User Guide, "Grammar of the IAM JSON policy language".
    """
    try:
        return bool(_canonical(json.loads(left)) == _canonical(json.loads(right)))
    except (TypeError, ValueError):
        return bool(left == right)


def same_named_parts(left: Any, right: Any) -> bool:
    """Whether everything that the wanted block names is so; what it leaves out is AWS's choice."""
    if not isinstance(right, dict):
        return bool(left == right) or (isinstance(right, list) and sorted(left or []) == sorted(right))
    return isinstance(left, dict) and all(same_named_parts(left.get(key), right[key]) for key in right)


def _canonical(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _canonical(item) for name, item in value.items()}
    if isinstance(value, list):
        items = [_canonical(item) for item in value]
        if len(items) == 1:
            return items[0]
        return sorted(items, key=lambda item: json.dumps(item, sort_keys=True))
    return value


def _scalar(value: Any) -> bool:
    return isinstance(value, (str, int, float))


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
