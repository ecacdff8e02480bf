"""git-sync: follow one Git repository, and publish each commit behind a link."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NoReturn

from .git_environment import add_user, git_environment
from .options import OPTIONS, Refused
from .probe import Probe
from .repository import Repository, SyncFailed
from .settings import Settings, load

_STAND_IN = "git-sync, a stand-in of the embedded cloud on Debian's git; flags and variables as of v4.4.2"


def log(text: str) -> None:
    """A line on standard error."""
    print(f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} {text}", file=sys.stderr, flush=True)


def run(arguments: Sequence[str]) -> int:
    """Follow the repository until told to end; the exit code.

    Raises:
        Refused: the settings are wrong, or what they name is not to be had.
    """
    settings = load(arguments, os.environ)
    log(f"{_STAND_IN}: following {settings.ref} of {settings.repository}")
    if shutil.which(settings.git) is None:
        raise Refused(f"git executable not found: {settings.git}")
    os.umask(0o002 if settings.group_write else 0o022)
    if settings.add_user:
        add_user()
    repository = Repository(settings, git_environment(settings, os.environ))
    probe = Probe(settings.http_bind) if settings.http_bind else None
    return _follow(settings, repository, probe)


def _follow(settings: Settings, repository: Repository, probe: Probe | None) -> int:
    failures, synced = 0, False
    while True:
        try:
            changed, commit = repository.sync()
        except SyncFailed as error:
            failures += 1
            if 0 <= settings.max_failures <= failures:
                log(f"failure {failures}, no more are allowed: {error}")
                return 1
            log(f"failure {failures}, trying again: {error}")
        else:
            if probe:
                probe.ready()
            if changed or not synced:
                log(f"published {commit}")
                _touch(settings)
            synced, failures = True, 0
            _clean_up(repository)
            if settings.one_time:
                return 0
            if commit == settings.ref:
                log("the reference is a commit: there is nothing more to follow")
                while True:
                    signal.pause()
        time.sleep(settings.period)


def _touch(settings: Settings) -> None:
    if settings.touch_file:
        settings.touch_file.parent.mkdir(mode=0o775, parents=True, exist_ok=True)
        settings.touch_file.touch()


def _clean_up(repository: Repository) -> None:
    try:
        repository.cleanup()
    except SyncFailed as error:
        log(f"clean-up failed: {error}")


def _describe() -> str:
    lines = [f"{_STAND_IN}.", "Flags, with the variable of each:"]
    for option in OPTIONS:
        note = "" if option.emulated else "  (not done by the stand-in)"
        lines.append(f"  --{option.name}  {', '.join(option.variables)}{note}")
    return "\n".join(lines)


def _end(number: int, _: object) -> NoReturn:
    """Process 1 of a container ends on a signal only when it handles it."""
    raise SystemExit(128 + number)


def main() -> NoReturn:
    """Runs the program; mistakes are told without a traceback."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _end)
    arguments = sys.argv[1:]
    if set(arguments) & {"--help", "-h", "-?", "--man", "--version"}:
        print(_STAND_IN if "--version" in arguments else _describe())
        sys.exit(0)
    try:
        sys.exit(run(arguments))
    except Refused as mistake:
        log(f"FATAL: {mistake}")
        sys.exit(mistake.code)


if __name__ == "__main__":
    main()
