"""`open`: a busy port is one sentence, an ingress that answers is used, a pod that goes is followed."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from infra.lifecycle import opening
from infra.lifecycle.environments import Exports
from infra.lifecycle.errors import LifecycleError


def _exports(url: str) -> Exports:
    names = dict.fromkeys(Exports.model_fields, "x") | {"airflow_url": url}
    return Exports.model_validate({info.alias: names[field] for field, info in Exports.model_fields.items()})


class _Access:
    def secret(self, _name: str) -> dict[str, str]:
        return {"username": "admin", "password": "secret-password"}


class _Forward:
    def __init__(self, port: int, interrupted: bool) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self._interrupted = interrupted

    def wait(self) -> bool:
        return self._interrupted


@pytest.fixture
def forwards(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Ports that were asked for; the first forward loses its pod, the second fails, the third gets Ctrl-C."""
    asked: list[int] = []

    @contextmanager
    def access(*_: Any) -> Iterator[_Access]:
        yield _Access()

    @contextmanager
    def forward(_access: Any, _service: str, port: int) -> Iterator[_Forward]:
        asked.append(port)
        if len(asked) == 2:
            raise LifecycleError("no pod is ready", "wait")
        yield _Forward(port or 40123, interrupted=len(asked) == 3)

    monkeypatch.setattr(opening, "cluster_access", access)
    monkeypatch.setattr(opening, "port_forward", forward)
    monkeypatch.setattr(opening.time, "sleep", lambda _seconds: None)
    return asked


def test_a_pod_that_goes_is_followed_at_the_same_address(forwards: list[int]) -> None:
    said: list[str] = []
    opening.open_airflow("team-a", _exports("http://localhost:8080"), 0, said.append)
    assert forwards == [0, 40123, 40123]
    assert said[0].endswith("http://127.0.0.1:40123")
    assert not any("secret-password" in line for line in said)


def test_an_ingress_that_answers_needs_no_forward(forwards: list[int]) -> None:
    said: list[str] = []
    transport = httpx.MockTransport(lambda _request: httpx.Response(200))
    opening.open_airflow("team-a", _exports("https://airflow.example"), 0, said.append, transport)
    assert forwards == []
    assert "https://airflow.example" in said[0]


def test_an_ingress_that_does_not_answer_from_here_gives_way_to_a_forward(forwards: list[int]) -> None:
    said: list[str] = []
    transport = httpx.MockTransport(lambda _request: httpx.Response(503))
    opening.open_airflow("team-a", _exports("https://airflow.example"), 0, said.append, transport)
    assert forwards
    assert "does not answer" in said[0]


def test_a_busy_port_is_named_with_another_way() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(LifecycleError) as error:
            opening.refuse_busy(port)
    assert str(port) in error.value.message
    assert "--port" in error.value.next_step
