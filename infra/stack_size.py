"""How much a stack file may hold: the engine hands all of it to the program in one environment variable.

Linux takes 32 pages for one of them (MAX_ARG_STRLEN, execve(2)). Beyond that no program can be started, and
the engine says no more than "argument list too long"; so this is looked at before.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Final

from infra.config_messages import Mistake

# With the name, the equals sign and the byte that ends it.
LIMIT_BYTES: Final = 32 * 4096 - len("PULUMI_CONFIG=") - 1
# Bytes that encryption adds to a text, before base64: AES-GCM's tag.
_TAG_BYTES: Final = 16
_SHOWN: Final = 3


def size_bytes(values: Mapping[str, object]) -> int:
    """Return the bytes of the engine's text for a file's values by key: JSON of texts, which may be JSON.

    An encrypted value counts with the length of its plain text.
    """
    texts = {key: value if isinstance(value, str) else _json(_plain(value)) for key, value in values.items()}
    return len(_json(texts).encode())


def size_mistakes(values: Mapping[str, object]) -> list[Mistake]:
    """The mistake of a file that is too large, with its largest entries."""
    size = size_bytes(values)
    if size <= LIMIT_BYTES:
        return []
    largest = sorted(_entries(values), key=lambda entry: -entry[1])[:_SHOWN]
    named = ", ".join(f"{key} ({length})" for key, length in largest)
    allowed = (
        f"{size} bytes in all; allowed: {LIMIT_BYTES}, since the engine hands them over in one environment "
        f"variable. The largest: {named}. Keep large texts in a secret of AWS, and name it by `secret`"
    )
    return [Mistake("config", None, allowed)]


def _entries(values: Mapping[str, object]) -> Iterator[tuple[str, int]]:
    for key, value in values.items():
        if isinstance(value, dict) and set(value) != {"secure"}:
            yield from ((f"{key}.{name}", len(_json(_plain(item)))) for name, item in value.items())
        else:
            yield key, len(_json(_plain(value)))


def _plain(value: object) -> object:
    """The value with texts of the length that encrypted ones have in plain."""
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if not isinstance(value, dict):
        return value
    if set(value) == {"secure"} and isinstance(value["secure"], str):
        ciphertext = value["secure"].rpartition(":")[2].rstrip("=")
        return "x" * max(0, len(ciphertext) * 3 // 4 - _TAG_BYTES)
    return {key: _plain(item) for key, item in value.items()}


def _json(value: object) -> str:
    """JSON as Go writes it: signs of HTML are escaped."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
