"""Calls that moto does not answer, against botocore's own model of the API, which wrong arguments fail."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber
from embedded.plugins.aws import registry
from embedded.plugins.aws.checking import check
from embedded.plugins.aws.configuration import Configuration
from embedded.plugins.aws.differences import differences
from embedded.plugins.aws.lifecycle import Lifecycle
from embedded.plugins.aws.session import Session
from embedded.plugins.common.errors import PluginError

REGION = "eu-west-1"
CLUSTER = "shared"
ROLE = "arn:aws:iam::123456789012:role/worker"
NOW = datetime(2026, 1, 1, tzinfo=UTC)

Scripted = tuple[Lifecycle, Stubber]


@pytest.fixture
def scripted() -> Iterator[Callable[[str], Scripted]]:
    """A lifecycle whose client answers as a script says, and fails on any call that is not in it."""
    stubs: list[Stubber] = []

    def make(token: str) -> Scripted:
        kind = registry.resource_type(token)
        session = Session(Configuration(region=REGION, default_tags={"owner": "me"}))
        client: Any = boto3.client(
            kind.service, region_name=REGION, aws_access_key_id="a", aws_secret_access_key="b"
        )
        session._clients[(kind.service, REGION)] = client
        session.__dict__["identity"] = {"Account": "123456789012", "Arn": "", "UserId": ""}
        stub = Stubber(client)
        stub.activate()
        stubs.append(stub)
        return Lifecycle(kind, session), stub

    yield make
    for stub in stubs:
        stub.assert_no_pending_responses()


def _association(role: str) -> dict[str, Any]:
    return {
        "association": {
            "clusterName": CLUSTER,
            "namespace": "airflow",
            "serviceAccount": "worker",
            "roleArn": role,
            "associationId": "a-1",
            "associationArn": f"arn:aws:eks:{REGION}:123456789012:podidentityassociation/{CLUSTER}/a-1",
            "tags": {"owner": "me"},
            "disableSessionTags": False,
        }
    }


def test_a_pod_identity_association_lives(scripted: Callable[[str], Scripted]) -> None:
    life, stub = scripted("aws:eks/podIdentityAssociation:PodIdentityAssociation")
    inputs = {"clusterName": CLUSTER, "namespace": "airflow", "serviceAccount": "worker", "roleArn": ROLE}
    key = {"clusterName": CLUSTER, "associationId": "a-1"}
    stub.add_response(
        "create_pod_identity_association", _association(ROLE), {**inputs, "tags": {"owner": "me"}}
    )
    stub.add_response("describe_pod_identity_association", _association(ROLE), key)
    checked, _ = check(life.kind, "worker", inputs, {}, b"")
    made, state = life.create("worker", checked)
    assert (made, state["tagsAll"], state["tags"]) == ("a-1", {"owner": "me"}, {})

    other = f"{ROLE}-2"
    stub.add_response("update_pod_identity_association", _association(other), {**key, "roleArn": other})
    stub.add_response("describe_pod_identity_association", _association(other), key)
    assert life.update("worker", made, state, {**checked, "roleArn": other})["roleArn"] == other

    stub.add_response("describe_pod_identity_association", _association(other), key)
    imported = life.read("worker", f"{CLUSTER},a-1", {}, {})
    assert imported is not None
    assert imported[1]["serviceAccount"] == "worker"

    stub.add_client_error("delete_pod_identity_association", "ResourceNotFoundException", expected_params=key)
    life.delete("worker", made, state)


def test_an_import_of_an_association_needs_its_cluster(scripted: Callable[[str], Scripted]) -> None:
    life, _ = scripted("aws:eks/podIdentityAssociation:PodIdentityAssociation")
    with pytest.raises(PluginError, match="import it as CLUSTER,ASSOCIATION_ID"):
        life.read("worker", "a-1", {}, {})


def test_an_access_entry_lives(scripted: Callable[[str], Scripted]) -> None:
    life, stub = scripted("aws:eks/accessEntry:AccessEntry")
    key = {"clusterName": CLUSTER, "principalArn": ROLE}
    entry = {
        "accessEntry": {
            **key,
            "kubernetesGroups": [],
            "accessEntryArn": f"arn:aws:eks:{REGION}:123456789012:access-entry/{CLUSTER}/x",
            "createdAt": NOW,
            "modifiedAt": NOW,
            "tags": {"owner": "me"},
            "username": ROLE,
            "type": "STANDARD",
        }
    }
    stub.add_response("create_access_entry", entry, {**key, "type": "STANDARD", "tags": {"owner": "me"}})
    stub.add_response("describe_access_entry", entry, key)
    checked, _ = check(life.kind, "entry", dict(key), {}, b"")
    made, state = life.create("entry", checked)
    assert made == f"{CLUSTER}:{ROLE}"
    stub.add_response("update_access_entry", entry, {**key, "kubernetesGroups": ["viewers"]})
    grouped = {"accessEntry": {**entry["accessEntry"], "kubernetesGroups": ["viewers"]}}
    stub.add_response("describe_access_entry", grouped, key)
    updated = life.update("entry", made, state, {**checked, "kubernetesGroups": ["viewers"]})
    assert updated["kubernetesGroups"] == ["viewers"]
    stub.add_response("delete_access_entry", {}, key)
    life.delete("entry", made, updated)


def test_an_access_policy_association_lives(scripted: Callable[[str], Scripted]) -> None:
    life, stub = scripted("aws:eks/accessPolicyAssociation:AccessPolicyAssociation")
    policy = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy"
    scope = {"type": "cluster", "namespaces": []}
    inputs = {
        "clusterName": CLUSTER,
        "principalArn": ROLE,
        "policyArn": policy,
        "accessScope": {"type": "cluster"},
    }
    item = {"policyArn": policy, "accessScope": scope, "associatedAt": NOW, "modifiedAt": NOW}
    key = {"clusterName": CLUSTER, "principalArn": ROLE}
    stub.add_response("associate_access_policy", {**key, "associatedAccessPolicy": item}, inputs)
    stub.add_response("list_associated_access_policies", {**key, "associatedAccessPolicies": [item]}, key)
    made, state = life.create("admin", check(life.kind, "admin", inputs, {}, b"")[0])
    assert state["accessScope"]["type"] == "cluster"
    checked = check(life.kind, "admin", inputs, {}, b"")[0]
    assert differences(life.kind, state, checked, {}).changed == {}
    stub.add_response("list_associated_access_policies", {**key, "associatedAccessPolicies": []}, key)
    assert life.read("admin", made, state, inputs) is None
    stub.add_response("disassociate_access_policy", {}, {**key, "policyArn": policy})
    life.delete("admin", made, state)


def test_an_addon_is_waited_for(scripted: Callable[[str], Scripted]) -> None:
    life, stub = scripted("aws:eks/addon:Addon")
    key = {"clusterName": CLUSTER, "addonName": "metrics-server"}

    def addon(status: str) -> dict[str, Any]:
        return {"addon": {**key, "status": status, "addonVersion": "v1", "addonArn": "arn:aws:eks:::addon/x"}}

    tags = {"owner": "me"}
    stub.add_response(
        "create_addon", addon("CREATING"), {**key, "tags": tags, "resolveConflicts": "OVERWRITE"}
    )
    for status in ("CREATING", "ACTIVE"):
        stub.add_response("describe_addon", addon(status), key)
    final = addon("ACTIVE")
    final["addon"]["tags"] = tags
    stub.add_response("describe_addon", final, key)
    inputs, _ = check(life.kind, "addon", {**key, "resolveConflictsOnCreate": "OVERWRITE"}, {}, b"")
    made, state = life.create("addon", inputs)
    assert (made, state["addonVersion"]) == (f"{CLUSTER}:metrics-server", "v1")


def test_a_failed_addon_says_so(scripted: Callable[[str], Scripted]) -> None:
    life, stub = scripted("aws:eks/addon:Addon")
    key = {"clusterName": CLUSTER, "addonName": "metrics-server"}
    stub.add_response("create_addon", {"addon": key}, {**key, "tags": {"owner": "me"}})
    stub.add_response("describe_addon", {"addon": {**key, "status": "CREATE_FAILED"}}, key)
    with pytest.raises(PluginError, match=r"creating aws:eks/addon:Addon 'addon': .*CREATE_FAILED"):
        life.create("addon", check(life.kind, "addon", dict(key), {}, b"")[0])


def test_a_parameter_that_is_taken_out_is_reset(scripted: Callable[[str], Scripted]) -> None:
    life, stub = scripted("aws:rds/parameterGroup:ParameterGroup")
    kept = {"name": "rds.force_ssl", "value": "1", "applyMethod": "pending-reboot"}
    dropped = {"name": "work_mem", "value": "8192", "applyMethod": "immediate"}
    inputs, _ = check(life.kind, "pg", {"name": "pg", "family": "postgres15", "parameters": [kept]}, {}, b"")
    group = {"DBParameterGroupName": "pg"}
    said = {"ParameterName": "rds.force_ssl", "ParameterValue": "1", "ApplyMethod": "pending-reboot"}
    reset = [{"ParameterName": "work_mem", "ApplyMethod": "immediate"}]
    stub.add_response("reset_db_parameter_group", group, {**group, "Parameters": reset})
    stub.add_response("modify_db_parameter_group", group, {**group, "Parameters": [said]})
    described = {**group, "DBParameterGroupFamily": "postgres15", "Description": "Managed by Pulumi"}
    stub.add_response("describe_db_parameter_groups", {"DBParameterGroups": [described]}, group)
    stub.add_response("describe_db_parameters", {"Parameters": [said]}, {**group, "Source": "user"})
    stub.add_response("list_tags_for_resource", {"TagList": [{"Key": "owner", "Value": "me"}]})
    old = {**inputs, "parameters": [kept, dropped], "tagsAll": {"owner": "me"}}
    state = life.update("pg", "pg", old, inputs)
    assert [item["name"] for item in state["parameters"]] == ["rds.force_ssl"]


def test_what_aws_adds_inside_a_block_is_put_out_beside_the_programs_own(
    scripted: Callable[[str], Scripted],
) -> None:
    life, stub = scripted("aws:eks/cluster:Cluster")
    network = {"subnetIds": ["subnet-2", "subnet-1"], "endpointPublicAccess": False}
    described = {
        "name": CLUSTER,
        "roleArn": ROLE,
        "status": "ACTIVE",
        "resourcesVpcConfig": {
            "subnetIds": ["subnet-1", "subnet-2"],
            "endpointPublicAccess": False,
            "clusterSecurityGroupId": "sg-of-the-cluster",
            "vpcId": "vpc-1",
        },
    }
    stub.add_response("describe_cluster", {"cluster": described}, {"name": CLUSTER})
    inputs, _ = check(life.kind, "c", {"name": CLUSTER, "roleArn": ROLE, "vpcConfig": network}, {}, b"")
    found = life.read("c", CLUSTER, {**inputs, "tagsAll": {}}, inputs)
    assert found is not None
    seen = found[0]["vpcConfig"]
    assert (seen["clusterSecurityGroupId"], seen["vpcId"]) == ("sg-of-the-cluster", "vpc-1")
    assert seen["subnetIds"] == network["subnetIds"]
