"""The two CronJobs that clean up, which no test waits for the hour of.

The file's name puts it before the tests that end the environment.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from environment_access import sql
from pod_access import pod_of_airflow
from witness import Environment, run

pytestmark = pytest.mark.cluster

CRON_JOBS = ("airflow-cleanup", "airflow-database-cleanup")
# By these labels Airflow knows the pods of its tasks.
TASK_LABELS = {"dag_id": "probe", "task_id": "probe", "try_number": "1", "airflow_version": "3"}
# Name, program, labels; the programs of the first and the last are at their end at once.
PODS = (
    ("task-that-ended", "pass", TASK_LABELS),
    ("task-at-work", "import time; time.sleep(600)", TASK_LABELS),
    ("ended-and-no-task", "pass", {}),
)
# Of Airflow's record of who did what; the stack file keeps 30 days.
EVENTS = (
    "INSERT INTO log (event, dttm) VALUES ('probe-old', now() - interval '31 days'), "
    "('probe-young', now() - interval '29 days')"
)


def test_the_cleaning_jobs_remove_what_is_over_and_nothing_else(environment: Environment) -> None:
    """Each as its CronJob has it, but now."""
    with _pods(environment), _events(environment):
        said = _run_now(environment)
        left = set(environment.kubectl("get", "pods", "--output", "name").split())
        assert {name for name, _, _ in PODS if f"pod/{name}" in left} == {"task-at-work", "ended-and-no-task"}
        assert sql(environment, "SELECT event FROM log WHERE event LIKE 'probe-%'") == [["probe-young"]]
    assert "task-that-ended" in said


@contextmanager
def _pods(environment: Environment) -> Iterator[None]:
    """PODS, in the phases that they come to."""
    names = [name for name, _, _ in PODS]
    try:
        for name, program, labels in PODS:
            pod = pod_of_airflow(environment, {"labels": labels}, [program])
            environment.kubectl("run", name, "--image", "unused", "--overrides", json.dumps(pod))
        for name, program, _ in PODS:
            phase = "Succeeded" if program == "pass" else "Running"
            condition = f"jsonpath={{.status.phase}}={phase}"
            environment.kubectl("wait", "pod", name, "--for", condition, "--timeout", "90s")
        yield
    finally:
        environment.kubectl("delete", "pods", *names, "--ignore-not-found", "--grace-period", "0", "--force")


@contextmanager
def _events(environment: Environment) -> Iterator[None]:
    sql(environment, EVENTS)
    try:
        yield
    finally:
        sql(environment, "DELETE FROM log WHERE event LIKE 'probe-%'")


def _run_now(environment: Environment) -> str:
    """Run a Job of each CronJob to its end, side by side; what they said."""
    jobs = [f"job/{name}-now" for name in CRON_JOBS]
    try:
        for name in CRON_JOBS:
            environment.kubectl("create", "job", f"{name}-now", "--from", f"cronjob/{name}")
        in_namespace = ("kubectl", "--namespace", environment.namespace)
        ended = run(
            *in_namespace, "wait", *jobs, "--for", "condition=Complete", "--timeout", "120s", seconds=300
        )
        said = "\n".join(environment.kubectl("logs", job, "--all-containers") for job in jobs)
        assert ended.returncode == 0, ended.stderr + said
        return said
    finally:
        environment.kubectl("delete", *jobs, "--ignore-not-found")
