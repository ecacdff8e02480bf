"""HTTP servers of the process: cheroot with keep-alive, with or without TLS."""

import ssl
import threading
from typing import Any

from cheroot import wsgi
from cheroot.ssl.builtin import BuiltinSSLAdapter
from moto.core.request import (
    PRESERVED_HEADER_NAMES_ENVIRON_KEY,
    environ_key_for_header,
    should_preserve_original_header_name,
)

from embedded.certificates import CertificateFiles

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


def serve(
    name: str, address: tuple[str, int], application: Any, tls: CertificateFiles | None, threads: int
) -> wsgi.Server:
    """Start a server in a thread of its own and return it once it listens.

    Raises:
        OSError: the address is not there or in use.
    """
    server = wsgi.Server(address, application, numthreads=threads, server_name=name, max=threads * 4)
    server.gateway = _MotoGateway
    server.timeout = 60
    server.shutdown_timeout = 1
    if tls is not None:
        server.ssl_adapter = _TlsAdapter(tls)
    server.prepare()
    threading.Thread(target=server.serve, name=name, daemon=True).start()
    return server


def json_response(start_response: Any, status: str, body: bytes) -> list[bytes]:
    """Answer with JSON from a hand-written WSGI application."""
    start_response(status, [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]
