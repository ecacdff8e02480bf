"""Requests through a load balancer: TLS for the name, to the pods of the rule, and answers of its own."""

from __future__ import annotations

import http.server
import importlib.util
import json
import socket
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from embedded.aws_api import certificate_keys
from embedded.certificates import issue
from embedded.identity import CloudIdentity
from embedded.load_balancer.front import TlsFiles, tls_files
from embedded.load_balancer.health import Health
from embedded.load_balancer.planning import Certificate
from embedded.load_balancer.rules import HealthCheck, Rule, TargetGroup
from embedded.load_balancer.serving import Listener, Routing

from embedded import resolver

HOST, OTHER = "airflow.example.com", "other.example.com"
ARN = "arn:aws:acm:eu-west-1:123456789012:certificate"
TARGET = TargetGroup("team", "airflow-api-server", "api-server", HealthCheck())


class _Pod(http.server.BaseHTTPRequestHandler):
    """Answers with what it was asked."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        said = self.rfile.read(int(self.headers["Content-Length"])).decode()
        answer = {"path": self.path, "body": said, "headers": dict(self.headers)}
        content = json.dumps(answer).encode()
        self.send_response(201)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *arguments: Any) -> None:
        return


@pytest.fixture(scope="module")
def pod() -> Iterator[int]:
    """The port of a pod on the loopback."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Pod) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server.server_port
        server.shutdown()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True)
class Balancer:
    """A listener with certificates for two hosts, of which it has a rule for the second one."""

    client: httpx.Client
    listener: Listener
    files: TlsFiles

    def ask(
        self, name: str, targets: list[tuple[str, int]], content: str | Iterator[bytes] = "said"
    ) -> httpx.Response:
        """A request to `name`, verified for that name, while the pods of the rule are these."""
        self.listener.use(self.files, Routing((Rule((OTHER,), ("/*",), TARGET),), {TARGET: targets}))
        return self.client.post(
            "/auth/token?x=%2F", content=content, headers={"Host": name}, extensions={"sni_hostname": name}
        )


@pytest.fixture(scope="module")
def balancer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Balancer]:
    """One for all tests: starting it takes longer than they do."""
    with pytest.MonkeyPatch.context() as patch:
        directory = tmp_path_factory.mktemp("cloud")
        patch.setenv("XDG_STATE_HOME", str(directory))
        identity = CloudIdentity.of(directory)
        certificates = [Certificate(f"{ARN}/{name}", (name,)) for name in (HOST, OTHER)]
        files = tls_files(identity, [one.arn for one in certificates], certificates)
    health, port = Health("127.0.0.1"), _free_port()
    listener = Listener("127.0.0.1", port, files, health)
    with httpx.Client(
        base_url=f"https://127.0.0.1:{port}",
        verify=ssl.create_default_context(cafile=str(identity.certificate_authority)),
        trust_env=False,
        # A connection was verified for one name only.
        limits=httpx.Limits(max_keepalive_connections=0),
    ) as client:
        yield Balancer(client, listener, files)
    listener.stop()
    health.stop()


@pytest.mark.parametrize("chunked", [False, True])
def test_a_request_reaches_a_pod_as_it_was_sent(balancer: Balancer, pod: int, chunked: bool) -> None:
    answer = balancer.ask(OTHER, [("127.0.0.1", pod)], iter([b"sa", b"id"]) if chunked else "said")
    assert answer.status_code == 201
    got = answer.json()
    assert (got["path"], got["body"]) == ("/auth/token?x=%2F", "said")
    assert (got["headers"]["Host"], got["headers"]["X-Forwarded-Proto"]) == (OTHER, "https")


def test_what_has_no_rule_or_no_pod_is_answered_by_the_load_balancer(balancer: Balancer) -> None:
    """Each host by its own certificate: the first one is the default, the second is found by its name."""
    assert [balancer.ask(name, []).status_code for name in (HOST, OTHER)] == [404, 503]
    with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
        balancer.ask("third.example.com", [])


def test_a_pod_that_refuses_is_a_bad_gateway(balancer: Balancer) -> None:
    assert balancer.ask(OTHER, [("127.0.0.1", _free_port())]).status_code == 502


def test_an_imported_certificate_is_served_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    identity = CloudIdentity.of(tmp_path)
    arn = f"{ARN}/{OTHER}"
    imported = issue(identity, "imported", "imported", dns_names=[OTHER])
    file = certificate_keys.file_of(identity, arn)
    file.parent.mkdir(parents=True)
    file.write_bytes(imported.key.read_bytes() + imported.certificate.read_bytes())
    assert tls_files(identity, [arn], [Certificate(arn, (OTHER,))]) == [(file, (OTHER,))]


def test_names_of_load_balancers_resolve_and_others_as_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, *_, **__: host)
    monkeypatch.setenv("EMBEDDED_HOSTS", str(tmp_path / "hosts"))
    path = Path(resolver.__file__).with_name("sitecustomize.py")
    specification = importlib.util.spec_from_file_location("resolver_under_test", path)
    assert specification
    assert specification.loader
    specification.loader.exec_module(importlib.util.module_from_spec(specification))
    asked = [HOST, HOST.upper() + ".", HOST.encode(), OTHER, None]
    assert [socket.getaddrinfo(name, 443) for name in asked] == asked
    (tmp_path / "hosts").write_text(f"10.0.0.9 {HOST}\n")
    assert [socket.getaddrinfo(name, 443) for name in asked] == ["10.0.0.9"] * 3 + [OTHER, None]
