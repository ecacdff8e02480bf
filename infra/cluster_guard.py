"""A dynamic resource that keeps a cluster from going while environments are on it.

State refers to its classes by module path and name, as to those of infra/dynamic.py.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import pulumi
from pulumi.dynamic import CreateResult, DiffResult, ReadResult, Resource, ResourceProvider, UpdateResult

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

# Label of every environment's namespace.
ENVIRONMENT_LABEL: Final = ("app.kubernetes.io/part-of", "airflow-environments")
# A change of a cluster's configuration takes EKS minutes.
UPDATE_SECONDS: Final = 1200
POLL_SECONDS: Final = 5.0


class ClusterInUseError(Exception):
    """The cluster may not go: environments are on it, or load balancers of its are in the network."""


def environments_refusal(cluster: str, namespaces: Sequence[str]) -> str:
    """Return the sentences that a deletion stops with while there are environments."""
    found = ", ".join(sorted(namespaces))
    return (
        f"cluster {cluster} holds {len(namespaces)} environment(s): namespace {found}. "
        "Nothing of the cluster was deleted. End them first, each by `airflow-env down STACK`."
    )


def load_balancers_refusal(cluster: str, objects: Sequence[str]) -> str:
    """Return the sentences that a deletion stops with while there are load balancers."""
    found = ", ".join(sorted(objects))
    return (
        f"cluster {cluster} has load balancers, of {found}. Nothing of the cluster was deleted. Delete these "
        "objects first: the cluster's controller removes their load balancers, and without it they would "
        "stay, and hold the network."
    )


class ClusterGuardProvider(ResourceProvider):
    """Made last and deleted first; its deletion asks the cluster which environments it holds.

    It also turns the control plane's logs off. EKS would write what it has in hand after the end of the
    cluster and of its log group, and so make the group anew: without key, retention or tags, and in the way
    of the next cluster of that name. https://github.com/terraform-aws-modules/terraform-aws-eks/issues/2446
    """

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
        """Refuse while there are environments, or load balancers of anybody; else end the logs.

        A cluster that somebody deleted by hand holds nothing, and has no API server to ask.

        Raises:
            ClusterInUseError: with the namespaces, or the objects that have load balancers.
        """
        kubeconfig = str(_props["kubeconfig"])
        region = region_of(kubeconfig)
        if not is_there(_id, region):
            return
        in_use = use_of(_id, kubeconfig)
        if in_use:
            raise ClusterInUseError(in_use)
        end_logs(_id, region)


def is_there(cluster: str, region: str) -> bool:
    """Return whether EKS knows a cluster of that name.

    Raises:
        botocore.exceptions.ClientError: EKS refused to say.
    """
    import boto3

    eks: Any = boto3.client("eks", region_name=region)
    try:
        eks.describe_cluster(name=cluster)
    except eks.exceptions.ResourceNotFoundException:
        return False
    return True


def use_of(cluster: str, kubeconfig: str) -> str | None:
    """Return why the cluster behind a kubeconfig (JSON text) may not go; None where nothing is on it."""
    from kubernetes import config

    api_client = config.new_client_from_config_dict(json.loads(kubeconfig))  # type: ignore[no-untyped-call]
    with api_client:
        namespaces = environment_namespaces(api_client)
        if namespaces:
            return environments_refusal(cluster, namespaces)
        objects = balanced_objects(api_client)
        return load_balancers_refusal(cluster, objects) if objects else None


def environment_namespaces(api_client: ApiClient) -> list[str]:
    """Return the namespaces of environments."""
    from kubernetes import client

    found: Any = client.CoreV1Api(api_client).list_namespace(label_selector="=".join(ENVIRONMENT_LABEL))
    return [str(item.metadata.name) for item in found.items]


def balanced_objects(api_client: ApiClient) -> list[str]:
    """Return the Ingresses and Services for which a controller has made load balancers.

    https://docs.aws.amazon.com/eks/latest/userguide/delete-cluster.html
    """
    from kubernetes import client

    ingresses: Any = client.NetworkingV1Api(api_client).list_ingress_for_all_namespaces()
    services: Any = client.CoreV1Api(api_client).list_service_for_all_namespaces()
    return [*held("Ingress", ingresses.items), *held("Service", services.items)]


def held(kind: str, items: Sequence[Any]) -> list[str]:
    """Return the objects behind which a controller of load balancers has to clean up, by its finalizer."""
    return [
        f"{kind} {item.metadata.namespace}/{item.metadata.name}"
        for item in items
        if any(f"{kind.lower()}." in name for name in item.metadata.finalizers or [])
    ]


def region_of(kubeconfig: str) -> str:
    """Return the region that a kubeconfig (JSON text) asks for its tokens."""
    [user] = json.loads(kubeconfig)["users"]
    arguments = list(user["user"]["exec"]["args"])
    return str(arguments[arguments.index("--region") + 1])


def end_logs(cluster: str, region: str) -> None:
    """Turn all logs of a control plane off, and wait until they are.

    Raises:
        TimeoutError: EKS took longer than UPDATE_SECONDS.
        botocore.exceptions.ClientError: EKS refused; a cluster that is gone already is none.
    """
    import boto3

    eks: Any = boto3.client("eks", region_name=region)
    try:
        setups = eks.describe_cluster(name=cluster)["cluster"].get("logging", {}).get("clusterLogging", [])
    except eks.exceptions.ResourceNotFoundException:
        return
    kinds = [kind for setup in setups if setup.get("enabled") for kind in setup.get("types", [])]
    if not kinds:
        return
    off = {"clusterLogging": [{"types": kinds, "enabled": False}]}
    update = str(eks.update_cluster_config(name=cluster, logging=off)["update"]["id"])
    end = time.monotonic() + UPDATE_SECONDS
    while eks.describe_update(name=cluster, updateId=update)["update"]["status"] == "InProgress":
        if time.monotonic() > end:
            raise TimeoutError(
                f"EKS did not turn the logs of cluster {cluster} off within {UPDATE_SECONDS} s."
            )
        time.sleep(POLL_SECONDS)


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
