"""Processes of this machine, as Linux shows them in /proc; where there is none, nothing is known of any."""

from __future__ import annotations

import os
import signal
from pathlib import Path


def process_start(process: int) -> float | None:
    """Start of a process in seconds since 1970; None when there is none (a zombie is none)."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        boot = next(
            float(line.split()[1])
            for line in Path("/proc/stat").read_text(encoding="utf-8").splitlines()
            if line.startswith("btime ")
        )
    except (OSError, StopIteration):
        return None
    return None if fields[0] == "Z" else boot + float(fields[19]) / os.sysconf("SC_CLK_TCK")


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
