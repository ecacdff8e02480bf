"""Writes docs/aws-contract.md from the markers of the contract tests; run it as a program.

The page lists each behaviour that the embedded AWS shares with AWS, where AWS documents it, and the test
that holds it. A test compares the page with what pytest collects.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "aws-contract.md"
SOURCES = ("tests/engine", "tests/unit", "tests/cluster")
"""Directories whose test files may hold rows of the contract."""

_HEAD = """# What the embedded AWS shares with AWS

The embedded cloud's AWS API must never be more forgiving than AWS: what passes here and fails there is found
too late. Each row is a behaviour of AWS, the page that documents it, and the test that asks the running API
for it through boto3. Error codes and HTTP statuses are compared with botocore's service models as well.

What is not emulated answers `NotImplemented` (501) and names itself; the same holds for operators and keys of
policy conditions. `embedded faults consistency SECONDS` sets how long IAM and EKS take to become consistent.

This page is written by `python tests/engine/aws_contract_page.py` from the markers of the tests.
"""


@dataclass(frozen=True, order=True)
class Row:
    """One behaviour and a test that holds it."""

    service: str
    behaviour: str
    source: str
    test: str
    """Node id of the test, without its parameters."""


class _Collector:
    def __init__(self) -> None:
        self.rows: set[Row] = set()

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        for item in items:
            test = item.nodeid.partition("[")[0]
            for mark in item.iter_markers("contract"):
                self.rows.add(Row(*mark.args, test=test))


def collected_rows() -> list[Row]:
    """All rows, as pytest collects them in this process."""
    collector = _Collector()
    files = sorted(
        str(path)
        for source in SOURCES
        for path in (ROOT / source).glob("test_*.py")
        if "mark.contract" in path.read_text(encoding="utf-8")
    )
    arguments = ["--collect-only", "-qq", "--no-header", "--rootdir", str(ROOT)]
    code = pytest.main([*arguments, *files], plugins=[collector])
    if code != pytest.ExitCode.OK:
        raise SystemExit(f"pytest cannot collect the contract tests: {code}")
    return sorted(collector.rows)


def page(rows: list[Row]) -> str:
    """The page's text."""
    parts = [_HEAD]
    for service in sorted({row.service for row in rows}):
        parts.append(f"\n## {service}\n\n| Behaviour | On AWS | Test |\n| --- | --- | --- |\n")
        for row in rows:
            if row.service == service:
                title = row.source.rpartition("/")[2].partition("#")[0].removesuffix(".html")
                parts.append(f"| {row.behaviour} | [{title}]({row.source}) | `{row.test}` |\n")
    return "".join(parts)


if __name__ == "__main__":
    place = Path(sys.argv[1]) if len(sys.argv) > 1 else PAGE
    place.write_text(page(collected_rows()), encoding="utf-8")
