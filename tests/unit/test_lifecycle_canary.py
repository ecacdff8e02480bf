"""Each promise of the canary has a row, and breaking one thing turns exactly its row red."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from infra.lifecycle.airflow_api import TaskLog
from infra.lifecycle.canary import Evidence, TaskEvidence, judge
from infra.lifecycle.report import failed

BUCKET = "logs-of-this-environment"
RUN = "canary-5eed"
PLACE = f"dag_id=canary/run_id={RUN}"
MARKERS = {
    "write": "canary-marker task=write nonce=5eed pod=canary-write-a1",
    "read": "canary-marker task=read nonce=5eed pod=canary-read-b2 received=5eed@canary-write-a1",
}


def _task(task: str) -> TaskEvidence:
    source = f"s3://{BUCKET}/task-logs/{PLACE}/task_id={task}/attempt=1.log"
    # The object holds one JSON document a line, the API gives the event alone.
    stored = (
        f'{{"timestamp":"2026-01-01T00:00:00Z","level":"info","event":"{MARKERS[task]}","logger":"canary"}}\n'
    )
    return TaskEvidence("success", TaskLog((source,), f"start\n{MARKERS[task]}\nend"), stored)


def _good() -> Evidence:
    return Evidence(
        nonce="5eed",
        run_id=RUN,
        logs_bucket=BUCKET,
        health=dict.fromkeys(("metadatabase", "scheduler", "dag_processor", "triggerer"), "healthy"),
        run_state="success",
        tasks={"write": _task("write"), "read": _task("read")},
        scheduled_pods=frozenset({"canary-write-a1", "canary-read-b2", "airflow-scheduler-0"}),
    )


def _with_task(task: str, change: Callable[[TaskEvidence], TaskEvidence]) -> Evidence:
    good = _good()
    return replace(good, tasks={**good.tasks, task: change(good.tasks[task])})


def _api_log(task: str, source: str, text: str) -> Evidence:
    return _with_task(task, lambda found: replace(found, api_log=TaskLog((source,) if source else (), text)))


def _api_source(task: str) -> str:
    return _good().tasks[task].api_log.sources[0]


def test_a_good_run_passes_every_row() -> None:
    assert failed(judge(_good())) == []


BREAKS = {
    "a part is unhealthy": (
        lambda: replace(_good(), health={**_good().health, "triggerer": None}),
        "all parts healthy",
    ),
    "the run fails": (lambda: replace(_good(), run_state="failed"), "DAG run succeeds"),
    "a task fails": (
        lambda: _with_task("read", lambda found: replace(found, state="failed")),
        "DAG run succeeds",
    ),
    "the API reads a marker of another run": (
        lambda: _api_log("write", _api_source("write"), MARKERS["write"].replace("5eed", "0ld")),
        "log of write through Airflow's API",
    ),
    "a pod that the cluster never placed": (
        lambda: replace(_good(), scheduled_pods=frozenset({"canary-write-a1"})),
        "two tasks in two pods",
    ),
    "the XCom holds another value": (
        lambda: _with_task(
            "read",
            lambda found: replace(
                found,
                object_text=MARKERS["read"].replace("received=5eed@canary-write-a1", "received=5eed@else"),
            ),
        ),
        "XCom from pod to pod",
    ),
    "the XCom did not arrive": (
        lambda: _with_task(
            "read",
            lambda found: replace(found, object_text=MARKERS["read"].partition(" received=")[0]),
        ),
        "XCom from pod to pod",
    ),
}


@pytest.mark.parametrize("broken", BREAKS)
def test_one_broken_thing_turns_exactly_its_row_red(broken: str) -> None:
    evidence, row = BREAKS[broken]
    assert [item.name for item in failed(judge(evidence()))] == [row]


@pytest.mark.parametrize("source", ["/opt/airflow/logs/attempt=1.log", "http://worker:8793/log", ""])
@pytest.mark.parametrize("task", ["write", "read"])
def test_a_log_that_was_not_read_from_s3_fails(task: str, source: str) -> None:
    names = [row.name for row in failed(judge(_api_log(task, source, MARKERS[task])))]
    assert f"log of {task} through Airflow's API" in names


def test_a_log_in_a_bucket_of_somebody_else_fails() -> None:
    elsewhere = _api_source("write").replace(BUCKET, BUCKET + "-2")
    names = [row.name for row in failed(judge(_api_log("write", elsewhere, MARKERS["write"])))]
    assert names == ["log of write through Airflow's API"]


@pytest.mark.parametrize("text", [None, "", MARKERS["read"], MARKERS["write"].replace("5eed", "0ld")])
def test_the_object_in_s3_must_hold_the_marker_of_its_task_and_run(text: str | None) -> None:
    evidence = _with_task("write", lambda found: replace(found, object_text=text))
    names = [row.name for row in failed(judge(evidence))]
    # What the pods are is known from the objects alone, so these rows cannot pass without them.
    assert names == ["log of write in S3", "two tasks in two pods", "XCom from pod to pod"]


def test_two_tasks_in_one_pod_fail() -> None:
    one_pod = MARKERS["read"].replace("canary-read-b2", "canary-write-a1")
    evidence = _with_task("read", lambda found: replace(found, object_text=one_pod))
    assert [row.name for row in failed(judge(evidence))] == ["two tasks in two pods"]


def test_a_task_that_never_ran_fails_its_rows_and_no_other_tasks() -> None:
    good = _good()
    names = {row.name for row in failed(judge(replace(good, tasks={"write": good.tasks["write"]})))}
    assert names == {
        "DAG run succeeds",
        "log of read through Airflow's API",
        "log of read in S3",
        "two tasks in two pods",
        "XCom from pod to pod",
    }


def test_the_dag_writes_the_markers_that_are_looked_for() -> None:
    """The DAG's own format strings, filled, are read by the same reader as the logs."""
    import ast
    from pathlib import Path

    tree = ast.parse((Path(__file__).parents[2] / "dags" / "canary.py").read_text(encoding="utf-8"))
    formats = {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and str(node.value).startswith("canary-marker")
    }
    filled = {
        text % (("5eed", "canary-write-a1") if text.count("%s") == 2 else _read_values()) for text in formats
    }
    assert filled == set(MARKERS.values())


def _read_values() -> tuple[str, str, str]:
    return ("5eed", "canary-read-b2", "5eed@canary-write-a1")
