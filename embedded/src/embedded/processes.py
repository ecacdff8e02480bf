"""The cloud's parts as operating system processes: started once, found again, stopped for certain.

A part is known by its pid file alone, which holds the process' start time beside its pid, so that a pid
the kernel has given to somebody else is never taken for a part, let alone killed.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import BinaryIO

from embedded import process_table
from embedded.errors import EmbeddedError, NotReady
from embedded.files import write_private
from embedded.identity import CloudIdentity

_POLL_SECONDS = 0.1
_LOG_ROTATION_BYTES = 20 * 1024 * 1024
_KEPT_VARIABLES = ("HOME", "LANG", "TZ")
_SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True)
class Part:
    """One process of the cloud."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    """Added to a bare environment (PATH, HOME, LANG, TZ): a part never depends on the caller's shell."""
    in_node_namespace: bool
    ready: Callable[[], None]
    """Asks the part itself; raises `NotReady` until it answers."""
    address: str | None
    """What people connect to, for listings."""
    ready_timeout_seconds: float
    stop_signal: int = signal.SIGTERM
    """The signal of an orderly end (Postgres: SIGINT, its fast shutdown)."""
    stop_timeout_seconds: float = 5.0
    """After this the part's whole session is killed."""
    version: str = ""


@dataclass(frozen=True)
class Status:
    """What the operating system says of one started part."""

    name: str
    pid: int | None
    """None when the process has ended without being stopped."""
    memory_bytes: int
    """Proportional set size of the process and its session: shared pages are counted once."""

    @property
    def alive(self) -> bool:
        return self.pid is not None


@dataclass(frozen=True)
class _PidFile:
    pid: int
    start_ticks: int
    boot_id: str
    stop_signal: int
    stop_timeout_seconds: float


# Children of this very process: they must be reaped, or they stay as zombies until it ends.
_children: dict[int, subprocess.Popen[bytes]] = {}


@dataclass(frozen=True)
class Supervisor:
    """Starts, finds and stops the parts of one cloud."""

    identity: CloudIdentity

    def start(self, part: Part) -> bool:
        """Start the part unless it lives; True if it was started. Does not wait: see `wait_ready`."""
        if self.alive(part.name):
            return False
        for directory in (
            self.identity.state_directory,
            self.identity.run_directory,
            self.identity.logs_directory,
        ):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        command = part.command
        if part.in_node_namespace:
            # nsenter and not `ip netns exec`: the latter mounts another /sys, without the cgroups.
            command = ("nsenter", f"--net={self.identity.network_namespace}", "--", *command)
        with self._open_log(part.name) as log:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={
                    **bare_environment(),
                    # A part that computes the cloud's identity must find the same state.
                    "XDG_STATE_HOME": str(self.identity.state_home),
                    **part.environment,
                },
                cwd="/",
                start_new_session=True,
            )
        _children[process.pid] = process
        try:
            self.register(part.name, process.pid, part.stop_signal, part.stop_timeout_seconds)
        except BaseException:
            # Nobody could stop what has no pid file; the disk may be full.
            _kill_session(process.pid)
            raise
        return True

    def register(
        self,
        name: str,
        pid: int,
        stop_signal: int = signal.SIGTERM,
        stop_timeout_seconds: float = 5.0,
    ) -> None:
        """Write the pid file of a process that something else has started, so that `stop` finds it."""
        process = process_table.find(pid)
        record = _PidFile(
            pid=pid,
            start_ticks=process.start_ticks if process else -1,
            boot_id=process_table.boot_id(),
            stop_signal=int(stop_signal),
            stop_timeout_seconds=stop_timeout_seconds,
        )
        self.identity.run_directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_private(self._pid_path(name), json.dumps(asdict(record)).encode())

    def wait_ready(self, part: Part) -> None:
        """Wait until the part answers.

        Raises:
            EmbeddedError: its process has ended, or it did not answer within its time.
        """
        deadline = time.monotonic() + part.ready_timeout_seconds
        while True:
            try:
                part.ready()
                return
            except NotReady as reason:
                last = reason.message
            if not self.alive(part.name):
                raise EmbeddedError(
                    f"{part.name} ended while it was starting: {self.last_log_line(part.name)}",
                    f"see `embedded logs {part.name}`",
                )
            if time.monotonic() > deadline:
                raise EmbeddedError(
                    f"{part.name} was not ready within {part.ready_timeout_seconds:.0f} s: {last}",
                    f"see `embedded logs {part.name}`",
                )
            time.sleep(_POLL_SECONDS)

    def stop(self, name: str) -> bool:
        """Stop the part by its own signal, its session by force after its time; True if it lived."""
        return self.stop_all([name])

    def stop_all(self, names: Iterable[str]) -> bool:
        """Stop several parts at once; True if any lived."""
        stopping: list[tuple[str, int, _PidFile]] = []
        for name in names:
            record = self._read(name)
            pid = self._process(name)
            if record is not None and pid is not None:
                _signal(pid, record.stop_signal)
                stopping.append((name, pid, record))
            else:
                self._forget(name)
        started = time.monotonic()
        for name, pid, record in stopping:
            remaining = record.stop_timeout_seconds - (time.monotonic() - started)
            self._await_end(name, pid, max(0.0, remaining))
            self._forget(name)
        return bool(stopping)

    def alive(self, name: str) -> bool:
        """Whether the process that was started as this part still runs."""
        return self._process(name) is not None

    def names(self) -> list[str]:
        """Every part that was started and not stopped, dead ones included, in order of their names."""
        return sorted(path.stem for path in self.identity.run_directory.glob("*.pid"))

    def statuses(self) -> list[Status]:
        """The state of every started part."""
        return [self.status(name) for name in self.names()]

    def status(self, name: str) -> Status:
        """The state of one part."""
        pid = self._process(name)
        return Status(name, pid, _memory(pid) if pid is not None else 0)

    def log_path(self, name: str) -> Path:
        """Where the part writes."""
        return self.identity.logs_directory / f"{name}.log"

    def last_log_line(self, name: str) -> str:
        """The last line the part wrote, or a sentence that says there is none."""
        try:
            lines = self.log_path(name).read_text(errors="replace").splitlines()
        except OSError:
            lines = []
        said = (line.strip() for line in reversed(lines))
        return next(
            (line for line in said if line and not line.lower().startswith("next step:")), "it wrote nothing"
        )

    def _await_end(self, name: str, pid: int, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while self._process(name) is not None:
            if time.monotonic() > deadline:
                _kill_session(pid)
                deadline = time.monotonic() + 5.0
            time.sleep(_POLL_SECONDS / 5)

    def _process(self, name: str) -> int | None:
        """The pid of the living part."""
        record = self._read(name)
        _reap()
        if record is None or record.boot_id != process_table.boot_id():
            return None
        process = process_table.find(record.pid)
        if process is None or process.ended or process.start_ticks != record.start_ticks:
            return None
        return process.pid

    def _read(self, name: str) -> _PidFile | None:
        try:
            record = json.loads(self._pid_path(name).read_text())
            return _PidFile(**{one.name: record[one.name] for one in fields(_PidFile)})
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def _forget(self, name: str) -> None:
        self._pid_path(name).unlink(missing_ok=True)

    def _pid_path(self, name: str) -> Path:
        return self.identity.run_directory / f"{name}.pid"

    def _open_log(self, name: str) -> BinaryIO:
        path = self.log_path(name)
        if path.exists() and path.stat().st_size > _LOG_ROTATION_BYTES:
            path.replace(path.with_suffix(".log.1"))
        return path.open("ab")


def bare_environment() -> dict[str, str]:
    """What every part starts with."""
    kept = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
    return {"HOME": str(Path.home()), **kept, "PATH": _SYSTEM_PATH}


def _reap() -> None:
    for child in list(_children.values()):
        if child.poll() is not None:
            del _children[child.pid]


def _signal(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def _kill_session(leader: int) -> None:
    """Kill the part and whatever shares its session: children that outlive it hold ports and mounts."""
    for process in process_table.every_process():
        if process.session == leader or process.pid == leader:
            _signal(process.pid, signal.SIGKILL)


def _memory(leader: int) -> int:
    """The part with everything in its session."""
    pids = [process.pid for process in process_table.every_process() if process.session == leader]
    return sum(process_table.memory_bytes(pid) for pid in pids)
