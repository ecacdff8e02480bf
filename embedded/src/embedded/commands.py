"""Running the system's own tools, with their complaint in the error."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence

from embedded.errors import EmbeddedError
from embedded.processes import bare_environment


def run(command: Sequence[str], timeout_seconds: float = 60.0) -> str:
    """The tool's output.

    Raises:
        EmbeddedError: it failed, or took too long; the message holds what it wrote.
    """
    try:
        done = subprocess.run(
            list(command),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            env=bare_environment(),
            timeout=timeout_seconds,
            check=False,
        )
    except FileNotFoundError as error:
        raise EmbeddedError(f"{command[0]} is not installed", "run `make setup`") from error
    except subprocess.TimeoutExpired as error:
        raise EmbeddedError(f"`{' '.join(command)}` did not end within {timeout_seconds:.0f} s") from error
    if done.returncode:
        complaint = (done.stderr or done.stdout).strip()
        raise EmbeddedError(f"`{' '.join(command)}` failed: {complaint}")
    return done.stdout


def succeeds(command: Sequence[str]) -> bool:
    """Whether the tool ends with 0; what it writes is dropped."""
    done = subprocess.run(list(command), capture_output=True, env=bare_environment(), check=False)
    return done.returncode == 0
