"""Tags of what EKS Auto Mode makes for a cluster: nodes, their disks, volumes of pods, load balancers.

The aws provider's default tags end with what the program makes. EKS makes the rest by the cluster's role, and
its own policies let that role give no tags but EKS's own. Pure.
https://docs.aws.amazon.com/eks/latest/userguide/auto-cluster-iam-role.html#tag-prop
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from infra.policies import Statement, partition

# EKS names the cluster in each session of the role, and in a tag of all that it makes.
_CLUSTER: Final = "eks:eks-cluster-name"
_ITS_CLUSTER: Final = f"${{aws:PrincipalTag/{_CLUSTER}}}"


def volume_parameters(tags: Mapping[str, str]) -> dict[str, str]:
    """Parameters of a StorageClass by which the volumes' driver tags them: `tagSpecification_N: key=value`.

    https://github.com/kubernetes-sigs/aws-ebs-csi-driver/blob/master/docs/tagging.md
    """
    return {
        f"tagSpecification_{number}": f"{key}={value}"
        for number, (key, value) in enumerate(sorted(tags.items()), start=1)
    }


def load_balancer_tags(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """`spec.tags` of IngressClassParams."""
    return [{"key": key, "value": value} for key, value in sorted(tags.items())]


def tag_resources(*, region: str) -> list[Statement]:
    """Statements by which the cluster's role makes what bears tags of one's own, for its own cluster alone.

    AWS's example for it, within the region, without the snapshots and the Shield protections that nobody here
    asks for. The right to give tags to what is being made is in EKS's own policies.
    """
    arn = f"arn:{partition(region)}"
    ec2, balancing = f"{arn}:ec2:{region}:*", f"{arn}:elasticloadbalancing:{region}:*"
    return [
        _making(
            "MakeNodesWithTags",
            ["ec2:CreateFleet", "ec2:RunInstances", "ec2:CreateLaunchTemplate"],
            f"{ec2}:*",
            "eks:kubernetes-node-class-name",
            "eks:kubernetes-node-pool-name",
        ),
        _making("MakeVolumesWithTags", ["ec2:CreateVolume"], f"{ec2}:volume/*"),
        _making(
            "MakeInterfacesWithTags",
            ["ec2:CreateNetworkInterface"],
            f"{ec2}:*",
            "eks:kubernetes-cni-node-name",
        ),
        _making(
            "MakeLoadBalancersWithTags",
            [
                "elasticloadbalancing:CreateLoadBalancer",
                "elasticloadbalancing:CreateTargetGroup",
                "elasticloadbalancing:CreateListener",
                "elasticloadbalancing:CreateRule",
            ],
            f"{balancing}:*",
        ),
        _making("MakeSecurityGroupsWithTags", ["ec2:CreateSecurityGroup"], f"{ec2}:security-group/*"),
        # Not in AWS's example: tags of what is there already change when the stack file's do. The controller
        # that Auto Mode is made from asks for these, and would hold up the load balancer without them:
        # https://kubernetes-sigs.github.io/aws-load-balancer-controller/latest/deploy/installation/
        _changing(
            "ChangeTagsOfLoadBalancers",
            ["elasticloadbalancing:AddTags", "elasticloadbalancing:RemoveTags"],
            f"{balancing}:*",
        ),
        _changing(
            "ChangeTagsOfSecurityGroups", ["ec2:CreateTags", "ec2:DeleteTags"], f"{ec2}:security-group/*"
        ),
    ]


def _making(sid: str, actions: list[str], resource: str, *present: str) -> Statement:
    """A right to make what gets the cluster's tag, and tags of these keys."""
    condition: dict[str, Any] = {"StringEquals": {f"aws:RequestTag/{_CLUSTER}": _ITS_CLUSTER}}
    if present:
        condition["StringLike"] = {f"aws:RequestTag/{key}": "*" for key in present}
    return {"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resource, "Condition": condition}


def _changing(sid: str, actions: list[str], resource: str) -> Statement:
    """A right on what has the cluster's tag."""
    condition = {"StringEquals": {f"aws:ResourceTag/{_CLUSTER}": _ITS_CLUSTER}}
    return {"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resource, "Condition": condition}
