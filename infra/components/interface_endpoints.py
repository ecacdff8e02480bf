"""Interface endpoints of AWS services, for a network that has no way out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import pulumi
import pulumi_aws as aws

# What nodes, pods, and deployers inside call. S3 has a gateway endpoint.
# https://docs.aws.amazon.com/eks/latest/userguide/private-clusters.html
SERVICES: Final = (
    "ec2",
    "ecr.api",
    "ecr.dkr",
    "eks",
    "eks-auth",
    "elasticloadbalancing",
    "kms",
    "logs",
    "monitoring",
    "rds",
    "secretsmanager",
    "sns",
    "ssm",
    "ssmmessages",
    "sts",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class InterfaceEndpointsArgs:
    """What InterfaceEndpoints need."""

    name: str
    region: str
    vpc_id: pulumi.Input[str]
    network: str
    """IPv4 network of the VPC, whose hosts may use the endpoints."""
    subnet_ids: Sequence[pulumi.Input[str]]


class InterfaceEndpoints(pulumi.ComponentResource):
    """One endpoint per service in every private subnet, under the service's own names."""

    TOKEN: Final = "airflowinfra:index:InterfaceEndpoints"  # noqa: S105 - a type token

    def __init__(
        self, name: str, args: InterfaceEndpointsArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(self.TOKEN, name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        group = aws.ec2.SecurityGroup(
            f"{name}-security-group",
            name=f"{args.name}-endpoints",
            description="AWS services, from inside the VPC",
            vpc_id=args.vpc_id,
            opts=child,
        )
        aws.vpc.SecurityGroupIngressRule(
            f"{name}-https",
            security_group_id=group.id,
            description="Hosts of the VPC",
            cidr_ipv4=args.network,
            ip_protocol="tcp",
            from_port=443,
            to_port=443,
            opts=child,
        )
        for service in SERVICES:
            aws.ec2.VpcEndpoint(
                f"{name}-{service}",
                vpc_id=args.vpc_id,
                service_name=f"com.amazonaws.{args.region}.{service}",
                vpc_endpoint_type="Interface",
                private_dns_enabled=True,
                subnet_ids=list(args.subnet_ids),
                security_group_ids=[group.id],
                opts=child,
            )
        self.register_outputs({})
