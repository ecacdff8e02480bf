"""Two TLS connections joined to one, until either side ends."""

from __future__ import annotations

import select
import ssl

_CHUNK_BYTES = 1 << 16


def splice(one: ssl.SSLSocket, other: ssl.SSLSocket) -> None:
    """Pass on what each side sends, in one thread: OpenSSL's connections are not made for two.

    Raises:
        OSError: a side broke off.
    """
    pairs = {one: other, other: one}
    for side in pairs:
        side.setblocking(False)
    while True:
        for side in _readable(list(pairs)):
            try:
                data = side.recv(_CHUNK_BYTES)
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                continue
            if not data:
                return
            _send(pairs[side], data)


def _readable(sides: list[ssl.SSLSocket]) -> list[ssl.SSLSocket]:
    # What OpenSSL has decrypted already, the kernel does not know of any more.
    decrypted = [side for side in sides if side.pending()]
    return decrypted or select.select(sides, [], [])[0]


def _send(side: ssl.SSLSocket, data: bytes) -> None:
    view = memoryview(data)
    while view:
        try:
            view = view[side.send(view) :]
        except ssl.SSLWantWriteError:
            select.select([], [side], [])
        except ssl.SSLWantReadError:
            select.select([side], [], [])
