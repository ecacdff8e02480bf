"""Keys that sign tokens, against the RFCs' own examples and a library that is not ours."""

from __future__ import annotations

import base64
import configparser
import json

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from infra import airflow_cfg, task_tokens
from infra.dynamic import random_value

# RFC 8037, appendix A: a key pair and its thumbprint.
PUBLIC = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
PRIVATE = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"
THUMBPRINT = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"


def test_airflow_reads_the_files_where_they_are_mounted() -> None:
    parser = configparser.RawConfigParser()
    parser.read(airflow_cfg.config_files())
    options = dict(parser["api_auth"])
    directory = task_tokens.DIRECTORY
    assert options["trusted_jwks_url"] == f"{directory}/{task_tokens.KEY_SET_FILE}"
    assert options["jwt_private_key_path"] == f"{directory}/{task_tokens.PRIVATE_KEY_FILE}"


def test_a_key_is_named_by_its_thumbprint() -> None:
    assert task_tokens.thumbprint(PUBLIC) == THUMBPRINT


def test_the_private_key_is_the_rfcs() -> None:
    key = serialization.load_pem_private_key(
        task_tokens.private_key_pem(f"{PRIVATE}.{PUBLIC}").encode(), password=None
    )
    assert isinstance(key, Ed25519PrivateKey)
    raw = key.public_key().public_bytes_raw()
    assert base64.urlsafe_b64encode(raw).decode().rstrip("=") == PUBLIC


def test_what_one_key_signs_the_set_verifies_and_the_set_holds_no_private_part() -> None:
    keys = [random_value("signing", 32) for _ in range(3)]
    text = task_tokens.key_set(keys)
    assert not any(key.split(".")[0] in text for key in keys)
    described = json.loads(text)["keys"]
    assert len({item["kid"] for item in described}) == 3
    for key, item in zip(keys, described, strict=True):
        private = serialization.load_pem_private_key(task_tokens.private_key_pem(key).encode(), None)
        assert isinstance(private, Ed25519PrivateKey)
        public = Ed25519PublicKey.from_public_bytes(base64.urlsafe_b64decode(item["x"] + "="))
        public.verify(private.sign(b"token"), b"token")
