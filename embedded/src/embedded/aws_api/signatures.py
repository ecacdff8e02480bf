"""Verification of AWS Signature Version 4, with botocore's own signer as the reference."""

import hashlib
import hmac
import re
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs

from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from embedded.aws_api.application import Refusal
from embedded.aws_api.principals import Principal
from embedded.aws_api.request_reading import AwsRequest

_AUTHORIZATION = re.compile(r"SignedHeaders=(?P<headers>[^,\s]+),\s*Signature=(?P<signature>[0-9a-f]+)")
_CLOCK_SKEW = timedelta(minutes=15)


def check_signature(
    request: AwsRequest, environ: dict[str, Any], body: bytes, principal: Principal
) -> Refusal | None:
    """None if the request was signed with the principal's secret, recently enough, for this content."""
    query = parse_qs(environ.get("QUERY_STRING", ""))
    presigned = "X-Amz-Signature" in query
    stamp = query["X-Amz-Date"][0] if presigned else environ.get("HTTP_X_AMZ_DATE", "")
    lifetime = timedelta(seconds=int(query["X-Amz-Expires"][0])) if presigned else _CLOCK_SKEW
    if refusal := _check_time(stamp, lifetime):
        return refusal
    if principal.session_token:
        token = query.get("X-Amz-Security-Token", [environ.get("HTTP_X_AMZ_SECURITY_TOKEN", "")])[0]
        if not hmac.compare_digest(token, principal.session_token):
            return Refusal("InvalidClientTokenId", "The security token included in the request is invalid.")
    if presigned:
        signed, given = query["X-Amz-SignedHeaders"][0], query["X-Amz-Signature"][0]
    else:
        match = _AUTHORIZATION.search(environ.get("HTTP_AUTHORIZATION", ""))
        if match is None:
            return Refusal(
                "IncompleteSignature", "Authorization header requires SignedHeaders and Signature.", 400
            )
        signed, given = match["headers"], match["signature"]
    if not _body_fits(environ, body):
        return Refusal(
            "XAmzContentSHA256Mismatch", "The provided x-amz-content-sha256 header does not match.", 400
        )
    expected = _signature(request, environ, body, principal, signed.split(";"), stamp, presigned)
    if hmac.compare_digest(expected, given):
        return None
    return Refusal(
        "SignatureDoesNotMatch",
        "The request signature we calculated does not match the signature you provided. Check your key.",
    )


def _check_time(stamp: str, lifetime: timedelta) -> Refusal | None:
    try:
        moment = datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        return Refusal("IncompleteSignature", "X-Amz-Date is missing or malformed.", 400)
    now = datetime.now(UTC)
    if moment > now + _CLOCK_SKEW or now > moment + max(lifetime, timedelta()):
        return Refusal("RequestTimeTooSkewed", f"Signature not valid at {now:%Y%m%dT%H%M%SZ} (made {stamp}).")
    return None


def _body_fits(environ: dict[str, Any], body: bytes) -> bool:
    declared = environ.get("HTTP_X_AMZ_CONTENT_SHA256", "")
    if not re.fullmatch(r"[0-9a-f]{64}", declared):
        return True  # UNSIGNED-PAYLOAD or streamed, which TLS protects
    return hmac.compare_digest(hashlib.sha256(body).hexdigest(), str(declared))


def _signature(
    request: AwsRequest,
    environ: dict[str, Any],
    body: bytes,
    principal: Principal,
    signed: list[str],
    stamp: str,
    presigned: bool,
) -> str:
    # The path and query as they were sent: decoding and encoding again would change the signature.
    path, _, query = str(environ.get("REQUEST_URI") or environ["PATH_INFO"]).partition("?")
    path = re.sub(r"^https?://[^/]+", "", path)
    if presigned:
        query = "&".join(part for part in query.split("&") if not part.startswith("X-Amz-Signature="))
    url = f"https://{environ.get('HTTP_HOST', '')}{path}" + (f"?{query}" if query else "")
    headers = {name: _header(environ, name) for name in signed}
    aws_request = AWSRequest(request.method, url, headers=headers, data=body)
    aws_request.context["timestamp"] = stamp
    if request.service == "s3":
        signer_class: Any = S3SigV4QueryAuth if presigned else S3SigV4Auth
    else:
        signer_class = SigV4Auth
    credentials = Credentials(request.access_key, principal.secret_access_key)
    signer = signer_class(credentials, request.service, request.region)
    return str(
        signer.signature(
            signer.string_to_sign(aws_request, signer.canonical_request(aws_request)), aws_request
        )
    )


def _header(environ: dict[str, Any], name: str) -> str:
    key = name.upper().replace("-", "_")
    return str(environ.get(key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}", ""))
