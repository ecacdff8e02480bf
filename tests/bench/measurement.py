"""What a benchmark is made of: commands with their times, and figures beside their targets."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BIN = ROOT / ".venv" / "bin"


@dataclass(frozen=True)
class Measurement:
    """One figure beside its target."""

    name: str
    value: str
    target: str
    load: str


def load() -> str:
    """Load average of the last minute per core, as the kernel gives it."""
    return f"{os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"


def run(command: Sequence[str | Path], variables: Mapping[str, str]) -> int:
    """Run a command with more variables, showing it and its output; its exit code."""
    print(f"$ {' '.join(map(str, command))}", flush=True)
    words = [str(part) for part in command]
    return subprocess.run(words, cwd=ROOT, env={**os.environ, **variables}, check=False).returncode


def output(
    command: Sequence[str | Path], variables: Mapping[str, str], limit_seconds: float, text: str = ""
) -> str:
    """Output of a command that must succeed within its limit; `text` is its input.

    Raises:
        RuntimeError: it did not.
    """
    words = [str(part) for part in command]
    try:
        done = subprocess.run(
            words,
            cwd=ROOT,
            env={**os.environ, **variables},
            input=text,
            capture_output=True,
            text=True,
            check=False,
            timeout=limit_seconds,
        )
    except subprocess.TimeoutExpired:
        raise RuntimeError(f"{' '.join(words)}: no end after {limit_seconds:.0f} s") from None
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(words)}: {(done.stderr + done.stdout)[-1500:]}")
    return done.stdout


def timed(name: str, target: str, command: Sequence[str | Path], variables: Mapping[str, str]) -> Measurement:
    """Run a command that must succeed, and take its wall time."""
    before, start = load(), time.monotonic()
    code = run(command, variables)
    seconds = time.monotonic() - start
    return Measurement(name, f"{seconds:.1f} s" if code == 0 else f"failed ({code})", target, before)
