"""Where a database instance is in the network: private subnets, and who reaches it."""

from __future__ import annotations

import pulumi
import pulumi_aws as aws

from infra.cluster_ref import ClusterReference


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
) -> aws.ec2.SecurityGroup:
    """Return a group that lets the cluster's pods in, by TCP `port`, and nothing out."""
    # No egress at all: an instance opens no connections.
    group = aws.ec2.SecurityGroup(
        f"{name}-access",
        name=identifier,
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
