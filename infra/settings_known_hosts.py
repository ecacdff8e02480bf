"""Host keys of a Git server, as lines of ssh's known_hosts: whether they are some, and of the right server.

Pure. The format is that of sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT": a marker perhaps, names, kind of key, key.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
from fnmatch import fnmatchcase
from typing import Final
from urllib.parse import urlsplit

_MARKERS: Final = ("@cert-authority", "@revoked")
_SSH_PORT: Final = 22
_PROTOCOLS: Final = ("ssh://", "git@")


def over_ssh(repository: str) -> bool:
    """Whether git fetches the repository over ssh."""
    return repository.startswith(_PROTOCOLS)


def entries_of(text: str) -> list[str]:
    """The lines of `text` that are no comments, without space around them."""
    lines = [line.strip() for line in text.split("\n")]
    return [line for line in lines if line and not line.startswith("#")]


def known_hosts_mistake(text: str, repository: str) -> str | None:
    """What is wrong with `text` as the host keys for a repository over ssh; None if nothing is."""
    lines = [line.split() for line in entries_of(text)]
    entries = [line[1:] if line[0] in _MARKERS else line for line in lines]
    plain = not re.search(r"[^\n\t -~]", text)
    if not entries or not plain or not all(_is_entry(entry) for entry in entries):
        return "allowed: lines of known_hosts, each of host names, kind of key and key: `ssh-keyscan HOST`"
    host = _host(repository)
    valid = [entry for line, entry in zip(lines, entries, strict=True) if line[0] != "@revoked"]
    if not any(_names(pattern, host) for entry in valid for pattern in entry[0].split(",")):
        return f"has no key of {host}, so that git-sync would fetch nothing; add a line of it"
    return None


def _is_entry(fields: list[str]) -> bool:
    """Whether there are names, a kind of key, and a key of that kind."""
    if len(fields) < 3:
        return False
    try:
        key = base64.b64decode(fields[2], validate=True)
    except binascii.Error:
        return False
    # A key begins with the name of its kind, behind its length in 4 bytes: RFC 4253, section 6.6.
    kind = fields[1].encode()
    return key.startswith(len(kind).to_bytes(4, "big") + kind)


def _host(repository: str) -> str:
    """The server of a repository as known_hosts names it: its port in brackets, unless it is ssh's own."""
    if not repository.startswith("ssh://"):
        return re.split("[:/]", repository.partition("@")[2])[0].lower()
    try:
        parts = urlsplit(repository)
        port = parts.port or _SSH_PORT
    except ValueError:  # no port at all; no line has a key of such a name
        return repository
    return str(parts.hostname) if port == _SSH_PORT else f"[{parts.hostname}]:{port}"


def _names(pattern: str, host: str) -> bool:
    """Whether names of an entry mean the host: a pattern, or the hash `|1|SALT|HASH` of a name."""
    if not pattern.startswith("|1|"):
        # Brackets stand for themselves there.
        return fnmatchcase(host, pattern.lower().replace("[", "[[]"))
    salt, _, hashed = pattern.removeprefix("|1|").partition("|")
    try:
        made = hmac.digest(base64.b64decode(salt, validate=True), host.encode(), "sha1")
        return hmac.compare_digest(made, base64.b64decode(hashed, validate=True))
    except binascii.Error:
        return False
