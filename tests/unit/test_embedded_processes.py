"""Parts as processes, judged by the process table."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from embedded.errors import EmbeddedError, NotReady
from embedded.identity import CloudIdentity
from embedded.processes import Part, Supervisor


@pytest.fixture
def supervisor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Supervisor]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    supervisor = Supervisor(CloudIdentity.of(tmp_path))
    yield supervisor
    supervisor.stop_all(supervisor.names())


def _part(script: str, name: str = "part", **changes: object) -> Part:
    values: dict[str, object] = {
        "name": name,
        "command": (sys.executable, "-c", script),
        "environment": {},
        "in_node_namespace": False,
        "ready": lambda: None,
        "address": None,
        "ready_timeout_seconds": 5.0,
    }
    return Part(**{**values, **changes})  # type: ignore[arg-type]


def _runs(pid: int) -> bool:
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return state.stdout.strip() not in ("", "Z") and not state.stdout.startswith("Z")


def _wait_for(path: Path) -> str:
    for _ in range(200):
        if path.exists() and path.read_text():
            return path.read_text()
        time.sleep(0.05)
    raise AssertionError(f"{path} was not written")


_SLEEP = "import time; time.sleep(600)"


def test_a_part_is_started_once_found_again_and_stopped(supervisor: Supervisor) -> None:
    assert supervisor.start(_part(_SLEEP))
    pid = supervisor.status("part").pid
    assert pid is not None
    assert os.getsid(pid) == pid
    later = Supervisor(supervisor.identity)
    assert not later.start(_part(_SLEEP))
    assert later.status("part").pid == pid
    assert supervisor.stop("part")
    assert not _runs(pid)
    assert supervisor.names() == []
    assert not supervisor.stop("part")


@pytest.mark.parametrize("field", ["start_ticks", "boot_id"])
def test_a_pid_of_somebody_else_is_never_killed(supervisor: Supervisor, field: str) -> None:
    stranger = subprocess.Popen([sys.executable, "-c", _SLEEP])
    try:
        supervisor.register("part", stranger.pid)
        assert supervisor.alive("part")
        path = supervisor.identity.run_directory / "part.pid"
        record = json.loads(path.read_text())
        record[field] = 1 if field == "start_ticks" else "another-boot"
        path.write_text(json.dumps(record))
        assert not supervisor.alive("part")
        supervisor.stop("part")
        assert _runs(stranger.pid)
    finally:
        stranger.kill()
        stranger.wait()


def test_a_part_that_ignores_its_signal_goes_with_its_children(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    note = tmp_path / "child"
    script = f"""
import os, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
open({str(note)!r}, "w").write(str(child.pid))
time.sleep(600)
"""
    supervisor.start(_part(script, stop_timeout_seconds=0.3))
    child = int(_wait_for(note))
    pid = supervisor.status("part").pid
    assert pid is not None
    supervisor.stop("part")
    assert not _runs(pid)
    assert not _runs(child)


def test_a_part_is_stopped_by_its_own_signal(supervisor: Supervisor, tmp_path: Path) -> None:
    note, ready = tmp_path / "signal", tmp_path / "ready"
    script = f"""
import signal, sys, time
def end(number, frame):
    open({str(note)!r}, "w").write(str(number)); sys.exit()
signal.signal(signal.SIGINT, end); signal.signal(signal.SIGTERM, end)
open({str(ready)!r}, "w").write("x")
time.sleep(600)
"""
    supervisor.start(_part(script, stop_signal=signal.SIGINT))
    _wait_for(ready)
    # Another process than the one that started it must know the signal too.
    Supervisor(supervisor.identity).stop("part")
    assert note.read_text() == str(int(signal.SIGINT))


def test_waiting_for_a_part_that_ended_names_its_last_words(supervisor: Supervisor) -> None:
    def never() -> None:
        raise NotReady("silent")

    part = _part("raise SystemExit('port 443 is taken')", ready=never, ready_timeout_seconds=60.0)
    supervisor.start(part)
    with pytest.raises(EmbeddedError, match="port 443 is taken") as caught:
        supervisor.wait_ready(part)
    assert "embedded logs part" in caught.value.next_step


def test_waiting_has_an_end_and_says_what_was_missing(supervisor: Supervisor) -> None:
    def never() -> None:
        raise NotReady("no answer on port 1")

    part = _part(_SLEEP, ready=never, ready_timeout_seconds=0.2)
    supervisor.start(part)
    with pytest.raises(EmbeddedError, match="no answer on port 1"):
        supervisor.wait_ready(part)


def test_a_part_that_died_is_listed_as_dead_and_can_be_started_again(supervisor: Supervisor) -> None:
    supervisor.start(_part(_SLEEP))
    pid = supervisor.status("part").pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    for _ in range(100):
        if not supervisor.alive("part"):
            break
        time.sleep(0.02)
    assert [(status.name, status.alive) for status in supervisor.statuses()] == [("part", False)]
    assert supervisor.start(_part(_SLEEP))
    assert supervisor.status("part").pid != pid


def test_a_part_does_not_see_the_callers_environment(
    supervisor: Supervisor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "of a real account")
    note = tmp_path / "environment"
    script = f"import json, os; open({str(note)!r}, 'w').write(json.dumps(dict(os.environ)))"
    supervisor.start(_part(script, environment={"OWN": "1"}))
    seen = json.loads(_wait_for(note))
    assert seen["OWN"] == "1"
    assert "AWS_SECRET_ACCESS_KEY" not in seen


def test_memory_is_the_kernels_number_for_the_whole_session(supervisor: Supervisor, tmp_path: Path) -> None:
    note = tmp_path / "child"
    script = f"""
import subprocess, sys, time
block = bytearray(40 * 2**20)
child = subprocess.Popen([sys.executable, "-c",
    "import sys; block = bytearray(40 * 2**20); open({str(note)!r}, 'w').write('x'); sys.stdin.read()"],
    stdin=subprocess.PIPE)  # the child ends with its parent
time.sleep(600)
"""
    supervisor.start(_part(script))
    _wait_for(note)
    assert 80 * 2**20 < supervisor.status("part").memory_bytes < 160 * 2**20
