"""Addresses and names of database instances."""

import ipaddress
import socket
import subprocess
from collections.abc import Mapping
from pathlib import Path

from embedded.errors import EmbeddedError
from embedded.files import write_private
from embedded.identity import CloudIdentity


def ensure_address(identity: CloudIdentity, address: str) -> None:
    """Make the machine answer on an instance's address, on its end of the link to the node.

    Raises:
        EmbeddedError: the link is not there.
    """
    if ipaddress.ip_address(address).is_loopback or address_is_local(address):
        return
    result = subprocess.run(
        ["ip", "address", "replace", f"{address}/32", "dev", identity.host_link],
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode:
        raise EmbeddedError(
            f"The address {address} cannot be added to {identity.host_link}: {result.stderr.strip()}.",
            "Run `embedded up`, which makes the link.",
        )


def remove_address(identity: CloudIdentity, address: str) -> None:
    """Take an instance's address away; it may be gone with the link already."""
    # An advertised address is the machine's own.
    if not identity.brought and not ipaddress.ip_address(address).is_loopback:
        subprocess.run(
            ["ip", "address", "del", f"{address}/32", "dev", identity.host_link],
            capture_output=True,
            check=False,
        )


def address_is_local(address: str) -> bool:
    """Whether this machine has the address."""
    with socket.socket() as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            return False
    return True


def hosts_file(identity: CloudIdentity) -> Path:
    """The names of all instances, in the format of /etc/hosts; the cluster's DNS serves it."""
    return identity.node_directory / "rds.hosts"


def write_hosts(identity: CloudIdentity, addresses: Mapping[str, str]) -> None:
    """Replace the file, if it changes: hostname -> address."""
    path = hosts_file(identity)
    content = "".join(f"{address} {name}\n" for name, address in sorted(addresses.items())).encode()
    if path.exists() and path.read_bytes() == content:
        return
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_private(path, content, mode=0o644)
