"""Preflight of names: two things of one account and region must not claim the same one.

AWS would refuse the second of two in the midst of a deployment. What shares its deployment id with another
environment is taken for that one's by `recover` and by the recovery set, which no error would tell.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from infra import naming
from infra.lifecycle import checkout, environments
from infra.lifecycle.errors import LifecycleError
from infra.lifecycle.report import Row
from infra.settings import EnvironmentSettings

NAME: Final = "names"


def row(stack: str, chosen: EnvironmentSettings) -> Row:
    """Compare the names of `stack` with those of the checkout's other stack files, and of its cluster."""
    clashes = [*_with_environments(stack, chosen), *_with_cluster(stack, chosen)]
    own = ", ".join(_names(stack, chosen))
    seen = "; ".join(clashes) or f"{own}: nobody else's here"
    return Row.judged(
        NAME, not clashes, seen, f"Change Pulumi.{stack}.yaml, or take another name for the stack."
    )


def _names(stack: str, chosen: EnvironmentSettings) -> tuple[str, str]:
    """Name and deployment id of an environment."""
    project = checkout.environment_files().name
    deployment_id = naming.deployment_id(project, stack, given=chosen.deployment_id)
    return environments.names(stack, chosen).environment, deployment_id


def _with_environments(stack: str, chosen: EnvironmentSettings) -> Iterator[str]:
    name, deployment_id = _names(stack, chosen)
    for other in checkout.environment_files().stack_names():
        if other == stack:
            continue
        try:
            settings = environments.settings(other)
        except LifecycleError:  # judged when it is deployed
            continue
        if (settings.account_id, settings.region) != (chosen.account_id, chosen.region):
            continue
        its_name, its_id = _names(other, settings)
        if name == its_name:
            yield f"Pulumi.{other}.yaml makes an environment of the same name, {name}"
        if deployment_id == its_id:
            yield f"Pulumi.{other}.yaml has the same deployment id, {deployment_id} (airflow:deploymentId)"


def _with_cluster(stack: str, chosen: EnvironmentSettings) -> Iterator[str]:
    cluster_stack = environments.own_cluster_stack(chosen)
    if cluster_stack is None:
        return
    try:
        cluster = environments.cluster_settings(cluster_stack)
    except LifecycleError:  # the row of that file says it
        return
    taken = {cluster.name: "the cluster", naming.database_host(cluster.name): "the cluster's database host"}
    name, _ = _names(stack, chosen)
    if name in taken:
        file = checkout.cluster_files().path(cluster_stack).name
        yield f"{name} is the name of {taken[name]} too (cluster/{file})"
