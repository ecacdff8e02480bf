"""JSON over HTTPS to one API server: connections, credentials, retries. It knows no kinds of objects."""

import json
import os
import ssl
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import urllib3
from urllib3.exceptions import HTTPError
from urllib3.util import make_headers

from embedded.plugins.common.errors import PluginError
from embedded.plugins.kubernetes.api_errors import ApiError, NoAnswerError, UnreachableError
from embedded.plugins.kubernetes.credentials import Credential, CredentialSource
from embedded.plugins.kubernetes.kubeconfig import Access

_CONNECT_TIMEOUT_SECONDS = 10.0
# A server-side apply that runs admission webhooks may take 30 s for each of them.
_READ_TIMEOUT_SECONDS = 70.0
# About 25 s in all: an API server that restarts is back by then.
RETRY_PAUSES_SECONDS = (0.2, 0.5, 1.0, 2.0, 4.0, 8.0, 10.0)
_CONNECTIONS = 16
# A server that has never answered is told of soon; one that has may be restarting.
_ATTEMPTS_BEFORE_FIRST_ANSWER = 3

APPLY = "application/apply-patch+yaml"
"""Content type of server-side apply; JSON is valid YAML."""


class ApiClient:
    """A thread-safe client of one API server.

    `sleep` is how it waits between attempts; tests give their own.
    """

    def __init__(self, access: Access, sleep: Callable[[float], None] = time.sleep) -> None:
        self.access = access
        self._sleep = sleep
        self._credentials = CredentialSource(access)
        self._lock = threading.Lock()
        self._pool: tuple[tuple[str | None, str | None], urllib3.PoolManager] | None = None
        self._has_answered = False

    def get(self, path: str, query: Mapping[str, str] | None = None) -> dict[str, Any]:
        """GET a JSON object. Raises ApiError or UnreachableError."""
        return self.request("GET", path, query)

    def text(self, path: str, query: Mapping[str, str] | None = None) -> str:
        """GET plain text, such as a pod's log. Raises ApiError or UnreachableError."""
        return self._send("GET", path, query, None, "application/json").decode(errors="replace")

    def request(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: object = None,
        content_type: str = "application/json",
    ) -> dict[str, Any]:
        """Send a request and return the JSON object of the answer.

        Every request of this plugin may be repeated without harm: reads, applies and deletions.
        Raises ApiError when the server refuses it, UnreachableError when there is no answer.
        """
        answer = json.loads(self._send(method, path, query, body, content_type) or b"{}")
        if not isinstance(answer, dict):
            raise PluginError(
                f"{method} {path}: the server at {self.access.server} does not speak the Kubernetes API"
            )
        return answer

    def _send(
        self, method: str, path: str, query: Mapping[str, str] | None, body: object, content_type: str
    ) -> bytes:
        attempt = 0
        while True:
            try:
                return self._once(method, path, query, body, content_type)
            except ApiError as error:
                if not error.is_retryable or attempt >= len(RETRY_PAUSES_SECONDS):
                    raise
            except UnreachableError as error:
                if not error.is_transient or attempt >= self._last_attempt():
                    raise
            self._sleep(RETRY_PAUSES_SECONDS[attempt])
            attempt += 1

    def _last_attempt(self) -> int:
        return len(RETRY_PAUSES_SECONDS) if self._has_answered else _ATTEMPTS_BEFORE_FIRST_ANSWER - 1

    def _once(
        self, method: str, path: str, query: Mapping[str, str] | None, body: object, content_type: str
    ) -> bytes:
        credential = self._credentials.current()
        status, answer = self._exchange(credential, method, path, query, body, content_type)
        if status == 401 and self._credentials.reject(credential):
            credential = self._credentials.current()
            status, answer = self._exchange(credential, method, path, query, body, content_type)
        if status >= 400:
            raise ApiError(status, answer.decode(errors="replace"), f"{method} {path}")
        return answer

    def _exchange(
        self,
        credential: Credential,
        method: str,
        path: str,
        query: Mapping[str, str] | None,
        body: object,
        content_type: str,
    ) -> tuple[int, bytes]:
        headers = {"Accept": "application/json", "User-Agent": "pulumi-resource-kubernetes (embedded cloud)"}
        if body is not None:
            headers["Content-Type"] = content_type
        headers.update(self._authorization(credential))
        url = self.access.server + path
        if query:
            url += "?" + urlencode(query)
        try:
            answer = self._pool_for(credential).request(
                method,
                url,
                body=None if body is None else json.dumps(body).encode(),
                headers=headers,
                timeout=urllib3.Timeout(connect=_CONNECT_TIMEOUT_SECONDS, read=_READ_TIMEOUT_SECONDS),
                retries=False,
            )
        except (HTTPError, OSError) as error:
            raise NoAnswerError(self.access.server, _cause(error)) from None
        self._has_answered = True
        return answer.status, answer.data

    def _authorization(self, credential: Credential) -> dict[str, str]:
        if credential.token:
            return {"Authorization": f"Bearer {credential.token}"}
        if self.access.username:
            return make_headers(basic_auth=f"{self.access.username}:{self.access.password or ''}")
        return {}

    def _pool_for(self, credential: Credential) -> urllib3.PoolManager:
        key = (credential.client_certificate, credential.client_key)
        with self._lock:
            if self._pool is None or self._pool[0] != key:
                self._pool = (key, self._new_pool(credential))
            return self._pool[1]

    def _new_pool(self, credential: Credential) -> urllib3.PoolManager:
        settings: dict[str, Any] = {
            "maxsize": _CONNECTIONS,
            "ssl_context": tls_context(self.access, credential),
        }
        if self.access.tls_server_name:
            settings["server_hostname"] = settings["assert_hostname"] = self.access.tls_server_name
        if self.access.proxy_url:
            return urllib3.ProxyManager(self.access.proxy_url, **settings)
        return urllib3.PoolManager(**settings)


def tls_context(access: Access, credential: Credential) -> ssl.SSLContext:
    """TLS as the kubeconfig wants it. Raises PluginError when a certificate or key of it is unusable."""
    try:
        context = ssl.create_default_context(cadata=access.authority)
        if not access.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if credential.client_certificate and credential.client_key:
            _load_client_certificate(context, credential.client_certificate, credential.client_key)
    except ssl.SSLError as error:
        raise PluginError(f"a certificate or key of the kubeconfig is unusable: {error}") from None
    return context


def _load_client_certificate(context: ssl.SSLContext, certificate: str, key: str) -> None:
    # OpenSSL's Python face reads key pairs from files only; this one lives for the length of the call.
    descriptor, name = tempfile.mkstemp(prefix="client-")
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(f"{certificate}\n{key}\n")
        context.load_cert_chain(name)
    finally:
        Path(name).unlink()


def _cause(error: Exception) -> str:
    reason = getattr(error, "reason", None) or error
    return (
        str(reason).rpartition("object at 0x")[2].partition(": ")[2]
        if "object at 0x" in str(reason)
        else str(reason)
    )
