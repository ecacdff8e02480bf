"""Client tokens: the same request sent again with the same token is the same request, answered as before.

SDKs put a token into requests that create something and repeat it when they retry, so that an answer that
was lost costs nothing. moto ignores most of them.
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/Run_Instance_Idempotency.html
"""

import hashlib
import json
import re
from collections import OrderedDict
from typing import Any
from urllib.parse import parse_qs

from embedded.aws_api.request_reading import AwsRequest

Answer = tuple[str, Any, bytes]
"""Status line, headers and body."""

_NAMES = ("ClientToken", "ClientRequestToken", "clientRequestToken", "clientToken")
_KEPT = 256
"""Retries come within seconds; AWS keeps tokens for hours, this process as many as these."""


class MismatchError(Exception):
    """A token was used before, for a request with other parameters."""


class AnsweredTokens:
    """Answers to requests that carried a token. The caller holds the dispatch lock.

    They are kept in memory: a retry that finds a restarted process meets what its first try has left.
    """

    def __init__(self) -> None:
        self._answers: OrderedDict[tuple[str, ...], tuple[str, Answer]] = OrderedDict()

    def earlier(self, request: AwsRequest, body: bytes) -> Answer | None:
        """The answer to the same request, if it was given.

        Raises:
            MismatchError: the token belongs to another request of the same operation.
        """
        key = _key(request, body)
        if key is None or key not in self._answers:
            return None
        digest, answer = self._answers[key]
        if digest != _digest(request, body):
            raise MismatchError
        return answer

    def remember(self, request: AwsRequest, body: bytes, answer: Answer) -> None:
        """Keep the answer of a request that was served and carried a token."""
        key = _key(request, body)
        if key is not None and answer[0].startswith("2"):
            self._answers[key] = (_digest(request, body), answer)
            while len(self._answers) > _KEPT:
                self._answers.popitem(last=False)


def _key(request: AwsRequest, body: bytes) -> tuple[str, ...] | None:
    if request.is_read:
        return None
    token = _token(body)
    where = request.action or f"{request.method} {request.path}"
    return (request.service, request.region, where, token) if token else None


def _token(body: bytes) -> str:
    text = body.decode("utf-8", "replace")
    if not re.search(r"[cC]lient(Request)?Token", text):
        return ""
    if text.lstrip().startswith("{"):
        try:
            values = json.loads(text)
        except ValueError:
            return ""
    else:
        values = {name: found[0] for name, found in parse_qs(text).items()}
    return next((str(values[name]) for name in _NAMES if values.get(name)), "")


def _digest(request: AwsRequest, body: bytes) -> str:
    return hashlib.sha256(request.path.encode() + b"\0" + body).hexdigest()
