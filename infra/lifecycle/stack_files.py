"""A stack file's text as values, read as the engine reads it.

The engine reads YAML with a library of YAML 1.2: `on` is a text there and no boolean, `1e2` a number, a key
that stands twice a mistake. PyYAML differs in all of these, and a command that reads a file otherwise than
the engine shows what will not be deployed. What the engine takes for something else than what stands there (a
date, a number with a leading zero) is refused here, since the program can't see it any more.
"""

from __future__ import annotations

import math
import re
from collections.abc import Hashable, Iterable
from typing import Any, Final

import yaml

# What the engine keeps in a stack file:
# https://www.pulumi.com/docs/iac/concepts/projects/stack-settings-file/
TOP_LEVEL: Final = ("config", "encryptedkey", "encryptionsalt", "environment", "secretsprovider")

_TRUE: Final = ("true", "True", "TRUE")
_FALSE: Final = ("false", "False", "FALSE")
_NUMBER_START: Final = list("-+.0123456789")
# From here on the engine writes an integer as a float, and digits are lost.
_INTEGER_LIMIT: Final = 2**63
# What is left of a number without underscores.
_NUMBER: Final = re.compile(
    r"[-+]?(0[xX][0-9a-fA-F]+|0[oO][0-7]+|0[bB][01]+|(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?)"
)
_MISPLACED: Final = re.compile(r"(?<![0-9])_|_(?![0-9])")
_OCTAL: Final = re.compile(r"[-+]?0[0-9_]+")


class StackFileError(ValueError):
    """A stack file can't be read as values; `mistakes` has a line for each reason."""

    def __init__(self, mistakes: Iterable[str]) -> None:
        self.mistakes = tuple(mistakes)
        super().__init__("\n".join(f"  {mistake}" for mistake in self.mistakes))


def read(content: bytes) -> dict[str, Any]:
    """Return the `config` of a stack file: key with its namespace -> value, top-level scalars as text.

    Raises:
        StackFileError: with all mistakes that can be told apart.
    """
    mistakes: list[str] = []
    return _config(_document(content, mistakes), mistakes)


def document(content: bytes) -> dict[str, Any]:
    """Return a whole stack file as it is written: `config` with its values, and what encrypts them.

    Raises:
        StackFileError: with all mistakes that can be told apart.
    """
    mistakes: list[str] = []
    found = _document(content, mistakes)
    _config(found, mistakes)
    return found if isinstance(found, dict) else {}


def secrets_provider(content: bytes) -> str | None:
    """Return what encrypts the stack's secrets by its file, such as awskms://alias/NAME?region=REGION.

    Raises:
        StackFileError: the file is no YAML.
    """
    whole = _document(content, [])
    found = whole.get("secretsprovider") if isinstance(whole, dict) else None
    return str(found) if found else None


def _document(content: bytes, mistakes: list[str]) -> object:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise StackFileError([f"line {line}: is no UTF-8 text; save the file as UTF-8"]) from None
    try:
        loader = _Loader(text, mistakes)
        node = loader.get_single_node()
        if node is not None and _holds_itself(node, ()):
            raise StackFileError(["a value holds itself, by a YAML alias; write it out"])
        return loader.construct_document(node) if node is not None else None
    except yaml.MarkedYAMLError as error:
        raise StackFileError([*mistakes, _sentence(error)]) from None
    except yaml.YAMLError as error:
        # A character that YAML does not take, with its position.
        raise StackFileError([f"is no YAML: {' '.join(str(error).split())}"]) from None
    except RecursionError:
        raise StackFileError(["is nested too deep; write fewer levels"]) from None


def _holds_itself(node: yaml.Node, above: tuple[int, ...]) -> bool:
    if isinstance(node, yaml.ScalarNode):
        return False
    pairs = node.value if isinstance(node, yaml.MappingNode) else [(item,) for item in node.value]
    return id(node) in above or any(
        _holds_itself(child, (*above, id(node))) for children in pairs for child in children
    )


def _config(document: object, mistakes: list[str]) -> dict[str, Any]:
    form = "write `config:` with lines such as `airflow:owner: my-team` below it"
    if document is not None and not isinstance(document, dict):
        raise StackFileError([*mistakes, f"holds no keys and values; {form}"])
    content = document or {}
    unknown = [key for key in content if key not in TOP_LEVEL]
    mistakes += [f"{key}: unknown key; allowed: {', '.join(TOP_LEVEL)}; {form}" for key in unknown]
    config = content.get("config")
    if config is not None and not isinstance(config, dict):
        mistakes.append(f"config: holds no keys and values; {form}")
    if mistakes:
        raise StackFileError(mistakes)
    return {key: _as_engine_text(value) for key, value in (config or {}).items()}


def _as_engine_text(value: object) -> object:
    """The engine hands top-level scalars over as text, and none as an empty one."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else value


def _sentence(error: yaml.MarkedYAMLError) -> str:
    mark = error.problem_mark or error.context_mark
    place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
    parts = [part for part in (error.problem, error.context) if part]
    hint = "; indent with spaces" if "'\\t'" in str(error.problem) else ""
    return f"{place}is no YAML: {' '.join(' '.join(parts).split())}{hint}"


class _Loader(yaml.SafeLoader):
    """YAML 1.2's plain scalars, as far as the engine has them; other mistakes are collected."""

    # What the base class resolves by YAML 1.1 is not inherited.
    yaml_implicit_resolvers: Any = {}  # noqa: RUF012 - PyYAML's own form

    def __init__(self, text: str, mistakes: list[str]) -> None:
        super().__init__(text)
        self.mistakes = mistakes

    def complain(self, node: yaml.Node, mistake: str) -> None:
        """Note a mistake with its line."""
        self.mistakes.append(f"line {node.start_mark.line + 1}: {mistake}")

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """Refuse keys that stand twice or are no text, before PyYAML takes the last of them."""
        seen: dict[str, int] = {}
        for key, _ in node.value:
            if key.tag == _MERGE:
                continue
            if key.tag != "tag:yaml.org,2002:str":
                self.complain(key, f"the key {_shown(key)} is no text; write it in quotes")
            elif key.value in seen:
                self.complain(key, f"{key.value}: stands twice, first in line {seen[key.value]}; keep one")
            else:
                seen[key.value] = key.start_mark.line + 1
        node.value = [
            (key, value) for key, value in node.value if key.tag in (_MERGE, "tag:yaml.org,2002:str")
        ]
        return super().construct_mapping(node, deep=deep)


_MERGE: Final = "tag:yaml.org,2002:merge"


def _shown(node: yaml.Node) -> str:
    return str(node.value) if isinstance(node, yaml.ScalarNode) else "of several values"


def _number(loader: _Loader, node: yaml.ScalarNode) -> object:
    """An integer, a float, or what is too large for both as the engine has it; a text that only looks so."""
    # With a point at the beginning the engine takes underscores between digits alone.
    misplaced = node.value.startswith(".") and _MISPLACED.search(node.value)
    text = node.value if misplaced else node.value.replace("_", "")
    if _OCTAL.fullmatch(text):
        loader.complain(
            node,
            f"{node.value} begins with 0, so it is another number to YAML; write it in quotes, or without 0",
        )
        return 0
    if not _NUMBER.fullmatch(text):
        return node.value
    if re.fullmatch(r"[-+]?(0[xX][0-9a-fA-F]+|0[oO][0-7]+|0[bB][01]+|[0-9]{1,20})", text):
        number: float = int(text, 0)
    else:
        number = float(text)
    if not math.isfinite(number) or abs(number) >= _INTEGER_LIMIT:
        loader.complain(node, f"{node.value[:40]} is too large for a number; write it in quotes")
        return 0
    return int(number) if number == int(number) else number


def _no_number(loader: _Loader, node: yaml.ScalarNode) -> None:
    loader.complain(node, f"{node.value} is no number that the engine can keep; write it in quotes")


def _date(loader: _Loader, node: yaml.ScalarNode) -> None:
    loader.complain(node, f"{node.value} is a date, which the engine writes otherwise; write it in quotes")


def _unknown_tag(loader: _Loader, node: yaml.Node) -> None:
    loader.complain(node, f"the YAML tag {node.tag} is of no use here; write a plain value")


def _add(tag: str, pattern: str, first: list[str], construct: Any) -> None:
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(pattern), first)
    if construct is not None:
        _Loader.add_constructor(f"tag:yaml.org,2002:{tag}", construct)


# The order is that in which a scalar is tried. Source: resolve.go of gopkg.in/yaml.v3.
_add("merge", r"^<<$", ["<"], None)
_add("null", r"^(~|null|Null|NULL|)$", ["~", "n", "N", ""], None)
_add("bool", f"^({'|'.join(_TRUE + _FALSE)})$", list("tTfF"), lambda _, node: node.value in _TRUE)
_add("timestamp", r"^\d{4}-\d{1,2}-\d{1,2}([Tt ] *\d.*)?$", list("0123456789"), _date)
_add("nan", r"^([-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN))$", list("-+."), _no_number)
_add(
    "number",
    r"^[-+]?(0[xX][0-9a-fA-F_]+|0[oO][0-7_]+|0[bB][01_]+|(\.[0-9_]+|[0-9][0-9_]*(\.[0-9_]*)?)([eE][-+]?[0-9_]+)?)$",
    _NUMBER_START,
    _number,
)
for _tag in ("int", "float", "binary", "set", "omap", "pairs"):
    _Loader.add_constructor(f"tag:yaml.org,2002:{_tag}", _unknown_tag)
_Loader.add_constructor(None, _unknown_tag)
