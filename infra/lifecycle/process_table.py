"""Processes of this machine, as Linux shows them in /proc; where there is none, nothing is known of any."""

from __future__ import annotations

import os
import signal
from pathlib import Path

# Of the machine's own namespaces, as every kernel numbers them (include/linux/proc_ns.h).
_MACHINE_PROCESSES, _MACHINE_NAME = "pid:[4026531836]", "uts:[4026531838]"


def is_gone(process: int) -> bool:
    """Whether a process of this host has provably ended; what can't be looked at may be alive."""
    try:
        if not _shows_this_host():
            return False
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        pass
    except (OSError, OverflowError):
        return False
    # A zombie has ended, and nobody asked how.
    return (fields := _fields(process)) is not None and fields[0] == "Z"


def process_name(process: int) -> str | None:
    """Name of a process, of 15 characters at most; None where it can't be had."""
    try:
        return Path(f"/proc/{process}/comm").read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return None


def _shows_this_host() -> bool:
    """Whether /proc is there and of our processes, and those are all that the host of this name has.

    A container may bear its machine's name (`--uts host`) and see none of the machine's processes.
    """
    own = Path("/proc/self")
    if str(own.readlink()) != str(os.getpid()):
        return False
    all_ours = str((own / "ns" / "pid").readlink()) == _MACHINE_PROCESSES
    return all_ours or str((own / "ns" / "uts").readlink()) != _MACHINE_NAME


def _fields(process: int) -> list[str] | None:
    """What /proc says of a process after its name: state first; None where it can't be had."""
    try:
        text = Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    return text.rpartition(")")[2].split()


def process_start(process: int) -> float | None:
    """Start of a process in seconds since 1970; None when there is none to be seen (a zombie is none)."""
    fields = _fields(process)
    try:
        boot = next(
            float(line.split()[1])
            for line in Path("/proc/stat").read_text(encoding="utf-8").splitlines()
            if line.startswith("btime ")
        )
    except (OSError, StopIteration):
        return None
    if fields is None or fields[0] == "Z":
        return None
    return boot + float(fields[19]) / os.sysconf("SC_CLK_TCK")


def parent(process: int) -> int:
    """Id of what started a process, or took it over; 0 where it can't be had."""
    fields = _fields(process)
    return int(fields[1]) if fields else 0


def with_variable(name: str, value: str) -> dict[int, float]:
    """Processes that began with an environment variable: ids with their starts, in seconds since 1970."""
    wanted, found = f"{name}={value}".encode(), dict[int, float]()
    for environment in Path("/proc").glob("[0-9]*/environ"):
        try:
            has_it = wanted in environment.read_bytes().split(b"\0")
        except OSError:
            # Somebody else's, or gone meanwhile.
            continue
        process = int(environment.parent.name)
        if has_it and (start := process_start(process)) is not None:
            found[process] = start
    return found


def descendants(process: int) -> dict[int, float]:
    """What a process has started, and what that has: ids with their starts, in seconds since 1970."""
    found: dict[int, float] = {}
    for task in Path(f"/proc/{process}/task").glob("*/children"):
        try:
            children = [int(child) for child in task.read_text(encoding="utf-8").split()]
        except OSError:
            continue
        for child in children:
            if (start := process_start(child)) is not None:
                found |= {child: start, **descendants(child)}
    return found


def end(processes: dict[int, float]) -> None:
    """Ask those of them to end that are still there; a process of the same id that began later is another."""
    for process, start in processes.items():
        if process_start(process) == start:
            try:
                os.kill(process, signal.SIGTERM)
            except (ProcessLookupError, PermissionError):
                continue
