"""Runs the canary DAG once and collects what its witnesses saw: Airflow's API, AWS, cluster and database."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from infra.lifecycle.airflow_api import AirflowApi, TaskLog
from infra.lifecycle.canary import DAG_ID, s3_source
from infra.lifecycle.canary_evidence import Evidence, TaskEvidence

# Airflow sets a task to success before its pod has sent the log; seen up to about 5 s on a small machine.
LOG_SECONDS = 60.0
# Two pods in a row, with an image pull on a new node.
RUN_SECONDS = 600.0
DAG_SECONDS = 180.0

# What the canary's user has no business with.
FORBIDDEN_PATHS = ("/api/v2/connections", "/api/v2/variables", "/api/v2/eventLogs")


@dataclass(frozen=True)
class Witnesses:
    """Where evidence comes from. None of them raises for what is broken; they tell it."""

    airflow: AirflowApi
    """As the canary's own user."""
    read_object: Callable[[str], str | None]
    """Text of s3://bucket/key, read with the caller's credentials; None when there is no such object."""
    large_xcoms: Callable[[str], tuple[str, ...]]
    """Texts of the objects that a run (its id) keeps in S3."""
    connection_proof: Callable[[str], str]
    """The proof for a nonce, from the password in Secrets Manager; "error: ..." without it."""
    database: Callable[[str, str], Mapping[str, Any]]
    """What a pod of Airflow sees of the database; arguments: name and plain text of the run's Variable."""
    scheduled_pods: Callable[[], set[str]]


def gather(
    witnesses: Witnesses,
    logs_bucket: str,
    nonce: str,
    configuration: Mapping[str, str],
    say: Callable[[str], None],
) -> Evidence:
    """Run the canary DAG once, and collect what there is to see.

    Args:
        witnesses: where to look.
        logs_bucket: the environment's own bucket.
        nonce: a text that no earlier run had.
        configuration: what the tasks are told besides.
        say: prints a line of progress.

    Raises:
        LifecycleError: Airflow cannot be asked at all; a run that fails is evidence, not an error.
    """
    airflow, run_id = witnesses.airflow, f"canary-{nonce}"
    airflow.wait_for_dag(DAG_ID, DAG_SECONDS)
    airflow.trigger(DAG_ID, run_id, {**configuration, "nonce": nonce})
    say(f"run {run_id} started")
    state = _wait_for_end(airflow, run_id, say)
    log_deadline = time.monotonic() + LOG_SECONDS
    # First, for the Variable goes with it; the logs are on their way meanwhile.
    database = witnesses.database(f"canary_{nonce}", f"plain-{nonce}")
    tasks = {}
    for instance in airflow.task_instances(DAG_ID, run_id):
        task = str(instance["task_id"])
        tasks[task] = _task_evidence(witnesses, run_id, instance, log_deadline)
    return Evidence(
        nonce=nonce,
        run_id=run_id,
        logs_bucket=logs_bucket,
        health=airflow.health(),
        run_state=state,
        tasks=tasks,
        scheduled_pods=frozenset(witnesses.scheduled_pods()),
        large_xcoms=witnesses.large_xcoms(run_id),
        connection_proof=witnesses.connection_proof(nonce),
        database=database,
        answers_to_user={path: airflow.status(path) for path in FORBIDDEN_PATHS},
    )


def _wait_for_end(airflow: AirflowApi, run_id: str, say: Callable[[str], None]) -> str:
    """Poll until the run ended, and say when a task changes state."""
    deadline = time.monotonic() + RUN_SECONDS
    seen: dict[str, str] = {}
    while True:
        state = airflow.run_state(DAG_ID, run_id)
        for instance in airflow.task_instances(DAG_ID, run_id):
            task, task_state = str(instance["task_id"]), str(instance.get("state"))
            if seen.get(task) != task_state and task_state != "None":
                seen[task] = task_state
                say(f"task {task}: {task_state}")
        if state in ("success", "failed") or time.monotonic() > deadline:
            return state
        time.sleep(1)


def _task_evidence(
    witnesses: Witnesses, run_id: str, instance: Mapping[str, Any], log_deadline: float
) -> TaskEvidence:
    task, state = str(instance["task_id"]), str(instance.get("state"))
    tries = max(1, int(instance.get("try_number") or 1))
    report = witnesses.airflow.xcom(DAG_ID, run_id, task, "return_value")
    log, text = _log(witnesses, run_id, task, tries, log_deadline if state == "success" else 0)
    hostname = str(instance.get("hostname") or "")
    return TaskEvidence(state, hostname, report if isinstance(report, dict) else {}, log, text)


def _log(
    witnesses: Witnesses, run_id: str, task: str, tries: int, deadline: float
) -> tuple[TaskLog, str | None]:
    """Read the log through the API until it comes from S3 with the task's marker, then the object itself."""
    while True:
        log = witnesses.airflow.task_log(DAG_ID, run_id, task, tries)
        source = s3_source(log)
        complete = source is not None and f"canary-marker task={task} " in log.text
        if complete or time.monotonic() > deadline:
            return log, witnesses.read_object(source) if source else None
        time.sleep(1)
