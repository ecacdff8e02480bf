"""Statements of the deployer's policies that are about EC2: security groups, and the cluster's network."""

from __future__ import annotations

from infra.deployer_statements import Scope, allow
from infra.policies import Statement

_GROUP_CHANGES = (
    "AuthorizeSecurityGroupIngress RevokeSecurityGroupIngress AuthorizeSecurityGroupEgress "
    "RevokeSecurityGroupEgress ModifySecurityGroupRules DeleteSecurityGroup"
)
_RULE_CHANGES = "AuthorizeSecurityGroupIngress AuthorizeSecurityGroupEgress ModifySecurityGroupRules"
_GROUP_READS = (
    "DescribeSecurityGroups DescribeSecurityGroupRules DescribeNetworkInterfaces DescribeTags DescribeVpcs "
    "DescribeSubnets DescribeRouteTables DescribeAvailabilityZones DescribeAccountAttributes"
)
_NETWORK_READS = (
    "DescribeAddresses DescribeAddressesAttribute DescribeInternetGateways DescribeNatGateways "
    "DescribeNetworkAcls DescribeVpcEndpoints DescribeVpcEndpointServices "
    "DescribePrefixLists DescribeFlowLogs DescribeInstances DescribeInstanceTypes "
    "DescribeInstanceCreditSpecifications DescribeVolumes DescribeImages "
    "DescribeIamInstanceProfileAssociations"
)
_NETWORK_CREATES = (
    "CreateVpc CreateSubnet CreateInternetGateway AllocateAddress CreateNatGateway CreateRouteTable "
    "CreateVpcEndpoint CreateFlowLogs CreateSecurityGroup RunInstances"
)
_NETWORK_CHANGES = (
    "ModifyVpcAttribute DeleteVpc ModifySubnetAttribute DeleteSubnet AttachInternetGateway "
    "DetachInternetGateway DeleteInternetGateway ReleaseAddress DisassociateAddress DeleteNatGateway "
    "CreateRoute ReplaceRoute DeleteRoute AssociateRouteTable DisassociateRouteTable "
    "ReplaceRouteTableAssociation DeleteRouteTable ModifyVpcEndpoint DeleteVpcEndpoints DeleteFlowLogs "
    "ModifyInstanceAttribute ModifyInstanceMetadataOptions StartInstances StopInstances TerminateInstances"
)


def security_groups(scope: Scope) -> list[Statement]:
    """A database's security group in whichever VPC the cluster has."""
    group, rule = scope.arn("ec2", "security-group/*"), scope.arn("ec2", "security-group-rule/*")
    # https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/supported-iam-actions-tagging.html
    made = {**scope.made, "StringEquals": {"ec2:CreateAction": "CreateSecurityGroup"}}
    return [
        allow("MakeGroup", "ec2", "CreateSecurityGroup", group, scope.made),
        allow("MakeGroupIn", "ec2", "CreateSecurityGroup", scope.arn("ec2", "vpc/*")),
        allow("OwnGroups", "ec2", _GROUP_CHANGES, group, scope.own),
        # A rule has no tags before it is made; the group decides.
        allow("Rules", "ec2", _RULE_CHANGES, rule),
        allow("TagNewGroup", "ec2", "CreateTags", group, made),
        # The provider tags a rule after it was made.
        allow("TagNewRule", "ec2", "CreateTags", rule, scope.adopted),
        allow("TagOwn", "ec2", "CreateTags DeleteTags", [group, rule], scope.own),
        allow("ReadNetwork", "ec2", _GROUP_READS, "*", scope.here),
        allow("ReadVpc", "ec2", "DescribeVpcAttribute", scope.arn("ec2", "vpc/*")),
    ]


def network(scope: Scope) -> list[Statement]:
    """A VPC and all in it: made with the tag, or below what carries the tag."""
    everything = scope.arn("ec2", "*/*")
    # The security groups that EKS and EC2 make for themselves are known by EKS's tag, or by none.
    eks = {"StringLike": {"aws:ResourceTag/aws:eks:cluster-name": scope.names.environment}}
    return [
        allow("Make", "ec2", _NETWORK_CREATES, everything, scope.made),
        allow("MakeIn", "ec2", _NETWORK_CREATES, everything, scope.own),
        allow("Own", "ec2", f"{_NETWORK_CHANGES} {_GROUP_CHANGES}", everything, scope.own),
        allow("Rules", "ec2", _RULE_CHANGES, scope.arn("ec2", "security-group-rule/*")),
        allow("ClusterGroup", "ec2", _GROUP_CHANGES, scope.arn("ec2", "security-group/*"), eks),
        allow("Tag", "ec2", "CreateTags", everything, scope.adopted),
        allow("TagOwn", "ec2", "DeleteTags", everything, scope.own),
        # A machine image is its owner's; the network interface of an instance is made with it.
        allow(
            "RunFrom",
            "ec2",
            "RunInstances",
            [
                f"arn:{scope.partition}:ec2:{scope.names.region}::image/*",
                scope.arn("ec2", "network-interface/*"),
            ],
        ),
        allow("Read", "ec2", f"{_GROUP_READS} {_NETWORK_READS}", "*", scope.here),
        allow("ReadOwn", "ec2", "DescribeVpcAttribute DescribeInstanceAttribute", everything, scope.own),
    ]
