"""A dynamic resource that keeps a persistent environment from going by mistake.

Protected resources alone are not enough: a destroy deletes what nothing depends on (the release, alarms)
before it meets the first protected one. State refers to its classes by module path and name.
"""

from __future__ import annotations

from typing import Any

import pulumi
from pulumi.dynamic import CreateResult, DiffResult, ReadResult, Resource, ResourceProvider, UpdateResult


class PersistentEnvironmentError(Exception):
    """The environment may not go: it is persistent, and not in its planned end."""


def refusal(stack: str) -> str:
    """Return the sentences that a deletion stops with."""
    return (
        f"{stack} is persistent. Nothing was deleted. To end it for good, set `airflow:retire: true` in "
        f"Pulumi.{stack}.yaml and run `airflow-env up {stack}`, then `airflow-env down {stack}`. "
        "A final snapshot is kept."
    )


class EnvironmentGuardProvider(ResourceProvider):
    """Made last and deleted first; its deletion fails while the environment is protected."""

    serialize_as_secret_always = False

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Keep what a deletion needs."""
        return CreateResult(str(props["stack"]), dict(props))

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """Return what state holds: the guard is nothing in the cloud."""
        return ReadResult(id_, props)

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        """A change of protection is an update."""
        changed = any(_olds.get(key) != _news.get(key) for key in ("stack", "protected"))
        return DiffResult(changes=changed, replaces=[], delete_before_replace=False)

    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> UpdateResult:
        """Keep the new protection."""
        return UpdateResult({key: value for key, value in _news.items() if key != "__provider"})

    def delete(self, _id: str, _props: dict[str, Any]) -> None:
        """Refuse while the environment is protected.

        Raises:
            PersistentEnvironmentError: with the two commands that end it.
        """
        if _props["protected"]:
            raise PersistentEnvironmentError(refusal(str(_props["stack"])))


class EnvironmentGuard(Resource, module="airflow", name="EnvironmentGuard"):
    """Keeps an environment while it is protected; make it depend on all that the environment is."""

    def __init__(
        self, name: str, *, stack: str, protected: bool, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(EnvironmentGuardProvider(), name, {"stack": stack, "protected": protected}, opts)
