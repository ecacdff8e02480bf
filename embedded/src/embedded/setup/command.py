"""`embedded setup`: everything that `embedded up` needs, made once and kept."""

from __future__ import annotations

import os
import shlex
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Final

import typer

from embedded.errors import EmbeddedError
from embedded.setup import catalogue, display, go_build, preconditions, python_environment
from embedded.setup.cache import cache_root
from embedded.setup.lock import exclusive
from embedded.setup.runner import Runner
from embedded.setup.steps import Step, all_steps

#: What a shell reports for a program that a signal ended is 128 plus this.
_INTERRUPTED: Final = 128
#: Steps of a cloud whose cluster is brought; Postgres' server it takes from the machine.
_WITHOUT_NODE: Final = ("python-environment", "pulumi", "helm", "kubectl")
_EVERYTHING: Final = "Everything is installed in {}."

app = typer.Typer(
    help="Install everything the embedded cloud needs.", invoke_without_command=True, add_completion=False
)


@app.callback()
def setup(
    check: Annotated[
        bool, typer.Option("--check", help="Only list what is missing; exit code 1 if anything is.")
    ] = False,
    keep_build_cache: Annotated[
        bool,
        typer.Option(
            "--keep-build-cache",
            envvar="AIRFLOW_IAC_KEEP_BUILD_CACHE",
            help="Keep Go's caches (4 GB) after everything is built.",
        ),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object for each change.")] = False,
    node: Annotated[
        bool,
        typer.Option(
            "--node/--no-node",
            help="Without a node only what `embedded up --cluster kubeconfig` needs, which takes no root.",
        ),
    ] = True,
) -> None:
    """Install everything the embedded cloud needs: packages, tools, images. Makes only what is missing."""
    if check:
        raise typer.Exit(check_setup(as_json, node=node))
    code = run_setup(keep_build_cache=keep_build_cache, as_json=as_json, node=node)
    raise typer.Exit(code)


def check_setup(as_json: bool = False, *, node: bool = True) -> int:
    """Lists the steps that are still to be done; 0 when there are none, else 1. Touches nothing."""
    shown = display.choose(as_json)
    missing = _missing(_steps(node))
    for step in missing:
        shown.say(f"missing: {step.name} ({step.purpose})")
    return 1 if missing else 0


def run_setup(*, keep_build_cache: bool = False, as_json: bool = False, node: bool = True) -> int:
    """Makes what is missing and returns the exit code: 0, 1 after failed steps, 130 after Ctrl-C, 143 after
    SIGTERM. No program of a step is left behind by either.

    Raises EmbeddedError, before anything is touched, when the machine cannot be set up.
    """
    steps = _steps(node)
    if _missing(steps):
        preconditions.check(preconditions.gather(), node=node)
    elif keep_build_cache or not go_build.build_cache().exists():
        # The usual case (every `make up` comes by here): nothing to do, so nobody is waited for.
        python_environment.check()
        display.choose(as_json).say(_EVERYTHING.format(cache_root()))
        return 0
    with display.choose(as_json) as shown:
        purpose = shlex.join(["setup", *sys.argv[2:]]) + f" in {os.getcwd()}"  # noqa: PTH109 -- a text
        with exclusive(cache_root() / "setup.lock", purpose, shown.say) as lock:
            runner = Runner(steps, cache_root() / "logs", shown.changed, shown.ticked, lock)
            shown.watch(runner.progress)
            try:
                with _terminable():
                    failures = runner.run()
            except KeyboardInterrupt as interruption:
                shown.say("Interrupted; what is finished is kept, and `make setup` goes on from there.")
                number = signal.SIGTERM if isinstance(interruption, _Terminated) else signal.SIGINT
                return _INTERRUPTED + number
            if not failures:
                _tidy(keep_build_cache)
    if failures:
        display.print_failures(failures)
        return 1
    shown.say(_EVERYTHING.format(cache_root()))
    return 0


class _Terminated(KeyboardInterrupt):
    """SIGTERM arrived: CI services and init systems send it where people press Ctrl-C."""


@contextmanager
def _terminable() -> Iterator[None]:
    """SIGTERM interrupts the block as Ctrl-C does. By default it would end Python alone, and the workers of
    programs that steps have started would go on for a while."""

    def interrupt(*_: object) -> None:
        # A second one must not cut the clearing short.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise _Terminated

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _tidy(keep_build_cache: bool) -> None:
    """Removes what is of no use now that everything is there."""
    if not keep_build_cache:
        go_build.remove_caches()
    for artifact in catalogue.artifacts():
        artifact.mark_used()
        artifact.remove_unused()


def _steps(node: bool) -> list[Step]:
    return [step for step in all_steps() if node or step.name in _WITHOUT_NODE]


def _missing(steps: list[Step]) -> list[Step]:
    """Steps with work left; those that only check are not among them."""
    return [step for step in steps if step.name != "python-environment" and not step.is_done()]


def main() -> None:
    """Runs this command by itself; mistakes are told without a traceback."""
    try:
        app()
    except EmbeddedError as error:
        print(error, file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
