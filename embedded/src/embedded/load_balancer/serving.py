"""The load balancers' own servers: TLS by the name a client asks for, requests to the pods by the rules."""

from __future__ import annotations

import itertools
import logging
import ssl
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import urllib3
from cheroot import wsgi
from cheroot.ssl.builtin import BuiltinSSLAdapter
from urllib3.exceptions import HTTPError, NewConnectionError, TimeoutError

from embedded.load_balancer.health import Health
from embedded.load_balancer.rules import Rule, TargetGroup, first_match

Environ = Mapping[str, Any]
Targets = Mapping[TargetGroup, Sequence[tuple[str, int]]]

# https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-troubleshooting.html
_CONNECT_SECONDS: Final = 10.0
# The default of the attribute idle_timeout.timeout_seconds.
_IDLE_SECONDS: Final = 60.0
_THREADS: Final = 8
_CHUNK_BYTES: Final = 1 << 16
# They are about one connection, and never passed on.
_HOP_BY_HOP: Final = frozenset(
    (
        "connection",
        "content-length",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    )
)

_log = logging.getLogger("embedded.load_balancer")


@dataclass
class Routing:
    """What a listener goes by at this moment; replaced as a whole."""

    rules: Sequence[Rule] = ()
    targets: Targets = field(default_factory=dict)


class Application:
    """WSGI: one listener of a load balancer."""

    def __init__(self, source_address: str, scheme: str, port: int, health: Health) -> None:
        """`source_address` is where connections to targets come from."""
        self.routing = Routing()
        self._scheme, self._port, self._health = scheme, port, health
        self._turn = itertools.count()
        # Answers are passed on as they are: neither redirects nor encodings are looked at.
        self._pool = urllib3.PoolManager(
            maxsize=_THREADS,
            source_address=(source_address, 0),
            timeout=urllib3.Timeout(connect=_CONNECT_SECONDS, read=_IDLE_SECONDS),
            retries=False,
        )

    def __call__(self, environ: Environ, start_response: Any) -> Iterable[bytes]:
        routing, host = self.routing, str(environ.get("HTTP_HOST", "")).rpartition("]")[2]
        rule = first_match(routing.rules, host.partition(":")[0], environ["PATH_INFO"] or "/")
        if rule is None:
            return _own_answer(start_response, "404 Not Found")
        targets = routing.targets.get(rule.target_group) or ()
        if not targets:
            return _own_answer(start_response, "503 Service Temporarily Unavailable")
        chosen = self._health.usable(rule.target_group, targets)
        address, port = chosen[next(self._turn) % len(chosen)]
        try:
            answer = self._forward(environ, address, port)
        except (TimeoutError, NewConnectionError, HTTPError) as error:
            _log.warning("target %s:%d: %s", address, port, error)
            # One that does not take the connection in time is a time-out, one that refuses it a bad gateway.
            timed_out = isinstance(error, TimeoutError) and not isinstance(error, NewConnectionError)
            return _own_answer(start_response, "504 Gateway Time-out" if timed_out else "502 Bad Gateway")
        headers = [(name, text) for name, text in answer.headers.items() if name.lower() not in _HOP_BY_HOP]
        if (length := answer.headers.get("Content-Length")) is not None:
            headers.append(("Content-Length", length))
        start_response(f"{answer.status} {answer.reason or 'OK'}", headers)
        return _body(answer)

    def _forward(self, environ: Environ, address: str, port: int) -> urllib3.BaseHTTPResponse:
        query = environ.get("QUERY_STRING")
        path = environ.get("REQUEST_URI") or environ["PATH_INFO"]
        if "://" in path.partition("?")[0]:
            path = "/" + path.split("://", 1)[1].partition("/")[2]
        if query and "?" not in path:
            path = f"{path}?{query}"
        length = int(environ.get("CONTENT_LENGTH") or 0)
        # A body in chunks has no length; it ends by itself.
        chunked = str(environ.get("HTTP_TRANSFER_ENCODING", "")).lower() == "chunked"
        body = environ["wsgi.input"].read(*(() if chunked else (length,))) if length or chunked else None
        return self._pool.urlopen(
            environ["REQUEST_METHOD"],
            f"http://{address}:{port}{path}",
            body=body,
            headers=forwarded_headers(environ, self._scheme, self._port),
            redirect=False,
            preload_content=False,
            decode_content=False,
        )


def forwarded_headers(environ: Environ, scheme: str, port: int) -> dict[str, str]:
    """The client's headers, and what the load balancer says of the client. Pure.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/application/x-forwarded-headers.html
    """
    headers = {
        name[len("HTTP_") :].replace("_", "-").title(): str(text)
        for name, text in environ.items()
        if name.startswith("HTTP_")
    }
    if environ.get("CONTENT_TYPE"):
        headers["Content-Type"] = str(environ["CONTENT_TYPE"])
    headers = {name: text for name, text in headers.items() if name.lower() not in _HOP_BY_HOP}
    earlier = headers.get("X-Forwarded-For")
    client = str(environ.get("REMOTE_ADDR", ""))
    headers["X-Forwarded-For"] = f"{earlier}, {client}" if earlier else client
    return headers | {"X-Forwarded-Proto": scheme, "X-Forwarded-Port": str(port)}


def _own_answer(start_response: Any, status: str) -> list[bytes]:
    body = f"{status}\n".encode()
    headers = [("Server", "awselb/2.0"), ("Content-Type", "text/plain; charset=utf-8")]
    start_response(status, [*headers, ("Content-Length", str(len(body)))])
    return [body]


def _body(answer: urllib3.BaseHTTPResponse) -> Iterator[bytes]:
    try:
        yield from answer.stream(_CHUNK_BYTES, decode_content=False)
    finally:
        answer.release_conn()


class _TlsAdapter(BuiltinSSLAdapter):
    """TLS by the name that the client asks for; the first certificate is for all other names."""

    def __init__(self, files: Sequence[tuple[Path, tuple[str, ...]]]) -> None:
        default = str(files[0][0])
        super().__init__(default, default)
        self.use(files)

    def use(self, files: Sequence[tuple[Path, tuple[str, ...]]]) -> None:
        """Answer with these from the next connection on: PEM files, and the names that each is for."""
        contexts = [(_context(file), names) for file, names in files]
        self.context = contexts[0][0]

        def choose(connection: ssl.SSLSocket | ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> None:
            for context, names in contexts:
                if name and _covers(names, name):
                    connection.context = context
                    return

        self.context.sni_callback = choose


def _covers(names: Iterable[str], host: str) -> bool:
    parent = host.lower().partition(".")[2]
    return any(name.lower() in (host.lower(), f"*.{parent}") for name in names)


def _context(file: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(file)
    return context


class Listener:
    """One port of a load balancer, served until it is stopped."""

    def __init__(
        self, address: str, port: int, files: Sequence[tuple[Path, tuple[str, ...]]], health: Health
    ) -> None:
        """`files` are the certificates; none for plain http.

        Raises:
            OSError: the address is not there or in use.
        """
        self.application = Application(address, "https" if files else "http", port, health)
        self._server = wsgi.Server((address, port), self.application, numthreads=_THREADS, max=_THREADS * 4)
        self._server.timeout = _IDLE_SECONDS
        self._server.shutdown_timeout = 1
        self._tls = _TlsAdapter(files) if files else None
        self._server.ssl_adapter = self._tls
        self._server.prepare()
        threading.Thread(target=self._server.serve, name=f"listener-{port}", daemon=True).start()

    def use(self, files: Sequence[tuple[Path, tuple[str, ...]]], routing: Routing) -> None:
        """Go by these from the next request on."""
        if self._tls is not None and files:
            self._tls.use(files)
        self.application.routing = routing

    def stop(self) -> None:
        """Stop listening."""
        self._server.stop()
