"""The page of the contract and the tests are one: every row has its test, every contract test its row."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.engine

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "aws-contract.md"
ROW = re.compile(r"^\| (?P<behaviour>.+) \| \[.+\]\((?P<source>https://\S+)\) \| `(?P<test>\S+)` \|$")


def rows() -> list[re.Match[str]]:
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    return [match for line in lines if (match := ROW.match(line))]


def run(*arguments: str) -> str:
    ended = subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


@pytest.fixture(scope="module")
def collected() -> set[str]:
    """Node ids without parameters, as pytest itself lists them."""
    files = sorted({row["test"].partition("::")[0] for row in rows()})
    listed = run("-m", "pytest", "--collect-only", "-q", *files).splitlines()
    return {line.partition("[")[0] for line in listed if "::" in line}


def test_every_row_has_a_test_that_is_collected(collected: set[str]) -> None:
    found = rows()
    table = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    headings = [line for line in table if line.startswith(("| Behaviour", "| ---"))]
    assert len(found) == len(table) - len(headings)
    assert [row["test"] for row in found if row["test"] not in collected] == []


def test_every_contract_test_is_in_the_table(collected: set[str]) -> None:
    listed = {row["test"] for row in rows()}
    contract = {test for test in collected if "/test_aws_api_contract_" in test}
    assert contract - listed == set()
    own = {str(path.relative_to(ROOT)) for path in Path(__file__).parent.glob("test_aws_api_contract_*.py")}
    own.discard(str(Path(__file__).relative_to(ROOT)))
    assert own == {test.partition("::")[0] for test in contract}


def test_the_page_is_what_the_markers_say(tmp_path: Path) -> None:
    fresh = tmp_path / "page.md"
    run("tests/engine/aws_contract_page.py", str(fresh))
    assert fresh.read_text(encoding="utf-8") == PAGE.read_text(encoding="utf-8")
