"""The IAM policies of who deploys a stack, from its file and where its state is; nothing is asked of AWS."""

from __future__ import annotations

import json
import os
from pathlib import Path

from infra import deployer_rights, naming
from infra.deployer_statements import Scope
from infra.lifecycle import checkout, environments
from infra.lifecycle.checkout import ProjectFiles
from infra.lifecycle.errors import LifecycleError
from infra.naming import ENVIRONMENT_NAME_LIMIT, Names
from infra.policies import Document
from infra.settings import EnvironmentSettings


def of_environment(stack: str, *, every: str = "") -> dict[str, Document]:
    """Return the policies of who deploys `stack`: name -> document.

    Args:
        stack: the environment, whose file gives account, region, cluster and permissions boundary.
        every: begin of the names of stacks that are meant in place of this one, such as `pr-`.

    Raises:
        LifecycleError: the stack file is missing or has mistakes.
    """
    files, chosen = checkout.environment_files(), environments.settings(stack)
    names = environments.names(stack, chosen)
    tag = naming.deployment_id(files.name, stack, given=chosen.deployment_id)
    scope = Scope(names=names, deployment_id=tag, permissions_boundary=chosen.permissions_boundary or None)
    if every:
        short = f"{_beginning(files.name, every)}*"
        scope = deployer_rights.like(scope, environment=short, deployment_id=short)
    found = deployer_rights.environment_policies(
        scope,
        cluster=_cluster_name(chosen),
        state=_state(files, stack),
        restores=chosen.database.restore.wanted,
    )
    prefix = scope.names.environment.removesuffix("*").removesuffix("-")
    return {f"{prefix}-deployer-{part}": document for part, document in found.items()}


def of_cluster(stack: str) -> dict[str, Document]:
    """Return the policies of who deploys the cluster project's `stack`: name -> document.

    Raises:
        LifecycleError: the stack file is missing or has mistakes.
    """
    files, chosen = checkout.cluster_files(), environments.cluster_settings(stack)
    names = Names(environment=chosen.name, account_id=chosen.account_id, region=chosen.region)
    tag = naming.deployment_id(files.name, stack)
    scope = Scope(names=names, deployment_id=tag, permissions_boundary=chosen.permissions_boundary or None)
    short = naming.database_host(chosen.name)
    found = deployer_rights.cluster_policies(
        scope,
        host=deployer_rights.like(scope, environment=short, deployment_id=tag),
        state=_state(files, stack),
    )
    return {f"{chosen.name}-deployer-{part}": document for part, document in found.items()}


def write(policies: dict[str, Document], directory: Path) -> list[Path]:
    """Write each policy to a file of its name, as `aws iam create-policy --policy-document` takes it.

    Raises:
        LifecycleError: the directory can't be written.
    """
    written = []
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for name, document in policies.items():
            path = directory / f"{name}.json"
            path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
            written.append(path)
    except OSError as error:
        raise LifecycleError(
            f"{directory} can't be written: {error.strerror}", "Name another directory."
        ) from error
    return written


def _beginning(project: str, every: str) -> str:
    """The begin of short names of all stacks whose names begin with `every`."""
    wanted = f"{project}-{every}"
    if naming.slug(f"{wanted}0", ENVIRONMENT_NAME_LIMIT) != f"{wanted}0":
        limit = ENVIRONMENT_NAME_LIMIT - len(project) - 2
        raise LifecycleError(
            f"--every {every}: short names of such stacks don't begin with {wanted}.",
            f"Give lower-case letters, digits and single hyphens, at most {limit} of them.",
        )
    return wanted


def _cluster_name(chosen: EnvironmentSettings) -> str:
    """Name of the EKS cluster; `*` where another project's stack makes it."""
    if chosen.cluster.name is not None:
        return chosen.cluster.name
    stack = environments.own_cluster_stack(chosen)
    if stack is None or not checkout.cluster_files().path(stack).is_file():
        return "*"
    return environments.cluster_settings(stack).name


def _state(files: ProjectFiles, stack: str) -> deployer_rights.State | None:
    backend = os.environ.get("PULUMI_BACKEND_URL", "")
    return deployer_rights.state_of(backend, files.secrets_provider(stack))
