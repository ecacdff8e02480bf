"""Tells a package registry's refusal from other failures, and says it in one sentence."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Refusal:
    message: str
    next_step: str


@dataclass(frozen=True)
class _Client:
    """One package client's way of saying that it was refused: `package` and `status` are named groups."""

    name: str
    pattern: re.Pattern[str]
    setting: str


_STATUS: Final = r"(?P<status>40[1347]|410|429|451|5\d\d)"
_CLIENTS: Final = (
    _Client(
        "Go module proxy",
        re.compile(rf"(?P<package>[\w./~-]+@v[\w.+-]+)\S*: .*\b{_STATUS} [A-Z]"),
        "GOPROXY",
    ),
    _Client(
        "Debian archive",
        re.compile(rf"Failed to fetch \S*/(?P<package>[^/\s]+)\s+{_STATUS}\s"),
        "/etc/apt/sources.list",
    ),
    _Client(
        "Python package index",
        re.compile(rf"HTTP status client error \({_STATUS} [^)]*\) for url \(\S*?/(?P<package>[^/\s)]+)/?\)"),
        "UV_INDEX_URL (or uv.toml)",
    ),
    _Client(
        "Python package index",
        re.compile(rf"\b{_STATUS} (?:Client|Server) Error: .* for url: \S*?/(?P<package>[^/\s]+)/?$"),
        "PIP_INDEX_URL (or pip.conf)",
    ),
    _Client(
        "Python package index",
        re.compile(rf"HTTP error {_STATUS} while getting \S*?/(?P<package>[^/\s#]+)(?:#\S*)?(?:\s|$)"),
        "PIP_INDEX_URL (or pip.conf)",
    ),
    _Client(
        "Python package index",
        re.compile(
            r"(?:Because|no version of) (?P<package>\S+) (?:was not found in the p|and you)(?P<status>)"
        ),
        "UV_INDEX_URL (or uv.toml)",
    ),
    _Client(
        "Python package index",
        re.compile(r"No matching distribution found for (?P<package>\S+)(?P<status>)"),
        "PIP_INDEX_URL (or pip.conf)",
    ),
)


def explain(lines: Iterable[str]) -> Refusal | None:
    """The first refusal among a program's last lines, or None when it failed for another reason."""
    said = list(lines)
    # uv breaks long messages at the width of a terminal, between any two words.
    for line in (*said, " ".join(one.strip() for one in said)):
        for client in _CLIENTS:
            found = client.pattern.search(line)
            if found:
                status = found["status"] or "that it has no such release"
                return Refusal(
                    f"The {client.name} answered {status} for {found['package']}.",
                    f"Have the package allowed there, or name a registry that serves it in {client.setting}, "
                    "then run `make setup` again: what is finished is kept.",
                )
    return None
