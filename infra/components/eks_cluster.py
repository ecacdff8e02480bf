"""The EKS cluster that environments share: Auto Mode, private endpoint, encrypted secrets, audit logs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import pulumi
import pulumi_aws as aws

from infra import auto_mode_tags, naming, policies, trust_policies

CONTROL_PLANE_LOGS: Final = ("api", "audit", "authenticator", "controllerManager", "scheduler")
# https://docs.aws.amazon.com/eks/latest/userguide/auto-cluster-iam-role.html
CLUSTER_POLICIES: Final = (
    "AmazonEKSClusterPolicy",
    "AmazonEKSComputePolicy",
    "AmazonEKSBlockStoragePolicy",
    "AmazonEKSLoadBalancingPolicy",
    "AmazonEKSNetworkingPolicy",
)
# https://docs.aws.amazon.com/eks/latest/userguide/auto-create-node-role.html
NODE_POLICIES: Final = ("AmazonEKSWorkerNodeMinimalPolicy", "AmazonEC2ContainerRegistryPullOnly")
ADMINISTRATOR_POLICY: Final = "cluster-access-policy/AmazonEKSClusterAdminPolicy"


@dataclass(frozen=True, slots=True, kw_only=True)
class EksClusterArgs:
    """What an EksCluster needs."""

    name: str
    region: str
    account_id: str
    kubernetes_version: str
    subnet_ids: Sequence[pulumi.Input[str]]
    key_arn: pulumi.Input[str]
    public_networks: Sequence[str]
    """Networks that reach the public endpoint; empty turns it off."""
    administrators: Sequence[str]
    log_retention_days: int
    permissions_boundary: str | None
    protected: bool


class EksCluster(pulumi.ComponentResource):
    """A cluster in Auto Mode: EKS runs nodes, storage, load balancing and the agent of Pod Identity.

    The API server has a private endpoint; the public one is open to named networks only, or off.
    """

    TOKEN: Final = "airflowinfra:index:EksCluster"  # noqa: S105 - a type token

    name: pulumi.Output[str]
    """Name of the cluster."""
    endpoint: pulumi.Output[str]
    """URL of the API server."""
    certificate_authority: pulumi.Output[str]
    """Certificate authority of the endpoint, base64 of PEM."""
    security_group_id: pulumi.Output[str]
    """Security group of control plane and pods."""
    node_role_name: pulumi.Output[str]
    """Name of the nodes' role."""

    def __init__(self, name: str, args: EksClusterArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(self.TOKEN, name, None, opts)
        self._name, self._args = name, args
        self._child = pulumi.ResourceOptions(parent=self)
        log_group = aws.cloudwatch.LogGroup(
            f"{name}-log-group",
            name=control_plane_log_group(args.name),
            retention_in_days=args.log_retention_days,
            kms_key_id=args.key_arn,
            opts=self._child,
        )
        cluster_role, cluster_policies = self._role(
            "control-plane", trust_policies.cluster_trust(account_id=args.account_id), CLUSTER_POLICIES
        )
        node_role, node_policies = self._role("node", trust_policies.node_trust(), NODE_POLICIES)
        # Disks and volumes are encrypted with our key, which Auto Mode's own policies do not cover:
        # https://docs.aws.amazon.com/eks/latest/userguide/create-storage-class.html
        volumes = self._policy(
            cluster_role, "volume-encryption", policies.encrypt_volumes(key_arn=args.key_arn)
        )
        tags = self._policy(cluster_role, "resource-tags", auto_mode_tags.tag_resources(region=args.region))
        # EKS would make the log group itself; roles are of no use without their policies.
        waits_for = [log_group, volumes, tags, *cluster_policies, *node_policies]
        cluster = self._cluster(cluster_role, node_role, waits_for)
        self._administrators(cluster)
        self.name = cluster.name
        self.endpoint = cluster.endpoint
        self.certificate_authority = cluster.certificate_authority.apply(lambda found: str(found.data))
        self.security_group_id = cluster.vpc_config.apply(lambda vpc: str(vpc.cluster_security_group_id))
        self.node_role_name = node_role.name
        self.register_outputs({"name": self.name, "endpoint": self.endpoint})

    def _cluster(
        self, role: aws.iam.Role, node_role: aws.iam.Role, waits_for: list[pulumi.Resource]
    ) -> aws.eks.Cluster:
        args = self._args
        return aws.eks.Cluster(
            f"{self._name}-cluster",
            name=args.name,
            version=args.kubernetes_version,
            role_arn=role.arn,
            vpc_config=aws.eks.ClusterVpcConfigArgs(
                subnet_ids=list(args.subnet_ids),
                endpoint_private_access=True,
                endpoint_public_access=bool(args.public_networks),
                public_access_cidrs=list(args.public_networks) or None,
            ),
            access_config=aws.eks.ClusterAccessConfigArgs(
                authentication_mode="API", bootstrap_cluster_creator_admin_permissions=True
            ),
            # Auto Mode: the three switches only work together. Airflow's nodes come from a pool of our own.
            bootstrap_self_managed_addons=False,
            compute_config=aws.eks.ClusterComputeConfigArgs(
                enabled=True, node_pools=["system"], node_role_arn=node_role.arn
            ),
            storage_config=aws.eks.ClusterStorageConfigArgs(
                block_storage=aws.eks.ClusterStorageConfigBlockStorageArgs(enabled=True)
            ),
            kubernetes_network_config=aws.eks.ClusterKubernetesNetworkConfigArgs(
                elastic_load_balancing=aws.eks.ClusterKubernetesNetworkConfigElasticLoadBalancingArgs(
                    enabled=True
                )
            ),
            encryption_config=aws.eks.ClusterEncryptionConfigArgs(
                provider=aws.eks.ClusterEncryptionConfigProviderArgs(key_arn=args.key_arn),
                resources=["secrets"],
            ),
            enabled_cluster_log_types=list(CONTROL_PLANE_LOGS),
            deletion_protection=args.protected,
            opts=pulumi.ResourceOptions(parent=self, protect=args.protected, depends_on=waits_for),
        )

    def _role(
        self, purpose: str, trust: policies.Document, managed: Sequence[str]
    ) -> tuple[aws.iam.Role, list[pulumi.Resource]]:
        args = self._args
        role = aws.iam.Role(
            f"{self._name}-{purpose}-role",
            name=f"{args.name}-{args.region}-{purpose}",
            description=f"{purpose} of EKS cluster {args.name}",
            assume_role_policy=policies.as_json(trust),
            permissions_boundary=args.permissions_boundary,
            opts=self._child,
        )
        attachments: list[pulumi.Resource] = [
            aws.iam.RolePolicyAttachment(
                f"{self._name}-{purpose}-{policy}",
                role=role.name,
                policy_arn=f"arn:{policies.partition(args.region)}:iam::aws:policy/{policy}",
                opts=self._child,
            )
            for policy in managed
        ]
        return role, attachments

    def _policy(
        self, role: aws.iam.Role, purpose: str, statements: Sequence[policies.Statement]
    ) -> aws.iam.RolePolicy:
        return aws.iam.RolePolicy(
            f"{self._name}-{purpose}",
            name=purpose,
            role=role.name,
            policy=policies.as_json(policies.document(statements)),
            opts=self._child,
        )

    def _administrators(self, cluster: aws.eks.Cluster) -> None:
        for arn in self._args.administrators:
            # The ARN is the entry's identity in EKS too.
            identity = naming.short_hash(arn, 8)
            entry = aws.eks.AccessEntry(
                f"{self._name}-administrator-{identity}",
                cluster_name=cluster.name,
                principal_arn=arn,
                opts=self._child,
            )
            aws.eks.AccessPolicyAssociation(
                f"{self._name}-administrator-{identity}-policy",
                cluster_name=cluster.name,
                principal_arn=entry.principal_arn,
                policy_arn=f"arn:{policies.partition(self._args.region)}:eks::aws:{ADMINISTRATOR_POLICY}",
                access_scope=aws.eks.AccessPolicyAssociationAccessScopeArgs(type="cluster"),
                opts=self._child,
            )


def control_plane_log_group(cluster: str) -> str:
    """Return the name of the log group that EKS writes to; EKS decides it."""
    return f"/aws/eks/{cluster}/cluster"
