"""Service account tokens of the embedded cluster, verified with the cluster's public key."""

import base64
import binascii
import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

ISSUER = "https://kubernetes.default.svc.cluster.local"
AUDIENCE = "pods.eks.amazonaws.com"


class InvalidTokenError(Exception):
    """Why a service account token is not accepted."""


@dataclass(frozen=True)
class ServiceAccountToken:
    """What a verified token says."""

    namespace: str
    service_account: str
    pod: str
    pod_uid: str
    expires_at: float
    """Seconds since the epoch."""


def verify(token: str, public_key: Path, now: datetime) -> ServiceAccountToken:
    """Check a projected token's signature, issuer, audience and time.

    Raises:
        InvalidTokenError: it is not a valid token for Pod Identity.
    """
    try:
        header, claims, signature, signed = _split(token)
    except (ValueError, binascii.Error) as error:
        raise InvalidTokenError("the token is not a JSON web token") from error
    _check_signature(public_key, str(header.get("alg")), signature, signed)
    audiences = claims.get("aud", [])
    if AUDIENCE not in ([audiences] if isinstance(audiences, str) else audiences):
        raise InvalidTokenError(f"the token's audience is not {AUDIENCE}")
    if claims.get("iss") != ISSUER:
        raise InvalidTokenError(f"the token's issuer is not {ISSUER}")
    if not float(claims.get("nbf", 0)) - 60 <= now.timestamp() < float(claims.get("exp", 0)):
        raise InvalidTokenError("the token has expired or is not valid yet")
    kubernetes = claims.get("kubernetes.io", {})
    pod = kubernetes.get("pod", {})
    if not pod.get("name"):
        raise InvalidTokenError("the token is not bound to a pod")
    return ServiceAccountToken(
        namespace=kubernetes["namespace"],
        service_account=kubernetes["serviceaccount"]["name"],
        pod=pod["name"],
        pod_uid=pod.get("uid", ""),
        expires_at=float(claims["exp"]),
    )


def _split(token: str) -> tuple[dict[str, Any], dict[str, Any], bytes, bytes]:
    header, claims, signature = token.split(".")
    signed = f"{header}.{claims}".encode()
    return json.loads(_decode(header)), json.loads(_decode(claims)), _decode(signature), signed


def _decode(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def _check_signature(public_key: Path, algorithm: str, signature: bytes, signed: bytes) -> None:
    key = serialization.load_pem_public_key(public_key.read_bytes())
    try:
        if isinstance(key, rsa.RSAPublicKey) and algorithm == "RS256":
            key.verify(signature, signed, padding.PKCS1v15(), hashes.SHA256())
        elif isinstance(key, ec.EllipticCurvePublicKey) and algorithm == "ES256" and len(signature) == 64:
            r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
            key.verify(encode_dss_signature(r, s), signed, ec.ECDSA(hashes.SHA256()))
        else:
            raise InvalidTokenError(f"algorithm {algorithm} does not fit the cluster's key")
    except InvalidSignature as error:
        raise InvalidTokenError("the token's signature is wrong") from error
