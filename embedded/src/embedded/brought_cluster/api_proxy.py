"""The endpoint that EKS names for a cluster that was brought: it takes EKS tokens, which that one does not.

Each connection carries one request, which is passed on as the user that the token's access entry names
(https://kubernetes.io/docs/reference/access-authn-authz/authentication/#user-impersonation), or, after an
upgrade, one stream: exec, port forwarding.
"""

from __future__ import annotations

import json
import logging
import socket
import socketserver
import ssl
import threading
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, urlsplit

from embedded.aws_api.token_review import TokenRefusedError
from embedded.brought_cluster.splicing import splice
from embedded.certificates import CertificateFiles
from embedded.errors import EmbeddedError
from embedded.plugins.common.errors import PluginError
from embedded.plugins.kubernetes.api_client import tls_context
from embedded.plugins.kubernetes.credentials import Credential, CredentialSource
from embedded.plugins.kubernetes.kubeconfig import Access

Identify = Callable[[str], dict[str, Any]]
"""From a bearer token to a Kubernetes user; raises TokenRefusedError."""

_LONGEST_HEAD_BYTES = 1 << 16
_CONNECT_SECONDS = 10.0
_HEAD_SECONDS = 60.0
_OWN_HEADERS = ("authorization", "connection", "proxy-connection", "keep-alive")
_log = logging.getLogger("embedded.kubernetes")


class ApiProxy:
    """Listens on one address, over TLS."""

    def __init__(
        self, address: tuple[str, int], files: CertificateFiles, access: Access, identify: Identify
    ) -> None:
        """`access` is how the cluster is reached, by a user that may impersonate others.

        Raises:
            OSError: the address is not there or in use.
        """
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(files.certificate, files.key)
        upstream = Upstream(access)

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                try:
                    self.request.settimeout(_HEAD_SECONDS)
                    with context.wrap_socket(self.request, server_side=True) as client:
                        _serve(client, upstream, identify)
                except (OSError, EOFError):
                    return  # the client went away

        class Server(socketserver.ThreadingTCPServer):
            allow_reuse_address = True
            daemon_threads = True

        self._server = Server(address, Handler)
        threading.Thread(target=self._server.serve_forever, name="kubernetes", daemon=True).start()

    def stop(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()


class Upstream:
    """Connections to the cluster's own API server."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._credentials = CredentialSource(access)
        parts = urlsplit(access.server)
        self._address = (parts.hostname or "", parts.port or 443)
        self.prefix = parts.path.rstrip("/")
        self._context: tuple[Credential, ssl.SSLContext] | None = None

    def connect(self) -> tuple[ssl.SSLSocket, Credential]:
        """A connection, and the credential that goes with each request on it.

        Raises:
            OSError: the server does not answer.
            PluginError: the kubeconfig gives no credential.
        """
        credential = self._credentials.current()
        # Making one reads every authority that the machine trusts, which takes longer than a request.
        if self._context is None or self._context[0] != credential:
            self._context = (credential, tls_context(self._access, credential))
        _, context = self._context
        plain = socket.create_connection(self._address, _CONNECT_SECONDS)
        name = self._access.tls_server_name or self._address[0]
        return context.wrap_socket(plain, server_hostname=name), credential


def _serve(client: ssl.SSLSocket, upstream: Upstream, identify: Identify) -> None:
    head, rest = _read_head(client)
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = [(name.strip(), text.strip()) for name, _, text in (line.partition(":") for line in lines)]
    try:
        user = identify(_bearer_token(headers))
    except TokenRefusedError as error:
        _refuse(client, 401, "Unauthorized", str(error))
        return
    try:
        server, credential = upstream.connect()
    except (OSError, PluginError, EmbeddedError) as error:
        _log.warning("the cluster does not answer: %s", error)
        _refuse(client, 503, "ServiceUnavailable", f"the cluster that was brought does not answer: {error}")
        return
    with server:
        method, _, target = first.partition(" ")
        request = [f"{method} {upstream.prefix}{target}", *_forwarded(headers, user, credential)]
        server.sendall("\r\n".join([*request, "", ""]).encode("latin-1") + rest)
        splice(client, server)


def _read_head(client: ssl.SSLSocket) -> tuple[bytes, bytes]:
    """Everything up to the empty line, and what has come after it."""
    received = b""
    while b"\r\n\r\n" not in received:
        data = client.recv(_LONGEST_HEAD_BYTES)
        if not data or len(received) > _LONGEST_HEAD_BYTES:
            raise EOFError
        received += data
    head, _, rest = received.partition(b"\r\n\r\n")
    return head, rest


def _bearer_token(headers: list[tuple[str, str]]) -> str:
    for name, text in headers:
        if name.lower() == "authorization" and text.lower().startswith("bearer "):
            return text[len("bearer ") :].strip()
    raise TokenRefusedError("the request carries no bearer token")


def _forwarded(headers: list[tuple[str, str]], user: dict[str, Any], credential: Credential) -> list[str]:
    """The header lines for the cluster. Nobody chooses whom to impersonate but the access entry."""
    upgrade = any(name.lower() == "upgrade" for name, _ in headers)
    lines = [
        f"{name}: {text}"
        for name, text in headers
        if name.lower() not in _OWN_HEADERS and not name.lower().startswith("impersonate-")
    ]
    lines.append("Connection: Upgrade" if upgrade else "Connection: close")
    if credential.token:
        lines.append(f"Authorization: Bearer {credential.token}")
    lines.append(f"Impersonate-User: {quote(user['username'], safe=_SAFE)}")
    lines += [f"Impersonate-Group: {group}" for group in [*user["groups"], "system:authenticated"]]
    return lines


# Characters of ARNs and user names; a line end must not get into a header.
_SAFE = ":/@.-_+=,{} "


def _refuse(client: ssl.SSLSocket, code: int, reason: str, message: str) -> None:
    status = {
        "apiVersion": "v1",
        "kind": "Status",
        "status": "Failure",
        "reason": reason,
        "code": code,
        "message": message,
    }
    body = json.dumps(status).encode()
    head = f"HTTP/1.1 {code} {reason}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    client.sendall(f"{head}Connection: close\r\n\r\n".encode() + body)
