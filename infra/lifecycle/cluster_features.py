"""What an environment needs its cluster to have, whoever made it: looked at before anything is touched."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from infra.lifecycle import preflight_subnets, preflight_versions
from infra.lifecycle.cluster_access import cluster_access
from infra.lifecycle.guarding import guarded
from infra.lifecycle.known_cluster import KnownCluster
from infra.lifecycle.report import Outcome, Row
from infra.settings import EnvironmentSettings

POD_IDENTITY_ADDON: Final = "eks-pod-identity-agent"
NETWORK_ADDON: Final = "vpc-cni"
# Other programs that enforce NetworkPolicies, by the DaemonSet that each runs.
POLICY_ENGINES: Final = ("calico-node", "cilium")


def rows(chosen: EnvironmentSettings, cluster: KnownCluster) -> list[Row]:
    """Look at a cluster that this checkout did not make; what cannot be asked is a red row.

    Args:
        chosen: the stack file's settings.
        cluster: the cluster, whose name is known.
    """
    name = str(cluster.name)
    eks = boto3.client("eks", region_name=chosen.region)
    try:
        described = dict(eks.describe_cluster(name=name)["cluster"])
    except (BotoCoreError, ClientError) as error:
        step = f"`aws eks describe-cluster --name {name}` has to answer, in {chosen.region}."
        refused = Row.judged("cluster", False, f"EKS was asked for {name} and said: {error}", step)
        return [refused, *guarded("kubectl", lambda: preflight_versions.kubectl(None))]
    kubernetes = str(described["version"])
    return [
        *guarded("Kubernetes", lambda: preflight_versions.kubernetes_row(kubernetes)),
        *guarded("kubectl", lambda: preflight_versions.kubectl(kubernetes)),
        _subnets(chosen, cluster, described),
        *guarded("cluster", lambda: _inside(chosen, eks, described)),
    ]


def _subnets(chosen: EnvironmentSettings, cluster: KnownCluster, described: Mapping[str, Any]) -> Row:
    try:
        return preflight_subnets.row(chosen, cluster, described)
    except (BotoCoreError, ClientError) as error:
        step = "`airflow-env rights STACK` prints what the deployer needs."
        return Row.judged(preflight_subnets.NAME, False, f"EC2 was asked for them and said: {error}", step)


def _inside(chosen: EnvironmentSettings, eks: Any, described: Mapping[str, Any]) -> list[Row]:
    """What runs in the cluster, and its add-ons."""
    name = str(described["name"])
    with cluster_access(name, chosen.region, "kube-system") as access:
        found = access.json("get", "configmaps", "--field-selector", "metadata.name=amazon-vpc-cni")
        switch = next((item.get("data") or {} for item in found["items"]), {})
        daemon_sets = _names(access.json("get", "daemonsets", "--all-namespaces"))
        classes = _names(access.json("get", "ingressclasses"))
    return [
        pod_identity_row(described, installed_addon(eks, name, POD_IDENTITY_ADDON)),
        network_policy_row(
            wanted=chosen.network_policies.enabled,
            switch=switch,
            addon=installed_addon(eks, name, NETWORK_ADDON),
            daemon_sets=daemon_sets,
        ),
        ingress_class_row(chosen.access.host, chosen.access.ingress_class, classes),
    ]


def _names(listing: Mapping[str, Any]) -> list[str]:
    return [str(item["metadata"]["name"]) for item in listing.get("items", [])]


def pod_identity_row(cluster: Mapping[str, Any], addon: Mapping[str, Any] | None) -> Row:
    """Whether pods can get their roles: EKS Auto Mode has the agent, other clusters need the add-on.

    https://docs.aws.amazon.com/eks/latest/userguide/pod-id-agent-setup.html

    Args:
        cluster: answer of DescribeCluster.
        addon: the agent's add-on as DescribeAddon gives it; None when it is not installed.
    """
    name = "Pod Identity"
    if auto_mode(cluster):
        return Row.judged(name, True, "EKS Auto Mode brings the agent")
    if addon is None:
        advice = f"aws eks create-addon --cluster-name {cluster['name']} --addon-name {POD_IDENTITY_ADDON}"
        return Row.judged(name, False, f"the add-on {POD_IDENTITY_ADDON} is missing; install it: {advice}")
    return Row.judged(name, addon["status"] == "ACTIVE", f"add-on {POD_IDENTITY_ADDON} is {addon['status']}")


def network_policy_row(
    *, wanted: bool, switch: Mapping[str, str], addon: Mapping[str, Any] | None, daemon_sets: Sequence[str]
) -> Row:
    """Whether something enforces NetworkPolicies; else they are accepted and do nothing.

    https://docs.aws.amazon.com/eks/latest/userguide/cni-network-policy.html
    https://docs.aws.amazon.com/eks/latest/userguide/auto-net-pol.html

    Args:
        wanted: whether the environment has NetworkPolicies.
        switch: data of the ConfigMap kube-system/amazon-vpc-cni, by which Auto Mode is told to enforce.
        addon: the add-on vpc-cni as DescribeAddon gives it; None when it is not installed.
        daemon_sets: names of all DaemonSets.
    """
    name = "network policies"
    if not wanted:
        return Row(name, Outcome.NOT_APPLICABLE, "the stack file has them off")
    if switch.get("enable-network-policy-controller") == "true":
        return Row.judged(name, True, "enforced: ConfigMap kube-system/amazon-vpc-cni says so")
    if addon is not None and _enforces(str(addon.get("configurationValues") or "{}")):
        return Row.judged(name, True, f"enforced by the add-on {NETWORK_ADDON}")
    engines = sorted(set(daemon_sets) & set(POLICY_ENGINES))
    if engines:
        return Row.judged(name, True, f"enforced by {', '.join(engines)}")
    return Row.judged(
        name,
        False,
        "nothing enforces them. Auto Mode: set enable-network-policy-controller to true in ConfigMap "
        f"kube-system/amazon-vpc-cni; else set enableNetworkPolicy in the configuration of {NETWORK_ADDON}",
    )


def ingress_class_row(host: str | None, wanted: str, classes: Sequence[str]) -> Row:
    """Whether the class that serves the environment's host is there."""
    name = "ingress class"
    if host is None:
        return Row(name, Outcome.NOT_APPLICABLE, "the stack file has no access.host")
    there = ", ".join(sorted(classes)) or "none"
    return Row.judged(
        name, wanted in classes, f"airflow:access.ingressClass is {wanted}; the cluster has {there}"
    )


def auto_mode(cluster: Mapping[str, Any]) -> bool:
    """Whether EKS runs the nodes and their agents."""
    return bool((cluster.get("computeConfig") or {}).get("enabled"))


def installed_addon(eks: Any, cluster: str, addon: str) -> Mapping[str, Any] | None:
    """An add-on as DescribeAddon gives it; None when it is not installed."""
    try:
        return dict(eks.describe_addon(clusterName=cluster, addonName=addon)["addon"])
    except ClientError as error:
        if error.response["Error"]["Code"] == "ResourceNotFoundException":
            return None
        raise


def _enforces(configuration: str) -> bool:
    try:
        values = json.loads(configuration)
    except ValueError:
        # The other form that EKS takes is YAML, and one line of it is enough here.
        return 'enablenetworkpolicy: "true"' in configuration.lower()
    return str(values.get("enableNetworkPolicy", "")).lower() == "true"
