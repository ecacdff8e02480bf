"""EKS's token webhook: a presigned STS request becomes a Kubernetes user.

The API server posts an `authentication.k8s.io/v1` TokenReview. A token is
`k8s-aws-v1.` + base64url(presigned GetCallerIdentity URL), signed with the header `x-k8s-aws-id`.
Source of the format: https://github.com/kubernetes-sigs/aws-iam-authenticator#api-authorization-from-outside-a-cluster
"""

import base64
import binascii
import hmac
import json
import logging
import threading
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

from botocore.auth import SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from embedded.aws_api import ACCOUNT_ID
from embedded.aws_api.eks.backend import all_backends
from embedded.aws_api.principals import Principal, find_principal
from embedded.aws_api.web_server import json_response

TOKEN_PREFIX = "k8s-aws-v1."  # noqa: S105 - a marker, not a secret
_LIFETIME = timedelta(minutes=15)
"""EKS accepts a token for 15 minutes whatever X-Amz-Expires says."""
_CLOCK_SKEW = timedelta(minutes=5)

_log = logging.getLogger("embedded.aws_api.token_review")


class TokenRefusedError(Exception):
    """Why a token is not accepted; the text goes to the API server's log."""


def identify(token: str, now: datetime) -> tuple[str, Principal]:
    """The cluster a token is for, and whose it is.

    Raises:
        TokenRefusedError: the token is malformed, expired, wrongly signed or of nobody known.
    """
    url = _decode(token)
    query = {name: values[0] for name, values in parse_qs(url.query).items()}
    if query.get("Action") != "GetCallerIdentity" or query.get("Version") != "2011-06-15":
        raise TokenRefusedError("the URL is not a GetCallerIdentity request")
    if url.scheme != "https" or not url.path.rstrip("/") == "":
        raise TokenRefusedError("the URL is not one of STS")
    signed = query.get("X-Amz-SignedHeaders", "").split(";")
    if "x-k8s-aws-id" not in signed or "host" not in signed:
        raise TokenRefusedError("x-k8s-aws-id is not among the signed headers")
    _check_time(query, now)
    access_key = query.get("X-Amz-Credential", "").partition("/")[0]
    principal = find_principal(access_key)
    if principal is None:
        raise TokenRefusedError(f"access key {access_key} is unknown")
    if principal.expires_at is not None and principal.expires_at < now.replace(tzinfo=None):
        raise TokenRefusedError(f"the session of {principal.arn} has expired")
    return _signed_cluster(url, query, principal), principal


def _decode(token: str) -> Any:
    if not token.startswith(TOKEN_PREFIX):
        raise TokenRefusedError(f"the token does not begin with {TOKEN_PREFIX}")
    encoded = token.removeprefix(TOKEN_PREFIX)
    try:
        decoded = base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))
        return urlsplit(decoded.decode("ascii"))
    except (binascii.Error, ValueError) as error:
        raise TokenRefusedError("the token is not base64url of a URL") from error


def _check_time(query: dict[str, str], now: datetime) -> None:
    try:
        signed_at = datetime.strptime(query.get("X-Amz-Date", ""), "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError as error:
        raise TokenRefusedError("X-Amz-Date is missing or malformed") from error
    if signed_at > now + _CLOCK_SKEW:
        raise TokenRefusedError("the token is from the future")
    if now > signed_at + _LIFETIME:
        raise TokenRefusedError(f"the token expired at {(signed_at + _LIFETIME).isoformat()}")


def _signed_cluster(url: Any, query: dict[str, str], principal: Principal) -> str:
    """Find the cluster the signature was made for.

    The URL does not carry the header's value: EKS knows which cluster asks. Here one webhook serves
    all clusters, so the one whose name fits the signature is the one.
    """
    for name in _active_clusters():
        if hmac.compare_digest(_signature(url, query, principal, name), query.get("X-Amz-Signature", "")):
            return name
    raise TokenRefusedError("the signature fits no active cluster (wrong key, or another cluster's name)")


def _signature(url: Any, query: dict[str, str], principal: Principal, cluster: str) -> str:
    _, _, region, service, _ = (query.get("X-Amz-Credential", "") + "////").split("/")[:5]
    unsigned = "&".join(part for part in url.query.split("&") if not part.startswith("X-Amz-Signature="))
    headers = {"x-k8s-aws-id": cluster}
    request = AWSRequest("GET", f"{url.scheme}://{url.netloc}{url.path or '/'}?{unsigned}", headers=headers)
    request.context["timestamp"] = query["X-Amz-Date"]
    signer = SigV4QueryAuth(Credentials("-", principal.secret_access_key), service, region)
    signer.credentials = Credentials(query["X-Amz-Credential"].partition("/")[0], principal.secret_access_key)
    canonical = signer.canonical_request(request)
    return str(signer.signature(signer.string_to_sign(request, canonical), request))


def _clusters() -> list[tuple[Any, Any]]:
    return [
        (cluster, backend.extras[name])
        for backend in all_backends()
        for name, cluster in backend.clusters.items()
    ]


def _active_clusters() -> list[str]:
    return [cluster.name for cluster, extra in _clusters() if extra.status == "ACTIVE"]


def kubernetes_user(cluster_name: str, principal: Principal) -> dict[str, Any]:
    """The Kubernetes user of a principal in a cluster, by its access entry.

    Raises:
        TokenRefusedError: the principal has no access entry in the cluster.
    """
    extra = next(extra for cluster, extra in _clusters() if cluster.name == cluster_name)
    entry = extra.access_entries.effective(principal.policy_arn)
    if entry is None:
        raise TokenRefusedError(f"{principal.policy_arn} has no access entry in cluster {cluster_name}")
    groups = entry.kubernetes_groups()
    if extra.creator_arn == principal.policy_arn and "system:masters" not in groups:
        groups = (
            [*groups, "system:masters"]
            if extra.access_config["authenticationMode"] == "CONFIG_MAP"
            else groups
        )
    return {
        "username": entry.kubernetes_username(principal.session_name),
        "uid": f"aws-iam-authenticator:{ACCOUNT_ID}:{principal.user_id.partition(':')[0]}",
        "groups": groups,
        "extra": {"arn": [principal.arn], "canonicalArn": [principal.policy_arn]},
    }


def user_of(token: str, lock: threading.RLock) -> dict[str, Any]:
    """The Kubernetes user of an EKS token.

    Raises:
        TokenRefusedError: nobody's, or of nobody with access to the cluster.
    """
    with lock:
        cluster, principal = identify(token, datetime.now(UTC))
        return kubernetes_user(cluster, principal)


class TokenReviewApplication:
    """WSGI: POST /authenticate."""

    def __init__(self, lock: threading.RLock) -> None:
        self._lock = lock

    def __call__(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        if environ["PATH_INFO"] != "/authenticate" or environ["REQUEST_METHOD"] != "POST":
            return json_response(start_response, "404 Not Found", b"{}")
        length = int(environ.get("CONTENT_LENGTH") or 0)
        try:
            token = str(json.loads(environ["wsgi.input"].read(length))["spec"]["token"])
        except (ValueError, KeyError, TypeError):
            return json_response(start_response, "400 Bad Request", b'{"error": "not a TokenReview"}')
        status = self._review(token)
        answer = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "status": status}
        return json_response(start_response, "200 OK", json.dumps(answer).encode())

    def _review(self, token: str) -> dict[str, Any]:
        try:
            with self._lock:
                cluster, principal = identify(token, datetime.now(UTC))
                user = kubernetes_user(cluster, principal)
        except TokenRefusedError as refusal:
            # Service account tokens arrive here too when the API server's own check failed: not worth a line.
            if token.startswith(TOKEN_PREFIX):
                _log.info("token refused: %s", refusal)
            return {"authenticated": False, "error": str(refusal)}
        _log.info("token of %s accepted for %s", principal.arn, cluster)
        return {"authenticated": True, "user": user}
