"""A run that dies at a chosen moment: kill -9 of everything that it started."""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

LIMIT_SECONDS = 600
_LOOK_SECONDS = 0.02
MOST = 60
# A line of the engine, such as `  12.3 s   +  aws:ec2:Vpc network-vpc creating (0s)`.
_BEGUN = re.compile(r" \+\+? +(?P<type>\S+) (?P<name>\S+) creating(?: \(0s\))?$")
# Components, stacks and providers are entries in the state alone.
_NO_REQUEST = ("airflowinfra:", "pulumi:")
LAST = "pulumi-python:dynamic/airflow:EnvironmentGuard"
"""What an environment has when all else of it is there."""


@dataclass(frozen=True)
class Moment:
    """The run began to make the `number`-th of the resources whose type begins so; a little later."""

    type_: str = ""
    """As the engine shows it: aws:eks:Cluster."""
    number: int = 1
    seconds: float = 0.0
    """How much later; what it asked for has been done by then, or not."""
    comes: Callable[[], bool] | None = None
    """Until when to wait instead: what it asked for is there, and its answer is not."""

    def __str__(self) -> str:
        return f"{self.type_ or 'resource'} {self.number} and {self.seconds:.2f} s"

    def wait(self, deadline: float) -> None:
        """Wait until it is there, counted from the event."""
        time.sleep(self.seconds)
        while self.comes is not None and not self.comes():
            assert time.monotonic() < deadline, f"{self}: what was asked for does not come"
            time.sleep(_LOOK_SECONDS)


def some_moments(seed: int, number: int) -> list[Moment]:
    """Each at one of the first MOST creations of a run, and up to two seconds later."""
    choose = random.Random(seed)  # noqa: S311 - repeatable, nothing secret
    return [Moment("", choose.randint(1, MOST), choose.uniform(0, 2)) for _ in range(number)]


def kill_at(command: Sequence[str], environment: Mapping[str, str], moment: Moment, log: Path) -> str:
    """Start a run, and kill it and all that it started at the moment, at the latest at LAST.

    Args:
        command: shows the engine's lines.
        environment: all of its variables.
        moment: when.
        log: a file that is not there yet; it gets what the run shows.

    Returns:
        Type and name of what it was making.

    Raises:
        AssertionError: the run ended before, or the moment does not come.
    """
    deadline = time.monotonic() + LIMIT_SECONDS
    with (
        log.open("xb") as file,
        subprocess.Popen(command, env=environment, stdout=file, stderr=file, start_new_session=True) as run,
    ):
        try:
            made, left = "", moment.number
            for made in _creations(log, run, deadline):
                left -= made.startswith(moment.type_)
                if not left or made.startswith(LAST):
                    break
            moment.wait(deadline)
            assert run.poll() is None, f"{moment}: the run had ended:\n{log.read_text()[-2000:]}"
        finally:
            _kill_engine(run)
            _kill_session(run.pid)
    return made


def _creations(log: Path, run: subprocess.Popen[bytes], deadline: float) -> Iterator[str]:
    """Type and name of each resource whose creation begins, until the run ends."""
    seen = 0
    while time.monotonic() < deadline:
        ended = run.poll() is not None
        lines = log.read_text(encoding="utf-8", errors="replace").split("\n")[:-1]
        for line in lines[seen:]:
            begun = _BEGUN.search(line)
            if begun and not begun["type"].startswith(_NO_REQUEST):
                yield f"{begun['type']} {begun['name']}"
        seen = len(lines)
        if ended:
            return
        time.sleep(_LOOK_SECONDS)
    raise AssertionError(f"the run goes on and makes nothing more:\n{log.read_text()[-2000:]}")


def _kill_engine(run: subprocess.Popen[bytes]) -> None:
    """Kill the command and the engine first: to it, a plugin that dies is a failed step, no unknown one."""
    with suppress(psutil.NoSuchProcess):
        command = psutil.Process(run.pid)
        for process in [command, *command.children(recursive=True)]:
            if process == command or process.name() == "pulumi":
                process.kill()


def _kill_session(leader: int) -> None:
    """Kill what is left of a session: language hosts, programs and plugins, each in a group of its own."""
    deadline = time.monotonic() + LIMIT_SECONDS
    while members := list(_session(leader)):
        for member in members:
            with suppress(ProcessLookupError):
                os.kill(member, signal.SIGKILL)
        assert time.monotonic() < deadline, f"processes that can't be killed: {members}"
        time.sleep(_LOOK_SECONDS)


def _session(leader: int) -> Iterator[int]:
    for process in psutil.process_iter(["status"]):
        try:
            if process.info["status"] != psutil.STATUS_ZOMBIE and os.getsid(process.pid) == leader:
                yield process.pid
        except ProcessLookupError:
            continue
