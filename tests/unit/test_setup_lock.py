"""One setup at a time, and the second one says whom it waits for."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from embedded.setup.lock import exclusive

HOLDER = """
import subprocess, sys
from pathlib import Path
from embedded.setup.lock import exclusive
with exclusive(Path(sys.argv[1]), "setup in /some/checkout", print) as descriptor:
    child = None
    if sys.argv[2] == "with-child":
        child = subprocess.Popen(["sleep", "60"], pass_fds=(descriptor,))
    print(child.pid if child else 0, flush=True)
    sys.stdin.read()
"""


class Holder:
    def __init__(self, lock: Path, mode: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", HOLDER, str(lock), mode],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout
        self.child = int(self.process.stdout.readline())

    def release(self) -> None:
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait(30)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(30)

    def close(self) -> None:
        self.kill()
        for stream in (self.process.stdin, self.process.stdout):
            if stream:
                stream.close()


def runs(pid: int) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    return False


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "setup.lock"


@pytest.fixture
def holder(lock: Path, request: pytest.FixtureRequest) -> Iterator[Holder]:
    one = Holder(lock, getattr(request, "param", "alone"))
    yield one
    one.close()


def test_a_free_lock_is_taken_without_a_word(lock: Path) -> None:
    said: list[str] = []
    with exclusive(lock, "setup", said.append):
        pass
    assert said == []


def test_the_second_waits_and_names_process_and_purpose(lock: Path, holder: Holder) -> None:
    said: list[str] = []

    def say(sentence: str) -> None:
        said.append(sentence)
        assert holder.process.poll() is None, "told before the lock is free"
        holder.release()

    with exclusive(lock, "setup", say):
        assert holder.process.poll() == 0
    assert len(said) == 1
    assert str(holder.process.pid) in said[0]
    assert "setup in /some/checkout" in said[0]


def test_a_killed_holder_does_not_block(lock: Path, holder: Holder) -> None:
    holder.kill()
    said: list[str] = []
    with exclusive(lock, "setup", said.append):
        pass
    assert said == []


@pytest.mark.parametrize("holder", ["with-child"], indirect=True)
def test_programs_of_a_killed_setup_are_ended(lock: Path, holder: Holder) -> None:
    holder.kill()
    said: list[str] = []
    with exclusive(lock, "setup", said.append):
        # A killed process lets its files, and so the lock, go some moments before it has ended.
        deadline = time.monotonic() + 20
        while runs(holder.child):
            assert time.monotonic() < deadline
            time.sleep(0.01)
    assert len(said) == 1
    assert f"killed setup (process {holder.process.pid})" in said[0]


@pytest.mark.parametrize("holder", ["with-child"], indirect=True)
def test_programs_of_a_living_setup_are_left_alone(lock: Path, holder: Holder) -> None:
    def say(_: str) -> None:
        assert psutil.Process(holder.child).status() != psutil.STATUS_ZOMBIE
        os.kill(holder.child, signal.SIGKILL)
        holder.release()

    with exclusive(lock, "setup", say):
        pass


def test_a_setup_that_waits_is_not_taken_for_a_leftover(lock: Path, holder: Holder) -> None:
    waiting = subprocess.Popen([sys.executable, "-c", HOLDER, str(lock), "alone"], stdin=subprocess.PIPE)
    while f" {waiting.pid} " not in Path("/proc/locks").read_text():
        assert waiting.poll() is None
    with pytest.raises(Heard), exclusive(lock, "setup", hear):
        pass
    holder.kill()
    assert waiting.stdin
    waiting.stdin.close()
    assert waiting.wait(30) == 0


class Heard(Exception):  # noqa: N818 -- it ends the wait, and is no error
    pass


def hear(_: str) -> None:
    raise Heard


def test_a_setup_that_lives_is_never_ended_whatever_the_lock_says(lock: Path, holder: Holder) -> None:
    """The text is written after the lock was taken: for a moment it names the one before."""
    lock.write_text("999999 setup of somebody who is gone")
    said: list[str] = []
    thread = threading.Thread(target=lambda: _take(lock, said))
    thread.start()
    while not said:
        time.sleep(0.01)
    assert holder.process.poll() is None
    assert "waiting for it to end" in said[0]
    holder.release()
    thread.join(30)
    assert not thread.is_alive()


def _take(lock: Path, said: list[str]) -> None:
    with exclusive(lock, "setup", said.append):
        pass
