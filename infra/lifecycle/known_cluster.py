"""The EKS cluster that a stack file means, as far as it can be told before a deployment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from infra.lifecycle import environments
from infra.lifecycle.errors import LifecycleError
from infra.settings import EnvironmentSettings

# Outputs of a cluster's stack, by the names that `infra.cluster_ref` reads; importing it would load the
# provider's SDK into every command.
NAME, SUBNETS = "clusterName", "privateSubnetIds"


@dataclass(frozen=True, kw_only=True)
class KnownCluster:
    """What is known of the cluster."""

    name: str | None
    """Its name in EKS; None where its stack has not made it, or can't be read."""
    own: bool
    """Whether its stack is one of this checkout's: `up` makes it, and the program decides what it has."""
    subnet_ids: tuple[str, ...] = ()
    """Subnets that are meant for databases; none: all of the cluster's."""
    unreadable: str = ""
    """Why its stack can't be read; empty: it was, or there is none."""

    @classmethod
    def of_outputs(cls, outputs: Mapping[str, Any], *, own: bool) -> Self:
        """Take what the cluster's stack exports; nothing, where it made no cluster yet."""
        name = outputs.get(NAME)
        return cls(name=str(name) if name else None, own=own, subnet_ids=tuple(outputs.get(SUBNETS) or ()))

    @property
    def missing(self) -> bool:
        """Whether it is certain that there is none, and that no deployment from here makes one."""
        return self.name is None and not self.own and not self.unreadable


def find(chosen: EnvironmentSettings) -> KnownCluster:
    """Find the cluster of an environment, from its stack file or from the outputs of the cluster's stack.

    Raises:
        LifecycleError: the state of this checkout's own cluster stack can't be read.
    """
    given = chosen.cluster
    if given.stack is None:
        return KnownCluster(name=given.name, own=False, subnet_ids=given.database_subnet_ids)
    own = environments.own_cluster_stack(chosen)
    if own is not None:
        return KnownCluster.of_outputs(environments.cluster_project().outputs(own), own=True)
    try:
        outputs = environments.project().outputs_of_another(given.stack)
    except LifecycleError as error:
        # Reading it takes rights of another project; the program itself will need them, and say so.
        return KnownCluster(
            name=None, own=False, unreadable=f"stack {given.stack} can't be read: {error.message}"
        )
    return KnownCluster.of_outputs(outputs, own=False)
