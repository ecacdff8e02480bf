"""`recover`: after a killed run, bring state and cloud together again, so that `up` goes on.

Nothing is deleted that holds data: what exists is taken into the state. Objects in Kubernetes need no import,
since making one that is there brings it into shape; only helm's half-made revisions have to go.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from infra import naming
from infra.lifecycle import (
    checkout,
    deployment,
    environments,
    half_made_release,
    known_cluster,
    left_processes,
    rotation,
    still_coming,
)
from infra.lifecycle.cluster_access import cluster_access
from infra.lifecycle.errors import LifecycleError
from infra.lifecycle.half_made import PendingCreate, Surroundings, find_id, is_listed
from infra.lifecycle.lost import bears_tags, find_lost, is_of_stack
from infra.lifecycle.pulumi_project import PulumiProject, backend_url
from infra.lifecycle.report import console
from infra.lifecycle.state_lock import locks, restore_checkpoint
from infra.settings import EnvironmentSettings

# A request takes AWS seconds at most; what it makes is listed a little later.
ATTEMPTS, PAUSE_SECONDS = 4, 3.0
MENDED = "  the last checkpoint was cut off in the midst of writing; mended"
RELEASE_TYPE = "kubernetes:helm.sh/v3:Release"
NAMESPACE_TYPE = "kubernetes:core/v1:Namespace"
# What was taken in lets the next preview tell of what belongs to it: a bucket's settings, a network's parts.
ROUNDS = 5


def recover(stack: str, *, unlock: bool = False, unlock_cluster: bool = False) -> None:
    """Release a dead lock, find what was half made or lost, and refresh.

    Args:
        stack: name of the environment's stack.
        unlock: release a lock whose owner can't be looked at from here: the user knows that it is dead.
        unlock_cluster: the same of its cluster, which others share: jobs that unlock an environment of their
            own must not take the lock of whoever works on the cluster.

    Raises:
        LifecycleError: somebody may still be at work, or the refresh failed.
    """
    chosen, project = environments.settings(stack), environments.project()
    name = checkout.environment_files().name
    # `up` makes it first: the run may have died there.
    cluster_recovered = recover_cluster(chosen, unlock=unlock_cluster)
    release_lock(project, name, stack, unlock=unlock)
    if stack not in project.stacks():
        if cluster_recovered:
            console.print(f"{stack} is not there yet; `airflow-env up {stack}` goes on.")
            return
        raise LifecycleError(
            f"{stack} is not there: nothing to recover.", f"Deploy it with `airflow-env up {stack}`."
        )
    types = project.types(stack)
    if NAMESPACE_TYPE in types:
        _settle_release(stack, chosen, known=RELEASE_TYPE in types)
    deployment_id = naming.deployment_id(name, stack, given=chosen.deployment_id)
    reconcile(project, stack, region=chosen.region, deployment_id=deployment_id)
    _sweep_if_told(project, stack, chosen.region, deployment_id, prepare=deployment.fill_chart)
    _tell_rotations(project, stack)
    console.print(
        f"{stack} is recovered; `airflow-env up {stack}` goes on, `airflow-env down {stack}` deletes it."
    )


def _tell_rotations(project: PulumiProject, stack: str) -> None:
    """An `up` would bring the pods to the new key, be green, and leave the login from before open."""
    reached = str(project.outputs(stack).get("keyGenerations", ""))
    for key in rotation.unfinished(reached, project.resources(stack)):
        console.print(
            f"  the rotation of {key.value} was cut off: `airflow-env rotate {key.value} {stack}` ends it"
        )


def _settle_release(stack: str, chosen: EnvironmentSettings, *, known: bool) -> None:
    """Clear what a run left of helm's release; where its cluster can't be told, say so and go on."""
    cluster = known_cluster.find(chosen)
    if cluster.name is None:
        why = cluster.unreadable or "the cluster is not there"
        console.print(f"  helm's release was not looked at: {why}", markup=False)
        return
    names = environments.names(stack, chosen)
    with cluster_access(cluster.name, chosen.region, names.namespace) as access:
        settled = half_made_release.settle(access, known=known)
    if settled:
        console.print(f"  {settled}", markup=False)


def recover_cluster(chosen: EnvironmentSettings, *, unlock: bool = False) -> bool:
    """Recover the cluster's stack, if a run of this checkout died there; whether there was something to do.

    A cluster is shared: one whose lock's owner may be alive is somebody's who is at work, and is left alone,
    unless `unlock` says that the user knows that owner to be dead.
    """
    project, stack = environments.cluster_project(), environments.own_cluster_stack(chosen)
    if stack is None:
        return False
    name, backend = checkout.cluster_files().name, backend_url(project.directory)
    held = locks(backend, name, stack) or []
    in_doubt = [lock for lock in held if not lock.is_dead()]
    if in_doubt and not unlock:
        console.print(
            f"  cluster {stack} is locked by {in_doubt[0]}: left alone. If you know that run to be dead, "
            "give --unlock-cluster.",
            markup=False,
        )
        return False
    # The engine can't even list its stacks while one's checkpoint is cut off.
    if held and restore_checkpoint(backend, name, stack):
        console.print(MENDED)
    if stack not in project.stacks():
        return False
    if not held and not project.pending_creates(stack):
        return False
    release_lock(project, name, stack, unlock=unlock)
    deployment_id = naming.deployment_id(name, stack)
    reconcile(project, stack, region=chosen.region, deployment_id=deployment_id)
    _sweep_if_told(project, stack, chosen.region, deployment_id)
    return True


def _sweep_if_told(
    project: PulumiProject,
    stack: str,
    region: str,
    deployment_id: str,
    prepare: Callable[[], object] = lambda: None,
) -> None:
    """Sweep, unless the program can't be asked: `up` will say why, and what is recovered until here stays."""
    try:
        prepare()
        sweep(project, stack, region=region, deployment_id=deployment_id)
    except LifecycleError as error:
        console.print(f"  what the program would make can't be told now: {error.message}", markup=False)


def release_lock(project: PulumiProject, name: str, stack: str, *, unlock: bool) -> None:
    """Release the locks of a stack if their owners are gone, and end what those left at work here.

    Raises:
        LifecycleError: an owner is alive, or can't be looked at and `unlock` is not given.
    """
    backend = backend_url(project.directory)
    held = locks(backend, name, stack)
    if held is None:
        console.print("  this state backend keeps locks itself; `pulumi cancel` ends one")
        return
    in_doubt = [lock for lock in held if not lock.is_dead()]
    if in_doubt and not unlock:
        raise LifecycleError(
            f"{stack} is locked by {'; '.join(map(str, in_doubt))}, which may be alive.",
            "Wait for it or end it. If you know that it is dead (another machine, gone by now), run "
            f"`airflow-env recover {stack} --unlock`.",
        )
    for left in left_processes.end(project.directory, stack):
        console.print(f"  {left} outlived the run that was killed: ended", markup=False)
    for lock in held:
        console.print(f"  lock of {lock}: released", markup=False)
    if restore_checkpoint(backend, name, stack):
        console.print(MENDED)
    if held:
        project.cancel(stack)


def reconcile(project: PulumiProject, stack: str, *, region: str, deployment_id: str) -> None:
    """Import what exists of the resources that a run began to make, forget the others, refresh all.

    Raises:
        LifecycleError: AWS is still making one of them, or the refresh failed.
    """
    known = project.ids(stack)
    pending = project.pending_creates(stack)
    imports: dict[str, str] = {}
    for item in pending:
        found = _found(item, Surroundings(region, deployment_id, {*known, *imports.values()}))
        if found is not None:
            imports[item.urn] = found
        console.print(f"  {_sentence(item, found)}", markup=False)
    # Before anything is taken in: who comes back after an end of patience finds all as it was.
    _wait_for(
        [(item, imports[item.urn]) for item in pending if item.urn in imports],
        Surroundings(region, deployment_id, known),
    )
    project.adopt(stack, imports)
    project.refresh(stack, deployment.progress())


def sweep(project: PulumiProject, stack: str, *, region: str, deployment_id: str) -> None:
    """Take what the program would make, and what is there with the stack's tag, into the state.

    Raises:
        LifecycleError: AWS is still making one of them, or the preview or the refresh failed.
    """
    for _ in range(ROUNDS):
        around = Surroundings(region, deployment_id, project.ids(stack))
        lost = find_lost(project.planned_creates(stack), project.urns(stack), around)
        for item, id_ in lost:
            console.print(f"  {item.pending.name}: is there as {id_}, taken in", markup=False)
        if not lost:
            return
        _wait_for([(item.pending, id_) for item, id_ in lost], around)
        project.take_in(stack, lost)
        project.refresh(stack, deployment.progress())


def _wait_for(items: Sequence[tuple[PendingCreate, str]], around: Surroundings) -> None:
    for item, id_ in items:
        if still_coming.comes_later(item.type):
            console.print(f"  {item.name}: waiting until AWS has made {id_}", markup=False)
            still_coming.wait(item, id_, around)


def _found(item: PendingCreate, around: Surroundings) -> str | None:
    """The id of what is this stack's; asked for again for a while, as AWS goes on with what it was sent."""
    for attempt in range(ATTEMPTS if is_listed(item) else 1):
        if attempt:
            time.sleep(PAUSE_SECONDS)
        found = find_id(item, around)
        # Of a name that somebody else has, AWS may have refused the creation.
        if found and (not bears_tags(item) or is_of_stack(item, found, around)):
            return found
    return None


def _sentence(item: PendingCreate, found: str | None) -> str:
    if found is None:
        return f"{item.name}: not made, or not this stack's by its tag, or made again in place"
    return f"{item.name}: looked for as {found}"
