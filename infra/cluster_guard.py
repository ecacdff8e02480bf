"""A dynamic resource that keeps a cluster from going while environments are on it.

State refers to its classes by module path and name, as to those of infra/dynamic.py.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

import pulumi
from pulumi.dynamic import CreateResult, DiffResult, ReadResult, Resource, ResourceProvider, UpdateResult

# Label of every environment's namespace.
ENVIRONMENT_LABEL: Final = ("app.kubernetes.io/part-of", "airflow-environments")


class EnvironmentsRemainError(Exception):
    """The cluster may not go: environments are on it."""


def refusal(cluster: str, namespaces: Sequence[str]) -> str:
    """Return the sentence that a deletion stops with."""
    found = ", ".join(sorted(namespaces))
    return (
        f"cluster {cluster} holds {len(namespaces)} environment(s): namespace {found}. "
        "Nothing of the cluster was deleted. End them first, each by `airflow-env down STACK`."
    )


class ClusterGuardProvider(ResourceProvider):
    """Made last and deleted first; its deletion asks the cluster which environments it holds."""

    serialize_as_secret_always = False

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Keep what a deletion needs."""
        return CreateResult(str(props["cluster"]), dict(props))

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """Return what state holds: the guard is nothing in the cluster."""
        return ReadResult(id_, props)

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        """Another kubeconfig is an update; another cluster is another guard."""
        changed = [key for key in ("cluster", "kubeconfig") if _olds.get(key) != _news.get(key)]
        replaces = [key for key in changed if key == "cluster"]
        return DiffResult(changes=bool(changed), replaces=replaces, delete_before_replace=False)

    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> UpdateResult:
        """Keep the new kubeconfig."""
        return UpdateResult({key: value for key, value in _news.items() if key != "__provider"})

    def delete(self, _id: str, _props: dict[str, Any]) -> None:
        """Refuse while there are environments.

        Raises:
            EnvironmentsRemainError: with their namespaces.
        """
        namespaces = environment_namespaces(str(_props["kubeconfig"]))
        if namespaces:
            raise EnvironmentsRemainError(refusal(_id, namespaces))


def environment_namespaces(kubeconfig: str) -> list[str]:
    """Return the namespaces of environments in the cluster that a kubeconfig (JSON text) leads to."""
    from kubernetes import client, config

    api_client = config.new_client_from_config_dict(json.loads(kubeconfig))  # type: ignore[no-untyped-call]
    with api_client:
        label = "=".join(ENVIRONMENT_LABEL)
        found: Any = client.CoreV1Api(api_client).list_namespace(label_selector=label)
        return [str(item.metadata.name) for item in found.items]


class ClusterGuard(Resource, module="airflow", name="ClusterGuard"):
    """Keeps a cluster while environments are on it; make it depend on all that the cluster is."""

    def __init__(
        self,
        name: str,
        *,
        cluster: pulumi.Input[str],
        kubeconfig: pulumi.Input[str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(ClusterGuardProvider(), name, {"cluster": cluster, "kubeconfig": kubeconfig}, opts)
