"""The client of Airflow's API, against answers as Airflow 3.2 gives them."""

from __future__ import annotations

import json
from collections.abc import Callable

import httpx
import pytest
import tenacity

from infra.lifecycle import airflow_api
from infra.lifecycle.airflow_api import AirflowApi, parse_log
from infra.lifecycle.errors import LifecycleError


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between two questions there is a hundredth of a second, not a whole one."""
    monkeypatch.setattr(airflow_api, "wait_fixed", lambda seconds: tenacity.wait_fixed(seconds / 100))


def _api(answer: Callable[[httpx.Request], httpx.Response]) -> AirflowApi:
    return AirflowApi("http://airflow.test", transport=httpx.MockTransport(answer))


def test_the_token_of_the_login_goes_with_every_later_request() -> None:
    seen: list[tuple[str, str | None]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append((request.url.path, request.headers.get("Authorization")))
        if request.url.path == "/auth/token":
            assert json.loads(request.content) == {"username": "admin", "password": "p"}
            return httpx.Response(201, json={"access_token": "t0ken"})
        return httpx.Response(200, json={"scheduler": {"status": "healthy"}, "triggerer": None})

    with _api(answer) as api:
        api.login("admin", "p")
        assert api.health() == {"scheduler": "healthy", "triggerer": None}
    assert seen == [("/auth/token", None), ("/api/v2/monitor/health", "Bearer t0ken")]


def test_a_refused_login_is_one_sentence_without_the_password() -> None:
    with (
        _api(lambda _: httpx.Response(401, json={"detail": "no"})) as api,
        pytest.raises(LifecycleError) as error,
    ):
        api.login("admin", "s3cret-password")
    assert "refused the login of admin with HTTP 401" in error.value.message
    assert "s3cret-password" not in error.value.message + error.value.next_step


def test_a_server_that_starts_late_is_waited_for() -> None:
    answers = iter([httpx.Response(503), httpx.Response(201, json={"access_token": "t"})])
    with _api(lambda _: next(answers)) as api:
        api.login("admin", "p", wait_seconds=30)


def test_a_dag_that_never_appears_is_reported_with_the_import_errors() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/api/v2/importErrors":
            mistake = {"filename": "canary.py", "stack_trace": "ModuleNotFoundError: no module x"}
            return httpx.Response(200, json={"import_errors": [mistake]})
        return httpx.Response(404, json={"detail": "not found"})

    with _api(answer) as api, pytest.raises(LifecycleError) as error:
        api.wait_for_dag("canary", wait_seconds=0.005)
    assert "canary.py: ModuleNotFoundError: no module x" in error.value.message


def test_an_error_of_the_api_names_the_request_and_the_answer() -> None:
    with (
        _api(lambda _: httpx.Response(409, text="run exists")) as api,
        pytest.raises(LifecycleError) as error,
    ):
        api.trigger("canary", "r1", {"nonce": "n"})
    assert "HTTP 409 to POST /api/v2/dags/canary/dagRuns: run exists" in error.value.message


def test_a_log_is_split_into_sources_and_text() -> None:
    log = parse_log(
        [
            {"event": "::group::Log message source details"},
            {"event": "s3://bucket/a.log"},
            {"event": "::endgroup::"},
            {"event": "::group::Pre task execution", "timestamp": "2026-01-01T00:00:00Z"},
            {"event": "hello"},
            {"event": "::endgroup::"},
        ]
    )
    assert log.sources == ("s3://bucket/a.log",)
    assert "hello" in log.text
    assert "s3://" not in log.text


def test_sources_as_an_attribute_are_read_too() -> None:
    content = [{"event": "::group::Log message source details", "sources": ["s3://b/k"]}]
    assert parse_log([*content, {"event": "::endgroup::"}, {"event": "x"}]).sources == ("s3://b/k",)


def test_a_path_that_a_task_prints_is_no_source() -> None:
    """A task that logs an s3:// address must not pass for a log that was read from there."""
    log = parse_log([{"event": "s3://bucket/elsewhere"}, "s3://plain/line"])
    assert log.sources == ()


def test_a_question_that_times_out_is_asked_again() -> None:
    """A loaded API server stalls for longer than one request may take; the environment is none the worse."""
    asked = 0

    def answer(request: httpx.Request) -> httpx.Response:
        nonlocal asked
        asked += 1
        if asked == 1:
            raise httpx.ReadTimeout("timed out", request=request)
        if asked == 2:
            return httpx.Response(503)
        return httpx.Response(200, json={"state": "running"})

    with _api(answer) as api:
        assert api.run_state("canary", "r1") == "running"


def test_a_server_that_never_answers_is_an_error_with_the_next_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(airflow_api, "_ANSWER_SECONDS", 0.005)

    def answer(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("connection refused", request=request)

    with _api(answer) as api, pytest.raises(LifecycleError, match="connection refused") as error:
        api.run_state("canary", "r1")
    assert "airflow-env logs" in error.value.next_step


def test_a_run_whose_answer_was_lost_is_not_started_twice() -> None:
    started: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        run = str(json.loads(request.content)["dag_run_id"])
        if run in started:
            return httpx.Response(409, text="exists")
        started.append(run)
        raise httpx.ReadTimeout("timed out", request=request)

    with _api(answer) as api:
        api.trigger("canary", "r1", {"nonce": "n"})
    assert started == ["r1"]


@pytest.mark.parametrize(
    ("stored", "value"),
    [({"a": 1}, {"a": 1}), ('{"a": 1}', {"a": 1}), ("s3://b/k", "s3://b/k"), (None, None)],
)
def test_what_a_task_handed_over_is_read_in_either_form(stored: object, value: object) -> None:
    with _api(lambda _: httpx.Response(200, json={"value": stored})) as api:
        assert api.xcom("d", "r", "t", "return_value") == value


def test_a_task_that_handed_nothing_over_is_no_error() -> None:
    with _api(lambda _: httpx.Response(404, json={"detail": "not found"})) as api:
        assert api.xcom("d", "r", "t", "return_value") is None
