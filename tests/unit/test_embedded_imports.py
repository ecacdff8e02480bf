"""What runs all the time, or at every command, does not hold libraries that it has no use for."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("modules", "without"),
    [
        # Before every `pulumi` inside `embedded run`.
        ("embedded.project_view", {"cryptography", "boto3", "moto"}),
        # As long as the cloud is up: moto's models of RDS alone are 130 MiB.
        ("embedded.load_balancer.__main__, embedded.load_balancer.front", {"moto", "psycopg"}),
    ],
)
def test_a_process_imports_nothing_large_in_vain(modules: str, without: set[str]) -> None:
    told = subprocess.run(
        [sys.executable, "-c", f"import sys, {modules}; print(*sys.modules)"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split()
    assert without.intersection(told) == set()
