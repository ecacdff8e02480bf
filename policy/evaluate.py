"""Runs the checks on a recorded program, and takes waivers into account."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Final

import yaml

from policy.checks import CHECKS
from policy.model import Check, Level, Program

WAIVERS: Final = Path(__file__).parent / "waivers.yaml"


@dataclass(frozen=True)
class Waiver:
    """A finding that is accepted."""

    check: str
    class_: str
    name: str
    reason: str

    def covers(self, check: Check, classes: Sequence[str], finding: str) -> bool:
        """Whether this waives a finding of a program of these classes."""
        resource = finding.split(":", 1)[0]
        return self.check == check.id and self.class_ in classes and fnmatchcase(resource, self.name)


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, and the waiver that accepts it, if any."""

    check: Check
    text: str
    waiver: Waiver | None


@cache
def waivers() -> tuple[Waiver, ...]:
    """Return the waivers of the file, which is read once."""
    entries = yaml.safe_load(WAIVERS.read_text(encoding="utf-8"))
    return tuple(Waiver(entry["check"], entry["class"], entry["name"], entry["reason"]) for entry in entries)


def evaluate(program: Program, classes: Sequence[str], checks: Sequence[Check] = CHECKS) -> list[Finding]:
    """Return what the checks find.

    Args:
        program: registered resources.
        classes: `persistent` or `disposable`, and `retiring` or `cluster` where they hold.
        checks: the checks to make.
    """
    known = waivers()
    found: list[Finding] = []
    for check in checks:
        if check.level is Level.DURABLE and "persistent" not in classes:
            continue
        for text in check.look(program):
            covering = next((waiver for waiver in known if waiver.covers(check, classes, text)), None)
            found.append(Finding(check, text, covering))
    return found
