"""A small HTTP server that answers like a Kubernetes API server and remembers every request.

It knows a few kinds, stores what is applied, and can be told to refuse. It judges nothing: tests check the
requests that came in and the objects that are left.
"""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import yaml

CORE = {
    "ConfigMap": ("configmaps", True),
    "Secret": ("secrets", True),
    "Service": ("services", True),
    "Pod": ("pods", True),
    "Namespace": ("namespaces", False),
}
GROUPS = {
    "/api/v1": CORE,
    "/apis/batch/v1": {"Job": ("jobs", True)},
    "/apis/apps/v1": {"Deployment": ("deployments", True)},
}


@dataclass(frozen=True)
class Request:
    """One request as it came in."""

    method: str
    path: str
    query: dict[str, str]
    body: Any
    headers: dict[str, str]


def status(code: int, reason: str, message: str, **details: Any) -> tuple[int, dict[str, Any]]:
    """A refusal as the API server words it."""
    body = {"kind": "Status", "reason": reason, "message": message, "code": code, "details": details}
    return code, body


@dataclass
class FakeApiServer:
    """Objects by path, and the requests so far. `answers` overrules (method, path) with (code, body)."""

    objects: dict[str, dict[str, Any]] = field(default_factory=dict)
    answers: dict[tuple[str, str], tuple[int, Any]] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)
    keeps_deleted: bool = False
    accepted_tokens: set[str] | None = None
    url: str = ""

    def sent(self, method: str) -> list[Request]:
        """The requests with that method."""
        return [one for one in self.requests if one.method == method]

    def answer(self, request: Request) -> tuple[int, Any]:
        """What the server says; every request is remembered first."""
        self.requests.append(request)
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if self.accepted_tokens is not None and token not in self.accepted_tokens:
            return status(401, "Unauthorized", "Unauthorized")
        if (request.method, request.path) in self.answers:
            return self.answers[request.method, request.path]
        if request.path in GROUPS:
            return 200, {"resources": [_listed(kind, *how) for kind, how in GROUPS[request.path].items()]}
        if request.path == "/version":
            return 200, {"major": "1", "minor": "34"}
        return getattr(self, f"_{request.method.lower()}")(request)

    def _get(self, request: Request) -> tuple[int, Any]:
        if request.path in self.objects:
            return 200, self.objects[request.path]
        if request.path.rpartition("/")[2] in {"pods", "events", "endpointslices"}:
            return 200, {"items": []}
        return status(404, "NotFound", f"{request.path} not found")

    def _patch(self, request: Request) -> tuple[int, Any]:
        stored = dict(request.body)
        manager = {"manager": request.query["fieldManager"], "operation": "Apply"}
        stored["metadata"] = {**stored["metadata"], "uid": "uid-1", "managedFields": [manager]}
        if "dryRun" not in request.query:
            self.objects[request.path] = stored
        return 200, stored

    def _delete(self, request: Request) -> tuple[int, Any]:
        if request.path not in self.objects:
            return status(404, "NotFound", "not found")
        if not self.keeps_deleted:
            del self.objects[request.path]
        return 200, {"kind": "Status", "status": "Success"}


def _listed(kind: str, plural: str, namespaced: bool) -> dict[str, Any]:
    return {
        "name": plural,
        "kind": kind,
        "namespaced": namespaced,
        "verbs": ["get", "list", "patch", "delete"],
    }


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def _serve(self) -> None:
        parts = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        request = Request(
            self.command,
            parts.path,
            dict(parse_qsl(parts.query)),
            yaml.safe_load(body) if body else None,
            dict(self.headers.items()),
        )
        fake: FakeApiServer = self.server.fake  # type: ignore[attr-defined]
        code, answer = fake.answer(request)
        data = answer.encode() if isinstance(answer, str) else json.dumps(answer).encode()
        self.send_response(code)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_PATCH = do_DELETE = _serve  # noqa: N815 - names that the base class looks for

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


def start(fake: FakeApiServer) -> ThreadingHTTPServer:
    """Serve it on a free loopback port; `server.shutdown()` and `server.server_close()` end it."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    server.fake = fake  # type: ignore[attr-defined]
    fake.url = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    return server


def kubeconfig(server: str, user: dict[str, Any] | None = None, namespace: str | None = None) -> str:
    """A kubeconfig's text for that server."""
    context: dict[str, Any] = {"cluster": "c", "user": "u"}
    if namespace:
        context["namespace"] = namespace
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "x",
            "contexts": [{"name": "x", "context": context}],
            "clusters": [{"name": "c", "cluster": {"server": server}}],
            "users": [{"name": "u", "user": user or {"token": "t"}}],
        }
    )
