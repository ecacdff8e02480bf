"""Pulumi's stack files as texts: the lines about encryption taken out and put in, all else left alone."""

from __future__ import annotations

import re
from typing import Any

import yaml

# Top-level keys, one line each, that the engine writes into Pulumi.<stack>.yaml.
_ENCRYPTION = re.compile(r"^(encryptionsalt|encryptedkey|secretsprovider):.*(?:\n|\Z)", re.MULTILINE)
_SALT = re.compile(r"^encryptionsalt:\s*(\S+)\s*$", re.MULTILINE)


def without_encryption(text: str) -> str:
    """The text without `encryptionsalt`, `encryptedkey` and `secretsprovider`."""
    return _ENCRYPTION.sub("", text)


def encryption_lines(text: str) -> str:
    """Only those lines."""
    return "".join(match[0] for match in _ENCRYPTION.finditer(text))


def salt(text: str) -> str | None:
    """The value of `encryptionsalt`, if the file has one."""
    found = _SALT.search(text)
    return found[1].strip("\"'") if found else None


def with_salt(text: str, value: str | None) -> str:
    """The text with this salt as its only line about encryption."""
    plain = without_encryption(text)
    if value is None:
        return plain
    separator = "" if not plain or plain.endswith("\n") else "\n"
    return f"{plain}{separator}encryptionsalt: {value}\n"


def same_settings(one: str, other: str) -> bool:
    """Whether two files say the same but for encryption and style; a damaged file is like no other."""
    try:
        return bool(_settings(one) == _settings(other))
    except yaml.YAMLError:
        return False


def _settings(text: str) -> Any:
    # An empty file and an empty `config` both say nothing.
    document = yaml.safe_load(without_encryption(text)) or {}
    if isinstance(document, dict):
        return {key: value for key, value in document.items() if value not in (None, {})}
    return document
