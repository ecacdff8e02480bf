"""The control groups of one cloud's pods, in every hierarchy the machine has."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from embedded import process_table
from embedded.errors import EmbeddedError

_MOUNTS = Path("/proc/self/mountinfo")
# What a kubelet demands of its root on the second version of cgroups.
_UNIFIED_CONTROLLERS = ("cpu", "cpuset", "memory", "pids")


def hierarchies(mountinfo: str) -> dict[Path, str]:
    """Where hierarchies are mounted, with their type (cgroup or cgroup2), from the text of mountinfo."""
    found = {}
    for line in mountinfo.splitlines():
        before, _, after = line.partition(" - ")
        kind = after.split()[0]
        if kind in ("cgroup", "cgroup2"):
            found[Path(before.split()[4])] = kind
    return found


def make(name: str) -> None:
    """Make the group that the kubelet is told to take as its root; it refuses to start without."""
    for mount, kind in hierarchies(_MOUNTS.read_text()).items():
        if kind == "cgroup2":
            if len(hierarchies(_MOUNTS.read_text())) > 1:
                # Beside hierarchies of the first version it has no controllers to offer.
                continue
            _delegate(mount)
        (mount / name).mkdir(exist_ok=True)


def _delegate(mount: Path) -> None:
    enabled = (mount / "cgroup.subtree_control").read_text().split()
    missing = [f"+{one}" for one in _UNIFIED_CONTROLLERS if one not in enabled]
    if not missing:
        return
    try:
        (mount / "cgroup.subtree_control").write_text(" ".join(missing))
    except OSError as error:
        raise EmbeddedError(
            f"the cgroup controllers {', '.join(missing)} cannot be enabled at {mount}: {error.strerror}",
            "enable them for the whole machine, or run in a virtual machine",
        ) from error


def directories(name: str) -> list[Path]:
    """The cloud's group in each hierarchy where it exists."""
    mounts = hierarchies(_MOUNTS.read_text())
    return [mount / name for mount in mounts if (mount / name).is_dir()]


def processes(name: str) -> set[int]:
    """Every process in the cloud's groups: that is, in its pods."""
    return {pid for directory in directories(name) for pid in _pids_below(directory)}


def _pids_below(directory: Path) -> Iterator[int]:
    for group in _groups(directory):
        with suppress(OSError):
            yield from (int(line) for line in (group / "cgroup.procs").read_text().split())


def _groups(directory: Path) -> list[Path]:
    """A group and those below it, outermost first."""
    # Not rglob: kubelet and containerd remove groups meanwhile, which a walk leaves out and rglob fails at.
    return [Path(found) for found, _, _ in os.walk(directory)]


def kill(name: str) -> None:
    """Kill every process of the cloud's pods.

    Raises:
        EmbeddedError: some do not die (they wait for a disk).
    """
    process_table.kill_until_gone(lambda: processes(name), "processes")


def remove(name: str) -> None:
    """Remove the groups, innermost first; whatever still lives in them keeps its own."""
    for directory in directories(name):
        for group in reversed(_groups(directory)):
            with suppress(OSError):
                group.rmdir()
