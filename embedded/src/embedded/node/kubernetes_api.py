"""The few calls to the Kubernetes API that starting a node needs.

The official client takes a second to import, which every `status` would pay.
"""

from __future__ import annotations

import http
import http.client
import json
import ssl
from dataclasses import dataclass
from typing import Any

from embedded.certificates import CertificateFiles
from embedded.errors import EmbeddedError, NotReady
from embedded.identity import CloudIdentity
from embedded.node.credentials import administrator_certificate

_FIELD_MANAGER = "embedded-cloud"
_TIMEOUT_SECONDS = 10.0


def client_context(identity: CloudIdentity, client: CertificateFiles | None = None) -> ssl.SSLContext:
    """TLS that trusts the cloud's authority alone and shows the given certificate."""
    context = ssl.create_default_context(cafile=str(identity.certificate_authority))
    if client is not None:
        context.load_cert_chain(client.certificate, client.key)
    return context


@dataclass(frozen=True)
class Answer:
    """Status and body of one HTTP answer."""

    status: int
    body: bytes


def ask(
    identity: CloudIdentity,
    port: int,
    path: str,
    client: CertificateFiles,
    method: str = "GET",
    content: Any = None,
    content_type: str = "application/json",
) -> Answer:
    """One HTTPS request to a component on the node's address.

    Raises:
        NotReady: nothing answers there.
    """
    connection = http.client.HTTPSConnection(
        identity.node_address, port, timeout=_TIMEOUT_SECONDS, context=client_context(identity, client)
    )
    try:
        body = None if content is None else json.dumps(content)
        connection.request(method, path, body, {"Content-Type": content_type} if body else {})
        response = connection.getresponse()
        return Answer(response.status, response.read())
    except (OSError, http.client.HTTPException) as error:
        raise NotReady(f"{identity.node_address}:{port} does not answer: {error}") from error
    finally:
        connection.close()


@dataclass(frozen=True)
class KubernetesApi:
    """The API server, as the cloud's administrator."""

    identity: CloudIdentity

    def get(self, path: str) -> Any:
        """The object or list at the path, or None if there is none (404).

        Raises:
            NotReady: the server does not answer.
            EmbeddedError: it refuses.
        """
        answer = self._ask("GET", path)
        if answer.status == http.HTTPStatus.NOT_FOUND:
            return None
        return json.loads(_accepted(path, answer))

    def ready(self) -> None:
        """Raises NotReady until the server passes its own readiness checks."""
        answer = self._ask("GET", "/readyz")
        if answer.status != http.HTTPStatus.OK:
            raise NotReady(f"/readyz says {answer.status}: {_last_line(answer.body)}")

    def apply(self, path: str, manifest: dict[str, Any]) -> None:
        """Make or change the object by server-side apply; what is the same already changes nothing."""
        query = f"{path}?fieldManager={_FIELD_MANAGER}&force=true"
        _accepted(path, self._ask("PATCH", query, manifest, "application/apply-patch+yaml"))

    def _ask(
        self, method: str, path: str, content: Any = None, content_type: str = "application/json"
    ) -> Answer:
        client = administrator_certificate(self.identity)
        return ask(self.identity, self.identity.kubernetes_port, path, client, method, content, content_type)


def _accepted(path: str, answer: Answer) -> bytes:
    if answer.status >= http.HTTPStatus.BAD_REQUEST:
        raise EmbeddedError(
            f"the Kubernetes API refused {path} with {answer.status}: {_last_line(answer.body)}",
            "see `embedded logs kube-apiserver`",
        )
    return answer.body


def _last_line(body: bytes) -> str:
    lines = body.decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else "(nothing more)"
