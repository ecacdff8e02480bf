"""The WSGI application of the AWS API: one request at a time through moto, saved before it is answered."""

import logging
import re
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

from embedded.aws_api import request_reading
from embedded.aws_api.client_tokens import AnsweredTokens, MismatchError
from embedded.aws_api.persistence import AccountState
from embedded.aws_api.request_reading import AwsRequest
from embedded.faults.injection import Injector, Play, cut

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
Authorizer = Callable[[AwsRequest, Environ, bytes], "Refusal | None"]

HEALTH_PATH = "/embedded/health"

_log = logging.getLogger("embedded.aws_api")


class Refusal(Exception):  # noqa: N818 - an answer, not a failure of this program
    """An AWS error to answer with instead of serving the request."""

    def __init__(self, code: str, message: str, status: int = 403) -> None:
        super().__init__(message)
        self.code, self.message, self.status = code, message, status


_TOKEN_MISMATCH = Refusal(
    "IdempotentParameterMismatch", "The client token was used for a request with other parameters.", 400
)


class AwsApplication:
    """Dispatches to moto under one lock.

    moto's models are not made for threads, and a consistent save needs a quiet moment; a request takes
    a few milliseconds of Python in either case, so the lock costs no throughput worth having.
    """

    def __init__(
        self,
        dispatcher: Any,
        state: AccountState,
        lock: threading.RLock,
        authorize: Authorizer | None,
        faults: Injector | None = None,
    ) -> None:
        self._dispatcher = dispatcher
        self._state = state
        self._lock = lock
        self._authorize = authorize
        self._faults = faults
        self._tokens = AnsweredTokens()

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        if environ.get("PATH_INFO") == HEALTH_PATH:
            start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "2")])
            return [b"ok"]
        body = request_reading.read_body(environ)
        request = request_reading.parse(environ, body)
        started = time.monotonic()
        play = self._played(request, environ)
        if play.error is not None:
            refusal = Refusal(play.error.code, play.error.message, play.error.status)
            status, headers, content = _error(request, environ, refusal)
        else:
            with self._lock:
                status, headers, content = self._serve(request, environ, body)
        _log_request(request, status, time.monotonic() - started)
        if play.answer_is_lost:
            cut()
        start_response(status, headers)
        return [content]

    def _played(self, request: AwsRequest, environ: Environ) -> Play:
        """What the faults that are set make of the request; outside of the lock, since it may take long."""
        if self._faults is None or not self._faults.active:
            return Play()
        return self._faults.play(request.service, request_reading.operation_of(request, environ), environ)

    def _serve(self, request: AwsRequest, environ: Environ, body: bytes) -> tuple[str, Any, bytes]:
        if request.path.startswith("/moto-api"):
            # moto's own control interface can reset the account; nothing on AWS answers here.
            return _error(request, environ, Refusal("InvalidRequest", "no such path", 404))
        if request.service not in ("", "s3") and environ.get("wsgi.url_scheme") != "https":
            message = f"{request.service} answers over TLS only."
            return _error(request, environ, Refusal("SecureTransportRequired", message, 403))
        try:
            if self._authorize and (refusal := self._authorize(request, environ, body)):
                return _error(request, environ, refusal)
            if (earlier := self._tokens.earlier(request, body)) is not None:
                return earlier
            answer = _collect(self._dispatcher, environ)
        except MismatchError:
            return _error(request, environ, _TOKEN_MISMATCH)
        except NotImplementedError as error:
            return _error(request, environ, _not_emulated(request, error))
        except Refusal as refusal:
            return _error(request, environ, refusal)
        except Exception as error:  # noqa: BLE001 - whatever moto fails with is one answer, not the end
            _log.exception("%s %s failed", request.service, request.action or request.path)
            return _error(request, environ, Refusal("InternalFailure", str(error), 500))
        if not request.is_read or self._state.has_new_backends():
            self._state.save()
        self._tokens.remember(request, body, answer)
        return answer


def _collect(application: Any, environ: Environ) -> tuple[str, Any, bytes]:
    collected: list[Any] = []

    def start_response(status: str, headers: Any, _: Any = None) -> Callable[[bytes], None]:
        collected[:] = [status, headers]
        return lambda _: None

    chunks = application(environ, start_response)
    try:
        content = b"".join(chunks)
    finally:
        if close := getattr(chunks, "close", None):
            close()
    status, headers = collected
    return status, headers, content


def _not_emulated(request: AwsRequest, error: Exception) -> Refusal:
    what = f"{request.service} {request.action or request.method + ' ' + request.path}".strip()
    return Refusal("NotImplemented", f"The embedded AWS does not emulate {what}: {error}", 501)


def _error(request: AwsRequest, environ: Environ, refusal: Refusal) -> tuple[str, Any, bytes]:
    content_type, body = request_reading.error_body(request.service, environ, refusal.code, refusal.message)
    headers = [("Content-Type", content_type), ("Content-Length", str(len(body)))]
    headers.append(("x-amzn-ErrorType", refusal.code))
    return f"{refusal.status} {refusal.code}", headers, body


def _log_request(request: AwsRequest, status: str, seconds: float) -> None:
    """One line a request. Paths carry no secrets; queries may hold signatures, so they are left out."""
    what = request.action or f"{request.method} {re.sub(r'[^ -~]', '?', request.path)}"
    caller = request.access_key or "anonymous"
    _log.info("%s %s %s %s %.1fms", request.service or "-", what, status[:3], caller, seconds * 1000)
