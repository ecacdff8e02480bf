"""Airflow's public REST API (version 2, Airflow 3), as far as the canary needs it.

https://airflow.apache.org/docs/apache-airflow/stable/stable-rest-api-ref.html
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx
from tenacity import RetryError, Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from infra import naming
from infra.lifecycle.errors import LifecycleError

T = TypeVar("T")

# One request may take _REQUEST_SECONDS; all attempts together _ANSWER_SECONDS, about the time that a pod of
# the API server needs to restart.
_REQUEST_SECONDS = 30.0
_ANSWER_SECONDS = 180.0

_GROUP_START = "::group::Log message source details"
_GROUP_END = "::endgroup::"


class _NotYetError(Exception):
    """The API's answer shows that waiting may help."""


@dataclass(frozen=True)
class TaskLog:
    """One task's log as the API gives it."""

    sources: tuple[str, ...]
    """Where Airflow read it, e.g. s3://bucket/key."""
    text: str


class AirflowApi:
    """A session with Airflow's API server at `base_url`."""

    def __init__(self, base_url: str, transport: httpx.BaseTransport | None = None) -> None:
        self._client = httpx.Client(
            base_url=base_url,
            timeout=_REQUEST_SECONDS,
            transport=transport or httpx.HTTPTransport(retries=3),
            trust_env=False,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def login(self, username: str, password: str, wait_seconds: float = 60) -> None:
        """Open a session.

        Raises:
            LifecycleError: the name or password is refused, or the API server did not answer in time.
        """
        body = {"username": username, "password": password}

        def attempt() -> httpx.Response:
            response = self._client.post("/auth/token", json=body)
            if response.status_code >= 500:
                raise _NotYetError(f"HTTP {response.status_code}")
            return response

        response = _until(attempt, wait_seconds, "Airflow's API server gave no token")
        if response.status_code != 201:
            raise LifecycleError(
                f"Airflow refused the login of {username} with HTTP {response.status_code}.",
                f"The password in the Secret {naming.CANARY_USER_SECRET} may be older than Airflow's: a "
                "migration, which a change of the image brings, sets it again.",
            )
        self._client.headers["Authorization"] = f"Bearer {response.json()['access_token']}"

    def health(self) -> dict[str, str | None]:
        """Status of each part, e.g. {"scheduler": "healthy"}; None for a part that does not run."""
        answer = self._get("/api/v2/monitor/health")
        return {part: (value or {}).get("status") for part, value in answer.items()}

    def wait_for_dag(self, dag_id: str, wait_seconds: float) -> None:
        """Wait until the DAG processor has read the file of `dag_id`.

        Raises:
            LifecycleError: it was not there in time; import errors are in the message.
        """

        def attempt() -> None:
            response = self._client.get(f"/api/v2/dags/{dag_id}")
            if response.status_code == 404 or response.status_code >= 500:
                raise _NotYetError(f"there is no DAG {dag_id} (HTTP {response.status_code})")

        try:
            _until(attempt, wait_seconds, f"The DAG {dag_id} did not appear")
        except LifecycleError as error:
            mistakes = self._get("/api/v2/importErrors").get("import_errors", [])
            said = "; ".join(f"{item['filename']}: {item['stack_trace'].strip()[-300:]}" for item in mistakes)
            raise LifecycleError(
                f"{error.message}. Import errors: {said or 'none'}.", error.next_step
            ) from error

    def trigger(self, dag_id: str, run_id: str, configuration: dict[str, str]) -> None:
        """Start a run named `run_id`, which must be new."""
        body = {"dag_run_id": run_id, "logical_date": None, "conf": configuration}
        attempts = 0

        def attempt() -> httpx.Response:
            nonlocal attempts
            attempts += 1
            return self._client.post(f"/api/v2/dags/{dag_id}/dagRuns", json=body)

        response = _until(attempt, _ANSWER_SECONDS, "Airflow's API took no DAG run")
        # A run that is there after an attempt without an answer is the one that this attempt made.
        if not (response.status_code == 409 and attempts > 1):
            self._answer(response)

    def run_state(self, dag_id: str, run_id: str) -> str:
        """State of a run: queued, running, success or failed."""
        return str(self._get(f"/api/v2/dags/{dag_id}/dagRuns/{run_id}")["state"])

    def task_instances(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        """The run's task instances as the API gives them: task_id, state, hostname, try_number and more."""
        found = self._get(f"/api/v2/dags/{dag_id}/dagRuns/{run_id}/taskInstances")["task_instances"]
        return [dict(item) for item in found]

    def task_log(self, dag_id: str, run_id: str, task_id: str, try_number: int) -> TaskLog:
        """The log of one try, and where Airflow read it; empty for a try that there never was."""
        path = f"/api/v2/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/logs/{try_number}"
        response = self._ask(path, full_content="true")
        if response.status_code == 404:
            return TaskLog((), "")
        return parse_log(self._answer(response).get("content", []))

    def xcom(self, dag_id: str, run_id: str, task_id: str, key: str) -> Any:
        """What a task handed over under `key`; None when there is nothing."""
        path = f"/api/v2/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/xcomEntries/{key}"
        response = self._ask(path)
        if response.status_code == 404:
            return None
        value = self._answer(response).get("value")
        try:
            return json.loads(value) if isinstance(value, str) else value
        except ValueError:
            return value

    def status(self, path: str) -> int:
        """HTTP status of a request for `path`."""
        return self._ask(path).status_code

    def _get(self, path: str, **query: str) -> dict[str, Any]:
        return self._answer(self._ask(path, **query))

    def _ask(self, path: str, **query: str) -> httpx.Response:
        """Ask until there is an answer: on a busy machine the server may stall or restart for a while."""

        def attempt() -> httpx.Response:
            response = self._client.get(path, params=query, headers={"Accept": "application/json"})
            if response.status_code in (502, 503, 504):
                raise _NotYetError(f"HTTP {response.status_code}")
            return response

        return _until(attempt, _ANSWER_SECONDS, f"Airflow's API gave no answer to {path}")

    def _answer(self, response: httpx.Response) -> dict[str, Any]:
        if response.status_code >= 400:
            raise LifecycleError(
                f"Airflow answered HTTP {response.status_code} to {response.request.method} "
                f"{response.request.url.path}: {response.text[:300]}",
                "`airflow-env logs STACK api-server` shows the server's side.",
            )
        value = response.json()
        return value if isinstance(value, dict) else {}


def parse_log(content: list[Any]) -> TaskLog:
    """Split the API's log lines into sources and text.

    The lines are objects with `event`; the sources come first, between two group markers. Servers that could
    not parse a log send plain lines instead.
    """
    sources: list[str] = []
    lines: list[str] = []
    in_sources = False
    for item in content:
        event = str(item.get("event", "")) if isinstance(item, dict) else str(item)
        if event == _GROUP_START:
            in_sources = True
        elif event == _GROUP_END and in_sources:
            in_sources = False
        elif in_sources:
            sources.append(event)
        else:
            lines.append(event)
        if isinstance(item, dict):
            sources.extend(str(source) for source in item.get("sources") or [])
    return TaskLog(tuple(sources), "\n".join(lines))


def _until(attempt: Callable[[], T], seconds: float, what: str) -> T:
    """Repeat `attempt` while the server is not ready, for `seconds` at most."""
    retrying = Retrying(
        retry=retry_if_exception_type((_NotYetError, httpx.TransportError)),
        stop=stop_after_delay(seconds),
        wait=wait_fixed(1),
    )
    try:
        return retrying(attempt)
    except RetryError as error:
        raise LifecycleError(
            f"{what} within {seconds:.0f} s: {error.last_attempt.exception()}",
            "`airflow-env logs STACK COMPONENT` shows what api-server and dag-processor say.",
        ) from error
