"""What environments share: a network, an EKS cluster with its own objects, a registry for Airflow images."""

from __future__ import annotations

from collections.abc import Sequence

import pulumi
import pulumi_aws as aws
import pulumi_kubernetes as kubernetes

from infra import cluster_ref, config, database_endpoint, image_mirror, naming, providers
from infra.cluster_guard import ClusterGuard
from infra.cluster_settings import ClusterProjectSettings, RunnerSettings
from infra.components.cluster_objects import STORAGE_CLASS, ClusterObjects, ClusterObjectsArgs
from infra.components.deployment_runner import DeploymentRunner, DeploymentRunnerArgs
from infra.components.eks_cluster import EksCluster, EksClusterArgs, control_plane_log_group
from infra.components.encryption_key import EncryptionKey, EncryptionKeyArgs
from infra.components.image_registry import ImageRegistry, ImageRegistryArgs
from infra.components.network import ZONES, Network, NetworkArgs, flow_log_group
from infra.stacks import database_host_plan

NAMESPACE = "airflow-cluster"
# Where EKS takes no subnet of a cluster; under which letter an account has them differs.
# https://docs.aws.amazon.com/eks/latest/userguide/network-reqs.html
ZONES_WITHOUT_EKS = ("use1-az3", "usw1-az2", "cac1-az3")


def deploy() -> None:
    """Register the cluster of the running stack, or stop with every mistake before anything is registered."""
    settings = config.load_as(ClusterProjectSettings, NAMESPACE)
    provider = aws_provider(settings)
    on_aws = pulumi.ResourceOptions(provider=provider)

    key = EncryptionKey("encryption", key_args(settings), on_aws)
    network = Network("network", network_args(settings, zone_names(settings.region, provider), key), on_aws)
    cluster = EksCluster("kubernetes", cluster_args(settings, network, key), on_aws)
    registry = ImageRegistry("images", registry_args(settings, key), on_aws)
    if settings.deploy_from.runner is not None:
        wanted = settings.deploy_from.runner
        runner = DeploymentRunner("runner", runner_args(settings, wanted, network, cluster, key), on_aws)
        pulumi.export("runnerInstanceId", runner.instance_id)
        pulumi.export("runnerRoleArn", runner.role_arn)
    kubeconfig = kubeconfig_of(cluster, settings.region)
    cluster_provider = kubernetes.Provider(
        "kubernetes",
        kubeconfig=kubeconfig,
        enable_server_side_apply=True,
        # AWS says to apply the switch of network policies, not to create it: whether EKS has made that
        # ConfigMap is its own affair. All other objects of a new cluster are ours.
        # https://docs.aws.amazon.com/eks/latest/userguide/auto-net-pol.html
        upsert_existing_objects=True,
    )
    on_kubernetes = pulumi.ResourceOptions(provider=cluster_provider)
    objects = ClusterObjects("objects", objects_args(settings, network, cluster, key), on_kubernetes)
    whole: list[pulumi.Resource] = [key, network, cluster, registry, objects]
    if settings.database_host.enabled:
        reference = reference_of(settings, network, cluster)
        host, parts = database_host_plan.database_host(settings, reference, key, provider, cluster_provider)
        pulumi.export(database_endpoint.EXPORT, database_endpoint.export_of(host))
        whole += parts
    # Deleted before anything else, so that a refusal finds the cluster whole.
    ClusterGuard(
        "guard",
        cluster=cluster.name,
        kubeconfig=kubeconfig,
        opts=pulumi.ResourceOptions(depends_on=whole),
    )
    export_reference(settings, network, cluster)
    pulumi.export("imageRepository", registry.url)
    pulumi.export(image_mirror.EXPORT, settings.image_mirror)
    pulumi.export("ingressClass", objects.ingress_class)
    pulumi.export("storageClass", STORAGE_CLASS)


def export_reference(settings: ClusterProjectSettings, network: Network, cluster: EksCluster) -> None:
    """Export what `infra/cluster_ref.py` reads."""
    pulumi.export(cluster_ref.NAME, cluster.name)
    pulumi.export(cluster_ref.ENDPOINT, cluster.endpoint)
    pulumi.export(cluster_ref.CERTIFICATE_AUTHORITY, cluster.certificate_authority)
    pulumi.export(cluster_ref.VPC_ID, network.vpc_id)
    pulumi.export(cluster_ref.PRIVATE_SUBNET_IDS, network.private_subnet_ids)
    pulumi.export(cluster_ref.SECURITY_GROUP_ID, cluster.security_group_id)
    pulumi.export(cluster_ref.REGION, settings.region)


def zone_names(region: str, provider: aws.Provider) -> pulumi.Output[list[str]]:
    """Return the zones for the network's subnets; a region with too few ends the run."""
    zones = aws.get_availability_zones_output(
        state="available",
        # Without it, the Local Zones that the account opted into come first.
        filters=[{"name": "zone-type", "values": ["availability-zone"]}],
        exclude_zone_ids=list(ZONES_WITHOUT_EKS),
        opts=pulumi.InvokeOutputOptions(provider=provider),
    )
    return zones.names.apply(lambda found: enough_zones(found, region))


def enough_zones(names: Sequence[str], region: str) -> list[str]:
    """Return the zones of a region that EKS takes, in their order.

    Raises:
        pulumi.RunError: there are fewer than the network has.
    """
    if len(names) < ZONES:
        raise pulumi.RunError(
            f"airflow-cluster:region: {region}: has {len(names)} availability zones that EKS takes, and the "
            f"network needs {ZONES}; take another region, or a cluster of yours there (airflow:cluster.name)"
        )
    return list(names)


def tags_of(settings: ClusterProjectSettings) -> dict[str, str]:
    """Return the tags of the running stack."""
    project, stack = pulumi.get_project(), pulumi.get_stack()
    return providers.default_tags(
        project=project,
        stack=stack,
        deployment_id=naming.deployment_id(project, stack),
        owner=settings.owner,
        tags=settings.tags,
    )


def aws_provider(settings: ClusterProjectSettings) -> aws.Provider:
    """Return the provider with the tags of the running stack."""
    return providers.aws_provider(
        "aws", region=settings.region, account_id=settings.account_id, tags=tags_of(settings)
    )


def kubeconfig_of(cluster: EksCluster, region: str) -> pulumi.Output[str]:
    """Return the kubeconfig of the cluster as JSON, without a token."""
    return pulumi.Output.json_dumps(
        cluster_ref.kubeconfig(
            name=cluster.name,
            endpoint=cluster.endpoint,
            certificate_authority=cluster.certificate_authority,
            region=region,
        )
    )


def reference_of(
    settings: ClusterProjectSettings, network: Network, cluster: EksCluster
) -> cluster_ref.ClusterReference:
    """Return the cluster as an environment would know it."""
    return cluster_ref.ClusterReference(
        name=cluster.name,
        endpoint=cluster.endpoint,
        certificate_authority=cluster.certificate_authority,
        vpc_id=network.vpc_id,
        private_subnet_ids=pulumi.Output.all(*network.private_subnet_ids).apply(list),
        security_group_id=cluster.security_group_id,
        region=settings.region,
        account_id=settings.account_id,
    )


def key_args(settings: ClusterProjectSettings) -> EncryptionKeyArgs:
    """Return the args of the cluster's key."""
    return EncryptionKeyArgs(
        alias=f"alias/{settings.name}",
        account_id=settings.account_id,
        region=settings.region,
        log_groups=[
            control_plane_log_group(settings.name),
            flow_log_group(settings.name),
            *database_host_plan.log_groups(settings),
        ],
        # Only the cluster's own secrets, disks and logs are encrypted with it; they end with it.
        persistent=False,
        protected=settings.protected,
    )


def network_args(
    settings: ClusterProjectSettings, zone_names: pulumi.Output[list[str]], key: EncryptionKey
) -> NetworkArgs:
    """Return the args of the network."""
    return NetworkArgs(
        name=settings.name,
        region=settings.region,
        account_id=settings.account_id,
        network=settings.network,
        zone_names=zone_names,
        nat=settings.nat,
        log_retention_days=settings.log_retention_days,
        key_arn=key.arn,
        permissions_boundary=settings.permissions_boundary or None,
        protected=settings.protected,
    )


def cluster_args(settings: ClusterProjectSettings, network: Network, key: EncryptionKey) -> EksClusterArgs:
    """Return the args of the cluster."""
    return EksClusterArgs(
        name=settings.name,
        region=settings.region,
        account_id=settings.account_id,
        kubernetes_version=settings.kubernetes_version,
        subnet_ids=network.private_subnet_ids,
        key_arn=key.arn,
        public_networks=settings.deploy_from.networks,
        administrators=settings.administrators,
        log_retention_days=settings.log_retention_days,
        permissions_boundary=settings.permissions_boundary or None,
        protected=settings.protected,
    )


def registry_args(settings: ClusterProjectSettings, key: EncryptionKey) -> ImageRegistryArgs:
    """Return the args of the registry."""
    return ImageRegistryArgs(name=f"{settings.name}/airflow", key_arn=key.arn, protected=settings.protected)


def runner_args(
    settings: ClusterProjectSettings,
    runner: RunnerSettings,
    network: Network,
    cluster: EksCluster,
    key: EncryptionKey,
) -> DeploymentRunnerArgs:
    """Return the args of the runner."""
    return DeploymentRunnerArgs(
        name=settings.name,
        region=settings.region,
        settings=runner,
        vpc_id=network.vpc_id,
        subnet_id=network.private_subnet_ids[0],
        cluster_security_group_id=cluster.security_group_id,
        key_arn=key.arn,
        permissions_boundary=settings.permissions_boundary or None,
    )


def objects_args(
    settings: ClusterProjectSettings, network: Network, cluster: EksCluster, key: EncryptionKey
) -> ClusterObjectsArgs:
    """Return the args of the objects inside the cluster."""
    return ClusterObjectsArgs(
        node_role=cluster.node_role_name,
        subnet_ids=network.private_subnet_ids,
        security_group_id=cluster.security_group_id,
        key_arn=key.arn,
        network_policies=settings.network_policies,
        tags=tags_of(settings),
    )
