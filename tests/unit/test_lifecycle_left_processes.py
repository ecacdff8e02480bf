"""What a killed engine leaves at work is ended, and nothing else."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from infra.lifecycle import left_processes

# It tells the number of its plugin; the shell is called as its file is.
ENGINE = "#!/bin/sh\nsleep 600 >/dev/null 2>&1 &\necho $!\nwait\n"


@contextmanager
def _run(place: Path, stack: str) -> Iterator[tuple[subprocess.Popen[str], psutil.Process]]:
    """An engine at work on a stack of the project in `place`, and its plugin."""
    engine = place / "pulumi"
    engine.write_text(ENGINE)
    engine.chmod(0o755)
    variables = {**os.environ, **left_processes.mark(place, stack)}
    with subprocess.Popen([str(engine)], env=variables, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        plugin = psutil.Process(int(process.stdout.readline()))
        try:
            yield process, plugin
        finally:
            process.kill()
            if plugin.is_running():
                plugin.kill()


def _is_at_work(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


def test_a_plugin_ends_once_its_engine_is_dead_and_not_before(tmp_path: Path) -> None:
    with _run(tmp_path, "team-a") as (engine, plugin):
        assert left_processes.end(tmp_path, "team-a") == []
        assert _is_at_work(plugin)
        engine.kill()
        engine.wait()
        assert left_processes.end(tmp_path, "team-a") == [f"process {plugin.pid} (sleep)"]
        assert not _is_at_work(plugin)


def test_a_plugin_of_another_stack_or_project_is_left_alone(tmp_path: Path) -> None:
    with _run(tmp_path, "team-a") as (engine, plugin):
        engine.kill()
        engine.wait()
        assert left_processes.end(tmp_path, "team-b") == []
        assert left_processes.end(tmp_path / "cluster", "team-a") == []
        assert _is_at_work(plugin)
