"""How a cloud meets the cluster that was brought: chosen at the first `up`, kept until `reset`."""

from __future__ import annotations

import ipaddress
import json
import socket
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import urlsplit

from embedded.errors import EmbeddedError

_FILE = "brought-cluster.json"
_HTTPS_PORT = 443


@dataclass(frozen=True)
class BroughtCluster:
    """What every process of the cloud must know of it."""

    advertise: str
    """The IPv4 address of this machine that the cluster's pods and API server reach."""


def load(state_directory: Path) -> BroughtCluster | None:
    """The settings, or None for a cloud with a node of its own."""
    try:
        return BroughtCluster(**json.loads((state_directory / _FILE).read_text()))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError) as error:
        raise EmbeddedError(
            f"{state_directory / _FILE} cannot be read: {error}", "remove that file, then `embedded up` again"
        ) from error


def save(state_directory: Path, settings: BroughtCluster) -> None:
    """Keep the settings with the cloud's state."""
    state_directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    new = state_directory / f".{_FILE}"
    new.write_text(json.dumps(asdict(settings)) + "\n")
    new.replace(state_directory / _FILE)


def check_address(address: str) -> str:
    """The address, if pods can reach this machine by it as far as this machine can tell.

    Raises:
        EmbeddedError: it is no IPv4 address, of the loopback, or of another machine.
    """
    own = "give --advertise an address of this machine that pods reach; `ip -4 address` lists them"
    try:
        parsed = ipaddress.IPv4Address(address)
    except ValueError as error:
        raise EmbeddedError(f"--advertise {address}: that is no IPv4 address", own) from error
    if parsed.is_loopback or parsed.is_unspecified:
        raise EmbeddedError(f"--advertise {address}: in a pod that is the pod itself", own)
    with socket.socket() as probe:
        try:
            probe.bind((address, 0))
        except OSError as error:
            raise EmbeddedError(f"--advertise {address}: this machine has no such address", own) from error
    return address


def address_towards(server: str) -> str:
    """The address of this machine by which it reaches the API server at this URL; no packet is sent.

    Raises:
        EmbeddedError: there is no way there, or it does not leave this machine.
    """
    parts = urlsplit(server)
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect((parts.hostname or "", parts.port or _HTTPS_PORT))
            address = str(probe.getsockname()[0])
    except OSError as error:
        raise EmbeddedError(
            f"this machine finds no way to {server}: {error}", "check KUBECONFIG, or give --advertise ADDRESS"
        ) from error
    if ipaddress.IPv4Address(address).is_loopback:
        raise EmbeddedError(
            f"{server} is reached on the loopback, which pods cannot call back",
            "give --advertise the address of this machine on the cluster's network "
            "(for kind: the gateway of its container network)",
        )
    return address
