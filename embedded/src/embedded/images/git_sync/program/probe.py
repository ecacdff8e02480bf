"""The HTTP endpoint for Kubernetes' probes: an error until the first sync, then success."""

from __future__ import annotations

import socket
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from .options import Refused

# How long `close` may take.
_POLL_SECONDS = 0.1


class Probe:
    """Answers on one address; `ready` is called once there is something to serve."""

    def __init__(self, bind: str) -> None:
        """`bind` is `:PORT` (every address) or `ADDRESS:PORT`.

        Raises:
            Refused: the text is not of that form, or the address is not to be had.
        """
        self._ready = threading.Event()
        host, colon, port = bind.rpartition(":")
        if not colon or not port.isdigit():
            raise Refused(f"can't bind HTTP endpoint {bind!r}: it must be ADDRESS:PORT or :PORT")
        try:
            self._server = _server(host.strip("[]"), int(port), self._ready)
        except OSError as error:
            raise Refused(f"can't bind HTTP endpoint {bind!r}: {error.strerror}") from error
        threading.Thread(target=self._server.serve_forever, args=(_POLL_SECONDS,), daemon=True).start()

    @property
    def port(self) -> int:
        """The port that it listens on; chosen by the kernel when 0 was asked for."""
        return int(self._server.server_address[1])

    def ready(self) -> None:
        """From now on probes succeed."""
        self._ready.set()

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()


def _server(host: str, port: int, ready: threading.Event) -> ThreadingHTTPServer:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            done = ready.is_set()
            body = b"" if done else b"repo is not ready\n"
            self.send_response(HTTPStatus.OK if done else HTTPStatus.SERVICE_UNAVAILABLE)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Probes come every few seconds."""

    both = not host and socket.has_dualstack_ipv6()

    class Server(ThreadingHTTPServer):
        address_family = socket.AF_INET6 if both or ":" in host else socket.AF_INET
        daemon_threads = True

        def server_bind(self) -> None:
            if both:
                self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            # Not HTTPServer's, which looks up the machine's own name.
            self.socket.bind(self.server_address)
            self.server_address = self.socket.getsockname()

    return Server((host, port), Handler)
