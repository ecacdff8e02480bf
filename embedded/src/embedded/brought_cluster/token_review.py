"""Whose pod a service account token is of: asked of the cluster itself, which knows its own keys."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from embedded.aws_api.service_account_token import AUDIENCE, InvalidTokenError, ServiceAccountToken
from embedded.plugins.common.errors import PluginError
from embedded.plugins.kubernetes.api_client import ApiClient

_PATH = "/apis/authentication.k8s.io/v1/tokenreviews"
_EXTRA = "authentication.kubernetes.io"


def reviewer(client: ApiClient) -> Callable[[str, datetime], ServiceAccountToken]:
    """A function that verifies tokens; the time is the cluster's, whatever it is given."""

    def verify(token: str, _: datetime) -> ServiceAccountToken:
        body = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenReview",
            "spec": {"token": token, "audiences": [AUDIENCE]},
        }
        try:
            status = client.request("POST", _PATH, body=body).get("status") or {}
        except PluginError as error:
            raise InvalidTokenError(f"the cluster cannot be asked: {error}") from error
        if not status.get("authenticated") or AUDIENCE not in (status.get("audiences") or []):
            raise InvalidTokenError(str(status.get("error") or f"the cluster refuses it for {AUDIENCE}"))
        user = status.get("user") or {}
        parts = str(user.get("username", "")).split(":")
        extra = user.get("extra") or {}
        pod = (extra.get(f"{_EXTRA}/pod-name") or [""])[0]
        if parts[:2] != ["system", "serviceaccount"] or len(parts) != 4 or not pod:
            raise InvalidTokenError("the token is not bound to a pod")
        uid = (extra.get(f"{_EXTRA}/pod-uid") or [""])[0]
        return ServiceAccountToken(parts[2], parts[3], pod, uid, expires_at=0.0)

    return verify
