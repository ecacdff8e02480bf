"""HTTP servers of the process: cheroot with keep-alive, with or without TLS."""

import ssl
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from cheroot import wsgi
from cheroot.ssl.builtin import BuiltinSSLAdapter
from moto.core.request import (
    PRESERVED_HEADER_NAMES_ENVIRON_KEY,
    environ_key_for_header,
    should_preserve_original_header_name,
)

from embedded.certificates import CertificateFiles
from embedded.errors import EmbeddedError
from embedded.identity import CloudIdentity

AWS_THREADS = 16
WEBHOOK_THREADS = 4


class _TlsAdapter(BuiltinSSLAdapter):
    """Python's ssl with TLS 1.2 as the minimum, and a URL scheme that says https to the application."""

    def __init__(self, files: CertificateFiles) -> None:
        super().__init__(str(files.certificate), str(files.key))
        self.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2
        self.context.load_cert_chain(str(files.certificate), str(files.key))


class _MotoGateway(wsgi.Gateway_10):
    """Keeps the original spelling of S3 metadata headers, which moto wants to know."""

    def get_environ(self) -> dict[str, Any]:  # type: ignore[override]
        environ: dict[str, Any] = super().get_environ()  # type: ignore[no-untyped-call]
        spellings = {}
        for raw in self.req.inheaders:
            name = raw.decode("latin-1")
            if should_preserve_original_header_name(name):
                spellings[environ_key_for_header(name)] = name
        environ[PRESERVED_HEADER_NAMES_ENVIRON_KEY] = spellings
        # A fault that hangs wants to know when its client goes.
        environ["embedded.request"] = self.req
        return environ


@dataclass(frozen=True)
class Listener:
    """One port and what answers on it."""

    name: str
    port: int
    application: Any
    tls: CertificateFiles | None
    """None for plain http."""
    threads: int = WEBHOOK_THREADS


def aws_listeners(
    identity: CloudIdentity, with_tls: Any, plain: Any, tls: CertificateFiles
) -> tuple[Listener, Listener]:
    """The AWS API, and S3 without TLS: that a bucket's policy refuses such requests can be seen only so."""
    return (
        Listener("aws", identity.aws_port, with_tls, tls, AWS_THREADS),
        Listener("aws-plain", identity.aws_plain_port, plain, None),
    )


@contextmanager
def taking_addresses(host: str) -> Iterator[None]:
    """Says what to do when an address of the AWS part is not there or in use.

    Raises:
        EmbeddedError: it is so.
    """
    try:
        yield
    except OSError as error:
        raise EmbeddedError(
            f"The AWS part cannot listen on {host}: {error}.", "Run `embedded status`, then `embedded up`."
        ) from error


def listen(host: str, listeners: Iterable[Listener]) -> list[wsgi.Server]:
    """Start a server for each of them.

    Raises:
        EmbeddedError: an address is not there or in use.
    """
    with taking_addresses(host):
        return [_serve(host, listener) for listener in listeners]


def _serve(host: str, listener: Listener) -> wsgi.Server:
    """Start a server in a thread of its own and return it once it listens."""
    server = wsgi.Server(
        (host, listener.port),
        listener.application,
        numthreads=listener.threads,
        server_name=listener.name,
        max=listener.threads * 4,
    )
    server.gateway = _MotoGateway
    server.timeout = 60
    server.shutdown_timeout = 1
    if listener.tls is not None:
        server.ssl_adapter = _TlsAdapter(listener.tls)
    server.prepare()
    threading.Thread(target=server.serve, name=listener.name, daemon=True).start()
    return server


def json_response(start_response: Any, status: str, body: bytes) -> list[bytes]:
    """Answer with JSON from a hand-written WSGI application."""
    start_response(status, [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]
