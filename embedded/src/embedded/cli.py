"""The `embedded` command."""

from __future__ import annotations

import enum
import json
import os
import sys
import time
from pathlib import Path
from types import ModuleType, TracebackType
from typing import TYPE_CHECKING, Annotated, NoReturn, Self

import typer
from rich.console import Console
from rich.table import Table

import embedded
from embedded import endings
from embedded.errors import EmbeddedError
from embedded.faults import command as fault_commands
from embedded.identity import CloudIdentity

if TYPE_CHECKING:
    # Commands import what they use themselves: `embedded run` starts in a fraction of the time.
    from embedded.status import PartStatus

_LOG_LINES = 200
# What shells say of a command that is not there, or may not be run.
_NOT_FOUND, _NOT_EXECUTABLE = 127, 126

app = typer.Typer(
    help="An AWS account and a Kubernetes cluster on this machine.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(fault_commands.faults, name="faults")
app.add_typer(fault_commands.latency, name="latency")
# Paths and other programs' messages are text, not markup.
_console = Console(stderr=True, highlight=False, soft_wrap=True, markup=False, emoji=False)


class ClusterKind(enum.StrEnum):
    """Where pods run."""

    NODE = "node"
    KUBECONFIG = "kubeconfig"


_Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.callback()
def cloud(
    context: typer.Context,
    checkout: Annotated[
        Path | None,
        typer.Option(
            help="The checkout whose cloud is meant; default: the one around the current directory.",
            exists=True,
            file_okay=False,
        ),
    ] = None,
) -> None:
    """Each checkout has a cloud of its own; several run side by side."""
    context.obj = CloudIdentity.of(checkout or find_checkout(Path.cwd()))


def find_checkout(place: Path) -> Path:
    """The checkout around this place, else the one this program runs from."""
    for directory in (place, *place.parents):
        if (directory / "Pulumi.yaml").is_file() and (directory / "embedded" / "pyproject.toml").is_file():
            return directory
    return Path(embedded.__file__).resolve().parents[3]


@app.command()
def up(
    context: typer.Context,
    cluster: Annotated[
        ClusterKind | None,
        typer.Option(
            help="`node`: a Kubernetes of its own (the default). `kubeconfig`: the cluster that KUBECONFIG "
            "names; no root is needed, and nothing is built. Kept until `reset`.",
        ),
    ] = None,
    advertise: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="With --cluster kubeconfig: the IPv4 address of this machine that the cluster reaches; "
            "default: the one that leads to its API server.",
        ),
    ] = None,
) -> None:
    """Start the cloud, or whatever part of it does not run."""
    from embedded import lifecycle
    from embedded.brought_cluster import lifecycle as brought_lifecycle
    from embedded.faults.settings import read_settings, settings_path
    from embedded.setup import toolchain

    identity: CloudIdentity = context.obj
    brought = cluster is ClusterKind.KUBECONFIG or (cluster is None and identity.brought is not None)
    _refuse_other_kind(identity, brought, advertise)
    with Steps() as steps:
        if brought:
            identity = brought_lifecycle.identity_with(identity, advertise)
            started = brought_lifecycle.up(identity, toolchain(node=False), steps.announce)
        else:
            started = lifecycle.up(identity, toolchain(), steps.announce)
    if started:
        _console.print(f"{identity.name} is up after {steps.elapsed:.0f} s: started {', '.join(started)}.")
    else:
        _console.print(f"{identity.name} is up; nothing had to be started.")
    _console.print(f"AWS API {identity.aws_endpoint_url}  Kubernetes API {identity.kubernetes_endpoint}")
    if identity.brought:
        _console.print(
            "Ingresses are served by that cluster's own controllers: no load balancer is made here."
        )
    if not read_settings(settings_path(identity)).quiet:
        _console.print("Faults are set: `embedded faults list`.")
    _console.print("Use it by `embedded run -- COMMAND`.")


def _refuse_other_kind(identity: CloudIdentity, brought: bool, advertise: str | None) -> None:
    """Raises EmbeddedError when options and the cloud's own state disagree about the kind of its cluster."""
    if identity.brought and not brought:
        raise EmbeddedError(
            f"{identity.name} is on a cluster that was brought, and its state is made for that one",
            "run `embedded reset`, then `embedded up`",
        )
    if advertise and not brought:
        raise EmbeddedError(
            "--advertise goes with --cluster kubeconfig: a node of its own has addresses of its own",
            "leave it out, or add --cluster kubeconfig",
        )


@app.command()
def down(context: typer.Context) -> None:
    """Stop the cloud and take it off the machine; its state is kept."""
    with Steps() as steps:
        _life(context.obj).down(context.obj, steps.announce)
    _console.print(f"{context.obj.name} is down; its state is kept in {context.obj.state_directory}.")


@app.command()
def reset(context: typer.Context) -> None:
    """Stop the cloud and delete its state: databases, buckets, cluster, images."""
    with Steps() as steps:
        _life(context.obj).reset(context.obj, steps.announce)
    _console.print(f"{context.obj.name} is gone.")


def _life(identity: CloudIdentity) -> ModuleType:
    """The module whose `down` and `reset` are this cloud's."""
    from embedded import lifecycle
    from embedded.brought_cluster import lifecycle as brought_lifecycle

    return brought_lifecycle if identity.brought else lifecycle


@app.command()
def status(context: typer.Context, as_json: _Json = False) -> None:
    """List the parts and ask each for its health; exit code 1 unless all are well."""
    from embedded.setup import toolchain
    from embedded.status import HEALTHY, collect

    parts = collect(context.obj, toolchain(node=context.obj.brought is None))
    if as_json:
        print(json.dumps([part.as_json() for part in parts], indent=2))
    elif parts:
        Console(highlight=False, markup=False, emoji=False).print(_status_table(parts))
    else:
        _console.print(f"{context.obj.name} was never started: `embedded up`")
    well = bool(parts) and all(part.health == HEALTHY for part in parts)
    raise typer.Exit(0 if well else 1)


def _status_table(parts: list[PartStatus]) -> Table:
    total = sum(part.memory for part in parts)
    table = Table(show_footer=True)
    table.add_column("part")
    table.add_column("version")
    table.add_column("pid", justify="right")
    table.add_column("address")
    table.add_column("memory", justify="right", footer=_mebibytes(total))
    table.add_column("health", overflow="fold")
    for part in parts:
        pid = "" if part.pid is None else str(part.pid)
        memory = _mebibytes(part.memory) if part.pid else ""
        table.add_row(part.name, part.version, pid, part.address or "", memory, part.health)
    return table


def _mebibytes(size: int) -> str:
    return f"{size / 2**20:.0f} MiB"


@app.command()
def logs(
    context: typer.Context,
    part: Annotated[str, typer.Argument(help="A part as `embedded status` lists them, e.g. kubelet.")],
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as lines come.")] = False,
) -> None:
    """Show the last lines that a part wrote."""
    identity: CloudIdentity = context.obj
    path = identity.logs_directory / f"{part}.log"
    if not path.is_file():
        available = sorted(one.stem for one in identity.logs_directory.glob("*.log"))
        raise EmbeddedError(
            f"there is no log of {part!r}; there are: {', '.join(available) or 'none'}",
            "" if available else "run `embedded up`",
        )
    _execute(["tail", f"--lines={_LOG_LINES}", *(["--follow=name"] if follow else []), str(path)], os.environ)


@app.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
def run(
    context: typer.Context,
    command: Annotated[list[str], typer.Argument(help="The command with its arguments, after `--`.")],
) -> None:
    """Run a command whose AWS, Pulumi, Kubernetes and Helm are this cloud's; its exit code is passed on."""
    from embedded.environment import environment_for, merged
    from embedded.processes import Supervisor
    from embedded.setup import toolchain

    identity: CloudIdentity = context.obj
    tools = toolchain(node=identity.brought is None)
    if not Supervisor(identity).alive("aws"):
        raise EmbeddedError(f"the cloud of {identity.checkout} is not up", "run `embedded up`")
    _execute(command, merged(environment_for(identity, tools), os.environ))


def _execute(command: list[str], environment: os._Environ[str] | dict[str, str]) -> NoReturn:
    """Become the command."""
    sys.stdout.flush()
    try:
        os.execvpe(command[0], command, environment)  # noqa: S606 -- a list, no shell
    except FileNotFoundError:
        print(f"embedded: {command[0]}: command not found", file=sys.stderr)
        sys.exit(_NOT_FOUND)
    except OSError as error:
        print(f"embedded: {command[0]}: {error.strerror}", file=sys.stderr)
        sys.exit(_NOT_EXECUTABLE)


@app.command(
    context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
    add_help_option=False,
)
def setup(context: typer.Context) -> None:
    """Install everything the cloud needs; `embedded setup --help` lists its options."""
    from embedded.setup.command import app as setup_app

    setup_app(context.args, prog_name="embedded setup")


class Steps:
    """Shows what is waited for: one line that changes on a terminal, one line a step elsewhere."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        self._status = _console.status("") if _console.is_terminal else None

    def __enter__(self) -> Self:
        if self._status:
            self._status.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._status:
            self._status.stop()

    @property
    def elapsed(self) -> float:
        """Seconds since the command began."""
        return time.monotonic() - self._started

    def announce(self, text: str) -> None:
        """Say what comes next."""
        if self._status:
            self._status.update(f"waiting for {text}")
        _console.print(f"{self.elapsed:6.1f} s", style="dim", end="  ")
        _console.print(text)


def main() -> None:
    """Runs the command; mistakes are told without a traceback."""
    endings.run(app)


if __name__ == "__main__":
    main()
