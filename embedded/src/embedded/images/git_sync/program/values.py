"""Texts of flags and environment variables as git-sync reads them: the rules of Go's strconv and time."""

from __future__ import annotations

import re

_TRUE = ("1", "t", "T", "TRUE", "true", "True")
_FALSE = ("0", "f", "F", "FALSE", "false", "False")
_UNIT_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_PIECE = re.compile(r"(\d+\.?\d*|\.\d+)(ns|us|µs|ms|s|m|h)")


def truth(text: str) -> bool:
    """Raises ValueError for anything but the twelve spellings that Go knows."""
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    raise ValueError(f"{text!r} is not true or false")


def integer(text: str) -> int:
    """An integer; 0x, 0o and 0b are understood."""
    try:
        return int(text, 0)
    except ValueError:
        raise ValueError(f"{text!r} is not an integer") from None


def decimal(text: str) -> float:
    """A number of seconds without a unit, as the old variables have it."""
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a number") from None


def duration(text: str) -> float:
    """Seconds of a duration such as `60s` or `1m30.5s`. A number without a unit is refused, as Go does."""
    sign, digits = (-1.0, text[1:]) if text.startswith("-") else (1.0, text.removeprefix("+"))
    if digits == "0":
        return 0.0
    pieces = _PIECE.findall(digits)
    if not pieces or "".join(number + unit for number, unit in pieces) != digits:
        raise ValueError(f"{text!r} is not a duration such as 60s or 1m30s")
    return sign * sum(float(number) * _UNIT_SECONDS[unit] for number, unit in pieces)


def paths(text: str) -> tuple[str, ...]:
    """Paths separated by colons."""
    return tuple(text.split(":"))
