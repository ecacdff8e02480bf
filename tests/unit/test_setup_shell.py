"""Programs of a step: their output is kept, their failure is told, and they do not outlive the setup."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from embedded.setup.shell import Shell, StepFailed


def test_output_and_command_are_in_the_log(tmp_path: Path) -> None:
    shell = Shell(tmp_path / "logs" / "step.log")
    shell.run(["bash", "-c", "echo out; echo err >&2"])
    assert shell.log.read_text().splitlines()[-2:] == ["out", "err"]


def test_output_is_of_that_program_alone(tmp_path: Path) -> None:
    shell = Shell(tmp_path / "step.log")
    shell.run(["echo", "before"])
    assert shell.output(["printf", "%s\n", "one", "two"]) == "one\ntwo\n"


def test_a_log_begins_anew_with_each_run(tmp_path: Path) -> None:
    Shell(tmp_path / "step.log").note("old")
    assert Shell(tmp_path / "step.log").tail() == []


def test_a_failure_names_the_log_and_shows_its_last_lines(tmp_path: Path) -> None:
    shell = Shell(tmp_path / "step.log")
    with pytest.raises(StepFailed) as raised:
        shell.run(["bash", "-c", "seq 1 100; echo the cause; exit 7"])
    assert "7" in raised.value.message
    assert str(shell.log) in raised.value.next_step
    assert raised.value.tail[-1] == "the cause"
    assert raised.value.tail[0] != "1"


def test_a_refusal_is_told_instead_of_the_exit_code(tmp_path: Path) -> None:
    line = "go: example.com/a/b@v1.0.0: reading http://proxy/example.com/a/b/@v/v1.0.0.zip: 403 Forbidden"
    with pytest.raises(StepFailed, match=r"403 for example.com/a/b@v1.0.0"):
        Shell(tmp_path / "step.log").run(["bash", "-c", f"echo '{line}'; exit 1"])


def test_a_program_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(StepFailed, match="no-such-program"):
        Shell(tmp_path / "step.log").run(["no-such-program"])


def test_after_stop_nothing_is_started_for_long(tmp_path: Path) -> None:
    shell = Shell(tmp_path / "step.log")
    shell.stop()
    with pytest.raises(StepFailed):
        shell.run(["sleep", "300"])


SETUP = """
import sys
from pathlib import Path
from embedded.setup.shell import Shell
Shell(Path(sys.argv[1]) / "log").run(["bash", "-c", "echo $$ > new; mv new pid; exec sleep 300"])
"""


def test_a_killed_setup_takes_its_programs_with_it(tmp_path: Path) -> None:
    setup = subprocess.Popen([sys.executable, "-c", SETUP, str(tmp_path)], cwd=tmp_path)
    pid_file = tmp_path / "pid"
    deadline = time.monotonic() + 60
    while not pid_file.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    program = psutil.Process(int(pid_file.read_text()))
    setup.send_signal(signal.SIGKILL)
    setup.wait(30)
    program.wait(30)  # raises TimeoutExpired when it lives on
