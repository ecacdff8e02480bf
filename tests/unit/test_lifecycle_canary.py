"""Each promise of the canary has a row, and breaking one thing turns exactly its row red."""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from canary_evidence import BUCKET, DATABASE, NONCE, POOLED_DATABASE, POOLER, good_evidence, marker, source

from infra.lifecycle.airflow_api import TaskLog
from infra.lifecycle.canary import judge
from infra.lifecycle.canary_evidence import Evidence, TaskEvidence
from infra.lifecycle.report import Outcome, failed
from infra.settings_dag_parameters import CANARY_CONNECTION, XCOM_THRESHOLD_LIMIT

DAG_FILE = Path(__file__).parents[2] / "dags" / "canary.py"
ROWS = (
    "all parts healthy",
    "DAG run succeeds",
    "logs read back from S3",
    "two tasks in two pods",
    "XCom from pod to pod",
    "large XCom over S3",
    "Connection from Secrets Manager",
    "Fernet round trip",
    "verify-full to the database",
    "task pod without database access",
    "no secret of another environment",
    "rights of the canary's user",
)


def _with_task(task: str, change: Callable[[TaskEvidence], TaskEvidence]) -> Evidence:
    good = good_evidence()
    return replace(good, tasks={**good.tasks, task: change(good.tasks[task])})


def _reported(task: str, **parts: Any) -> Evidence:
    return _with_task(task, lambda found: replace(found, report={**found.report, **parts}))


def _api_log(task: str, place: str, text: str) -> Evidence:
    return _with_task(task, lambda found: replace(found, api_log=TaskLog((place,) if place else (), text)))


def _database(**parts: Any) -> Evidence:
    return replace(good_evidence(), database={**DATABASE, **parts})


def _pooled(**parts: Any) -> Evidence:
    return replace(good_evidence(), database={**POOLED_DATABASE, **parts})


def _handed_over(pod: str) -> Evidence:
    """A database that gives all who read the first task's XCom the same wrong text."""
    received = _reported("read", received={"nonce": NONCE, "pod": pod})
    write = received.tasks["write"]
    return replace(
        received, tasks={**received.tasks, "write": replace(write, report={**write.report, "pod": pod})}
    )


def red(evidence: Evidence) -> list[str]:
    return [row.name for row in failed(judge(evidence))]


def test_a_good_run_passes_every_row() -> None:
    rows = judge(good_evidence())
    assert [row.name for row in rows] == list(ROWS)
    assert failed(rows) == []


def test_a_good_run_through_pgbouncer_passes_every_row() -> None:
    assert red(_pooled()) == []


BROKEN: dict[str, list[Callable[[], Evidence]]] = {
    "all parts healthy": [
        lambda: replace(good_evidence(), health={**good_evidence().health, "triggerer": None}),
        lambda: replace(good_evidence(), health={}),
    ],
    "DAG run succeeds": [
        lambda: replace(good_evidence(), run_state="failed"),
        lambda: _with_task("read", lambda found: replace(found, state="failed")),
    ],
    "logs read back from S3": [
        lambda: _api_log("write", "/opt/airflow/logs/attempt=1.log", marker("write")),
        lambda: _api_log("read", "http://worker:8793/log", marker("read")),
        lambda: _api_log("read", "", marker("read")),
        lambda: _api_log("write", source("write").replace(BUCKET, BUCKET + "-2"), marker("write")),
        lambda: _api_log("write", source("read"), marker("write")),
        lambda: _api_log("write", source("write"), marker("write").replace(NONCE, "0ld")),
        lambda: _with_task("write", lambda found: replace(found, object_text=None)),
        lambda: _with_task("write", lambda found: replace(found, object_text=marker("read"))),
        lambda: _with_task("read", lambda found: replace(found, object_text="")),
    ],
    "two tasks in two pods": [
        lambda: replace(good_evidence(), scheduled_pods=frozenset({"canary-write-a1"})),
        lambda: _with_task("read", lambda found: replace(found, hostname="canary-write-a1")),
        lambda: _with_task("read", lambda found: replace(found, hostname="")),
    ],
    "XCom from pod to pod": [
        lambda: _reported("read", received={"nonce": NONCE, "pod": "elsewhere"}),
        lambda: _reported("read", received=None),
        # Both ends see the same wrong value.
        lambda: _handed_over("canary-other-a1"),
    ],
    "large XCom over S3": [
        lambda: replace(good_evidence(), large_xcoms=()),
        lambda: replace(good_evidence(), large_xcoms=('{"nonce": "0ld"}', "no JSON", "[]")),
        lambda: _reported("write", large_xcom={"error": "PermissionError: Access Denied"}),
        lambda: _reported("read", large_xcom={"error": "KeyError: nonce"}),
        lambda: _reported("read", large_xcom={"nonce": NONCE, "bytes": 8}),
        lambda: _reported("read", large_xcom={"nonce": "0ld", "bytes": 9}),
    ],
    "Connection from Secrets Manager": [
        lambda: _reported("read", connection="00" * 32),
        lambda: _reported("read", connection={"error": "AirflowNotFoundException: no canary"}),
        lambda: _reported("read", connection=None),
        lambda: replace(good_evidence(), connection_proof="error: ResourceNotFoundException"),
    ],
    "Fernet round trip": [
        lambda: _reported("read", variable="plain-0ld"),
        lambda: _reported("read", variable={"error": "AirflowRuntimeError: VARIABLE_NOT_FOUND"}),
        *(
            lambda state=state: _database(variable={"state": state})  # type: ignore[misc]
            for state in ("in plain", "absent", "encrypted by another key", "another text")
        ),
        lambda: _database(variable=None),
    ],
    "verify-full to the database": [
        lambda: _database(sslmode="require"),
        lambda: _database(async_ssl="absent"),
        lambda: _database(wrong_authority="opened"),
        lambda: _database(wrong_name="opened"),
        lambda: _database(tls="none"),
        lambda: _database(sessions_without_tls=1),
        # One of them is enough.
        lambda: _pooled(poolers={"c3": POOLER, "d4": {**POOLER, "server_tls_sslmode": "require"}}),
        lambda: _pooled(poolers={"c3": {**POOLER, "server_tls_ca_file": ""}, "d4": POOLER}),
        lambda: _pooled(poolers={"c3": POOLER, "d4": {"error": "timeout expired"}}),
        lambda: _pooled(poolers={"c3": {}}),
        lambda: _pooled(poolers={}),
        lambda: _pooled(async_ssl="disable"),
        lambda: _pooled(tls="none"),
        lambda: _pooled(sessions_without_tls=1),
    ],
    "task pod without database access": [
        lambda: _reported("read", credentials=["/opt/airflow/airflow.cfg"]),
        lambda: _reported("read", credentials={"error": "PermissionError"}),
        lambda: _reported("read", database={"network": "open", "session": "opened"}),
        lambda: _reported("read", database={"error": "ModuleNotFoundError"}),
    ],
    "no secret of another environment": [
        lambda: _reported("read", foreign_secret="was read"),
        # Nothing there to be read, but the role may look.
        lambda: _reported("read", foreign_secret="ResourceNotFoundException"),
        lambda: _reported("read", foreign_secret={"error": "NoCredentialsError"}),
    ],
    "rights of the canary's user": [
        lambda: replace(good_evidence(), answers_to_user={"/api/v2/connections": 200}),
        lambda: replace(good_evidence(), answers_to_user={}),
    ],
}


def test_every_row_has_something_that_breaks_it() -> None:
    assert list(BROKEN) == list(ROWS)


@pytest.mark.parametrize(
    ("row", "broken"), [(row, broken) for row, cases in BROKEN.items() for broken in cases]
)
def test_one_broken_thing_turns_exactly_its_row_red(row: str, broken: Callable[[], Evidence]) -> None:
    rows = failed(judge(broken()))
    assert [item.name for item in rows] == [row]
    assert all(item.next_step for item in rows)


def test_a_closed_network_is_no_fault_and_is_told() -> None:
    rows = judge(_reported("read", database={"network": "closed (TimeoutError)", "session": "none"}))
    assert failed(rows) == []
    assert "network: closed" in next(row.detail for row in rows if "database access" in row.name)


def test_an_open_network_is_told() -> None:
    (row,) = [row for row in judge(good_evidence()) if row.name == "task pod without database access"]
    assert "open, as to every pod" in row.detail


def test_without_a_witness_in_the_database_its_rows_fail_alone() -> None:
    evidence = replace(good_evidence(), database={"error": "no pod"})
    assert red(evidence) == ["Fernet round trip", "verify-full to the database"]


TOLD_BY_TASKS = set(ROWS) - {
    "all parts healthy",
    "DAG run succeeds",
    "verify-full to the database",
    "rights of the canary's user",
}


def test_a_report_of_another_run_counts_for_nothing() -> None:
    """Everything that the task reports is red then; what others saw stays green."""
    others = {"logs read back from S3", "two tasks in two pods"}
    assert set(red(_reported("read", nonce="0ld"))) == TOLD_BY_TASKS - others


@pytest.mark.parametrize("absent", [("read",), ("write", "read")])
def test_what_a_task_without_a_report_would_have_shown_is_not_judged(absent: tuple[str, ...]) -> None:
    """The run alone is red, and says which task; no consequence passes, and none hides the cause."""
    good = good_evidence()
    gone = {task: TaskEvidence("failed") for task in absent}
    rows = judge(replace(good, run_state="failed", tasks={**good.tasks, **gone}))
    assert [row.name for row in failed(rows)] == ["DAG run succeeds"]
    assert {row.name for row in rows if row.outcome is Outcome.NOT_JUDGED} == TOLD_BY_TASKS


def test_a_task_without_a_report_that_airflow_calls_a_success_is_judged() -> None:
    """Nothing else would be red then."""
    assert {"Connection from Secrets Manager", "large XCom over S3"} <= set(red(_reported("read", nonce="")))


def _constants() -> dict[str, Any]:
    """Texts and numbers that the DAG's file gives names to."""
    return {
        node.targets[0].id: node.value.value
        for node in ast.walk(ast.parse(DAG_FILE.read_text(encoding="utf-8")))
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and isinstance(node.value, ast.Constant)
    }


def test_the_dags_large_xcom_is_over_every_threshold_that_can_be_set() -> None:
    assert _constants()["LARGE_XCOM_BYTES"] > XCOM_THRESHOLD_LIMIT


def test_the_dag_asks_for_the_connection_that_the_program_makes() -> None:
    assert _constants()["CONNECTION"] == CANARY_CONNECTION


def test_the_dag_writes_the_marker_that_is_looked_for() -> None:
    formats = {
        node.value
        for node in ast.walk(ast.parse(DAG_FILE.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and str(node.value).startswith("canary-marker")
    }
    filled = {text % (task, NONCE, pod) for text in formats for task, pod in (("write", "canary-write-a1"),)}
    assert filled == {marker("write")}
