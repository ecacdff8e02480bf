"""`embedded faults` and `embedded latency`: what is to go wrong, set while the cloud runs."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from embedded.errors import EmbeddedError
from embedded.faults.settings import (
    KINDS,
    FaultSettings,
    Kind,
    Latency,
    Target,
    changing,
    read_settings,
    settings_path,
)
from embedded.identity import CloudIdentity

faults = typer.Typer(no_args_is_help=True, help="Faults of the AWS API and of the Kubernetes API server.")
latency = typer.Typer(no_args_is_help=True, help="Delays of the AWS API, per operation.")
api_server = typer.Typer(no_args_is_help=True, help="A slow or restarted Kubernetes API server.")
faults.add_typer(api_server, name="api-server")

_output = Console(highlight=False, markup=False, emoji=False, soft_wrap=True)
_Service = Annotated[str, typer.Option(help="boto3's name of the service, such as rds; patterns with *.")]
_Operation = Annotated[str, typer.Option(help="The API's name, such as CreateDBInstance; patterns with *.")]


@faults.command("list")
def list_all(
    context: typer.Context, as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False
) -> None:
    """Show everything that is set, and how often each fault was played."""
    from embedded.faults.played import played_path, read_played

    path = settings_path(context.obj)
    settings, played = read_settings(path), read_played(played_path(path))
    if as_json:
        values = settings.as_json()
        values.pop("next_id")
        values["faults"] = [{**one, "played": played.get(one["id"], 0)} for one in values["faults"]]
        print(json.dumps(values, indent=2))
    elif settings.quiet:
        _output.print("nothing is set: the cloud plays no faults")
    else:
        _output.print(_fault_table(settings, played))
        for line in _rest(settings):
            _output.print(line)


def _fault_table(settings: FaultSettings, played: dict[str, int]) -> Table:
    table = Table("id", "kind", "service", "operation", "hits", "played")
    for one in settings.faults:
        hits = "all" if one.count is None else f"the first {one.count}"
        if one.probability < 1:
            hits += f" of {one.probability:.0%}, seed {one.seed}"
        cells = (one.id, one.kind, one.target.service, one.target.operation, hits, str(played.get(one.id, 0)))
        table.add_row(*cells)
    return table


def _rest(settings: FaultSettings) -> list[str]:
    lines = [
        f"latency of {one.target.service} {one.target.operation}: {one.seconds:g} s"
        for one in settings.latencies
    ]
    if settings.duration_scale:
        lines.append(f"AWS's durations are played times {settings.duration_scale:g}")
    if settings.consistency_seconds:
        lines.append(f"IAM and access to clusters take effect after {settings.consistency_seconds:g} s")
    if settings.api_server_pause_seconds:
        lines.append(f"the Kubernetes API server is held for {settings.api_server_pause_seconds:g} s a time")
    return lines


@faults.command()
def add(
    context: typer.Context,
    kind: Annotated[str, typer.Option(help=f"One of: {', '.join(KINDS)}.")],
    service: _Service = "*",
    operation: _Operation = "*",
    count: Annotated[int | None, typer.Option(min=1, help="Hit so many requests; default: all.")] = None,
    probability: Annotated[float, typer.Option(help="Hit so many of the requests: above 0, up to 1.")] = 1.0,
    seed: Annotated[int | None, typer.Option(help="Which ones a probability hits; default: drawn.")] = None,
    seconds: Annotated[
        float | None,
        typer.Option(help="timeout: cut the connection after so long; default: until the client gives up."),
    ] = None,
) -> None:
    """Let requests fail from now on; prints the fault's id."""
    mistakes = _target_mistakes(service, operation)
    if kind not in KINDS:
        mistakes.append(f"--kind {kind}: one of {', '.join(KINDS)}")
    if not 0 < probability <= 1:
        mistakes.append(f"--probability {probability}: above 0, up to 1")
    if seconds is not None and (kind != "timeout" or seconds <= 0):
        mistakes.append(f"--seconds {seconds:g}: above 0, and of --kind timeout only")
    _refuse(mistakes)
    with changing(context.obj) as change:
        options = {"count": count, "probability": probability, "seed": seed, "seconds": seconds}
        chosen: Kind = kind  # type: ignore[assignment]
        change.settings = change.settings.with_fault(chosen, Target(service, operation), **options)
        print(change.settings.faults[-1].id)


@faults.command()
def clear(
    context: typer.Context,
    ids: Annotated[
        list[str] | None, typer.Argument(help="Faults; without any, everything is cleared.")
    ] = None,
) -> None:
    """Take faults back, or everything that is set: latency, durations and the API server's pauses too."""
    identity: CloudIdentity = context.obj
    with changing(identity) as change:
        if ids:
            change.settings = change.settings.without_faults(tuple(ids))
        else:
            change.settings = FaultSettings(next_id=change.settings.next_id)
    if not ids:
        from embedded.faults.api_server import release

        release(identity)


@faults.command()
def durations(
    context: typer.Context,
    scale: Annotated[
        str | None, typer.Argument(help="1 is AWS's pace, 1/60 a second a minute, 0 at once.")
    ] = None,
) -> None:
    """Play AWS's own durations, scaled; without a scale, list them."""
    if scale is None:
        _output.print(_duration_table(read_settings(settings_path(context.obj)).duration_scale))
        return
    try:
        factor = float(Fraction(scale))
    except (ValueError, ZeroDivisionError):
        factor = -1.0
    _refuse([] if 0 <= factor <= 1 else [f"scale {scale}: a number or fraction from 0 to 1, such as 1/60"])
    _set(context.obj, duration_scale=factor)


def _duration_table(scale: float) -> Table:
    from embedded.faults.durations import DURATIONS

    table = Table("service", "operation", "status meanwhile", "on AWS", "here", "source")
    for (service, operation), one in DURATIONS.items():
        here = f"{one.seconds * scale:.1f} s" if scale else "at once"
        table.add_row(service, operation, one.status, f"{one.seconds:.0f} s", here, one.source)
    return table


@faults.command()
def consistency(
    context: typer.Context,
    seconds: Annotated[float, typer.Argument(min=0, help="0 is at once. On AWS, seconds to a minute.")],
) -> None:
    """Let changes of IAM, pod identity associations and access entries take effect only after a while."""
    _set(context.obj, consistency_seconds=seconds)


@api_server.command()
def restart(
    context: typer.Context,
    away: Annotated[float, typer.Option(min=0, help="Seconds between its end and its start.")] = 0.0,
    kill: Annotated[bool, typer.Option("--kill", help="By kill -9 instead of an orderly end.")] = False,
) -> None:
    """End the Kubernetes API server and start it again; ends when it answers."""
    from embedded.faults import api_server as server
    from embedded.locking import exclusive
    from embedded.setup import toolchain

    identity: CloudIdentity = context.obj
    _refuse(_api_server_mistakes(identity))
    with exclusive(identity, lambda text: _output.print(f"waiting for {text}")):
        _refuse([] if server.is_known(identity) else ["the cloud is not up: run `embedded up`"])
        server.restart(identity, toolchain(), away, kill=kill)


@api_server.command()
def slow(
    context: typer.Context,
    seconds: Annotated[float, typer.Argument(min=0, max=30, help="0 lets it run at full speed again.")],
) -> None:
    """Hold the Kubernetes API server for so long, again and again."""
    from embedded.faults.api_server import release

    _refuse(_api_server_mistakes(context.obj))
    _set(context.obj, api_server_pause_seconds=seconds)
    if not seconds:
        release(context.obj)


def _api_server_mistakes(identity: CloudIdentity) -> list[str]:
    return ["the API server of a brought cluster is not this cloud's to hold"] if identity.brought else []


@latency.command("set")
def set_latency(
    context: typer.Context,
    seconds: Annotated[float, typer.Argument(min=0, help="0 takes it back.")],
    service: _Service = "*",
    operation: _Operation = "*",
) -> None:
    """Serve requests only after a delay; several that mean the same request add up."""
    _refuse(_target_mistakes(service, operation))
    with changing(context.obj) as change:
        change.settings = change.settings.with_latency(Latency(Target(service, operation), seconds))


@latency.command("clear")
def clear_latency(context: typer.Context) -> None:
    """Take every latency back."""
    _set(context.obj, latencies=())


def _set(identity: CloudIdentity, **values: Any) -> None:
    with changing(identity) as change:
        change.settings = replace(change.settings, **values)


def _target_mistakes(service: str, operation: str) -> list[str]:
    from embedded.faults.names import mistakes

    return mistakes(service, operation)


def _refuse(mistakes: list[str]) -> None:
    if mistakes:
        lines = "".join(f"\n  - {one}" for one in mistakes)
        raise EmbeddedError(
            f"nothing was set:{lines}" if len(mistakes) > 1 else f"nothing was set: {mistakes[0]}"
        )
