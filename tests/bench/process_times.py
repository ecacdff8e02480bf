"""CPU time of a command's processes, by what they are."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import psutil
from measurement import ROOT

# A process that ends between two looks loses what it used since the last one: at most this, in s.
INTERVAL = 0.02

KindOf = Callable[[list[str]], str | None]
Used = dict[tuple[int, float], tuple[str, float]]
"""Process id and moment of its start -> its kind, and its CPU seconds so far."""


@dataclass
class ProcessTimes:
    """CPU seconds, user and system, by kind of process."""

    code: int = 0
    seconds: dict[str, float] = field(default_factory=dict)

    def of(self, *kinds: str) -> float:
        """The sum over some kinds."""
        return sum(self.seconds.get(kind, 0.0) for kind in kinds)


def measure(command: Sequence[str], variables: Mapping[str, str], kind_of: KindOf) -> ProcessTimes:
    """Run a command and add up what its processes use.

    Args:
        command: what to run, in the checkout.
        variables: environment variables besides this process's.
        kind_of: kind of a process by its command line; None takes its parent's kind.
    """
    used: Used = {}
    environment = {**os.environ, **variables}
    with subprocess.Popen(
        list(command), cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        root = psutil.Process(process.pid)
        while process.poll() is None:
            _look(root, "rest", used, kind_of)
            time.sleep(INTERVAL)
    return ProcessTimes(process.returncode, by_kind(used))


def by_kind(used: Used) -> dict[str, float]:
    """Sums over the processes of each kind."""
    seconds: dict[str, float] = {}
    for kind, spent in used.values():
        seconds[kind] = seconds.get(kind, 0.0) + spent
    return seconds


def kind_now(command: list[str], inherited: str, before: str | None, kind_of: KindOf) -> str:
    """Kind of a process that is looked at.

    Args:
        command: its command line; empty once it has ended and nobody has asked for its exit code.
        inherited: its parent's kind, which is its own until it becomes a program of another kind.
        before: its kind at the last look, if there was one.
        kind_of: kind by command line.
    """
    if not command and before is not None:
        return before
    return kind_of(command) or inherited


def _look(process: psutil.Process, inherited: str, used: Used, kind_of: KindOf) -> None:
    try:
        identity = (process.pid, process.create_time())
        before = used[identity][0] if identity in used else None
        kind = kind_now(process.cmdline(), inherited, before, kind_of)
        times = process.cpu_times()
        used[identity] = (kind, times.user + times.system)
        children = process.children()
    except psutil.Error:
        return
    for child in children:
        _look(child, kind, used, kind_of)
