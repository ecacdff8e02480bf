"""Everything that the embedded AWS account holds, read from what the moto process saves: no API is asked.

The process saves all backends of all services before it answers a change. The file is read without the
classes that wrote it, neither moto's nor this project's: every object is taken as a bag of fields. So a thing
that no API lists, or that its model hides, shows here.
"""

from __future__ import annotations

import hashlib
import io
import pickle
from collections import Counter, deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

# Values of these are data; all others are unknown objects.
_PLAIN_MODULES = ("collections", "datetime", "decimal", "uuid")
_PLAIN_BUILTINS = ("set", "frozenset", "bytearray", "complex", "range", "slice")
# Longer texts (policies, keys) are shown by their beginning, and compared by their digest.
_SHOWN = 80
_NAMES = ("arn", "id", "name", "key")


class Model:
    """An object of any class: its fields, and what it holds as a list, mapping or set."""

    kind = "object"

    def __new__(cls, *arguments: Any, **_: Any) -> Model:
        made = object.__new__(cls)
        made.fields, made.entries, made.items = {}, {}, []
        if arguments:
            made.fields["arguments"] = list(arguments)
        return made

    fields: dict[str, Any]
    entries: dict[Any, Any]
    items: list[Any]

    def __setstate__(self, state: Any) -> None:
        for part in state if isinstance(state, tuple) else (state,):
            self.fields.update(part if isinstance(part, dict) else {"state": part} if part else {})

    def __setitem__(self, key: Any, value: Any) -> None:
        self.entries[key] = value

    def append(self, item: Any) -> None:
        """Take an item of a list's subclass."""
        self.items.append(item)

    def add(self, item: Any) -> None:
        """Take an item of a set's subclass."""
        self.items.append(item)


class _Reader(pickle.Unpickler):
    """Reads a pickle of any classes without importing them."""

    def find_class(self, module: str, name: str) -> Any:
        if module == "builtins" and name in _PLAIN_BUILTINS:
            return getattr(__import__("builtins"), name)
        if module in _PLAIN_MODULES:
            return super().find_class(module, name)
        if name == "_set_iam_state":
            # The one function that the process saves for setting fields; the fields are its second argument.
            return _set_fields
        return type(name.rsplit(".", 1)[-1], (Model,), {"kind": name.rsplit(".", 1)[-1]})


def _set_fields(model: Model, fields: dict[str, Any]) -> None:
    model.__setstate__(fields)


def dump(account: Path) -> Counter[str]:
    """Return every value in the account's file, as lines `service/region field[key].field = value`."""
    file = io.BytesIO(account.read_bytes())
    _Reader(file).load()
    found: Counter[str] = Counter()
    for service, _, region, backend in _Reader(file).load():
        found.update(_values(f"{service}/{region} ", backend))
    return found


def object_of(line: str) -> str:
    """Return the object that a line speaks of: up to its first key, as in `kms/eu-west-1 keys[ID]`."""
    return f"{line.partition(']')[0]}]" if "[" in line.partition(" = ")[0] else line.partition(" = ")[0]


def _values(start: str, backend: Model) -> Iterator[str]:
    """The values by the shortest path to each; an object that others refer to is shown once."""
    seen: set[int] = set()
    waiting: deque[tuple[str, Any]] = deque(_parts(start, backend))
    while waiting:
        path, value = waiting.popleft()
        if isinstance(value, Model) and value.kind.endswith("Backend"):
            # Its own lines are those of its service.
            continue
        if isinstance(value, (Model, dict, list, tuple, set, frozenset, deque)):
            if id(value) not in seen:
                seen.add(id(value))
                waiting.extend(_parts(path, value))
        else:
            yield f"{path} = {_shown(value)}"


def _parts(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    join = "" if path.endswith(" ") else "."
    fields = value.fields if isinstance(value, Model) else {}
    entries = value.entries if isinstance(value, Model) else value if isinstance(value, dict) else {}
    items = value.items if isinstance(value, Model) else () if isinstance(value, dict) else value
    yield from ((f"{path}{join}{field}", content) for field, content in fields.items())
    yield from ((f"{path}[{_key(key)}]", content) for key, content in entries.items())
    yield from ((f"{path}[{_label(item)}]", item) for item in items)


def _key(key: Any) -> str:
    return _label(key) if isinstance(key, Model) else _shown(key).strip("'")


def _label(item: Any) -> str:
    """What tells an item of a list from its neighbours, whatever its place."""
    if isinstance(item, Model):
        found: Callable[[str], Any] = item.fields.get
        return next((str(found(name)) for name in _NAMES if isinstance(found(name), str)), item.kind)
    if isinstance(item, dict):
        return next((str(item[name]) for name in ("Key", "Name", "key", "name") if name in item), "")
    return "" if isinstance(item, (list, tuple, set, frozenset)) else _shown(item).strip("'")


def _shown(value: Any) -> str:
    text = repr(value)
    if len(text) <= _SHOWN:
        return text
    return f"{text[:_SHOWN]}... {hashlib.sha256(text.encode()).hexdigest()[:12]}"
