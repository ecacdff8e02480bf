"""What the machine must be before a cloud starts; every problem is said at once, and nothing is touched."""

from __future__ import annotations

import os
import platform
import shutil
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from embedded.errors import EmbeddedError
from embedded.identity import CloudIdentity
from embedded.node.layout import NodeLayout
from embedded.processes import bare_environment

# Images unpacked take 1.2 GB; etcd, logs and databases of a test run stay below 1 GB.
_REQUIRED_DISK_BYTES = 3 * 10**9
# The idle cloud takes under 1 GiB; an Airflow on it another 1.1 GiB.
_REQUIRED_MEMORY_BYTES = 2 * 2**30
# sun_path of unix(7) holds 108 bytes with its end; containerd.sock.ttrpc is the longest of our sockets.
_LONGEST_SOCKET_BYTES = 107
_TOOLS = ("ip", "iptables", "conntrack", "ctr", "mount", "nsenter", "sysctl", "umount", "unshare")


@dataclass(frozen=True)
class Machine:
    """What the checks look at; sizes in bytes."""

    user_id: int
    system: str
    architecture: str
    free_disk: int
    available_memory: int
    missing_tools: tuple[str, ...]
    file_systems: frozenset[str]
    """Names that /proc/filesystems lists."""
    longest_socket: str
    """The longest path of a socket in the cloud's state."""


def inspect(identity: CloudIdentity) -> Machine:
    """This machine."""
    path = bare_environment()["PATH"]
    return Machine(
        user_id=os.geteuid(),
        system=platform.system(),
        architecture=platform.machine(),
        free_disk=_free_disk(identity.state_directory),
        available_memory=_available_memory(),
        missing_tools=tuple(tool for tool in _TOOLS if shutil.which(tool, path=path) is None),
        file_systems=_file_systems(),
        longest_socket=f"{NodeLayout(identity).containerd_socket}.ttrpc",
    )


def problems(machine: Machine) -> list[str]:
    """One sentence a problem: what is wrong, what is needed, and what to do."""
    if machine.system != "Linux" or machine.architecture != "x86_64":
        return [
            f"the cloud runs on Linux on x86_64, and this is {machine.system} on {machine.architecture}: "
            "use such a machine or virtual machine"
        ]
    found = []
    if machine.user_id != 0:
        found.append("namespaces, mounts and control groups need root: use `sudo`")
    if machine.missing_tools:
        found.append(f"{', '.join(machine.missing_tools)} not installed: run `make setup`")
    if "overlay" not in machine.file_systems:
        found.append("the kernel has no overlay file system, which containers need: `modprobe overlay`")
    if (length := len(machine.longest_socket.encode())) > _LONGEST_SOCKET_BYTES:
        found.append(
            f"{machine.longest_socket} is {length} bytes long and the path of a socket may have "
            f"{_LONGEST_SOCKET_BYTES}: set XDG_STATE_HOME to a shorter path"
        )
    if machine.free_disk < _REQUIRED_DISK_BYTES:
        found.append(
            f"{machine.free_disk / 10**9:.1f} GB of disk are free for the state and "
            f"{_REQUIRED_DISK_BYTES / 10**9:.0f} GB are needed: free some, or set XDG_STATE_HOME"
        )
    if machine.available_memory < _REQUIRED_MEMORY_BYTES:
        found.append(
            f"{machine.available_memory / 2**30:.1f} GiB of memory are available and "
            f"{_REQUIRED_MEMORY_BYTES / 2**30:.0f} GiB are needed: stop something"
        )
    return found


def check(identity: CloudIdentity) -> None:
    """Refuse a machine on which the cloud cannot start.

    Raises:
        EmbeddedError: with every problem.
    """
    found = problems(inspect(identity))
    if found:
        lines = "".join(f"\n  - {problem}" for problem in found)
        raise EmbeddedError(f"the cloud cannot start on this machine:{lines}", "then run `embedded up` again")


def check_ports_free(identity: CloudIdentity) -> None:
    """Refuse when something listens on all addresses at a port that the cloud needs on its own address.

    Raises:
        EmbeddedError: naming the ports. The cloud's address must be there already.
    """
    _refuse_taken(
        identity,
        {
            identity.aws_port: "the AWS API",
            identity.aws_plain_port: "S3 without TLS",
            identity.pod_identity_port: "Pod Identity",
            identity.webhook_port: "admission",
            identity.token_webhook_port: "token review",
        },
    )


def check_brought_ports_free(identity: CloudIdentity) -> None:
    """The same beside a cluster that was brought.

    Raises:
        EmbeddedError: naming the ports.
    """
    _refuse_taken(
        identity,
        {
            identity.aws_port: "the AWS API",
            identity.aws_plain_port: "S3 without TLS",
            identity.webhook_port: "admission",
            identity.kubernetes_port: "the Kubernetes API",
        },
    )


def _refuse_taken(identity: CloudIdentity, ports: Mapping[int, str]) -> None:
    taken = [f"{port} ({use})" for port, use in ports.items() if not is_free(identity.host_address, port)]
    if taken:
        raise EmbeddedError(
            f"on {identity.host_address} the ports {', '.join(taken)} are in use",
            "stop what listens there on all addresses (`ss -ltnp` names it), or bind it to its own address",
        )


def is_free(address: str, port: int) -> bool:
    """Whether nobody listens there."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As servers do: connections that are merely fading away do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError:
            return False
    return True


def _free_disk(place: Path) -> int:
    existing = next(folder for folder in (place, *place.parents) if folder.exists())
    return shutil.disk_usage(existing).free


def _available_memory() -> int:
    lines = Path("/proc/meminfo").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))


def _file_systems() -> frozenset[str]:
    return frozenset(line.split()[-1] for line in Path("/proc/filesystems").read_text().splitlines())
