"""Preflight: everything a deployment depends on, looked at before anything is touched.

Each check returns one row and raises nothing; a check that cannot be made yet says so.
"""

from __future__ import annotations

import json
import re
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

from infra import naming, versions
from infra.lifecycle import (
    checkout,
    cluster_features,
    environments,
    half_made_release,
    preflight_backend,
    preflight_living,
    preflight_names,
    preflight_plan,
    preflight_tools,
    processes,
)
from infra.lifecycle.cluster_access import cluster_access
from infra.lifecycle.errors import LifecycleError, of_the_system
from infra.lifecycle.pulumi_project import PulumiProject, backend_url, passphrase_given
from infra.lifecycle.report import Outcome, Row
from infra.lifecycle.state_lock import StateLock, locks
from infra.settings import EnvironmentSettings

# AWS refuses signatures that are more than five minutes off; a clock that drifts that far has to be found
# before: https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-authenticating-requests.html
CLOCK_LIMIT_SECONDS = 120.0
# kubectl is supported one minor version from the API server's:
# https://kubernetes.io/releases/version-skew-policy/#kubectl
KUBECTL_SKEW = 1
# The oldest and the newest that pyproject.toml allows.
PYTHON = ((3, 11), (3, 13))

_LOG_IN = "Log in to the account of the stack file; `aws sts get-caller-identity` says who you are."

_WHO = (
    "Log in, or let AWS_PROFILE name a profile that is there; `aws sts get-caller-identity` says who you are."
)

_VERSION = re.compile(r"v?(\d+)\.(\d+)\.(\d+)")


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
    rows += _guarded("chart", lambda: Row.judged("chart", True, chart()))
    rows += [preflight_names.row(stack, chosen), *preflight_plan.rows(stack, chosen)]
    rows += _guarded("python", lambda: python_row(sys.version_info[:2]))
    rows += _guarded("pulumi", _pulumi)
    rows += _guarded("helm", _helm)
    rows += _guarded("kubectl", _kubectl)
    rows += _guarded("AWS CLI", preflight_tools.aws_cli)
    rows += _guarded("plugins", preflight_tools.plugins)
    rows += _guarded("state backend", lambda: _backend(environments.project()))
    rows += _guarded(preflight_backend.NAME, lambda: preflight_backend.write_row(backend_url(checkout.ROOT)))
    rows += _guarded(preflight_backend.SECRETS, lambda: _secrets(stack, chosen))
    rows += unsettled(stack, environments.project())
    cluster = environments.own_cluster_stack(chosen)
    if cluster is not None:
        rows += unsettled_cluster(cluster, environments.cluster_project(), stack)
    rows += aws_rows(chosen.account_id, chosen.region)
    rows += _guarded("token plugin", lambda: _token_plugin(chosen.region))
    rows += _guarded("API server", lambda: _cluster(stack, chosen))
    if chosen.cluster.name is not None:
        rows += _guarded("cluster", lambda: cluster_features.rows(chosen))
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


def _guarded(name: str, check: Callable[[], Row | list[Row]]) -> list[Row]:
    """A check that cannot be made is a failed row, with the reason."""
    try:
        found = check()
        return found if isinstance(found, list) else [found]
    except LifecycleError as error:
        return [Row.judged(name, False, error.message, error.next_step)]
    except (BotoCoreError, ClientError) as error:
        return [Row.judged(name, False, f"AWS can't be asked, or refuses: {error}", _WHO)]
    except OSError as error:
        refused = of_the_system(error)
        return [Row.judged(name, False, refused.message, refused.next_step)]


def _pulumi() -> Row:
    """Engine and Python SDK must agree in their minor version: they share a protocol."""
    said = processes.output(("pulumi", "version")).strip()
    wanted = installed_version("pulumi")
    same = _numbers(said)[:2] == _numbers(wanted)[:2]
    install = f"Install pulumi {wanted}, or run `make setup` and start commands by `embedded run --`."
    return Row.judged("pulumi", same, f"{said}; the Python SDK is {wanted}", install)


def _helm() -> Row:
    said = processes.output(("helm", "version", "--template", "{{.Version}}")).strip()
    return Row.judged(
        "helm", _numbers(said)[0] >= 3, f"{said}; allowed: 3 or newer", "Install helm 3 or newer."
    )


def _kubectl() -> Row:
    answer = json.loads(processes.output(("kubectl", "version", "--client", "--output", "json")))
    said = str(answer["clientVersion"]["gitVersion"])
    skew = abs(_numbers(said)[1] - _numbers(versions.KUBERNETES + ".0")[1])
    allowed = f"within {KUBECTL_SKEW} minor of Kubernetes {versions.KUBERNETES}"
    install = f"Install kubectl {versions.KUBERNETES}."
    return Row.judged("kubectl", skew <= KUBECTL_SKEW, f"{said}; allowed: {allowed}", install)


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


def _change(stack: str, chosen: EnvironmentSettings, cluster: str | None) -> Row:
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
        *_guarded(f"state lock{of}", lock),
        *_guarded(f"last run{of}", lambda: _last_run(held, project, stack, of)),
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


def _cluster(stack: str, chosen: EnvironmentSettings) -> list[Row]:
    """Whether what there is can be changed, the API server answers, and no run left the release half gone."""
    cluster = environments.known_cluster(chosen)
    change = _change(stack, chosen, cluster)
    if cluster is None:
        return [change, Row("API server", Outcome.NOT_APPLICABLE, "the cluster is made by this deployment")]
    names = naming.names_of(
        checkout.environment_files().name, stack, account_id=chosen.account_id, region=chosen.region
    )
    with cluster_access(cluster, chosen.region, names.namespace) as access:
        said = processes.output(access.command("get", "--raw", "/readyz"), timeout_seconds=30).strip()
        half_gone = half_made_release.is_half_gone(access)
    step = "Wait until the control plane is healthy: `aws eks describe-cluster` says its status."
    seen = "cut off while it was uninstalled" if half_gone else "not half gone"
    ended = f"Run `airflow-env recover {stack}` to bring it back, or `airflow-env down {stack}` to go on."
    return [
        change,
        Row.judged("API server", said == "ok", f"{cluster}: {said}", step),
        Row.judged("release", not half_gone, seen, ended),
    ]


def _numbers(text: str) -> tuple[int, int, int]:
    match = _VERSION.search(text)
    if match is None:
        raise LifecycleError(f"`{text}` is no version.", "Install an official release of the tool.")
    return int(match[1]), int(match[2]), int(match[3])
