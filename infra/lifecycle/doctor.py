"""Preflight: everything a deployment depends on, looked at before anything is touched.

Each check returns one row and raises nothing; a check that cannot be made yet says so.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from importlib.metadata import version as installed_version
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from infra import versions
from infra.lifecycle import (
    checkout,
    cluster_features,
    environments,
    half_made_release,
    known_cluster,
    preflight_backend,
    preflight_living,
    preflight_names,
    preflight_plan,
    preflight_sign_on,
    preflight_tools,
    preflight_versions,
    processes,
)
from infra.lifecycle.cluster_access import cluster_access
from infra.lifecycle.errors import LifecycleError
from infra.lifecycle.guarding import guarded
from infra.lifecycle.known_cluster import KnownCluster
from infra.lifecycle.pulumi_project import PulumiProject, backend_url, passphrase_given
from infra.lifecycle.report import Outcome, Row
from infra.lifecycle.state_lock import StateLock, locks
from infra.settings import EnvironmentSettings

# AWS refuses signatures that are more than five minutes off; a clock that drifts that far has to be found
# before: https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-authenticating-requests.html
CLOCK_LIMIT_SECONDS = 120.0
# The oldest and the newest that pyproject.toml allows.
PYTHON = ((3, 11), (3, 13))

_LOG_IN = "Log in to the account of the stack file; `aws sts get-caller-identity` says who you are."


def examine(stack: str, chart: Callable[[], str]) -> list[Row]:
    """Make all checks for `stack`.

    Args:
        stack: name of the environment's stack.
        chart: fills the chart's place and returns a sentence about it.

    Raises:
        LifecycleError: the stack file is missing or wrong; no check makes sense then.
    """
    chosen = environments.settings(stack)
    rows = [Row.judged("stack file", True, f"Pulumi.{stack}.yaml is valid; durability {chosen.durability}")]
    rows += guarded("chart", lambda: Row.judged("chart", True, chart()))
    rows += [preflight_names.row(stack, chosen), *preflight_plan.rows(stack, chosen)]
    rows += guarded("python", lambda: python_row(sys.version_info[:2]))
    rows += guarded("pulumi", _pulumi)
    rows += guarded("helm", preflight_versions.helm)
    rows += _own_kubernetes(chosen)
    rows += guarded("AWS CLI", preflight_tools.aws_cli)
    rows += guarded("plugins", preflight_tools.plugins)
    rows += guarded("state backend", lambda: _backend(environments.project()))
    rows += guarded(preflight_backend.NAME, lambda: preflight_backend.write_row(backend_url(checkout.ROOT)))
    rows += guarded(preflight_backend.SECRETS, lambda: _secrets(stack, chosen))
    rows += unsettled(stack, environments.project())
    cluster = environments.own_cluster_stack(chosen)
    if cluster is not None:
        rows += unsettled_cluster(cluster, environments.cluster_project(), stack)
    rows += aws_rows(chosen.account_id, chosen.region)
    rows += guarded("token plugin", lambda: _token_plugin(chosen.region))
    rows += guarded("API server", lambda: _cluster(stack, chosen))
    return rows


def aws_rows(account_id: str, region: str, client: Any = None) -> list[Row]:
    """Who AWS says we are, and what time it has there."""
    limits = Config(retries={"total_max_attempts": 2}, connect_timeout=10, read_timeout=20)
    try:
        sts = client or boto3.client("sts", region_name=region, config=limits)
        answer = sts.get_caller_identity()
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "unknown")
        rows = [Row.judged("AWS account", False, f"AWS refused the credentials: {code}", _LOG_IN)]
        return [*rows, clock_row(_date(error.response), time.time())]
    except BotoCoreError as error:
        return [Row.judged("AWS account", False, f"AWS cannot be asked: {error}", _LOG_IN)]
    account = str(answer["Account"])
    seen = f"{answer['Arn']} in {region}"
    if account != account_id:
        seen = f"the credentials are of account {account}, the stack file names {account_id}"
    return [
        Row.judged("AWS account", account == account_id, seen, _LOG_IN),
        clock_row(_date(answer), time.time()),
    ]


def clock_row(date: str | None, now: float) -> Row:
    """Compare AWS's Date header with the clock here; `now` in seconds since 1970."""
    if date is None:
        return Row("clock", Outcome.NOT_APPLICABLE, "AWS's answer carries no Date header")
    there = parsedate_to_datetime(date).astimezone(UTC)
    skew = (datetime.fromtimestamp(now, UTC) - there).total_seconds()
    # The header has whole seconds.
    return Row.judged(
        "clock",
        abs(skew) <= CLOCK_LIMIT_SECONDS,
        f"{skew:+.0f} s from AWS; allowed: {CLOCK_LIMIT_SECONDS:.0f} s",
        "Set this machine's clock, or start its time service.",
    )


def _date(answer: Any) -> str | None:
    headers = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    date = headers.get("date")
    return str(date) if date else None


def _pulumi() -> Row:
    """Engine and Python SDK must agree in their minor version: they share a protocol."""
    said = processes.output(("pulumi", "version")).strip()
    wanted = installed_version("pulumi")
    same = preflight_versions.numbers(said)[:2] == preflight_versions.numbers(wanted)[:2]
    install = f"Install pulumi {wanted}, or run `make setup` and start commands by `embedded run --`."
    return Row.judged("pulumi", same, f"{said}; the Python SDK is {wanted}", install)


def python_row(version: tuple[int, int]) -> Row:
    """The interpreter runs the program; the lock file pins packages for these versions."""
    said, allowed = ".".join(map(str, version)), " and ".join(f"{a}.{b}" for a, b in PYTHON)
    step = "Run `scripts/bootstrap`, which makes .venv with a Python that fits, and put .venv/bin on PATH."
    right = PYTHON[0] <= version <= PYTHON[1]
    return Row.judged("python", right, f"{said}; allowed: between {allowed}", step)


def lock_row(stack: str, held: list[StateLock] | None, of: str = "") -> Row:
    """A lock is somebody at work, or what a killed run left.

    Args:
        stack: name of the environment's stack, which `recover` takes.
        held: the locks; None of a backend that keeps them itself.
        of: ` of cluster NAME` of a cluster's; nothing of the environment's own.
    """
    name = f"state lock{of}"
    if held is None:
        return Row(name, Outcome.NOT_APPLICABLE, "this state backend keeps locks itself")
    if not held:
        return Row.judged(name, True, "free")
    recover = f"airflow-env recover {stack}"
    told = "Somebody is at work: wait for it."
    if all(lock.is_dead() for lock in held):
        told = f"That run is dead: `{recover}`."
    elif not any(lock.is_seen() for lock in held):
        told = (
            "Somebody may be at work, whose process can't be looked at from here: wait for it. If you know "
            f"that it is dead: `{recover} --unlock{'-cluster' if of else ''}`."
        )
    return Row.judged(name, False, f"held by {'; '.join(map(str, held))}", told)


def _change(stack: str, chosen: EnvironmentSettings, cluster: KnownCluster) -> Row:
    project = environments.project()
    resources = project.resources(stack) if stack in project.stacks() else []
    return preflight_living.row(chosen, resources, cluster)


def unsettled(stack: str, project: PulumiProject) -> list[Row]:
    """Look for what is in the way of changing a stack that is there: a lock, or a run that was cut off."""
    return _unsettled(stack, project, checkout.environment_files().name, stack)


def unsettled_cluster(cluster: str, project: PulumiProject, stack: str) -> list[Row]:
    """Look for the same on the stack of a cluster; `stack` is an environment whose `recover` mends it."""
    return _unsettled(cluster, project, checkout.cluster_files().name, stack, f" of cluster {cluster}")


def _unsettled(held: str, project: PulumiProject, name: str, stack: str, of: str = "") -> list[Row]:
    def lock() -> Row:
        return lock_row(stack, locks(backend_url(project.directory), name, held), of)

    return [
        *guarded(f"state lock{of}", lock),
        *guarded(f"last run{of}", lambda: _last_run(held, project, stack, of)),
    ]


def _last_run(held: str, project: PulumiProject, stack: str, of: str) -> Row:
    """A killed run leaves resources of which nobody knows whether they exist; `up` would double them."""
    if held not in project.stacks():
        return Row(f"last run{of}", Outcome.NOT_APPLICABLE, "there was none")
    names = [item.name for item in project.pending_creates(held)]
    seen = f"cut off while it made {', '.join(names)}" if names else "ended"
    return Row.judged(f"last run{of}", not names, seen, f"Run `airflow-env recover {stack}`.")


def _backend(project: PulumiProject) -> Row:
    stacks = project.stacks()
    return Row.judged("state backend", True, f"answers; stacks: {', '.join(stacks) or 'none yet'}")


def _secrets(stack: str, chosen: EnvironmentSettings) -> Row:
    made = [(environments.project(), checkout.environment_files(), stack)]
    cluster = environments.own_cluster_stack(chosen)
    if cluster is not None:
        made.append((environments.cluster_project(), checkout.cluster_files(), cluster))
    providers = {
        str(files.path(name).relative_to(checkout.ROOT)): files.secrets_provider(name)
        for project, files, name in made
        if name not in project.stacks()
    }
    return preflight_backend.secrets_row(backend_url(checkout.ROOT), providers, passphrase_given())


def _token_plugin(region: str) -> Row:
    """kubectl calls the AWS CLI for a token; making one needs credentials but no cluster."""
    command = ("aws", "eks", "get-token", "--cluster-name", "preflight", "--region", region)
    answer = json.loads(processes.output((*command, "--output", "json")))
    kind = answer.get("kind")
    step = f"Run `{' '.join(command)}` by hand; kubectl needs an ExecCredential of it."
    return Row.judged("token plugin", kind == "ExecCredential", f"aws eks get-token answers {kind}", step)


def _own_kubernetes(chosen: EnvironmentSettings) -> list[Row]:
    """Versions beside a cluster of this checkout, by its file; one of others is asked for its own later."""
    stack = environments.own_cluster_stack(chosen)
    if stack is None:
        return []
    try:
        wanted = environments.cluster_settings(stack).kubernetes_version
    except LifecycleError:
        # A row of its own says what is wrong with the file.
        wanted = versions.KUBERNETES
    return [
        *guarded("Kubernetes", lambda: preflight_versions.kubernetes_row(wanted)),
        *guarded("kubectl", lambda: preflight_versions.kubectl(wanted)),
    ]


def _cluster(stack: str, chosen: EnvironmentSettings) -> list[Row]:
    """Whether what there is can be changed, and all about the cluster, as far as it is known."""
    cluster = known_cluster.find(chosen)
    rows = guarded(preflight_living.NAME, lambda: _change(stack, chosen, cluster))
    if cluster.name is None:
        rows.append(_no_cluster(chosen, cluster))
    else:
        name = cluster.name
        rows += guarded("API server", lambda: _api_server(stack, chosen, name))
    if cluster.own:
        return rows
    if cluster.name is None:
        return [*rows, *guarded("kubectl", lambda: preflight_versions.kubectl(None))]
    return [*rows, *guarded("cluster", lambda: cluster_features.rows(chosen, cluster))]


def _no_cluster(chosen: EnvironmentSettings, cluster: KnownCluster) -> Row:
    """Why no API server can be asked."""
    if cluster.own:
        return Row("API server", Outcome.NOT_APPLICABLE, "the cluster is made by this deployment")
    if cluster.missing:
        seen = f"stack {chosen.cluster.stack}, of another project, has no cluster"
        step = "Let that project deploy it, or correct airflow:cluster.stack."
        return Row.judged("API server", False, seen, step)
    return Row("API server", Outcome.NOT_JUDGED, cluster.unreadable)


def _api_server(stack: str, chosen: EnvironmentSettings, cluster: str) -> list[Row]:
    """Whether the API server answers, and no run left the release half gone."""
    names = environments.names(stack, chosen)
    with cluster_access(cluster, chosen.region, names.namespace) as access:
        said = processes.output(access.command("get", "--raw", "/readyz"), timeout_seconds=30).strip()
        half_gone = half_made_release.is_half_gone(access)
        sign_on = preflight_sign_on.row(access, chosen.access.oidc)
    step = "Wait until the control plane is healthy: `aws eks describe-cluster` says its status."
    seen = "cut off while it was uninstalled" if half_gone else "not half gone"
    ended = f"Run `airflow-env recover {stack}` to bring it back, or `airflow-env down {stack}` to go on."
    return [
        Row.judged("API server", said == "ok", f"{cluster}: {said}", step),
        Row.judged("release", not half_gone, seen, ended),
        sign_on,
    ]
