"""STS AssumeRoleWithWebIdentity, by which pods of a cluster that was brought get their role.

There is no Pod Identity agent on its nodes, and SDKs take credentials over plain HTTP from the agent's own
address alone. So they ask STS with a web identity; the role is the one of the association all the same.
API: https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

from embedded.aws_api.pod_identity import CredentialsRefusedError

_LONGEST_BODY_BYTES = 1 << 17
_NAMESPACE = "https://sts.amazonaws.com/doc/2011-06-15/"


class WebIdentity:
    """WSGI in front of the AWS API: answers this one action, which is not signed, and passes on all else."""

    def __init__(self, application: Any, credentials: Callable[[str], dict[str, str]]) -> None:
        """`credentials` answers a service account token as the Pod Identity agent does."""
        self._application = application
        self._credentials = credentials

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        form = _unsigned_form(environ)
        if form.get("Action") != "AssumeRoleWithWebIdentity":
            answer: Iterable[bytes] = self._application(environ, start_response)
            return answer
        try:
            found = self._credentials(form.get("WebIdentityToken", ""))
        except CredentialsRefusedError as refusal:
            return _respond(start_response, "403 Forbidden", _error(refusal.reason))
        return _respond(start_response, "200 OK", _success(form.get("RoleArn", ""), found))


def _unsigned_form(environ: dict[str, Any]) -> dict[str, str]:
    """The fields of a form without a signature; the body can be read again afterwards."""
    kind = str(environ.get("CONTENT_TYPE", ""))
    if "HTTP_AUTHORIZATION" in environ or not kind.startswith("application/x-www-form-urlencoded"):
        return {}
    length = int(environ.get("CONTENT_LENGTH") or 0)
    if environ["REQUEST_METHOD"] != "POST" or not 0 < length <= _LONGEST_BODY_BYTES:
        return {}
    body = environ["wsgi.input"].read(length)
    environ["wsgi.input"] = io.BytesIO(body)
    return {name: values[0] for name, values in parse_qs(body.decode("latin-1")).items()}


def _respond(start_response: Any, status: str, body: bytes) -> list[bytes]:
    start_response(status, [("Content-Type", "text/xml"), ("Content-Length", str(len(body)))])
    return [body]


def _success(role: str, found: dict[str, str]) -> bytes:
    credentials = (
        f"<AccessKeyId>{found['AccessKeyId']}</AccessKeyId>"
        f"<SecretAccessKey>{escape(found['SecretAccessKey'])}</SecretAccessKey>"
        f"<SessionToken>{escape(found['Token'])}</SessionToken>"
        f"<Expiration>{found['Expiration']}</Expiration>"
    )
    user = f"<AssumedRoleUser><Arn>{escape(role)}</Arn></AssumedRoleUser>"
    result = f"<AssumeRoleWithWebIdentityResult><Credentials>{credentials}</Credentials>{user}"
    return (
        f'<AssumeRoleWithWebIdentityResponse xmlns="{_NAMESPACE}">{result}'
        "</AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>"
    ).encode()


def _error(reason: str) -> bytes:
    text = f"<Type>Sender</Type><Code>AccessDenied</Code><Message>{escape(reason)}</Message>"
    return f'<ErrorResponse xmlns="{_NAMESPACE}"><Error>{text}</Error></ErrorResponse>'.encode()
