"""Where a database instance is in the network: private subnets, and who reaches it."""

from __future__ import annotations

import pulumi
import pulumi_aws as aws

from infra.cluster_ref import ClusterReference


class _SecurityGroup(pulumi.CustomResource):
    """`aws.ec2.SecurityGroup`, without the SDK's class.

    For that one class the SDK imports a package of 180 modules, an eighth of the CPU time of this program.
    """

    def __init__(
        self,
        name: str,
        *,
        group_name: str,
        description: str,
        vpc_id: pulumi.Input[str],
        opts: pulumi.ResourceOptions,
    ) -> None:
        inputs = {"name": group_name, "description": description, "vpcId": vpc_id}
        super().__init__("aws:ec2/securityGroup:SecurityGroup", name, inputs, opts)


def subnet_group(
    name: str, identifier: str, cluster: ClusterReference, opts: pulumi.ResourceOptions
) -> aws.rds.SubnetGroup:
    """Return the group of the cluster's private subnets."""
    return aws.rds.SubnetGroup(
        f"{name}-subnets",
        name=identifier,
        description="Private subnets of the cluster",
        subnet_ids=cluster.private_subnet_ids,
        opts=opts,
    )


def security_group(
    name: str, identifier: str, port: int, cluster: ClusterReference, opts: pulumi.ResourceOptions
) -> pulumi.CustomResource:
    """Return a group that lets the cluster's pods in, by TCP `port`, and nothing out."""
    # No egress at all: an instance opens no connections.
    group = _SecurityGroup(
        f"{name}-access",
        group_name=identifier,
        description="Metadata database: from the pods of the cluster only",
        vpc_id=cluster.vpc_id,
        opts=opts,
    )
    aws.vpc.SecurityGroupIngressRule(
        f"{name}-access-from-pods",
        security_group_id=group.id,
        referenced_security_group_id=cluster.security_group_id,
        description="Postgres from the pods of the cluster",
        ip_protocol="tcp",
        from_port=port,
        to_port=port,
        opts=opts,
    )
    return group
