"""Running other programs: with limits, without a shell, and with errors that say what was run and said."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from infra.lifecycle import process_table
from infra.lifecycle.errors import LifecycleError


class Terminated(BaseException):
    """SIGTERM came: a CI job was cancelled, or a time limit is over. It reaches this process alone."""


def terminate(*_: object) -> None:
    """The handler of SIGTERM: what runs ends in order."""
    raise Terminated


# As much of a failed program's output as fits a terminal; the rest is in its own logs.
_TAIL_LINES = 15


def require(tool: str) -> Path:
    """Find `tool` on PATH.

    Raises:
        LifecycleError: it is not there.
    """
    found = shutil.which(tool)
    if found is None:
        raise LifecycleError(
            f"`{tool}` is not on PATH.",
            "Install it, or run `make setup` and start commands by `embedded run --`.",
        )
    return Path(found)


def output(
    command: Sequence[str], *, directory: Path | None = None, timeout_seconds: float = 60, stdin: str = ""
) -> str:
    """Run `command` to its end and return its standard output.

    Raises:
        LifecycleError: the tool is missing, took too long or failed; the message ends with what it said.
    """
    require(command[0])
    try:
        finished = subprocess.run(
            list(command),
            cwd=directory,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=timeout_seconds,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise LifecycleError(
            f"`{_shown(command)}` gave no answer within {timeout_seconds:.0f} s.",
            "Run it by hand to see where it waits; `airflow-env doctor STACK` checks what it depends on.",
        ) from error
    if finished.returncode != 0:
        raise LifecycleError(
            f"`{_shown(command)}` failed with exit code {finished.returncode}: "
            f"{_tail(finished.stderr or finished.stdout)}",
            "The message above is the program's own; `airflow-env doctor STACK` checks what it depends on.",
        )
    return finished.stdout


def stream(
    command: Sequence[str],
    on_line: Callable[[str], None],
    *,
    directory: Path | None = None,
    variables: Mapping[str, str] | None = None,
) -> int:
    """Run `command`, pass each line of its output (both streams) to `on_line`, and return the exit code.

    Ctrl-C reaches the command too, and SIGTERM (see `Terminated`) is passed on to it; it is given
    the time to end in order. A second one does not wait.

    Raises:
        LifecycleError: it was interrupted, once or twice.
    """
    require(command[0])
    with subprocess.Popen(
        list(command),
        cwd=directory,
        env={**os.environ, **(variables or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        bufsize=1,
        errors="replace",
    ) as process:
        family: dict[int, float] = {}
        try:
            interrupted = _relay(process, on_line, family)
        except (KeyboardInterrupt, Terminated) as second:
            # Sent from here: the second one may come while the first is being dealt with.
            family |= process_table.descendants(process.pid)
            if isinstance(second, Terminated):
                process.send_signal(signal.SIGTERM)
            # The program drops everything and ends. Its plugins would stay for minutes, and the one of Python
            # resources for ever.
            process.wait()
            process_table.end(family)
            raise LifecycleError(
                f"`{_shown(command[:2])}` was interrupted twice and did not end in order: what was in "
                "progress may be half made, and its lock may be left.",
                "`airflow-env recover STACK` finds that; then run the same command again.",
            ) from None
        code = process.wait()
    if interrupted:
        raise LifecycleError(
            f"`{_shown(command[:2])}` was interrupted and has ended; what it did until then stays.",
            "Run the same command again; it resumes.",
        )
    return code


def killed_by(code: int) -> signal.Signals | None:
    """The signal that ended a program, by its exit code; None where it ended by itself.

    What stands between it and us may tell of it as shells do, by 128 and the signal's number.
    """
    try:
        return signal.Signals(-code if code < 0 else code - 128)
    except ValueError:
        return None


def _relay(process: subprocess.Popen[str], on_line: Callable[[str], None], family: dict[int, float]) -> bool:
    """Pass lines on until there are no more; whether an interrupt came meanwhile.

    Then `family` has what the program had started: once it is dead, nobody knows what was its own.

    A thread reads: an interrupt in the midst of reading would lose what the program says of its end. It reads
    on when a line cannot be passed on (nobody listens any more, as behind `| head`): the program would wait
    for its reader for ever. The error is raised at the program's end.
    """
    # A join that is interrupted takes the thread for ended (https://bugs.python.org/issue45274).
    all_read = threading.Event()
    failed: list[BaseException] = []

    def pass_on(line: str) -> None:
        try:
            on_line(line)
        except BaseException as error:  # noqa: BLE001 - raised below; a console without reader ends by SystemExit
            failed.append(error)

    def read() -> None:
        try:
            for line in process.stdout or ():
                if not failed:
                    pass_on(line.rstrip("\n"))
        except ValueError:  # closed after a second interrupt
            pass
        finally:
            all_read.set()

    threading.Thread(target=read, daemon=True).start()
    interrupted = False
    while not all_read.is_set():
        try:
            all_read.wait()
        except (KeyboardInterrupt, Terminated) as signalled:
            if interrupted:
                raise
            interrupted = True
            family |= process_table.descendants(process.pid)
            if isinstance(signalled, Terminated):
                # The engine takes it as Ctrl-C; what stands between it and us may leave that to the terminal.
                process.send_signal(signal.SIGTERM)
            pass_on("interrupted: waiting for what is in progress to end; a second time does not wait")
    if failed:
        raise failed[0]
    return interrupted


def _shown(command: Sequence[str]) -> str:
    return " ".join(command)


def _tail(text: str) -> str:
    lines = [line for line in text.strip().splitlines() if line.strip()]
    return "\n".join(lines[-_TAIL_LINES:]) or "(it said nothing)"
