"""Preflight of the state backend: a deployment that can't write its state loses track of what it made."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from botocore.exceptions import BotoCoreError, ClientError

from infra.lifecycle import state_bucket
from infra.lifecycle.report import Outcome, Row

NAME: Final = "state is writable"
SECRETS: Final = "secrets of the state"
# Beside what the engine keeps, where its own rights hold.
_PLACE: Final = ".pulumi/preflight"


def write_row(backend: str, client: Any = None) -> Row:
    """Write one byte where the engine keeps its state, and take it away again.

    Args:
        backend: URL of the backend: file://DIRECTORY or s3://BUCKET/PREFIX; others are not looked at.
        client: S3 client; default: the one of the URL.

    Raises:
        botocore.exceptions.BotoCoreError: there can be no client, as of a profile that does not exist.
    """
    parts = urlsplit(backend)
    name = f"{_PLACE}-{secrets.token_hex(8)}"
    if parts.scheme == "file":
        return _to_directory(Path(parts.netloc + parts.path).expanduser(), name)
    if parts.scheme == "s3":
        key = f"{parts.path.strip('/')}/{name}".lstrip("/")
        return _to_bucket(client or state_bucket.client(backend), parts.netloc, key)
    return Row(
        NAME, Outcome.NOT_APPLICABLE, f"only file:// and s3:// are looked at, not {parts.scheme or '-'}"
    )


def secrets_row(backend: str, providers: Mapping[str, str | None], passphrase: bool) -> Row:
    """Judge whether something encrypts the secrets in the state of the stacks that will be made.

    Args:
        backend: URL of the backend; Pulumi's own service encrypts by itself.
        providers: stack file -> the provider that it names, for stacks that are not in the backend yet.
        passphrase: whether the environment has one.
    """
    missing = [file for file, provider in providers.items() if provider is None]
    if not missing or passphrase or urlsplit(backend).scheme == "https":
        return Row.judged(SECRETS, True, "encrypted as the stack files or the environment say")
    return Row.judged(
        SECRETS,
        False,
        f"nothing says what encrypts the secrets of {' and '.join(missing)}",
        "Write the line `secretsprovider: awskms://alias/NAME?region=REGION` into it, or set "
        "PULUMI_CONFIG_PASSPHRASE_FILE; docs/first-deployment.md makes the key.",
    )


def _to_directory(directory: Path, name: str) -> Row:
    probe = directory / name
    try:
        probe.parent.mkdir(exist_ok=True)
        probe.write_bytes(b"1")
        probe.unlink()
    except OSError as error:
        return Row.judged(
            NAME,
            False,
            f"{probe.parent} can't be written: {error.strerror}",
            f"Give this user the directory {directory}, or name another by PULUMI_BACKEND_URL.",
        )
    return Row.judged(NAME, True, f"a file in {probe.parent} was written and removed")


def _to_bucket(client: Any, bucket: str, key: str) -> Row:
    action = "s3:PutObject"
    try:
        client.put_object(Bucket=bucket, Key=key, Body=b"1")
        # The engine's locks are objects that it deletes; one that stays blocks everybody.
        action = "s3:DeleteObject"
        client.delete_object(Bucket=bucket, Key=key)
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "unknown")
        return Row.judged(
            NAME,
            False,
            f"{action} of s3://{bucket}/{key}: {code}",
            f"Let these credentials do {action} on s3://{bucket}; docs/first-deployment.md has the bucket.",
        )
    except BotoCoreError as error:
        return Row.judged(NAME, False, f"s3://{bucket} can't be asked: {error}", "Look at the network.")
    return Row.judged(NAME, True, f"an object in s3://{bucket} was written and removed")
