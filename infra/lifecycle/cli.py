"""The command line `airflow-env`: environments around the resource graph."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from botocore.exceptions import BotoCoreError, ClientError

from infra.key_ring import RotatedKey
from infra.lifecycle import (
    baseline,
    deployment,
    derived_stack,
    doctor,
    environments,
    opening,
    processes,
    recovery,
    recovery_set,
    rendering,
    report,
    rights,
    rotation,
)
from infra.lifecycle.canary_run import login_of, run_canary
from infra.lifecycle.cluster_access import cluster_access
from infra.lifecycle.errors import LifecycleError, of_the_system

app = typer.Typer(
    help="Commands for Airflow environments. A stack is one environment: staging, prod, or one of your own.",
    epilog="For example: airflow-env doctor staging; airflow-env up staging; airflow-env open staging. On "
    "the embedded cloud each of them stands after `embedded run --`.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Stack = Annotated[str, typer.Argument(help="The environment: a stack that has a file Pulumi.STACK.yaml.")]
Cluster = Annotated[bool, typer.Option("--cluster", help="STACK is a stack of the cluster project.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of a table.")]

# What Typer exits with after Ctrl-C, and after a mistake in the arguments.
_INTERRUPTED, _MISUSED = 130, 2
_CUT_OFF = LifecycleError(
    "The command was interrupted; what it did until then stays.", "Run the same command again; it resumes."
)

# Components as the chart labels their pods; `migration` is the Job that runs before the release.
COMPONENTS = ("api-server", "scheduler", "dag-processor", "triggerer", "statsd", "pgbouncer")
# Of `logs --follow`: pods of one component, with three containers each.
STREAMS = 60


@app.command()
def up(stack: Stack) -> None:
    """Deploy an environment, its cluster first where that is missing, and prove that it works."""
    deployment.up(stack)


@app.command()
def down(
    stack: Annotated[str, typer.Argument(help="The environment to delete.")] = "",
    every: Annotated[
        bool, typer.Option("--all", help="Delete every environment, then the clusters of this checkout.")
    ] = False,
    retire: Annotated[
        bool,
        typer.Option(
            "--retire",
            help="End a persistent environment for good; its recovery set stays.",
        ),
    ] = False,
) -> None:
    """Delete an environment. A persistent one is refused, with the commands that end it."""
    if bool(stack) == every:
        raise LifecycleError("Name one environment, or give --all.", "airflow-env down STACK")
    if every:
        deployment.down_all(retire=retire)
    else:
        deployment.down(stack, retire=retire)


@app.command(name="recovery-set")
def recovery_set_command(stack: Stack, as_json: Json = False) -> None:
    """List what a persistent environment left behind, and how to restore it; nothing is touched."""
    found = recovery_set.of_stack(stack)
    if as_json:
        recovery_set.print_json(found)
    else:
        recovery_set.print_text(stack, found)


@app.command()
def canary(stack: Stack, as_json: Json = False) -> None:
    """Run a DAG of two tasks and read its logs back from S3."""
    say = (lambda _: None) if as_json else deployment.say
    _finish(f"Canary of {stack}", run_canary(environments.exports(stack), say), as_json)


@app.command(name="doctor")
def doctor_command(stack: Stack, as_json: Json = False) -> None:
    """Look at everything that a deployment depends on; nothing is touched."""
    _finish(f"Preflight of {stack}", doctor.examine(stack, deployment.chart_sentence), as_json)


@app.command()
def policy(
    stack: Stack,
    cluster: Cluster = False,
    as_json: Json = False,
) -> None:
    """Judge what is deployed by the security baseline in policy/; accepted findings show their reasons."""
    rows = baseline.examine_cluster(stack) if cluster else baseline.examine(stack)
    _finish(f"Security baseline of {stack}: {baseline.counts(rows)}", rows, as_json)


@app.command(name="rights")
def rights_command(
    stack: Stack,
    cluster: Cluster = False,
    every: Annotated[
        str,
        typer.Option(
            help="For all stacks whose names begin so, such as pr-, with STACK's account and cluster."
        ),
    ] = "",
    to: Annotated[
        Path | None, typer.Option(help="Directory to write to, a file for each policy; default: print them.")
    ] = None,
) -> None:
    """Print the IAM policies of who deploys a stack, as `aws iam create-policy` takes them."""
    if cluster and every:
        raise LifecycleError("--every is for environments, and --cluster names one stack.", "Leave one out.")
    found = rights.of_cluster(stack) if cluster else rights.of_environment(stack, every=every)
    if to is None:
        print(json.dumps(found, indent=2))
        return
    for path in rights.write(found, to):
        print(path)


@app.command(name="open")
def open_command(
    stack: Stack,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port on this machine; 0 for a free one.")
    ] = 8080,
) -> None:
    """Say where Airflow answers; without an ingress, forward a port of this machine until Ctrl-C."""
    # Outputs, credentials and a forward take seconds each, on a busy machine half a minute.
    report.errors.print(f"Asking for {stack} and its cluster ...", markup=False)
    opening.open_airflow(stack, environments.exports(stack), port, lambda text: report.console.print(text))


@app.command()
def password(stack: Stack) -> None:
    """Print the first administrator's password, for a terminal or a pipe."""
    exports = environments.exports(stack)
    if not exports.admin_secret_name:
        raise LifecycleError(
            environments.sign_on(stack),
            f"`airflow-env open {stack}` says where. Who may do what: airflow:access.oidc.roles in "
            f"Pulumi.{stack}.yaml.",
        )
    with cluster_access(exports.cluster_name, exports.region, exports.namespace) as access:
        _, secret = login_of(access.secret(exports.admin_secret_name), exports.admin_secret_name)
    print(secret)


@app.command()
def recover(
    stack: Stack,
    unlock: Annotated[
        bool, typer.Option("--unlock", help="Release a lock of another machine, whose process is dead.")
    ] = False,
    unlock_cluster: Annotated[
        bool, typer.Option("--unlock-cluster", help="The same of its cluster's stack, which others share.")
    ] = False,
) -> None:
    """After a killed run: release its lock, find what it half made, and refresh. No data is deleted."""
    recovery.recover(stack, unlock=unlock, unlock_cluster=unlock_cluster)


@app.command()
def rotate(
    key: Annotated[RotatedKey, typer.Argument(help="What to rotate.")],
    stack: Stack,
) -> None:
    """Make a new key or password while Airflow runs; old values stay readable, running tasks go on."""
    rotation.rotate(key, stack)


@app.command()
def logs(
    stack: Stack,
    component: Annotated[str, typer.Argument(help=f"One of: {', '.join(COMPONENTS)}.")],
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Keep printing.")] = False,
    tail: Annotated[int, typer.Option(help="Lines of each container.")] = 200,
) -> None:
    """Print the logs of one component's pods."""
    if component not in COMPONENTS:
        raise LifecycleError(
            f"There is no component {component}; allowed: {', '.join(COMPONENTS)}.", "Name one of them."
        )
    exports = environments.exports(stack)
    selector = f"release={exports.release_name},component={component}"
    options = ["--all-containers", "--prefix", f"--tail={tail}"]
    if follow:
        # kubectl refuses more than five streams, a stream for each container, unless it is told.
        options += ["--follow", f"--max-log-requests={STREAMS}"]
    processes.require("kubectl")
    with cluster_access(exports.cluster_name, exports.region, exports.namespace) as access:
        command = access.command("logs", "--selector", selector, *options)
        try:
            code = subprocess.run(command, check=False).returncode
        except KeyboardInterrupt:
            # The way to end --follow, as it is of `open`.
            code = 0
    raise typer.Exit(code)


@app.command()
def config(stack: Stack) -> None:
    """Print the environment's airflow.cfg, from its files alone."""
    print(rendering.rendered_config(stack), end="")


@app.command()
def values(stack: Stack) -> None:
    """Print the environment's chart values, from its files alone."""
    print(rendering.rendered_values(stack), end="")


@app.command()
def derive(
    stack: Annotated[str, typer.Argument(help="The environment to write a file for, such as pr-7.")],
    source: Annotated[str, typer.Option("--from", help="The stack whose file is taken over.")],
) -> None:
    """Write the stack file of a disposable environment that is like another one; nothing is deployed."""
    path, left_out = derived_stack.derive(stack, source)
    kept = f"; not shareable, so left out: {', '.join(left_out)}" if left_out else ""
    report.console.print(f"{path.name} is written{kept}.", markup=False)


@app.command()
def chart() -> None:
    """Fill .charts/airflow, the chart that the program deploys, and say which chart it is."""
    deployment.fill_chart()


def _finish(title: str, rows: list[report.Row], as_json: bool) -> None:
    if as_json:
        report.print_rows_json(rows)
    else:
        report.print_rows(title, rows)
    if report.failed(rows):
        raise typer.Exit(1)


def main() -> None:
    """Run the command line; a user's mistake ends in two sentences and exit code 1 (2 for its arguments)."""
    signal.signal(signal.SIGTERM, processes.terminate)
    try:
        app()
    except SystemExit as ended:
        if ended.code == _INTERRUPTED:
            _fail(_CUT_OFF, _INTERRUPTED)
        if ended.code == _MISUSED and _wants_json():
            # Typer has told the user already; it leaves by way of the mistake that it found.
            report.print_error_json(LifecycleError(_said(ended.__context__), _usage_help()))
        raise
    except LifecycleError as error:
        _fail(error)
    except (BotoCoreError, ClientError) as error:
        _fail(
            LifecycleError(
                f"AWS can't be asked, or refuses: {error}",
                "Log in to the account of the stack file, and give your role what it lacks; "
                "`airflow-env doctor STACK` looks at credentials.",
            )
        )
    except OSError as error:
        _fail(of_the_system(error))
    except processes.Terminated:
        _fail(_CUT_OFF, 128 + signal.SIGTERM)


def _fail(error: LifecycleError, code: int = 1) -> NoReturn:
    """Say why and what next; who asked for JSON gets that on stdout too."""
    if _wants_json():
        report.print_error_json(error)
    report.errors.print(f"airflow-env: {error.message}", markup=False)
    report.errors.print(f"Next step: {error.next_step}", markup=False)
    sys.exit(code)


def _wants_json() -> bool:
    return "--json" in sys.argv[1:]


def _said(mistake: BaseException | None) -> str:
    """The sentence of a mistake in the arguments."""
    said = getattr(mistake, "format_message", None)
    return str(said()) if said else "The arguments are not those of the command."


def _usage_help() -> str:
    named = [word for word in sys.argv[1:2] if not word.startswith("-")]
    return f"`{' '.join(['airflow-env', *named, '--help'])}` lists the arguments."
