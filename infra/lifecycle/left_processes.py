"""Plugins that outlive their engine: whoever kills it, or the command above it, leaves them to themselves.

The plugin of Python resources stays for ever, and others for minutes, by
https://github.com/pulumi/pulumi/blob/master/sdk/go/common/util/rpcutil/healthcheck.go. Each goes on with what
it was told last, and so works against the next run. An engine hands its variables on to all that it starts.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Final

from infra.lifecycle import process_table

_VARIABLE: Final = "AIRFLOW_ENV_RUN"
_ENGINE: Final = "pulumi"
# A helm that is asked to end notes first in its release that it was.
_SECONDS: Final = 10.0


def mark(directory: Path, stack: str) -> dict[str, str]:
    """The variable by which all processes of a run are known.

    Args:
        directory: of the project.
        stack: name of its stack.
    """
    return {_VARIABLE: f"{directory.absolute()}:{stack}"}


def end(directory: Path, stack: str) -> list[str]:
    """End what is left here of runs of a stack whose engine is gone; what that was, a text each."""
    [(variable, value)] = mark(directory, stack).items()
    marked = process_table.with_variable(variable, value)
    left = {process: start for process, start in marked.items() if not _has_engine(process, marked)}
    names = [f"process {process} ({process_table.process_name(process)})" for process in left]
    process_table.end(left)
    deadline = time.monotonic() + _SECONDS
    while time.monotonic() < deadline and any(
        process_table.process_start(process) == start for process, start in left.items()
    ):
        time.sleep(0.05)
    return names


def _has_engine(process: int, marked: dict[int, float]) -> bool:
    """Whether an engine of the run is among those that started the process, or is it."""
    while process in marked:
        if process_table.process_name(process) == _ENGINE:
            return True
        process = process_table.parent(process)
    return False
