"""What EKS Auto Mode leaves to the cluster's owner: nodes, load balancer, volumes, network policies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import pulumi
import pulumi_kubernetes as kubernetes

from infra import auto_mode_tags

# Names that environments may rely on.
INGRESS_CLASS: Final = "alb"
LOAD_BALANCER: Final = "airflow"
STORAGE_CLASS: Final = "encrypted-gp3"
NODE_POOL: Final = "airflow"

# API groups of Auto Mode: https://docs.aws.amazon.com/eks/latest/userguide/create-node-class.html
EKS_API: Final = "eks.amazonaws.com/v1"
KARPENTER_API: Final = "karpenter.sh/v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterObjectsArgs:
    """What a ClusterObjects needs."""

    node_role: pulumi.Input[str]
    """Name of the nodes' role; EKS made its access entry with the built-in pools."""
    subnet_ids: list[pulumi.Output[str]]
    security_group_id: pulumi.Input[str]
    key_arn: pulumi.Input[str]
    """Encrypts the nodes' disks and the volumes."""
    network_policies: bool
    """Whether nodes enforce NetworkPolicies."""
    tags: Mapping[str, str]
    """Of nodes, volumes and load balancers, which EKS makes."""


class ClusterObjects(pulumi.ComponentResource):
    """Nodes with encrypted disks, one internal load balancer for all environments, encrypted volumes.

    Auto Mode's own node class takes no key and logs no refused connection, hence one of ours.
    """

    TOKEN: Final = "airflowinfra:index:ClusterObjects"  # noqa: S105 - a type token

    ingress_class: pulumi.Output[str]
    """Name of the IngressClass that environments share."""

    def __init__(
        self, name: str, args: ClusterObjectsArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(self.TOKEN, name, None, opts)
        self._name, self._args = name, args
        self._child = pulumi.ResourceOptions(parent=self)
        if args.network_policies:
            self._network_policy_controller()
        self._node_pool(self._node_class())
        self._storage_class()
        self.ingress_class = self._ingress_class()
        self.register_outputs({"ingressClass": self.ingress_class})

    def _network_policy_controller(self) -> None:
        # https://docs.aws.amazon.com/eks/latest/userguide/auto-net-pol.html
        kubernetes.core.v1.ConfigMap(
            f"{self._name}-network-policies",
            metadata={"name": "amazon-vpc-cni", "namespace": "kube-system"},
            data={"enable-network-policy-controller": "true"},
            opts=self._child,
        )

    def _node_class(self) -> pulumi.Output[str]:
        args = self._args
        spec: dict[str, Any] = {
            "role": args.node_role,
            "subnetSelectorTerms": [{"id": subnet} for subnet in args.subnet_ids],
            "securityGroupSelectorTerms": [{"id": args.security_group_id}],
            # What nobody restricts stays open, so the switch breaks no other tenant of the cluster.
            "networkPolicy": "DefaultAllow",
            "networkPolicyEventLogs": "Enabled" if args.network_policies else "Disabled",
            "ephemeralStorage": {"size": "80Gi", "kmsKeyID": args.key_arn},
            # Of instances, disks and network interfaces; other tags make other nodes of them, one by one.
            "tags": dict(args.tags),
        }
        # The id of an object without a namespace is its name.
        return self._custom("node-class", EKS_API, "NodeClass", NODE_POOL, spec).id

    def _node_pool(self, node_class: pulumi.Output[str]) -> None:
        requirements = [
            _one_of("eks.amazonaws.com/instance-category", "c", "m", "r"),
            # As the built-in pools: the fourth generation is slow, dear, and not on Nitro.
            # https://docs.aws.amazon.com/eks/latest/userguide/set-builtin-node-pools.html
            {"key": "eks.amazonaws.com/instance-generation", "operator": "Gt", "values": ["4"]},
            _one_of("kubernetes.io/arch", "amd64"),
            # A task that an interruption ends starts again from its beginning.
            _one_of("karpenter.sh/capacity-type", "on-demand"),
        ]
        reference = {"group": EKS_API.split("/")[0], "kind": "NodeClass", "name": node_class}
        spec = {
            "template": {
                "spec": {
                    "nodeClassRef": reference,
                    "requirements": requirements,
                    # EKS allows 21 days at most; nodes get patches by being replaced.
                    "expireAfter": "336h",
                    # Task pods ask not to be disrupted; a node waits for them this long, then it goes.
                    "terminationGracePeriod": "24h",
                }
            },
            "disruption": {"consolidationPolicy": "WhenEmptyOrUnderutilized", "consolidateAfter": "5m"},
            "limits": {"cpu": "1000", "memory": "4000Gi"},
        }
        self._custom("node-pool", KARPENTER_API, "NodePool", NODE_POOL, spec)

    def _storage_class(self) -> None:
        # https://docs.aws.amazon.com/eks/latest/userguide/create-storage-class.html
        kubernetes.storage.v1.StorageClass(
            f"{self._name}-storage-class",
            metadata={
                "name": STORAGE_CLASS,
                "annotations": {"storageclass.kubernetes.io/is-default-class": "true"},
            },
            provisioner="ebs.csi.eks.amazonaws.com",
            # A volume is made in the zone of its first pod.
            volume_binding_mode="WaitForFirstConsumer",
            allow_volume_expansion=True,
            parameters={
                "type": "gp3",
                "encrypted": "true",
                "kmsKeyId": self._args.key_arn,
                **auto_mode_tags.volume_parameters(self._args.tags),
            },
            opts=self._child,
        )

    def _ingress_class(self) -> pulumi.Output[str]:
        # A group is one load balancer for every Ingress of the class:
        # https://docs.aws.amazon.com/eks/latest/userguide/auto-configure-alb.html
        spec = {
            "scheme": "internal",
            "group": {"name": LOAD_BALANCER},
            "tags": auto_mode_tags.load_balancer_tags(self._args.tags),
        }
        parameters = self._custom("load-balancer", EKS_API, "IngressClassParams", LOAD_BALANCER, spec)
        ingress_class = kubernetes.networking.v1.IngressClass(
            f"{self._name}-ingress-class",
            metadata={"name": INGRESS_CLASS},
            spec=kubernetes.networking.v1.IngressClassSpecArgs(
                controller="eks.amazonaws.com/alb",
                parameters=kubernetes.networking.v1.IngressClassParametersReferenceArgs(
                    api_group=EKS_API.split("/")[0], kind="IngressClassParams", name=parameters.id
                ),
            ),
            opts=self._child,
        )
        return ingress_class.id

    def _custom(
        self, role: str, api_version: str, kind: str, name: str, spec: dict[str, Any]
    ) -> kubernetes.apiextensions.CustomResource:
        return kubernetes.apiextensions.CustomResource(
            f"{self._name}-{role}",
            api_version=api_version,
            kind=kind,
            metadata={"name": name},
            spec=spec,
            opts=self._child,
        )


def _one_of(key: str, *values: str) -> dict[str, Any]:
    return {"key": key, "operator": "In", "values": list(values)}
