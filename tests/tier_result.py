"""How a tier of tests ended, and the summary of all."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass
class Result:
    """How one tier ended."""

    tier: str
    passed: int = 0
    failed: int = 0
    skipped: list[str] = field(default_factory=list)
    """Reasons of skipped tests."""
    not_run: str | None = None
    """Why the tier was not run."""
    seconds: float = 0.0
    nothing_installed: bool = False
    """Whether the set-up itself failed, so that tiers which use it cannot run."""

    @property
    def state(self) -> str:
        """passed, failed or NOT RUN."""
        if self.failed:
            return "failed"
        return "NOT RUN" if self.not_run is not None else "passed"


def count(tier: str, report: str) -> Result:
    """Count the test cases of a JUnit report as pytest writes it."""
    result = Result(tier)
    # The report comes from our own pytest.
    for case in ElementTree.fromstring(report).iter("testcase"):  # noqa: S314
        skipped = case.find("skipped")
        if case.find("failure") is not None or case.find("error") is not None:
            result.failed += 1
        elif skipped is not None:
            result.skipped.append(f"{case.get('name')}: {skipped.get('message')}")
        else:
            result.passed += 1
    return result


def summary(results: Sequence[Result]) -> str:
    """The list of tiers, and the last line with the sums."""
    lines = ["", "tiers:"]
    for result in results:
        counts = f"{result.passed} passed, {result.failed} failed"
        detail = f"{result.not_run}" if result.not_run is not None else counts
        lines.append(f"  {result.tier:13} {result.state:8} {result.seconds:7.1f} s  {detail}")
        lines += [f"                skipped: {' '.join(reason.split())}" for reason in result.skipped]
    sums = [sum(result.passed for result in results), sum(result.failed for result in results)]
    skipped = sum(len(result.skipped) for result in results)
    lines.append(f"{sums[0]} passed, {sums[1]} failed" + (f", {skipped} skipped" if skipped else ""))
    return "\n".join(lines)
