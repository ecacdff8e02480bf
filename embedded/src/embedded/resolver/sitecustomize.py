"""Resolves names of the cloud's load balancers; every Python inside `embedded run` imports it at its start.

On AWS these names are in public DNS. Here nobody's DNS knows them, and the machine's /etc/hosts is none of
the cloud's business. What a name means is read at each question: load balancers come and go.
"""

import os
import socket
from pathlib import Path
from typing import Any

HOSTS_VARIABLE = "EMBEDDED_HOSTS"
"""Names the file with these names, in the format of /etc/hosts."""

_system = socket.getaddrinfo


def _getaddrinfo(host: Any, *others: Any, **named: Any) -> Any:
    return _system(_address(host) or host, *others, **named)


def _address(host: Any) -> str | None:
    """The address of one of the cloud's names; None for every other name."""
    name = host.decode("ascii", "replace") if isinstance(host, bytes) else host
    if not isinstance(name, str):
        return None
    try:
        lines = Path(os.environ[HOSTS_VARIABLE]).read_text(encoding="ascii").splitlines()
    except (KeyError, OSError, ValueError):
        return None
    known = {host: address for address, host in (line.split() for line in lines if line.strip())}
    return known.get(name.rstrip(".").lower())


socket.getaddrinfo = _getaddrinfo
