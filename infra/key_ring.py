"""Rings of keys: what a rotation makes of them, so that no value and no token is unreadable at any moment.

Pure functions over a ring as text: keys separated by commas, the one in use first.

    [in use, standby, previous ...]

While pods are replaced, old and new ones run side by side. What a new pod encrypts or signs, an old one has
to read: so the key that is taken into use next, the standby, is known to all pods one rotation ahead. What
old pods wrote stays readable by the previous key.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

SEPARATOR = ","
# Set by `airflow-env rotate` for one run. No stack file changes, so the next ordinary run has nothing to do.
ROTATION_VARIABLE = "AIRFLOW_ENV_ROTATION"


class RotatedKey(StrEnum):
    """What `airflow-env rotate` rotates."""

    FERNET = "fernet"
    API = "api"
    JWT = "jwt"
    DATABASE = "database"


class RequestVerb(StrEnum):
    """What a request asks of a ring."""

    ADVANCE = "advance"
    """Take the standby (or a new key) into use; the key in use until now becomes the previous one."""
    FORGET = "forget"
    """Drop the previous keys: what they encrypted or signed is not read any more."""


@dataclass(frozen=True, slots=True)
class RingShape:
    """Which keys a ring holds besides the one in use."""

    standby: bool
    """A key that all pods know before it is used."""
    previous: int
    """How many earlier keys stay readable."""


def keys_of(ring: str) -> list[str]:
    """Return the keys of a ring, the one in use first."""
    return [key for key in ring.split(SEPARATOR) if key]


def first_ring(shape: RingShape, restored: str, make: Callable[[], str]) -> str:
    """Return the ring to begin with.

    Args:
        shape: what the ring holds.
        restored: ring of an earlier environment, all of whose keys stay readable; empty for none.
        make: makes a key.
    """
    in_use, *old = keys_of(restored) or [make()]
    return SEPARATOR.join([in_use, *([make()] if shape.standby else []), *old])


def advanced(ring: str, shape: RingShape, make: Callable[[], str]) -> str:
    """Return the ring after a rotation; previous keys over the shape's number are dropped."""
    in_use, *rest = keys_of(ring)
    standby, old = (rest[:1], rest[1:]) if shape.standby else ([], rest)
    front = [*standby, make()]
    return SEPARATOR.join([*front, *[in_use, *old][: shape.previous]])


def forgotten(ring: str, shape: RingShape) -> str:
    """Return the ring without its previous keys."""
    return SEPARATOR.join(keys_of(ring)[: 2 if shape.standby else 1])


def united(newer: str, older: str) -> str:
    """Return the keys of both, each once, those of `newer` first: all that was ever used."""
    return SEPARATOR.join(dict.fromkeys([*keys_of(newer), *keys_of(older)]))


def generations_text(generations: Mapping[RotatedKey, int]) -> str:
    """Return how often each key advanced, as one text: `api=0 database=1`."""
    return " ".join(f"{key}={int(generations[key])}" for key in sorted(generations))


def generations_of(text: str) -> dict[RotatedKey, int]:
    """Return what `generations_text` wrote."""
    parts = (part.split("=") for part in text.split())
    return {RotatedKey(key): int(number) for key, number in parts}


def requests_of(environment: Mapping[str, str]) -> dict[RotatedKey, str]:
    """Return what this run rotates, from the variable that `airflow-env rotate` sets: `key=verb:nonce`.

    Raises:
        ValueError: the variable holds something else.
    """
    text = environment.get(ROTATION_VARIABLE, "")
    if not text:
        return {}
    key, _, request = text.partition("=")
    try:
        request_parts(request)
        return {RotatedKey(key): request}
    except ValueError:
        raise ValueError(
            f"{ROTATION_VARIABLE}=`{text}` is no request for a rotation; unset it: "
            "`airflow-env rotate KEY STACK` sets it for its own runs."
        ) from None


def request_parts(request: str) -> tuple[RequestVerb, str]:
    """Split `verb:nonce`.

    Raises:
        ValueError: it is no request.
    """
    verb, colon, nonce = request.partition(":")
    if not colon or not nonce:
        raise ValueError(f"`{request}` is no request; write VERB:NONCE")
    return RequestVerb(verb), nonce
