"""Looks for secrets in texts: as they are, URL-encoded, in base64, and within what is gzipped."""

from __future__ import annotations

import base64
import binascii
import gzip
import re
import urllib.parse
import zlib
from collections.abc import Iterator, Mapping

# gzip's first three bytes, in base64; in texts, compressed data has to be encoded in some such way.
_PACKED = re.compile(r"H4sI[A-Za-z0-9+/_-]+")
# Base64 of that, as of a manifest's Secret, or of helm's records.
_TWICE = re.compile(r"SDRzS[A-Za-z0-9+/_-]+")


def found(values: Mapping[str, str], places: Mapping[str, str]) -> list[str]:
    """Return `NAME in PLACE` for each value that stands in a place in any form.

    Args:
        values: name -> secret value.
        places: name of a place -> its text.
    """
    texts = {place: "\n".join(unpacked(text)) for place, text in places.items()}
    return [
        f"{name} in {place}"
        for name, value in values.items()
        for place, text in texts.items()
        if any(form in text for form in forms(value))
    ]


def forms(value: str) -> set[str]:
    """Return a value as it is, URL-encoded, and in base64 at each of the three alignments in longer text."""
    written = {value, urllib.parse.quote(value, safe="")}
    raw = value.encode()
    for shift in range(3):
        encoded = base64.b64encode(b"\0" * shift + raw).decode()
        # Ends depend on the neighbours; the middle is the value's own.
        written.add(encoded[4 if shift else 0 : -4])
    return written


def unpacked(text: str) -> Iterator[str]:
    """Yield a text, and what is gzipped within it, to any depth."""
    yield text
    for match in _TWICE.finditer(text):
        yield from unpacked(_decoded(match[0]).decode("latin-1"))
    for match in _PACKED.finditer(text):
        yield from unpacked(_inflated(_decoded(match[0])))


def _decoded(text: str) -> bytes:
    whole = text[: len(text) // 4 * 4].replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(whole)
    except binascii.Error:
        return b""


def _inflated(data: bytes) -> str:
    """The text of gzipped data, as far as it goes: the last bytes may be another text's."""
    reader = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    try:
        return reader.decompress(data).decode(errors="replace")
    except zlib.error:
        return ""


def packed(value: str) -> str:
    """Return a value as a ConfigMap would hold it compressed."""
    return base64.b64encode(gzip.compress(value.encode())).decode()
