"""A migration that fails or is refused on a living environment: what ran goes on, the next run converges.

The file's name puts it before the tests that end the environment.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from witness import ROOT, STACK, UP_SECONDS, Environment, run, succeed

pytestmark = pytest.mark.cluster

# No release of Airflow has it.
UNKNOWN = "ffffffffffff"
_HEADS = """
from airflow.utils.db import _get_script_object
script = _get_script_object()
head = script.get_current_head()
print(head, script.get_revision(head).down_revision)
"""
_SET_REVISION = """
import os, sys, psycopg2
session = psycopg2.connect(os.environ["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"])
with session, session.cursor() as cursor:
    cursor.execute("UPDATE alembic_version SET version_num = %s", (sys.argv[1],))
"""


def _in_pod(environment: Environment, script: str, *arguments: str) -> str:
    pod = ("exec", "deployment/airflow-api-server", "--container", "api-server")
    return environment.kubectl(*pod, "--", "python", "-c", script, *arguments)


def _running(environment: Environment) -> dict[str, str]:
    """Airflow's ready pods by name, with what tells a pod from another of its name."""
    parts = "component in (api-server, scheduler, dag-processor, triggerer)"
    found = json.loads(environment.kubectl("get", "pods", "--selector", parts, "--output", "json"))["items"]
    ready = [item for item in found if all(one["ready"] for one in item["status"]["containerStatuses"])]
    return {item["metadata"]["name"]: item["metadata"]["uid"] for item in ready}


def _all_available(environment: Environment) -> None:
    """Wait until every part answers: one that starts later would wait for the revision that it knows."""
    arguments = ("wait", "deployments", "--all", "--for", "condition=Available", "--timeout", "120s")
    succeed("kubectl", "--namespace", environment.namespace, *arguments, seconds=150)


def _jobs(environment: Environment) -> set[str]:
    names = environment.kubectl("get", "jobs", "--output", "name").split()
    return {name for name in names if "database-migration" in name}


@contextmanager
def _another_setting() -> Iterator[None]:
    """The stack's file with one option more that the migration is told of: its Job is another one."""
    file = ROOT / f"Pulumi.{STACK}.yaml"
    text = file.read_text(encoding="utf-8")
    changed = text.replace("config: {}", 'config: {core: {max_templated_field_length: "4097"}}')
    assert changed != text
    try:
        file.write_text(changed, encoding="utf-8")
        yield
    finally:
        file.write_text(text, encoding="utf-8")


def test_a_migration_that_fails_leaves_what_runs_and_the_next_run_converges(environment: Environment) -> None:
    """Refused first (a newer Airflow's database), then failed in its midst, then mended."""
    _all_available(environment)
    before, job = _running(environment), _jobs(environment)
    assert len(job) == 1
    head, previous = _in_pod(environment, _HEADS).split()[-2:]
    try:
        with _another_setting():
            _in_pod(environment, _SET_REVISION, UNKNOWN)
            refused = run("airflow-env", "up", STACK, seconds=UP_SECONDS)
            # What the last migration adds is there already: it can't be added again.
            _in_pod(environment, _SET_REVISION, previous)
            failed = run("airflow-env", "up", STACK, seconds=UP_SECONDS)
    finally:
        _in_pod(environment, _SET_REVISION, head)
    said = " ".join((refused.stdout + refused.stderr).split())
    assert refused.returncode == 1, said
    assert f"revision {UNKNOWN} of airflow, unknown to this image" in said
    assert "Nothing was changed" in said
    assert "run the same command again" in said.rpartition("Next step:")[2]
    said = " ".join((failed.stdout + failed.stderr).split())
    assert failed.returncode == 1, said
    assert "The migration failed:" in said
    assert "The release that ran before is untouched. No snapshot was taken" in said
    assert _running(environment) == before
    _all_available(environment)
    up = ("pulumi", "up", "--yes", "--skip-preview", "--non-interactive", "--stack", STACK)
    succeed(*up, seconds=UP_SECONDS)
    # The settings of before are wanted again, and so is their Job: it ran anew.
    assert _jobs(environment) == job
    assert _running(environment) == before
