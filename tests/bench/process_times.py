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


@dataclass
class ProcessTimes:
    """CPU seconds, user and system, by kind of process."""

    code: int = 0
    seconds: dict[str, float] = field(default_factory=dict)

    def of(self, *kinds: str) -> float:
        """The sum over some kinds."""
        return sum(self.seconds.get(kind, 0.0) for kind in kinds)


def measure(
    command: Sequence[str], variables: Mapping[str, str], kind_of: Callable[[list[str]], str | None]
) -> ProcessTimes:
    """Run a command and add up what its processes use.

    Args:
        command: what to run, in the checkout.
        variables: environment variables besides this process's.
        kind_of: kind of a process by its command line; None takes its parent's kind.
    """
    used: dict[tuple[int, float], tuple[str, float]] = {}
    environment = {**os.environ, **variables}
    with subprocess.Popen(
        list(command), cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        root = psutil.Process(process.pid)
        while process.poll() is None:
            _look(root, "rest", used, kind_of)
            time.sleep(INTERVAL)
    times = ProcessTimes(code=process.returncode)
    for kind, seconds in used.values():
        times.seconds[kind] = times.seconds.get(kind, 0.0) + seconds
    return times


def _look(
    process: psutil.Process,
    inherited: str,
    used: dict[tuple[int, float], tuple[str, float]],
    kind_of: Callable[[list[str]], str | None],
) -> None:
    try:
        kind = kind_of(process.cmdline()) or inherited
        times = process.cpu_times()
        used[(process.pid, process.create_time())] = (kind, times.user + times.system)
        children = process.children()
    except psutil.Error:
        return
    for child in children:
        _look(child, kind, used, kind_of)
