"""Service account tokens: only a current one of the cluster's key, for Pod Identity, bound to a pod."""

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from embedded.aws_api.service_account_token import AUDIENCE, ISSUER, InvalidTokenError, verify

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def encoded(part: bytes) -> str:
    return base64.urlsafe_b64encode(part).rstrip(b"=").decode()


def make_token(key: rsa.RSAPrivateKey, algorithm: str = "RS256", **changes: Any) -> str:
    pod = {"namespace": "n", "serviceaccount": {"name": "sa"}, "pod": {"name": "p", "uid": "u"}}
    times = {"nbf": NOW.timestamp(), "exp": NOW.timestamp() + 600}
    claims = {"iss": ISSUER, "aud": [AUDIENCE], **times, "kubernetes.io": pod, **changes}
    signed = f"{encoded(json.dumps({'alg': algorithm}).encode())}.{encoded(json.dumps(claims).encode())}"
    return f"{signed}.{encoded(key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256()))}"


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


@pytest.fixture
def public_key(key: rsa.RSAPrivateKey, tmp_path: Path) -> Path:
    pem = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    (tmp_path / "sa.pub").write_bytes(pem)
    return tmp_path / "sa.pub"


def test_a_good_token_tells_whose_it_is(key: rsa.RSAPrivateKey, public_key: Path) -> None:
    token = verify(make_token(key), public_key, NOW)
    assert (token.namespace, token.service_account, token.pod) == ("n", "sa", "p")


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda key: make_token(key, aud=["https://kubernetes.default.svc"]), "audience"),
        (lambda key: make_token(key, iss="https://elsewhere"), "issuer"),
        (lambda key: make_token(key, exp=NOW.timestamp() - 1), "expired"),
        (lambda key: make_token(key, nbf=NOW.timestamp() + 3600), "not valid yet"),
        (lambda key: make_token(key, algorithm="none"), "algorithm"),
        (lambda key: make_token(key, algorithm="HS256"), "algorithm"),
        (lambda key: make_token(rsa.generate_private_key(65537, 2048)), "signature"),
        (lambda key: make_token(key)[:-8] + "AAAAAAAA", "signature"),
        (lambda key: "no.token", "not a JSON web token"),
        (
            lambda key: make_token(
                key, **{"kubernetes.io": {"namespace": "n", "serviceaccount": {"name": "s"}}}
            ),
            "pod",
        ),
    ],
)
def test_every_other_token_is_refused_with_its_reason(
    key: rsa.RSAPrivateKey, public_key: Path, make: Callable[[rsa.RSAPrivateKey], str], reason: str
) -> None:
    with pytest.raises(InvalidTokenError, match=reason):
        verify(make(key), public_key, NOW)
