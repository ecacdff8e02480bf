"""`up` and `down`: what happens around `pulumi up` and `pulumi destroy`."""

from __future__ import annotations

import time
from collections.abc import Callable

from botocore.exceptions import BotoCoreError, ClientError

from infra import config
from infra.lifecycle import (
    chart_source,
    doctor,
    environments,
    known_cluster,
    parameter_secrets,
    recovery_set,
    trailing_logs,
)
from infra.lifecycle.canary_run import run_canary
from infra.lifecycle.errors import LifecycleError
from infra.lifecycle.pulumi_project import PulumiProject, progress_line
from infra.lifecycle.report import Row, Timings, console, failed, print_rows
from infra.settings import EnvironmentSettings


def up(stack: str) -> None:
    """Bring an environment up and prove that it works.

    Raises:
        LifecycleError: a check failed (nothing was touched then), the deployment or the canary did.
    """
    timings = Timings()
    with timings.step("preflight"):
        check(stack)
    chosen = environments.settings(stack)
    cluster_stack = environments.own_cluster_stack(chosen)
    if cluster_stack is not None and known_cluster.find(chosen).name is None:
        with timings.step(f"cluster {cluster_stack}"):
            _deploy(environments.cluster_project(), cluster_stack)
    with timings.step(f"environment {stack}"):
        _deploy_environment(environments.project(), stack, chosen)
    proved = []
    if chosen.canary:
        with timings.step("canary"):
            proved = run_canary(environments.exports(stack), say)
        print_rows("Proved by a DAG run", proved)
    timings.print()
    if failed(proved):
        raise LifecycleError(
            f"{stack} is deployed, but the canary failed: {', '.join(row.name for row in failed(proved))}.",
            f"`airflow-env logs {stack} COMPONENT` and `airflow-env canary {stack}` show more.",
        )
    print_access(stack)


def check(stack: str) -> None:
    """Make the preflight checks; the whole table is shown when one fails.

    Raises:
        LifecycleError: a check failed.
    """
    rows = doctor.examine(stack, fill_chart)
    wrong = failed(rows)
    if wrong:
        print_rows(f"Preflight of {stack}", rows)
        raise LifecycleError(
            f"{len(wrong)} of {len(rows)} checks failed: {', '.join(row.name for row in wrong)}. "
            "Nothing was touched.",
            f"{wrong[0].next_step or 'Mend what the table names.'} `airflow-env doctor {stack}` looks again.",
        )
    console.print(f"  {len(rows)} checks, none failed")


def chart_sentence() -> str:
    """Fill the chart's place for the environment project, and return which chart it is."""
    return chart_source.fill(environments.project().directory).sentence()


def fill_chart() -> str:
    """Fill the chart's place and say which chart it is."""
    sentence = chart_sentence()
    console.print(f"  {sentence}", markup=False)
    return sentence


def down(stack: str, *, retire: bool = False) -> None:
    """Delete an environment and its stack; its file stays.

    Args:
        stack: name of the environment's stack.
        retire: end a persistent environment for good; its recovery set stays.

    Raises:
        LifecycleError: it is protected, somebody is at work on it, or a run on it was cut off (nothing was
            deleted); or a deletion failed.
    """
    project = environments.project()
    stacks = project.stacks()
    if stack not in stacks:
        console.print(f"{stack} is not there. Environments of this backend: {', '.join(stacks) or 'none'}.")
        return
    refuse_unsettled(stack, project)
    if not retire:
        refuse_protected(stack, project)
    leaves, keys = project.retained(stack), project.keys(stack)
    timings = Timings()
    _end(stack, project, timings)
    timings.print()
    if leaves:
        _print_recovery_set(stack)
    else:
        recovery_set.print_waiting(keys)


def down_all(*, retire: bool = False) -> None:
    """Delete every environment of the backend, then every cluster stack.

    Args:
        retire: end persistent environments for good; their recovery sets stay.

    Raises:
        LifecycleError: one is protected or unsettled (nothing at all was deleted), or a deletion failed.
    """
    project, clusters = environments.project(), environments.cluster_project()
    stacks = project.stacks()
    for stack in stacks:
        refuse_unsettled(stack, project)
        if not retire:
            refuse_protected(stack, project)
    there = clusters.stacks() if (clusters.directory / "Pulumi.yaml").is_file() else []
    for cluster in there:
        refuse_unsettled_cluster(cluster, clusters)
    timings, keys = Timings(), []
    for stack in stacks:
        keys += project.keys(stack)
        _end(stack, project, timings)
    for cluster in there:
        keys += clusters.keys(cluster)
        with timings.step(f"cluster {cluster}"):
            _destroy(clusters, cluster)
    timings.print()
    recovery_set.print_waiting(keys)


def _print_recovery_set(stack: str) -> None:
    """Show what a stack left; it is deleted, so that nothing that fails here makes the command fail."""
    try:
        recovery_set.print_text(stack, recovery_set.of_stack(stack))
    except (LifecycleError, BotoCoreError, ClientError) as error:
        console.print(f"{stack} is deleted. What it left to restore from can't be listed now: {error}")
        console.print(
            f"Next step: `airflow-env recovery-set {stack}`, with Pulumi.{stack}.yaml in its place."
        )


def _end(stack: str, project: PulumiProject, timings: Timings) -> None:
    """Lift the protection where there is any, then delete."""
    if project.protected(stack):
        with timings.step(f"protection of {stack} lifted"):
            fill_chart()
            project.up(stack, progress(), {config.RETIRE_VARIABLE: "true"})
    with timings.step(f"environment {stack}"):
        _destroy(project, stack)


def refuse_unsettled(stack: str, project: PulumiProject) -> None:
    """Stop where another run holds the stack, or one was cut off: what it made would be left behind.

    Raises:
        LifecycleError: with what is to be done.
    """
    _refuse(stack, doctor.unsettled(stack, project), f"airflow-env down {stack}")


def refuse_unsettled_cluster(cluster: str, project: PulumiProject) -> None:
    """Stop where another run holds the stack of a cluster, or one was cut off.

    Raises:
        LifecycleError: with what is to be done.
    """
    # Without an environment on it there is none to name.
    stack = environments.on_cluster_stack(cluster) or "STACK"
    rows = doctor.unsettled_cluster(cluster, project, stack)
    _refuse(f"cluster {cluster}", rows, "airflow-env down --all")


def _refuse(what: str, rows: list[Row], again: str) -> None:
    for row in failed(rows)[:1]:
        raise LifecycleError(
            f"{what} is not deleted: {row.name} {row.detail}. Nothing was touched.",
            f"{row.next_step} Then run `{again}` again.",
        )


def refuse_protected(stack: str, project: PulumiProject) -> None:
    """Stop before the first deletion when the stack's state protects something.

    Raises:
        LifecycleError: with the two commands that end a persistent environment.
    """
    protected = project.protected(stack)
    if protected:
        raise LifecycleError(
            f"{stack} is persistent: {len(protected)} resources are protected, "
            f"among them {protected[0]}. Nothing was deleted.",
            f"To end it for good, run `airflow-env down {stack} --retire`; or set `airflow:retire: true` in "
            f"Pulumi.{stack}.yaml and run `airflow-env up {stack}`, then `airflow-env down {stack}`. "
            "The final snapshot and what reads it are kept.",
        )


def print_access(stack: str) -> None:
    """Say where Airflow is and how to log in. The password itself is not printed."""
    exports = environments.exports(stack)
    chosen = environments.settings(stack)
    # Without an ingress the address is one of this machine's own, which the command below serves.
    served = f", while `airflow-env open {stack}` runs"
    if chosen.access.host:
        # The load balancer takes minutes more, and the host's DNS record is nobody's but the user's.
        served = f"; if it does not answer: `airflow-env open {stack}` says why"
    console.print(f"Airflow {exports.airflow_version} runs in namespace {exports.namespace}.")
    console.print(f"  URL:      {exports.airflow_url}{served}")
    if not exports.admin_secret_name:
        console.print(f"  Login:    {environments.sign_on(stack)}", markup=False)
        return
    console.print(f"  User:     {chosen.administrator.username}")
    console.print(f"  Password: airflow-env password {stack}")


def _deploy_environment(project: PulumiProject, stack: str, chosen: EnvironmentSettings) -> None:
    names = environments.names(stack, chosen)
    wanted = parameter_secrets.expected_names(chosen, names)
    project.select(stack)
    parameter_secrets.settle(chosen.region, wanted, lambda: project.ids(stack), say)
    logs = trailing_logs.expected_names(chosen, names)
    trailing_logs.settle(chosen.region, logs, lambda: project.ids(stack), say)
    _deploy(project, stack)


def _deploy(project: PulumiProject, stack: str) -> None:
    project.select(stack)
    project.up(stack, progress())


def _destroy(project: PulumiProject, stack: str) -> None:
    file = project.directory / f"Pulumi.{stack}.yaml"
    had_file = file.is_file()
    project.destroy(stack, progress())
    project.remove(stack)
    if not had_file:
        # Somebody deleted it; the CLI writes one with nothing but the key of the stack's secrets.
        file.unlink(missing_ok=True)


def progress() -> Callable[[str], None]:
    """Print each line of the engine with its time."""
    start = time.monotonic()

    def show(line: str) -> None:
        text = progress_line(line, time.monotonic() - start)
        if text is not None:
            console.print(text, markup=False)

    return show


def say(text: str) -> None:
    """Print one line of progress."""
    console.print(f"  {text}", markup=False)
