"""Evidence is collected patiently where Airflow is late, and never invented where something is missing."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from infra.lifecycle import canary
from infra.lifecycle.airflow_api import AirflowApi
from infra.lifecycle.canary import Evidence, Witnesses, gather, judge
from infra.lifecycle.report import failed

BUCKET = "logs"
MARKERS = {
    "write": "canary-marker task=write nonce=beef pod=p1",
    "read": "canary-marker task=read nonce=beef pod=p2 received=beef@p1",
}


class _Airflow:
    """Airflow's API over one run: states move on with each question, and logs reach S3 late."""

    def __init__(self, late: int = 0, end: str = "success") -> None:
        self.late = late
        self.end = end
        self.asked_for_run = 0
        self.asked_for_log: dict[str, int] = {}
        self.triggered: dict[str, Any] | None = None

    def __call__(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        if path.endswith("/health"):
            parts = ("metadatabase", "scheduler", "dag_processor", "triggerer")
            return httpx.Response(200, json={part: {"status": "healthy"} for part in parts})
        if request.method == "POST":
            self.triggered = json.loads(request.content)
            return httpx.Response(200, json={})
        if path.endswith("/taskInstances"):
            done = self.asked_for_run > 1
            states = [
                {"task_id": task, "state": self.end if done else "running", "try_number": 1}
                for task in MARKERS
            ]
            return httpx.Response(200, json={"task_instances": states})
        if "/logs/" in path:
            return self._log(path.split("/taskInstances/")[1].split("/")[0])
        if "/dagRuns/" in path:
            self.asked_for_run += 1
            return httpx.Response(200, json={"state": self.end if self.asked_for_run > 1 else "running"})
        return httpx.Response(200, json={"dag_id": "canary"})

    def _log(self, task: str) -> httpx.Response:
        self.asked_for_log[task] = self.asked_for_log.get(task, 0) + 1
        in_s3 = self.asked_for_log[task] > self.late
        source = (
            f"s3://{BUCKET}/x/dag_id=canary/run_id=canary-beef/task_id={task}/attempt=1.log"
            if in_s3
            else "http://p1:8793/log"
        )
        events = ["::group::Log message source details", source, "::endgroup::"]
        return httpx.Response(
            200, json={"content": [{"event": event} for event in [*events, MARKERS[task] if in_s3 else ""]]}
        )


def _gather(airflow: _Airflow, read: Callable[[str], str | None]) -> Evidence:
    with AirflowApi("http://airflow.test", transport=httpx.MockTransport(airflow)) as api:
        return gather(Witnesses(api, read, lambda: {"p1", "p2"}), BUCKET, "beef", lambda text: None)


def _stored(url: str) -> str | None:
    return next(text for task, text in MARKERS.items() if f"task_id={task}/" in url)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(canary.time, "sleep", lambda seconds: None)


def test_a_log_that_reaches_s3_after_the_success_is_waited_for() -> None:
    """Airflow sets success first and uploads then: reading once would miss it."""
    airflow = _Airflow(late=3)
    assert failed(judge(_gather(airflow, _stored))) == []
    assert airflow.triggered is not None
    assert airflow.triggered["conf"] == {"nonce": "beef"}
    assert airflow.triggered["dag_run_id"] == "canary-beef"


def test_a_log_that_never_reaches_s3_ends_the_wait_and_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(canary, "LOG_SECONDS", 0.2)
    names = [row.name for row in failed(judge(_gather(_Airflow(late=10**9), _stored)))]
    assert "log of write through Airflow's API" in names
    assert "log of read in S3" in names


def test_an_object_that_s3_does_not_have_fails_although_airflow_shows_a_log() -> None:
    names = [row.name for row in failed(judge(_gather(_Airflow(), lambda url: None)))]
    assert "log of write in S3" in names
    assert "log of write through Airflow's API" not in names


def test_a_failed_run_is_evidence_and_no_error() -> None:
    names = [row.name for row in failed(judge(_gather(_Airflow(end="failed"), _stored)))]
    assert names == ["DAG run succeeds"]
