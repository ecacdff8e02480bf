"""`open`: a busy port is one sentence, an ingress that answers is used, a pod that goes is followed."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from infra.lifecycle import opening
from infra.lifecycle.environments import Exports
from infra.lifecycle.errors import LifecycleError

HOST, BALANCER = "airflow.example", "internal-x.elb.amazonaws.com"
HERE = {HOST: {"10.0.0.9"}, BALANCER: {"10.0.0.9", "10.0.64.9"}}


def _exports(url: str, **other: str) -> Exports:
    names = dict.fromkeys(Exports.model_fields, "x") | {"airflow_url": url} | other
    return Exports.model_validate({info.alias: names[field] for field, info in Exports.model_fields.items()})


class _Access:
    def secret(self, name: str) -> dict[str, str]:
        assert name, "kubectl refuses a name without characters"
        return {"username": "admin", "password": "secret-password"}

    def json(self, *arguments: str) -> dict[str, Any]:
        if "ingresses" in arguments:
            return {
                "items": [
                    {
                        "metadata": {"name": "airflow-ingress"},
                        "spec": {"rules": [{"host": HOST}]},
                        "status": {"loadBalancer": {"ingress": [{"hostname": BALANCER}]}},
                    }
                ]
            }
        assert "involvedObject.name=airflow-ingress" in arguments[-1]
        return {
            "items": [
                {"lastTimestamp": "2026-01-02T00:00:00Z", "message": "no certificate found"},
                {"lastTimestamp": "2026-01-01T00:00:00Z", "message": "older"},
            ]
        }


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
    opening.open_airflow(
        "team-a", _exports("https://airflow.example"), 0, said.append, transport, HERE.__getitem__
    )
    assert forwards == []
    assert "https://airflow.example" in said[0]


@pytest.mark.parametrize("status", [200, 503], ids=["by its ingress", "through a port"])
def test_with_single_sign_on_nobody_is_sent_to_a_password(
    forwards: list[int], monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    oidc = SimpleNamespace(issuer="https://login.example.com/realms/data")
    chosen = SimpleNamespace(access=SimpleNamespace(oidc=oidc))
    monkeypatch.setattr(opening.environments, "settings", lambda _stack: chosen)
    said: list[str] = []
    exports = _exports(f"https://{HOST}", admin_secret_name="")
    transport = httpx.MockTransport(lambda _request: httpx.Response(status))
    opening.open_airflow("team-a", exports, 0, said.append, transport, HERE.__getitem__)
    [login] = [line for line in said if "log in" in line]
    assert "https://login.example.com/realms/data" in login
    assert "there is no password" in login
    assert "airflow-env password" not in "\n".join(said)
    # The provider knows the ingress's address; a forwarded one has to be registered too.
    assert ("/auth/oauth-authorized/oidc" in login) is bool(forwards)


def _untrusted(_request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError(
        "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: self-signed (_ssl.c:1)"
    )


def _unreachable(_request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectTimeout("timed out")


Answer = Callable[[httpx.Request], httpx.Response]


@pytest.mark.parametrize(
    ("answer", "addresses", "expected"),
    [
        (_untrusted, HERE, ["not trusted here (self-signed)", "SSL_CERT_FILE"]),
        (_unreachable, HERE, [f"{HOST} takes no connection from here", "VPN"]),
        (
            lambda _: httpx.Response(503),
            HERE,
            ["no target that answers (status 503)", "airflow-env logs team-a"],
        ),
        (lambda _: httpx.Response(404), HERE, ["no rule for airflow.example"]),
        (lambda _: httpx.Response(302), HERE, ["status 302"]),
        (
            lambda _: httpx.Response(404),
            {HOST: {"192.0.2.1"}, BALANCER: {"10.0.0.9"}},
            [f"{HOST} leads to 192.0.2.1", f"not to its load balancer {BALANCER}"],
        ),
    ],
)
def test_what_keeps_an_ingress_from_answering_is_told_and_a_forward_opened(
    forwards: list[int], answer: Answer, addresses: dict[str, set[str]], expected: list[str]
) -> None:
    said: list[str] = []
    exports = _exports(f"https://{HOST}")
    transport = httpx.MockTransport(answer)
    opening.open_airflow("team-a", exports, 0, said.append, transport, addresses.__getitem__)
    assert forwards
    text = "\n".join(said)
    assert "does not answer" in said[0]
    assert [words for words in (*expected, "no certificate found") if words not in text] == []
    assert "older" not in text


def test_a_name_without_a_record_gets_the_record_that_it_needs(forwards: list[int]) -> None:
    """And the load balancer is asked for the name all the same, so that one look tells everything."""
    asked: list[tuple[str, str]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append((request.url.host, request.headers["host"]))
        return httpx.Response(200)

    said: list[str] = []
    addresses = {HOST: set(), BALANCER: {"10.0.0.9"}}
    opening.open_airflow(
        "team-a",
        _exports(f"https://{HOST}"),
        0,
        said.append,
        httpx.MockTransport(answer),
        addresses.__getitem__,
    )
    assert forwards
    assert asked == [(BALANCER, HOST)]
    assert any(f"{HOST} CNAME {BALANCER}" in line for line in said)
    assert any("the load balancer answers" in line for line in said)


def test_a_busy_port_is_named_with_another_way() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(LifecycleError) as error:
            opening.refuse_busy(port)
    assert str(port) in error.value.message
    assert "--port" in error.value.next_step
