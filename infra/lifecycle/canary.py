"""The canary: proof that an environment runs DAGs, from the scheduler to the log in S3.

`gather` collects evidence from three witnesses: Airflow's API, S3 and the cluster. `judge` turns it into
rows, and is a pure function, so that each row can be shown to fail when its thing is broken.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from infra.lifecycle.airflow_api import AirflowApi, TaskLog
from infra.lifecycle.report import Row

DAG_ID = "canary"
TASKS = ("write", "read")
# Parts whose health the API reports and that every environment runs.
HEALTH_PARTS = ("metadatabase", "scheduler", "dag_processor", "triggerer")
# Airflow sets a task to success before its pod has sent the log; seen up to about 5 s on a small machine.
LOG_SECONDS = 60.0
# Two pods in a row, with an image pull on a new node.
RUN_SECONDS = 600.0
DAG_SECONDS = 180.0

_MARKER = re.compile(
    r"canary-marker task=(?P<task>\w+) nonce=(?P<nonce>\S+?) pod=(?P<pod>[a-z0-9.-]+)"
    r"(?: received=(?P<received>[A-Za-z0-9@.-]+))?"
)


@dataclass(frozen=True)
class Marker:
    """What a task wrote about itself."""

    task: str
    nonce: str
    pod: str
    received: str | None


@dataclass(frozen=True)
class TaskEvidence:
    """What is known of one task after the run."""

    state: str
    api_log: TaskLog = field(default=TaskLog((), ""))
    object_text: str | None = None
    """Content of the object in S3 that the API named, read from S3 itself; None when there is none."""


@dataclass(frozen=True)
class Evidence:
    """What was seen of one run."""

    nonce: str
    run_id: str
    logs_bucket: str
    health: dict[str, str | None]
    run_state: str
    tasks: dict[str, TaskEvidence]
    scheduled_pods: frozenset[str]


@dataclass(frozen=True)
class Witnesses:
    """Where evidence comes from."""

    airflow: AirflowApi
    read_object: Callable[[str], str | None]
    """Reads s3://bucket/key with the caller's credentials; None when there is no such object."""
    scheduled_pods: Callable[[], set[str]]


def gather(witnesses: Witnesses, logs_bucket: str, nonce: str, say: Callable[[str], None]) -> Evidence:
    """Run the canary DAG once, and collect what there is to see.

    Raises:
        LifecycleError: Airflow cannot be asked at all; a run that fails is evidence, not an error.
    """
    airflow, run_id = witnesses.airflow, f"canary-{nonce}"
    airflow.wait_for_dag(DAG_ID, DAG_SECONDS)
    airflow.trigger(DAG_ID, run_id, {"nonce": nonce})
    say(f"run {run_id} started")
    state = _wait_for_end(airflow, run_id, say)
    tasks: dict[str, TaskEvidence] = {}
    for instance in airflow.task_instances(DAG_ID, run_id):
        task = str(instance["task_id"])
        tries = max(1, int(instance.get("try_number") or 1))
        tasks[task] = _task_evidence(witnesses, run_id, task, str(instance.get("state")), tries)
    health, pods = airflow.health(), frozenset(witnesses.scheduled_pods())
    return Evidence(nonce, run_id, logs_bucket, health, state, tasks, pods)


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


def _task_evidence(witnesses: Witnesses, run_id: str, task: str, state: str, tries: int) -> TaskEvidence:
    """Read the log through the API until it comes from S3, then the object itself."""
    deadline = time.monotonic() + (LOG_SECONDS if state == "success" else 5)
    while True:
        log = witnesses.airflow.task_log(DAG_ID, run_id, task, tries)
        source = _s3_source(log)
        if source is not None and _marker(log.text, task) is not None:
            return TaskEvidence(state, log, witnesses.read_object(source))
        if time.monotonic() > deadline:
            return TaskEvidence(state, log, witnesses.read_object(source) if source else None)
        time.sleep(1)


def judge(evidence: Evidence) -> list[Row]:
    """One row per promise."""
    rows = [_health_row(evidence), _run_row(evidence)]
    for task in TASKS:
        rows += [_api_log_row(evidence, task), _object_row(evidence, task)]
    return [*rows, _pods_row(evidence), _xcom_row(evidence)]


def _health_row(evidence: Evidence) -> Row:
    states = {part: evidence.health.get(part) for part in HEALTH_PARTS}
    healthy = all(state == "healthy" for state in states.values())
    return Row.judged("all parts healthy", healthy, ", ".join(f"{k} {v}" for k, v in states.items()))


def _run_row(evidence: Evidence) -> Row:
    states = {task: evidence.tasks[task].state if task in evidence.tasks else "absent" for task in TASKS}
    passed = evidence.run_state == "success" and all(state == "success" for state in states.values())
    seen = ", ".join(f"{task} {state}" for task, state in states.items())
    return Row.judged("DAG run succeeds", passed, f"run {evidence.run_state}: {seen}")


def _api_log_row(evidence: Evidence, task: str) -> Row:
    """The API must give this run's marker, and must have read it in the environment's own bucket."""
    name = f"log of {task} through Airflow's API"
    found = evidence.tasks.get(task)
    if found is None:
        return Row.judged(name, False, "the task did not run")
    source = _s3_source(found.api_log)
    if source is None:
        return Row.judged(name, False, f"not from S3: {', '.join(found.api_log.sources) or 'no source'}")
    if not source.startswith(f"s3://{evidence.logs_bucket}/"):
        return Row.judged(name, False, f"from another bucket: {source}")
    if not _is_of_run(_marker(found.api_log.text, task), evidence.nonce):
        return Row.judged(name, False, f"no marker of this run in {source}")
    return Row.judged(name, True, source)


def _object_row(evidence: Evidence, task: str) -> Row:
    """The object in S3, read without Airflow, must hold the same marker under the name Airflow gives logs."""
    name = f"log of {task} in S3"
    found = evidence.tasks.get(task)
    if found is None or found.object_text is None:
        return Row.judged(name, False, "there is no object")
    source = _s3_source(found.api_log) or ""
    place = f"dag_id={DAG_ID}/run_id={evidence.run_id}/task_id={task}/"
    if place not in source:
        return Row.judged(name, False, f"the object is not below {place}: {source}")
    if not _is_of_run(_marker(found.object_text, task), evidence.nonce):
        return Row.judged(name, False, "no marker of this run in the object")
    return Row.judged(name, True, f"{len(found.object_text)} characters")


def _pods_row(evidence: Evidence) -> Row:
    """The pods that the tasks name must be two, and the cluster must have placed each of them on a node."""
    name = "two tasks in two pods"
    markers = [_object_marker(evidence, task) for task in TASKS]
    pods = [marker.pod for marker in markers if marker is not None]
    unknown = [pod for pod in pods if pod not in evidence.scheduled_pods]
    if len(pods) < len(TASKS):
        return Row.judged(name, False, "a log names no pod")
    if unknown:
        return Row.judged(name, False, f"the cluster knows no pod {', '.join(unknown)}")
    return Row.judged(name, len(set(pods)) == len(TASKS), ", ".join(pods))


def _xcom_row(evidence: Evidence) -> Row:
    """The second task must have received what only the first one knew: its pod's name with the nonce."""
    name = "XCom from pod to pod"
    written, read = (_object_marker(evidence, task) for task in TASKS)
    if written is None or read is None:
        return Row.judged(name, False, "a log is missing")
    expected = f"{evidence.nonce}@{written.pod}"
    return Row.judged(name, read.received == expected, f"received {read.received}, expected {expected}")


def _object_marker(evidence: Evidence, task: str) -> Marker | None:
    found = evidence.tasks.get(task)
    marker = _marker(found.object_text or "", task) if found else None
    return marker if _is_of_run(marker, evidence.nonce) else None


def _is_of_run(marker: Marker | None, nonce: str) -> bool:
    return marker is not None and marker.nonce == nonce


def _marker(text: str, task: str) -> Marker | None:
    for match in _MARKER.finditer(text):
        if match["task"] == task:
            return Marker(match["task"], match["nonce"], match["pod"], match["received"])
    return None


def _s3_source(log: TaskLog) -> str | None:
    return next((source for source in log.sources if source.startswith("s3://")), None)
