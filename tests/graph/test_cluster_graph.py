"""The cluster program per real stack file."""

from __future__ import annotations

import json

from graph_recording import CLUSTER_OUTPUTS, Graph


def test_exports_are_what_environments_read(cluster_graph: Graph) -> None:
    assert set(CLUSTER_OUTPUTS) <= set(cluster_graph.exports)


def test_every_resource_is_made_by_the_explicit_provider(cluster_graph: Graph) -> None:
    for resource in cluster_graph.custom:
        if not resource.type.startswith("pulumi:"):
            assert "pulumi:providers:aws::aws::" in resource.provider, resource.name


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
