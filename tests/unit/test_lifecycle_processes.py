"""Other programs are run with limits, and an interrupt lets them end in order."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from infra.lifecycle import processes
from infra.lifecycle.errors import LifecycleError

# Ends in order when it is interrupted, as `pulumi up` does, and says so in a file.
ORDERLY = """
import signal, sys, time
def end(*_):
    open(sys.argv[1], "w").write("ended in order")
    print("cancelling", flush=True)
    time.sleep(0.3)
    sys.exit(2)
signal.signal(getattr(signal, sys.argv[2]), end)
print("ready", flush=True)
time.sleep(600)
"""


# What is in progress takes long; as `pulumi up` does, it waits no longer when it is interrupted again, and
# leaves a plugin behind.
LONG = """
import signal, subprocess, sys, time
plugin = subprocess.Popen(["sleep", "600"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
print(plugin.pid, flush=True)
def first(*_):
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(3))
    print("cancelling", flush=True)
signal.signal(signal.SIGTERM, first)
print("ready", flush=True)
for _ in range(600):
    time.sleep(1)
"""


def test_output_fails_with_what_the_program_said() -> None:
    with pytest.raises(LifecycleError, match="exit code 3: out of order"):
        processes.output(
            (sys.executable, "-c", "import sys; print('out of order', file=sys.stderr); sys.exit(3)")
        )


def test_a_program_that_hangs_is_given_up() -> None:
    with pytest.raises(LifecycleError, match="no answer within 0 s"):
        processes.output((sys.executable, "-c", "import time; time.sleep(600)"), timeout_seconds=0.2)


def test_streams_are_relayed_in_order_with_the_exit_code() -> None:
    lines: list[str] = []
    script = "import sys; print('one'); print('two', file=sys.stderr); print('three'); sys.exit(7)"
    assert processes.stream((sys.executable, "-u", "-c", script), lines.append) == 7
    assert lines == ["one", "two", "three"]


def test_a_killed_program_is_told_from_one_that_failed() -> None:
    """Python gives -9, a shell in between 137; Pulumi's failures are 1 and 255."""
    assert [processes.killed_by(code) for code in (-9, 137)] == [signal.SIGKILL, signal.SIGKILL]
    assert [processes.killed_by(code) for code in (0, 1, 2, 255)] == [None] * 4


def test_a_program_is_read_to_its_end_when_nobody_listens_any_more(tmp_path: Path) -> None:
    """More than a pipe holds (64 KiB): a program whose reader left would hang, half done."""
    end = tmp_path / "end"
    program = "import sys\nfor n in range(20000): print('step', n)\nopen(sys.argv[1], 'w')"

    def gone(_line: str) -> None:
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        processes.stream((sys.executable, "-c", program, str(end)), gone)
    assert end.exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_waits_for_an_orderly_end(tmp_path: Path, number: signal.Signals) -> None:
    """Ctrl-C goes to the whole process group of the command, SIGTERM to the command alone.

    The program hears that signal and no other, as one does that leaves Ctrl-C to whom the terminal tells.
    """
    mark = tmp_path / "mark"
    script = tmp_path / "orderly.py"
    script.write_text(ORDERLY)
    driver = f"""
import signal, sys
from infra.lifecycle import processes
from infra.lifecycle.errors import LifecycleError
signal.signal(signal.SIGTERM, processes.terminate)
try:
    command = (sys.executable, {str(script)!r}, {str(mark)!r}, {number.name!r})
    processes.stream(command, lambda line: print(line, flush=True))
except LifecycleError as error:
    print("told:", error.message, flush=True)
"""
    with subprocess.Popen(
        [sys.executable, "-c", driver], stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as command:
        assert command.stdout is not None
        assert command.stdout.readline() == "ready\n"
        (os.killpg if number is signal.SIGINT else os.kill)(command.pid, number)
        said = command.stdout.read()
    assert mark.read_text() == "ended in order"
    assert "cancelling" in said
    assert "told: " in said
    assert "was interrupted and has ended" in said


def test_a_second_end_does_not_wait_leaves_no_process_and_says_what_may_be_left(tmp_path: Path) -> None:
    """SIGTERM reaches the command alone, so it is passed on the second time, too."""
    script = tmp_path / "long.py"
    script.write_text(LONG)
    driver = f"""
import os, signal, sys
from infra.lifecycle import processes
from infra.lifecycle.errors import LifecycleError
signal.signal(signal.SIGTERM, processes.terminate)
try:
    processes.stream((sys.executable, {str(script)!r}), lambda line: os.write(1, line.encode() + bytes([10])))
except LifecycleError as error:
    print("told:", error.message, error.next_step, flush=True)
"""
    with subprocess.Popen(
        [sys.executable, "-c", driver], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as command:
        assert command.stdout is not None
        plugin = psutil.Process(int(command.stdout.readline()))
        for line in ("ready\n", "cancelling\n"):
            while command.stdout.readline() != line:
                assert command.poll() is None
            command.terminate()
        said, complaints = command.communicate(timeout=30)
    plugin.wait(timeout=30)
    assert "Traceback" not in complaints
    assert "interrupted twice" in said
    assert "airflow-env recover" in said
