"""The cluster program per real stack file."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Callable

import pytest
from edge_reasons import REASONS, left_over, without_reason
from graph_recording import CLUSTER_OUTPUTS, MIRROR, ZONES, Graph
from graph_stacks import CLUSTER_STACKS

RUNNER = {"imageId": "ami-0123456789abcdef0", "roleArns": ["arn:aws:iam::123456789012:role/deployer"]}

RUNNER_REASONS = {
    ("runner-instance", "runner-session-manager"): "its agent registers once, when the instance starts",
    ("runner-instance", "runner-assume-roles"): "who gets in by the agent works at once",
}


def test_exports_are_what_environments_read(cluster_graph: Graph) -> None:
    assert set(CLUSTER_OUTPUTS) <= set(cluster_graph.exports)


def test_every_resource_is_made_by_the_explicit_provider(cluster_graph: Graph) -> None:
    for resource in cluster_graph.custom:
        if not resource.type.startswith("pulumi:"):
            kind = resource.type.split(":")[0]
            provider = f"pulumi:providers:{kind}::{kind}::"
            dynamic = kind == "pulumi-python"
            assert dynamic or provider in resource.provider, resource.name


def test_nodes_and_databases_are_in_private_subnets(cluster_graph: Graph) -> None:
    subnets = cluster_graph.of("aws:ec2/subnet:Subnet")
    assert len({subnet.inputs["availabilityZone"] for subnet in subnets}) == 3
    assert not any(subnet.inputs["mapPublicIpOnLaunch"] for subnet in subnets)
    cluster = cluster_graph.one("kubernetes-cluster").inputs
    private = [f"network-private-{zone}-id" for zone in range(3)]
    assert cluster["vpcConfig"]["subnetIds"] == private
    # A subnet is private when its routes lead to NAT, not to the internet gateway.
    for route in cluster_graph.of("aws:ec2/route:Route"):
        private_route = route.inputs["routeTableId"].startswith("network-private")
        assert ("natGatewayId" in route.inputs) == private_route
        assert ("gatewayId" in route.inputs) == (not private_route)


def test_subnets_are_in_zones_that_eks_takes_and_stay_there(cluster_graph: Graph) -> None:
    # https://docs.aws.amazon.com/eks/latest/userguide/network-reqs.html
    for subnet in cluster_graph.of("aws:ec2/subnet:Subnet"):
        kind, zone = ZONES[subnet.inputs["availabilityZone"].removeprefix("eu-west-1")]
        assert kind == "availability-zone"
        assert zone not in ("use1-az3", "usw1-az2", "cac1-az3")
        # Another zone is another subnet, and so the end of what is in it.
        assert "availabilityZone" in subnet.ignore_changes


def test_every_name_made_of_the_longest_cluster_name_keeps_to_its_limit(
    cluster_graph_of: Callable[..., Graph],
) -> None:
    longest = "a" * 35
    graph = cluster_graph_of(CLUSTER_STACKS[0], name=longest, region="ap-northeast-1")
    names = [role.inputs["name"] for role in graph.of("aws:iam/role:Role")]
    # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
    assert max(map(len, names)) == 64
    assert all(name.startswith(longest) for name in names)


def test_nodes_are_of_a_recent_generation(cluster_graph: Graph) -> None:
    pool = cluster_graph.one("objects-node-pool").inputs["spec"]["template"]["spec"]
    requirements = {one["key"]: (one["operator"], one["values"]) for one in pool["requirements"]}
    assert requirements["eks.amazonaws.com/instance-generation"] == ("Gt", ["4"])


def test_disks_get_the_rights_that_auto_mode_asks_for(cluster_graph: Graph) -> None:
    # https://docs.aws.amazon.com/eks/latest/userguide/auto-kms.html
    document = json.loads(cluster_graph.one("kubernetes-volume-encryption").inputs["policy"])
    use, grant = document["Statement"]
    assert {
        "kms:Encrypt",
        "kms:Decrypt",
        "kms:ReEncryptFrom",
        "kms:ReEncryptTo",
        "kms:GenerateDataKey",
        "kms:GenerateDataKeyWithoutPlaintext",
        "kms:DescribeKey",
    } == set(use["Action"])
    assert set(grant["Action"]) == {"kms:CreateGrant", "kms:ListGrants", "kms:RevokeGrant"}
    assert grant["Condition"] == {"Bool": {"kms:GrantIsForAWSResource": "true"}}


def test_the_flow_logs_role_can_not_bring_its_group_back(cluster_graph: Graph) -> None:
    (statement,) = json.loads(cluster_graph.one("network-flow-log-policy").inputs["policy"])["Statement"]
    # https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-iam-role.html
    assert {"logs:DescribeLogGroups", "logs:PutLogEvents"} < set(statement["Action"])
    assert "logs:CreateLogGroup" not in statement["Action"]


def test_the_api_server_is_not_open_to_the_world(cluster_graph: Graph) -> None:
    network = cluster_graph.one("kubernetes-cluster").inputs["vpcConfig"]
    assert network["endpointPrivateAccess"] is True
    assert "0.0.0.0/0" not in network.get("publicAccessCidrs", [])
    assert network["endpointPublicAccess"] is bool(network.get("publicAccessCidrs"))


def test_secrets_are_encrypted_and_all_logs_kept(cluster_graph: Graph) -> None:
    cluster = cluster_graph.one("kubernetes-cluster").inputs
    assert cluster["encryptionConfig"]["resources"] == ["secrets"]
    assert set(cluster["enabledClusterLogTypes"]) == {
        "api",
        "audit",
        "authenticator",
        "controllerManager",
        "scheduler",
    }
    assert cluster_graph.reaches("kubernetes-cluster", "kubernetes-log-group")


def test_the_default_security_group_is_closed(cluster_graph: Graph) -> None:
    group = cluster_graph.one("network-default-closed").inputs
    assert not group.keys() & {"ingress", "egress"}


def test_image_tags_never_move(cluster_graph: Graph) -> None:
    repository = cluster_graph.one("images-repository").inputs
    assert repository["imageTagMutability"] == "IMMUTABLE"
    assert repository["imageScanningConfiguration"] == {"scanOnPush": True}


def test_roles_trust_one_service_of_this_account(cluster_graph: Graph) -> None:
    for role in cluster_graph.of("aws:iam/role:Role"):
        (statement,) = json.loads(role.inputs["assumeRolePolicy"])["Statement"]
        assert set(statement["Principal"]) == {"Service"}
        if statement["Principal"]["Service"] != "ec2.amazonaws.com":
            assert statement["Condition"] == {"StringEquals": {"aws:SourceAccount": "123456789012"}}


def test_the_guard_goes_before_anything_else(cluster_graph: Graph) -> None:
    guard = cluster_graph.one("guard")
    assert guard.inputs["cluster"] == cluster_graph.one("kubernetes-cluster").inputs["name"]
    for resource in cluster_graph.custom:
        if resource.name != "guard" and not resource.type.startswith("pulumi:"):
            assert cluster_graph.reaches("guard", resource.name), resource.name


def test_nodes_are_private_encrypted_and_enforce_network_policies(cluster_graph: Graph) -> None:
    node_class = cluster_graph.one("objects-node-class").inputs["spec"]
    assert [term["id"] for term in node_class["subnetSelectorTerms"]] == [
        f"network-private-{zone}-id" for zone in range(3)
    ]
    assert node_class["ephemeralStorage"]["kmsKeyID"] == "arn:aws:mock:::encryption-key"
    assert node_class["role"] == cluster_graph.one("kubernetes-node-role").inputs["name"]
    switch = cluster_graph.one("objects-network-policies").inputs
    assert switch["metadata"] == {"name": "amazon-vpc-cni", "namespace": "kube-system"}
    assert switch["data"] == {"enable-network-policy-controller": "true"}
    pool = cluster_graph.one("objects-node-pool").inputs["spec"]["template"]["spec"]
    assert pool["nodeClassRef"]["name"] == "objects-node-class-id"


def test_what_eks_has_made_already_is_taken_over(cluster_graph: Graph) -> None:
    (provider,) = cluster_graph.of("pulumi:providers:kubernetes")
    assert json.loads(provider.inputs["upsertExistingObjects"]) is True


def test_environments_share_one_internal_load_balancer(cluster_graph: Graph) -> None:
    parameters = cluster_graph.one("objects-load-balancer").inputs
    assert parameters["spec"]["scheme"] == "internal"
    assert parameters["spec"]["group"]["name"]
    ingress_class = cluster_graph.one("objects-ingress-class").inputs
    assert ingress_class["spec"]["controller"] == "eks.amazonaws.com/alb"
    assert ingress_class["spec"]["parameters"]["name"] == "objects-load-balancer-id"
    assert cluster_graph.exports["ingressClass"] == "objects-ingress-class-id"


def test_what_eks_makes_bears_the_tags_that_the_program_gives(cluster_graph: Graph) -> None:
    """Nodes with their disks and interfaces, load balancers, volumes: each in the words of its controller."""
    (provider,) = cluster_graph.of("pulumi:providers:aws")
    wanted = json.loads(provider.inputs["defaultTags"])["tags"]
    assert wanted.keys() >= {"deployment-id", "owner", "cost-centre"}
    assert cluster_graph.one("objects-node-class").inputs["spec"]["tags"] == wanted
    listed = cluster_graph.one("objects-load-balancer").inputs["spec"]["tags"]
    assert {one["key"]: one["value"] for one in listed} == wanted
    parameters = cluster_graph.one("objects-storage-class").inputs["parameters"]
    pairs = [value for key, value in parameters.items() if key.startswith("tagSpecification_")]
    assert dict(pair.split("=", 1) for pair in pairs) == wanted


def test_the_clusters_role_may_give_its_own_cluster_tags(cluster_graph: Graph) -> None:
    # https://docs.aws.amazon.com/eks/latest/userguide/auto-cluster-iam-role.html#tag-prop
    document = json.loads(cluster_graph.one("kubernetes-resource-tags").inputs["policy"])
    makes = {action for one in document["Statement"] for action in one["Action"] if ":Create" in action}
    assert makes >= {
        "ec2:CreateFleet",
        "ec2:CreateLaunchTemplate",
        "ec2:CreateVolume",
        "ec2:CreateNetworkInterface",
        "ec2:CreateSecurityGroup",
        "elasticloadbalancing:CreateLoadBalancer",
        "elasticloadbalancing:CreateTargetGroup",
        "elasticloadbalancing:CreateListener",
        "elasticloadbalancing:CreateRule",
    }
    for statement in document["Statement"]:
        ((key, value),) = statement["Condition"]["StringEquals"].items()
        assert value == "${aws:PrincipalTag/eks:eks-cluster-name}"
        assert key in ("aws:RequestTag/eks:eks-cluster-name", "aws:ResourceTag/eks:eks-cluster-name")
    assert cluster_graph.reaches("objects-node-class", "kubernetes-resource-tags")


def test_volumes_are_encrypted_with_the_clusters_key(cluster_graph: Graph) -> None:
    storage = cluster_graph.one("objects-storage-class").inputs
    parameters = storage["parameters"]
    assert {key: value for key, value in parameters.items() if not key.startswith("tagSpecification_")} == {
        "type": "gp3",
        "encrypted": "true",
        "kmsKeyId": "arn:aws:mock:::encryption-key",
    }
    policy = json.loads(cluster_graph.one("kubernetes-volume-encryption").inputs["policy"])
    assert {statement["Resource"] for statement in policy["Statement"]} == {"arn:aws:mock:::encryption-key"}


@pytest.mark.parametrize("stack", CLUSTER_STACKS)
def test_a_runner_has_no_open_port_and_may_only_assume_roles(
    stack: str, cluster_graph_of: Callable[..., Graph]
) -> None:
    graph = cluster_graph_of(stack, deployFrom=json.dumps({"runner": RUNNER}))
    instance = graph.one("runner-instance").inputs
    assert instance["subnetId"] == "network-private-0-id"
    assert instance["metadataOptions"]["httpTokens"] == "required"
    assert instance["rootBlockDevice"]["encrypted"] is True
    assert instance["associatePublicIpAddress"] is False
    into_runner = [
        rule
        for rule in graph.of("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule")
        if rule.inputs["securityGroupId"] == "runner-security-group-id"
    ]
    assert not into_runner
    (statement,) = json.loads(graph.one("runner-assume-roles").inputs["policy"])["Statement"]
    assert statement["Action"] == "sts:AssumeRole"
    assert statement["Resource"] == RUNNER["roleArns"]
    assert graph.exports["runnerInstanceId"] == "runner-instance-id"


@pytest.mark.parametrize("stack", CLUSTER_STACKS)
def test_every_named_edge_with_a_runner_or_without_nat_has_a_reason(
    stack: str, cluster_graph_of: Callable[..., Graph]
) -> None:
    runner = cluster_graph_of(stack, deployFrom=json.dumps({"runner": RUNNER}))
    assert without_reason(runner, REASONS | RUNNER_REASONS) == set()
    assert left_over([runner], RUNNER_REASONS) == set()
    assert without_reason(cluster_graph_of(stack, nat="none", imageMirror=MIRROR)) == set()


@pytest.mark.parametrize("stack", CLUSTER_STACKS)
def test_a_network_without_nat_has_no_way_out_and_reaches_aws(
    stack: str, cluster_graph_of: Callable[..., Graph]
) -> None:
    graph = cluster_graph_of(stack, nat="none", imageMirror=MIRROR)
    assert not graph.of("aws:ec2/internetGateway:InternetGateway")
    assert not graph.of("aws:ec2/natGateway:NatGateway")
    assert not graph.of("aws:ec2/route:Route")
    endpoints = graph.of("aws:ec2/vpcEndpoint:VpcEndpoint")
    services = {
        endpoint.inputs["serviceName"].removeprefix("com.amazonaws.eu-west-1.") for endpoint in endpoints
    }
    # Of https://docs.aws.amazon.com/eks/latest/userguide/private-clusters.html
    assert services >= {
        "ec2",
        "ecr.api",
        "ecr.dkr",
        "s3",
        "sts",
        "eks",
        "eks-auth",
        "elasticloadbalancing",
        "logs",
    }
    (rule,) = graph.of("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule")
    vpc = ipaddress.ip_network(graph.one("network-vpc").inputs["cidrBlock"])
    assert ipaddress.ip_network(rule.inputs["cidrIpv4"]) == vpc
    assert graph.exports["imageMirror"] == MIRROR
