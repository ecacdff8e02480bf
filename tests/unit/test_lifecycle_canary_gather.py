"""Evidence is collected patiently where Airflow is late, and never invented where something is missing."""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from canary_evidence import BUCKET, DATABASE, LARGE_XCOM, NONCE, PODS, PROOF, REPORTS, marker, source

from infra.lifecycle import canary_gather, canary_run
from infra.lifecycle.airflow_api import AirflowApi
from infra.lifecycle.canary import judge
from infra.lifecycle.canary_evidence import Evidence
from infra.lifecycle.canary_gather import FORBIDDEN_PATHS, Witnesses, gather
from infra.lifecycle.report import Outcome, failed


class _Airflow:
    """Airflow's API over one run: states move on with each question, and logs reach S3 late."""

    def __init__(self, late: int = 0, end: str = "success", forbidden: int = 403) -> None:
        self.late = late
        self.end = end
        self.forbidden = forbidden
        self.asked_for_run = 0
        self.asked_for_log: dict[str, int] = {}
        self.triggered: dict[str, Any] | None = None

    def __call__(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        if path.endswith("/health"):
            parts = ("metadatabase", "scheduler", "dag_processor", "triggerer")
            return httpx.Response(200, json={part: {"status": "healthy"} for part in parts})
        if path in FORBIDDEN_PATHS:
            return httpx.Response(self.forbidden, json={"detail": "Forbidden"})
        if request.method == "POST":
            self.triggered = json.loads(request.content)
            return httpx.Response(200, json={})
        if "/xcomEntries/" in path:
            # Values come as they lie in the database: as JSON within JSON.
            return httpx.Response(200, json={"value": json.dumps(REPORTS[_task_of(path)])})
        if "/logs/" in path:
            return self._log(_task_of(path))
        return self._run(path)

    def _run(self, path: str) -> httpx.Response:
        if path.endswith("/taskInstances"):
            state = self.end if self.asked_for_run > 1 else "running"
            found = [
                {"task_id": task, "state": state, "try_number": 1, "hostname": pod}
                for task, pod in PODS.items()
            ]
            return httpx.Response(200, json={"task_instances": found})
        if "/dagRuns/" in path:
            self.asked_for_run += 1
            return httpx.Response(200, json={"state": self.end if self.asked_for_run > 1 else "running"})
        return httpx.Response(200, json={"dag_id": "canary"})

    def _log(self, task: str) -> httpx.Response:
        self.asked_for_log[task] = self.asked_for_log.get(task, 0) + 1
        in_s3 = self.asked_for_log[task] > self.late
        place = source(task) if in_s3 else "http://p1:8793/log"
        events = ["::group::Log message source details", place, "::endgroup::", marker(task) if in_s3 else ""]
        return httpx.Response(200, json={"content": [{"event": event} for event in events]})


def _task_of(path: str) -> str:
    return path.split("/taskInstances/")[1].split("/")[0]


def _gather(
    airflow: Callable[[httpx.Request], httpx.Response], read: Callable[[str], str | None]
) -> Evidence:
    with AirflowApi("http://airflow.test", transport=httpx.MockTransport(airflow)) as api:
        witnesses = Witnesses(
            airflow=api,
            read_object=read,
            large_xcoms=lambda run_id: (LARGE_XCOM,) if run_id == f"canary-{NONCE}" else (),
            connection_proof=lambda nonce: PROOF if nonce == NONCE else "",
            database=lambda variable, plain: {
                **DATABASE,
                "variable": {
                    "state": "encrypted"
                    if (variable, plain) == (f"canary_{NONCE}", f"plain-{NONCE}")
                    else "absent"
                },
            },
            scheduled_pods=lambda: set(PODS.values()),
        )
        return gather(witnesses, BUCKET, NONCE, {"region": "eu-west-1"}, lambda text: None)


def _stored(url: str) -> str | None:
    return next(marker(task) for task in PODS if f"task_id={task}/" in url)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(canary_gather.time, "sleep", lambda seconds: None)


def test_a_log_that_reaches_s3_after_the_success_is_waited_for() -> None:
    """Airflow sets success first and uploads then: reading once would miss it."""
    airflow = _Airflow(late=3)
    assert failed(judge(_gather(airflow, _stored))) == []
    assert airflow.triggered is not None
    assert airflow.triggered["conf"] == {"nonce": NONCE, "region": "eu-west-1"}
    assert airflow.triggered["dag_run_id"] == f"canary-{NONCE}"


def test_a_log_that_never_reaches_s3_ends_the_wait_and_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(canary_gather, "LOG_SECONDS", 0.2)
    names = [row.name for row in failed(judge(_gather(_Airflow(late=10**9), _stored)))]
    assert names == ["logs read back from S3"]


def test_an_object_that_s3_does_not_have_fails_although_airflow_shows_a_log() -> None:
    names = [row.name for row in failed(judge(_gather(_Airflow(), lambda url: None)))]
    assert names == ["logs read back from S3"]


def test_a_failed_run_is_evidence_and_no_error() -> None:
    names = [row.name for row in failed(judge(_gather(_Airflow(end="failed"), _stored)))]
    assert names == ["DAG run succeeds"]


def test_a_task_that_never_began_is_no_error_either() -> None:
    """Airflow has neither a log nor an XCom of it, and says 404."""

    def without_tries(request: httpx.Request) -> httpx.Response:
        if "/logs/" in request.url.path or "/xcomEntries/" in request.url.path:
            return httpx.Response(404, json={"detail": "TaskInstance not found"})
        return airflow(request)

    airflow = _Airflow(end="failed")
    rows = judge(_gather(without_tries, lambda url: None))
    assert [row.name for row in failed(rows)] == ["DAG run succeeds"]
    assert Outcome.NOT_JUDGED in {row.outcome for row in rows}


def test_a_user_that_may_more_than_it_should_is_seen() -> None:
    names = [row.name for row in failed(judge(_gather(_Airflow(forbidden=200), _stored)))]
    assert names == ["rights of the canary's user"]


@pytest.mark.parametrize(
    ("held", "proof"),
    [
        ({"SecretString": '{"conn_type": "http"}'}, "error: "),
        ({"SecretString": "planted"}, "error: "),
        ({"SecretString": '["planted"]'}, "error: "),
        ({"SecretBinary": b"planted"}, "error: "),
        ({"SecretString": '{"password": "key"}'}, hmac.digest(b"key", b"nonce", "sha256").hex()),
    ],
)
def test_a_secret_that_was_edited_by_hand_is_told_and_not_shown(
    held: dict[str, Any], proof: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = SimpleNamespace(get_secret_value=lambda **_: held)
    monkeypatch.setattr(canary_run.boto3, "client", lambda *_, **__: client)
    exports: Any = SimpleNamespace(region="x", secrets_prefix="airflow/team-a")
    found = canary_run._connection_proof(exports)("nonce")
    assert found.startswith(proof)
    assert "planted" not in found
