"""What environments share: a network, an EKS cluster, a registry for Airflow images."""

from __future__ import annotations

import pulumi
import pulumi_aws as aws

from infra import cluster_ref, config, naming, providers
from infra.cluster_settings import ClusterProjectSettings
from infra.components.eks_cluster import EksCluster, EksClusterArgs, control_plane_log_group
from infra.components.encryption_key import EncryptionKey, EncryptionKeyArgs
from infra.components.image_registry import ImageRegistry, ImageRegistryArgs
from infra.components.network import Network, NetworkArgs

NAMESPACE = "airflow-cluster"


def deploy() -> None:
    """Register the cluster of the running stack, or stop with every mistake before anything is registered."""
    settings = config.load_as(ClusterProjectSettings, NAMESPACE)
    project, stack = pulumi.get_project(), pulumi.get_stack()
    tags = providers.default_tags(
        project=project,
        stack=stack,
        deployment_id=naming.deployment_id(project, stack),
        owner=settings.owner,
        tags=settings.tags,
    )
    provider = providers.aws_provider(
        "aws", region=settings.region, account_id=settings.account_id, tags=tags
    )
    on_aws = pulumi.ResourceOptions(provider=provider)
    protected, boundary = not settings.disposable, settings.permissions_boundary or None

    key = EncryptionKey(
        "encryption",
        EncryptionKeyArgs(
            alias=f"alias/{settings.name}",
            account_id=settings.account_id,
            region=settings.region,
            log_groups=[control_plane_log_group(settings.name)],
            # Only the cluster's own secrets and logs are encrypted with it; they end with it.
            persistent=False,
            protected=protected,
        ),
        on_aws,
    )
    zones = aws.get_availability_zones_output(
        state="available", opts=pulumi.InvokeOutputOptions(provider=provider)
    )
    network = Network("network", network_args(settings, zones.names, protected, boundary), on_aws)
    cluster = EksCluster("kubernetes", cluster_args(settings, network, key, protected, boundary), on_aws)
    registry = ImageRegistry(
        "images",
        ImageRegistryArgs(name=f"{settings.name}/airflow", key_arn=key.arn, protected=protected),
        on_aws,
    )

    pulumi.export(cluster_ref.NAME, cluster.name)
    pulumi.export(cluster_ref.ENDPOINT, cluster.endpoint)
    pulumi.export(cluster_ref.CERTIFICATE_AUTHORITY, cluster.certificate_authority)
    pulumi.export(cluster_ref.VPC_ID, network.vpc_id)
    pulumi.export(cluster_ref.PRIVATE_SUBNET_IDS, network.private_subnet_ids)
    pulumi.export(cluster_ref.SECURITY_GROUP_ID, cluster.security_group_id)
    pulumi.export("region", settings.region)
    pulumi.export("imageRepository", registry.url)


def network_args(
    settings: ClusterProjectSettings,
    zone_names: pulumi.Output[list[str]],
    protected: bool,
    boundary: str | None,
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
        permissions_boundary=boundary,
        protected=protected,
    )


def cluster_args(
    settings: ClusterProjectSettings,
    network: Network,
    key: EncryptionKey,
    protected: bool,
    boundary: str | None,
) -> EksClusterArgs:
    """Return the args of the cluster."""
    return EksClusterArgs(
        name=settings.name,
        region=settings.region,
        account_id=settings.account_id,
        kubernetes_version=settings.kubernetes_version,
        subnet_ids=network.private_subnet_ids,
        key_arn=key.arn,
        deploy_from=settings.deploy_from,
        administrators=settings.administrators,
        log_retention_days=settings.log_retention_days,
        permissions_boundary=boundary,
        protected=protected,
    )
