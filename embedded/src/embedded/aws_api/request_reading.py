"""What an AWS request asks for, read from its headers, path and body without serving it."""

import io
import json
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

from moto.core.request import Request
from moto.core.routing import get_service_router

_CREDENTIAL = re.compile(r"Credential=([A-Z0-9]+)/\d{8}/([a-z0-9-]+)/([a-z0-9-]+)/aws4_request")
_READING_ACTION = re.compile(r"^(Describe|List|Get|Head|BatchGet|Lookup|Search|Validate|Query|Filter|Select)")
# These read by their name but change or create something.
_WRITING_EXCEPTIONS = frozenset({"GetSessionToken", "GetFederationToken"})


@dataclass(frozen=True)
class AwsRequest:
    """One request as the dispatcher sees it."""

    method: str
    path: str
    service: str
    """Signing name, such as `s3` or `secretsmanager`; empty for unsigned requests."""
    region: str
    access_key: str
    action: str
    """The operation's name where the protocol carries one; else empty."""

    @property
    def is_read(self) -> bool:
        """Whether the request can change nothing, by its HTTP method or its action's name."""
        if self.action:
            return bool(_READING_ACTION.match(self.action)) and self.action not in _WRITING_EXCEPTIONS
        return self.method in ("GET", "HEAD", "OPTIONS")


def read_body(environ: dict[str, Any]) -> bytes:
    """Read the whole body and put it back, so that a slow client never holds the dispatch lock."""
    stream = environ["wsgi.input"]
    length = environ.get("CONTENT_LENGTH")
    body: bytes = stream.read(int(length)) if length else b""
    if not length and "chunked" in environ.get("HTTP_TRANSFER_ENCODING", ""):
        body = stream.read()
        environ["CONTENT_LENGTH"] = str(len(body))
        del environ["HTTP_TRANSFER_ENCODING"]
    environ["wsgi.input"] = io.BytesIO(body)
    return body


def parse(environ: dict[str, Any], body: bytes) -> AwsRequest:
    """The request's service, region, key and action; parts that are not there are empty."""
    query = parse_qs(environ.get("QUERY_STRING", ""))
    match = _CREDENTIAL.search(environ.get("HTTP_AUTHORIZATION", ""))
    access_key, region, service = match.groups() if match else ("", "", "")
    if not match and (scope := query.get("X-Amz-Credential", [""])[0]):
        access_key, _, region, service = (scope.split("/") + [""] * 4)[:4]
    return AwsRequest(
        method=environ["REQUEST_METHOD"],
        path=environ.get("PATH_INFO", ""),
        service=service,
        region=region,
        access_key=access_key,
        action=_action(environ, query, body, service),
    )


def _action(environ: dict[str, Any], query: dict[str, list[str]], body: bytes, service: str) -> str:
    target = str(environ.get("HTTP_X_AMZ_TARGET", ""))
    if target:
        return target.rpartition(".")[2]
    if service == "s3":
        return ""
    if "Action" in query:
        return query["Action"][0]
    if environ.get("CONTENT_TYPE", "").startswith("application/x-www-form-urlencoded"):
        return parse_qs(body.decode("utf-8", "replace")).get("Action", [""])[0]
    return ""


def operation_of(request: AwsRequest, environ: dict[str, Any]) -> str:
    """The operation's name, for REST services by the service's own model; empty if there is none."""
    if request.action:
        return request.action
    name = {"monitoring": "cloudwatch"}.get(request.service, request.service)
    try:
        operation, _ = get_service_router(name).match(Request(dict(environ)))
    except Exception:  # noqa: BLE001 - unknown service or path: moto's answer says what is wrong
        return ""
    return str(operation.name)


def error_body(service: str, environ: dict[str, Any], code: str, message: str) -> tuple[str, bytes]:
    """An AWS error in the protocol the client speaks: content type and body."""
    json_protocol = "HTTP_X_AMZ_TARGET" in environ or service in ("eks", "kafka", "lambda")
    if json_protocol:
        return "application/x-amz-json-1.1", json.dumps({"__type": code, "message": message}).encode()
    detail = f"<Code>{code}</Code><Message>{_escape(message)}</Message>"
    if service == "s3":
        return "application/xml", f"<?xml version='1.0'?><Error>{detail}</Error>".encode()
    if service == "ec2":
        text = f"<Response><Errors><Error>{detail}</Error></Errors><RequestID>0</RequestID></Response>"
        return "text/xml", text.encode()
    text = (
        f"<ErrorResponse><Error><Type>Sender</Type>{detail}</Error><RequestId>0</RequestId></ErrorResponse>"
    )
    return "text/xml", text.encode()


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
