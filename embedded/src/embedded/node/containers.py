"""Ending every container of a cloud, and clearing away what containerd and kubelet leave behind."""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path

from embedded import process_table
from embedded.commands import run
from embedded.errors import EmbeddedError
from embedded.node import cgroups
from embedded.node.layout import NodeLayout
from embedded.node.worker import ctr
from embedded.processes import Supervisor

_CNI_RESULTS = Path("/var/lib/cni/results")
_CONTAINER_LOG_LINKS = Path("/var/log/containers")


def end_containers(layout: NodeLayout, supervisor: Supervisor) -> None:
    """Kill all pods at once, then let containerd forget them, while it can still be asked.

    Without the second step the next start would find the dead containers and clear them one by one.
    """
    cgroups.kill(layout.identity.name)
    if not supervisor.alive("containerd"):
        return
    with suppress(EmbeddedError):
        tasks = run(ctr(layout, "tasks", "list", "--quiet")).split()
        if tasks:
            run(ctr(layout, "tasks", "delete", "--force", *tasks))
        containers = run(ctr(layout, "containers", "list", "--quiet")).split()
        if containers:
            run(ctr(layout, "containers", "delete", *containers))


def shims(layout: NodeLayout) -> list[int]:
    """The processes that hold containers for this cloud's containerd; they carry its socket's path."""
    socket = str(layout.containerd_socket)
    return [
        process.pid
        for process in process_table.every_process()
        if not process.ended
        and (command := process_table.command_line(process.pid))
        and Path(command[0]).name.startswith("containerd-shim")
        and socket in command
    ]


def clear(layout: NodeLayout) -> None:
    """End shims; remove sockets, mounts, control groups and files outside of the state. Safe to repeat."""
    sockets = _shim_sockets(layout)
    process_table.kill_until_gone(lambda: shims(layout), "container shims")
    for socket in sockets:
        socket.unlink(missing_ok=True)
    unmount_below(layout.identity.state_directory)
    cgroups.remove(layout.identity.name)
    for directory in (layout.containerd_state, layout.address_leases):
        shutil.rmtree(directory, ignore_errors=True)
    layout.containerd_socket.unlink(missing_ok=True)
    layout.containerd_socket.with_name("containerd.sock.ttrpc").unlink(missing_ok=True)
    _clear_cni_results(layout)
    _clear_log_links(layout)


def mounts_below(directory: Path) -> list[Path]:
    """Mount points below the directory, innermost first."""
    points = (line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines())
    below = [Path(_unescaped(point)) for point in points]
    return sorted((path for path in below if directory in path.parents), reverse=True)


def unmount_below(directory: Path) -> None:
    """Unmount everything below the directory; what is still in use goes when its last user does."""
    for point in mounts_below(directory):
        run(["umount", "--lazy", str(point)])


def _unescaped(point: str) -> str:
    """mountinfo writes blanks, tabs, line ends and backslashes as octal numbers (proc_pid_mountinfo(5))."""
    for code, character in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        point = point.replace(code, character)
    return point


def _shim_sockets(layout: NodeLayout) -> list[Path]:
    tasks = layout.containerd_state / "io.containerd.runtime.v2.task" / "k8s.io"
    addresses = [path.read_text().strip() for path in tasks.glob("*/address")]
    return [Path(address.removeprefix("unix://")) for address in addresses if address.startswith("unix://")]


def _clear_cni_results(layout: NodeLayout) -> None:
    """Files of this cloud begin with its network's name; other clouds share the directory."""
    prefix = f"{layout.identity.name}-"
    for result in _CNI_RESULTS.glob(f"{prefix}*"):
        # <network>-<sandbox>-<interface>; the loopback of the same sandbox is a network of its own.
        sandbox = result.name.removeprefix(prefix).rpartition("-")[0]
        result.unlink(missing_ok=True)
        (_CNI_RESULTS / f"cni-loopback-{sandbox}-lo").unlink(missing_ok=True)


def _clear_log_links(layout: NodeLayout) -> None:
    if not _CONTAINER_LOG_LINKS.is_dir():
        return
    for link in _CONTAINER_LOG_LINKS.iterdir():
        if link.is_symlink() and layout.pod_logs in link.readlink().parents:
            link.unlink(missing_ok=True)
