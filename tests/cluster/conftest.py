"""One environment for all tests of this tier: stood up once, by the commands that a user types.

The tier runs inside `embedded run --`, so plain tools talk to the embedded cloud.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from witness import (
    DOWN_SECONDS,
    ROOT,
    STACK,
    UP_SECONDS,
    Environment,
    checkout_files,
    diagnosis,
    listing,
    parsed,
    run,
    stacks,
)


@pytest.fixture(scope="session")
def environment() -> Iterator[Environment]:
    """STACK, deployed by `airflow-env up`; deleted at the end, with the cluster that it came with."""
    if "AWS_ENDPOINT_URL" not in os.environ:
        pytest.skip("needs the embedded cloud: embedded run -- pytest -m cluster")
    # These tests end with `down --all`, which must not meet anything that somebody uses.
    in_use = [*stacks(), *stacks(ROOT / "cluster")]
    if in_use:
        pytest.skip(f"in use: {', '.join(in_use)}; end it with `make down` first")
    before, files = listing(), checkout_files()
    try:
        ended = run("airflow-env", "up", STACK, seconds=UP_SECONDS)
        said = ended.stdout + ended.stderr
        print(said)
        if ended.returncode != 0:
            # The whole output is shown once, as captured output; every test that needs this shows the end.
            end = "\n".join(said.splitlines()[-25:])
            pytest.fail(f"airflow-env up {STACK} failed:\n{end}\n{diagnosis()}", pytrace=False)
        outputs = parsed("pulumi", "stack", "output", "--json", "--stack", STACK)
        yield Environment(STACK, outputs, said, before, files)
    finally:
        if STACK in stacks():
            run("airflow-env", "down", STACK, seconds=DOWN_SECONDS)
        if stacks(ROOT / "cluster"):
            run("airflow-env", "down", "--all", seconds=DOWN_SECONDS)
