"""The keys by which Airflow signs the tokens of tasks and sessions, in the forms that Airflow reads.

Ed25519, so that those who only check tokens hold no key that makes them. Airflow signs with the private key
of `[api_auth] jwt_private_key_path`, names it in each token by its RFC 7638 thumbprint, and trusts the keys
of `[api_auth] trusted_jwks_url`: several, so that tokens signed before a rotation stay valid.

A key of the ring is text: private and public part in base64url, with a full stop between them. These
functions are text handling alone; `infra/dynamic.py` makes the keys.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from typing import Final

PART_SEPARATOR: Final = "."
# Keys of the Secret, and files where it is mounted.
PRIVATE_KEY_FILE: Final = "private-key.pem"
KEY_SET_FILE: Final = "jwks.json"
DIRECTORY: Final = "/etc/airflow-task-tokens"
# PrivateKeyInfo with the algorithm id-Ed25519 and 32 bytes to follow: RFC 8410, section 7.
_PKCS8_HEAD: Final = bytes.fromhex("302e020100300506032b657004220420")


def key_text(private: bytes, public: bytes) -> str:
    """Return the text of a key from its raw parts, 32 bytes each."""
    return PART_SEPARATOR.join(_encoded(part) for part in (private, public))


def private_key_pem(key: str) -> str:
    """Return the private key as PKCS 8 in PEM."""
    private = key.split(PART_SEPARATOR)[0]
    raw = base64.urlsafe_b64decode(private + "=" * (-len(private) % 4))
    body = base64.b64encode(_PKCS8_HEAD + raw).decode()
    return f"-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n"


def key_set(keys: Sequence[str]) -> str:
    """Return the public keys as a JSON Web Key Set (RFC 7517, RFC 8037)."""
    public = [key.split(PART_SEPARATOR)[1] for key in keys]
    described = [{**_members(x), "kid": thumbprint(x), "alg": "EdDSA", "use": "sig"} for x in public]
    return json.dumps({"keys": described}, sort_keys=True)


def thumbprint(public: str) -> str:
    """Return the RFC 7638 thumbprint of a public key in base64url; Airflow names the key so in tokens."""
    text = json.dumps(_members(public), sort_keys=True, separators=(",", ":"))
    return _encoded(hashlib.sha256(text.encode()).digest())


def _members(public: str) -> dict[str, str]:
    return {"crv": "Ed25519", "kty": "OKP", "x": public}


def _encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")
