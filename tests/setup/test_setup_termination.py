"""SIGTERM ends a setup with everything that its steps have started; psutil is the witness."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

pytestmark = pytest.mark.setup

#: A step whose program has workers, as compileall has; the second one does not listen to SIGTERM.
SETUP = """
import sys
from embedded.setup import command, preconditions, python_environment
from embedded.setup.shell import Shell
from embedded.setup.steps import Step

def work(shell: Shell) -> None:
    shell.run(["bash", "-c", sys.argv[1]])

command.all_steps = lambda: [Step("work", "", 1, lambda: False, work)]
preconditions.check = lambda facts, node: None
python_environment.check = lambda: None
sys.exit(command.run_setup())
"""
WORKERS = (
    "sleep 300 & (trap '' TERM; while :; do sleep 1; done) & echo started > {0}.new; mv {0}.new {0}; wait"
)


def test_sigterm_leaves_no_worker_behind(tmp_path: Path) -> None:
    started = tmp_path / "started"
    environment = {**os.environ, "AIRFLOW_IAC_CACHE": str(tmp_path / "cache")}
    arguments = [sys.executable, "-c", SETUP, WORKERS.format(started)]
    setup = subprocess.Popen(arguments, env=environment, stdout=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not started.exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    programs = psutil.Process(setup.pid).children(recursive=True)
    assert len(programs) >= 3
    setup.send_signal(signal.SIGTERM)
    said, _ = setup.communicate(timeout=60)
    left = [one for one in programs if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]
    assert left == []
    assert setup.returncode == 143
    assert "make setup" in said
