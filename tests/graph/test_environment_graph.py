"""The whole environment program per real stack file: what is registered, and what must hold of it."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from graph_recording import Graph, Registered
from graph_stacks import ROOT, STACKS

GraphOf = Callable[..., Graph]

STATEFUL = {
    "encryption-key",
    "metadata-database-instance",
    "remote-logs-bucket",
    "secrets-fernet-key",
    "tenant-role-and-database",
}
# What every environment consists of; parameters may add, and nothing may be missing.
INVENTORY = {
    "aws:kms/key:Key": 1,
    "aws:kms/alias:Alias": 1,
    "aws:rds/instance:Instance": 1,
    "aws:rds/subnetGroup:SubnetGroup": 1,
    "aws:rds/parameterGroup:ParameterGroup": 1,
    "aws:ec2/securityGroup:SecurityGroup": 1,
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": 1,
    "aws:cloudwatch/logGroup:LogGroup": 2,
    "aws:s3/bucket:Bucket": 1,
    "aws:s3/bucketOwnershipControls:BucketOwnershipControls": 1,
    "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock": 1,
    "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration": 1,
    "aws:s3/bucketVersioning:BucketVersioning": 1,
    "aws:s3/bucketPolicy:BucketPolicy": 1,
    "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration": 1,
    "aws:iam/role:Role": 6,
    "aws:iam/rolePolicy:RolePolicy": 5,
    "aws:iam/rolePolicyAttachment:RolePolicyAttachment": 1,
    "aws:eks/podIdentityAssociation:PodIdentityAssociation": 5,
    "aws:secretsmanager/secret:Secret": 1,
    "aws:secretsmanager/secretVersion:SecretVersion": 1,
    "kubernetes:core/v1:Namespace": 1,
    "kubernetes:core/v1:ConfigMap": 3,
    "kubernetes:core/v1:ServiceAccount": 2,
    "kubernetes:core/v1:Secret": 10,
    "kubernetes:networking.k8s.io/v1:NetworkPolicy": 3,
    "kubernetes:batch/v1:Job": 1,
    "kubernetes:helm.sh/v3:Release": 1,
    "pulumi-python:dynamic/airflow:KeyRing": 4,
    "pulumi-python:dynamic/airflow:RandomSecret": 4,
    "pulumi-python:dynamic/airflow:DatabaseTenant": 1,
}
# What must not be lost has a recovery set, alarms, and a migration that takes snapshots.
PERSISTENT_ONLY = {
    "pulumi-python:dynamic/airflow:RandomSuffix": 1,
    "pulumi-python:dynamic/airflow:EnvironmentGuard": 1,
    "aws:secretsmanager/secret:Secret": 1,
    "aws:secretsmanager/secretVersion:SecretVersion": 1,
    "aws:sns/topic:Topic": 1,
    "aws:sns/topicPolicy:TopicPolicy": 1,
    "aws:cloudwatch/metricAlarm:MetricAlarm": 7,
    "aws:cloudwatch/dashboard:Dashboard": 1,
    "aws:rds/eventSubscription:EventSubscription": 4,
    "aws:iam/role:Role": 1,
    "aws:iam/rolePolicy:RolePolicy": 1,
    "aws:eks/podIdentityAssociation:PodIdentityAssociation": 1,
}
EXPORTS = {
    "namespace",
    "releaseName",
    "airflowUrl",
    "apiServerService",
    "logsBucket",
    "secretsPrefix",
    "metadataDatabaseEndpoint",
    "clusterName",
    "region",
    "adminSecretName",
    "chartVersion",
    "airflowVersion",
    "keyGenerations",
}


def resources(graph: Graph) -> list[Registered]:
    """What is made in the cloud: no components, no providers."""
    return [resource for resource in graph.custom if not resource.type.startswith("pulumi:")]


@pytest.mark.parametrize("durability", ["persistent", "disposable"])
@pytest.mark.parametrize("stack", STACKS)
def test_inventory(stack: str, durability: str, graph_of: GraphOf) -> None:
    graph = graph_of(stack, durability=durability, database=DATABASE)
    found = Counter(resource.type for resource in resources(graph))
    assert found == Counter(INVENTORY) + Counter(PERSISTENT_ONLY if durability == "persistent" else {})


# A database that is allowed with every durability.
DATABASE = '{"backupRetentionDays": 14}'


def test_stacks_are_one_graph(graph_of: GraphOf) -> None:
    def shape(graph: Graph) -> dict[str, tuple[str, str, frozenset[str]]]:
        return {
            resource.name: (
                resource.type,
                "" if resource.parent.split("::")[2] == "pulumi:pulumi:Stack" else resource.parent_name,
                frozenset(resource.dependency_names),
            )
            for resource in graph.resources
        }

    first, *others = [shape(graph_of(stack, durability="disposable", database=DATABASE)) for stack in STACKS]
    assert others
    assert all(other == first for other in others)


def test_a_renamed_stack_changes_names_and_nothing_else(graph_of: GraphOf) -> None:
    def texts(name: str) -> list[tuple[str, str]]:
        graph = graph_of(STACKS[0], name)
        found = [(resource.name, json.dumps(resource.inputs, sort_keys=True)) for resource in graph.resources]
        found += [(key, json.dumps(value)) for key, value in graph.exports.items()]
        # Hashes of names differ with them.
        return sorted(
            (key, re.sub(r"\b([0-9a-f]{8}|[0-9a-f]{12})\b", "HASH", text.replace(name, "STACK")))
            for key, text in found
        )

    assert texts("first-name") == texts("other-name")


def test_logical_names_hold_no_environment(environment_graph: Graph) -> None:
    for resource in environment_graph.resources:
        assert not re.search("|".join([*STACKS, "123456789012", "eu-west-1"]), resource.name)


def test_no_source_names_an_environment() -> None:
    words = re.compile(rf"\b({'|'.join(STACKS)})\b")
    sources = [
        path
        for directory in ("infra", "charts", "airflow_config")
        for path in (ROOT / directory).rglob("*")
        # Help texts of the commands may give examples; the option catalogue is Airflow's own text.
        if path.is_file()
        and path.suffix in (".py", ".yaml", ".cfg", ".tpl", ".json")
        and "lifecycle" not in path.relative_to(ROOT).parts
        and "options" not in path.relative_to(ROOT).parts
    ]
    assert len(sources) > 20
    assert [str(path) for path in sources if words.search(path.read_text(encoding="utf-8"))] == []


def test_every_resource_has_a_component_as_parent(environment_graph: Graph) -> None:
    by_urn = {resource.urn: resource for resource in environment_graph.resources}
    for resource in resources(environment_graph):
        if resource.name == "guard":
            continue
        assert not by_urn[resource.parent].custom, resource.name
        assert resource.name.startswith(f"{resource.parent_name}-")


def test_no_resource_has_a_default_provider(environment_graph: Graph) -> None:
    for resource in resources(environment_graph):
        package = resource.type.split(":")[0]
        if package == "pulumi-python":
            continue
        assert f"pulumi:providers:{package}::{package}::" in resource.provider, resource.name


def test_protection_of_a_persistent_environment(graph_of: GraphOf) -> None:
    graph = graph_of(STACKS[0], durability="persistent", database=DATABASE)
    assert {resource.name for resource in graph.resources if resource.protect} == STATEFUL
    instance = graph.one("metadata-database-instance").inputs
    assert instance["deletionProtection"] is True
    assert instance["skipFinalSnapshot"] is False
    assert instance["deleteAutomatedBackups"] is False
    assert instance["finalSnapshotIdentifier"].endswith("-final-random-of-metadata-database-final-snapshot")
    assert graph.one("remote-logs-bucket").inputs["forceDestroy"] is False
    assert graph.one("encryption-key").retain_on_delete is True


def test_retirement_lifts_protection_and_keeps_the_final_snapshot(graph_of: GraphOf) -> None:
    kept = graph_of(STACKS[0], durability="persistent", database=DATABASE)
    graph = graph_of(STACKS[0], durability="persistent", database=DATABASE, retire="true")
    assert [resource.name for resource in graph.resources if resource.protect] == []
    before, after = (found.one("metadata-database-instance").inputs for found in (kept, graph))
    assert after["skipFinalSnapshot"] is False
    # RDS would keep backups beside the recovery set.
    assert after == before | {"deletionProtection": False, "deleteAutomatedBackups": True}
    assert graph.one("encryption-key").retain_on_delete is True


def test_a_disposable_environment_goes_without_a_trace(graph_of: GraphOf) -> None:
    graph = graph_of(STACKS[0], durability="disposable", database=DATABASE)
    assert [resource.name for resource in graph.resources if resource.protect] == []
    assert [resource.name for resource in graph.resources if resource.retain_on_delete] == []
    instance = graph.one("metadata-database-instance").inputs
    assert instance["deletionProtection"] is False
    assert instance["skipFinalSnapshot"] is True
    assert instance["deleteAutomatedBackups"] is True
    assert "finalSnapshotIdentifier" not in instance
    assert graph.one("remote-logs-bucket").inputs["forceDestroy"] is True
    assert graph.one("encryption-key").inputs["deletionWindowInDays"] == 7


def test_the_database_is_private_encrypted_and_managed(environment_graph: Graph) -> None:
    instance = environment_graph.one("metadata-database-instance").inputs
    assert instance["publiclyAccessible"] is False
    assert instance["storageEncrypted"] is True
    assert instance["kmsKeyId"] == "arn:aws:mock:::encryption-key"
    assert instance["masterUserSecretKmsKeyId"] == "arn:aws:mock:::encryption-key"
    assert instance["manageMasterUserPassword"] is True
    assert "password" not in instance
    assert instance["autoMinorVersionUpgrade"] is True
    assert instance["copyTagsToSnapshot"] is True
    assert instance["iamDatabaseAuthenticationEnabled"] is True
    # Only the major is pinned: a pinned minor would be an endless difference after RDS's own upgrade.
    assert "." not in instance["engineVersion"]
    parameters = environment_graph.one("metadata-database-parameters").inputs["parameters"]
    assert {"name": "rds.force_ssl", "value": "1", "applyMethod": "immediate"} in parameters


def test_only_pods_of_the_cluster_reach_the_database(environment_graph: Graph) -> None:
    group = environment_graph.one("metadata-database-access").inputs
    assert not group.keys() & {"ingress", "egress"}
    rule = environment_graph.one("metadata-database-access-from-pods").inputs
    assert rule["referencedSecurityGroupId"] == "sg-0123456789abcdef0"
    assert not rule.keys() & {"cidrIpv4", "cidrIpv6", "prefixListId"}
    assert (rule["ipProtocol"], rule["fromPort"], rule["toPort"]) == ("tcp", 5432, 5432)
    assert environment_graph.of("aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule") == []


def test_logs_are_private_encrypted_and_for_tls_only(environment_graph: Graph) -> None:
    block = environment_graph.one("remote-logs-public-access").inputs
    assert {key: value for key, value in block.items() if key != "bucket"} == dict.fromkeys(
        ["blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets"], True
    )
    (rule,) = environment_graph.one("remote-logs-encryption").inputs["rules"]
    assert rule["bucketKeyEnabled"] is True
    assert rule["applyServerSideEncryptionByDefault"] == {
        "sseAlgorithm": "aws:kms",
        "kmsMasterKeyId": "arn:aws:mock:::encryption-key",
    }
    (statement,) = json.loads(environment_graph.one("remote-logs-policy").inputs["policy"])["Statement"]
    assert statement["Effect"] == "Deny"
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert len(statement["Resource"]) == 2
    assert environment_graph.one("remote-logs-ownership").inputs["rule"] == {
        "objectOwnership": "BucketOwnerEnforced"
    }


def test_trust_is_bound_to_the_cluster(environment_graph: Graph) -> None:
    for association in environment_graph.of("aws:eks/podIdentityAssociation:PodIdentityAssociation"):
        account = association.inputs["serviceAccount"].removeprefix("airflow-")
        role = environment_graph.one(f"identity-{account}-role")
        (statement,) = json.loads(role.inputs["assumeRolePolicy"])["Statement"]
        assert statement["Condition"]["ArnEquals"]["aws:SourceArn"].endswith(":cluster/shared")
        assert association.inputs["roleArn"] == f"arn:aws:mock:::{role.name}"


SECRET_TYPES = ("kubernetes:core/v1:Secret", "aws:secretsmanager/secretVersion:SecretVersion")
RANDOM = re.compile(r"key-of-|random-of-(?!metadata-database-final-snapshot)")


def leaves(value: Any, path: str) -> list[tuple[str, str]]:
    if isinstance(value, dict):
        return [
            leaf for key, item in value.items() for leaf in leaves(item, f"{path}.{key}" if path else key)
        ]
    if isinstance(value, list):
        return [leaf for index, item in enumerate(value) for leaf in leaves(item, f"{path}[{index}]")]
    return [(path, str(value))]


SECRET_TYPES = {"kubernetes:core/v1:Secret", "aws:secretsmanager/secretVersion:SecretVersion"}


def test_no_secret_stands_in_plain(environment_graph: Graph) -> None:
    secret = 0
    for resource in environment_graph.resources:
        for path, text in leaves(resource.inputs, ""):
            if RANDOM.search(text):
                secret += 1
                assert any(path.startswith(marked) for marked in resource.secret_inputs), (
                    resource.name,
                    path,
                )
                assert resource.type in SECRET_TYPES, resource.name
    # Two keys, four passwords, three URLs of the database, and PgBouncer's users and statistics:
    # the search finds what it looks for. The key that signs tokens is written in another form. A persistent
    # environment keeps its Fernet keys a second time.
    kept = [item for item in environment_graph.resources if item.name == "recovery-set-fernet-keys-value"]
    assert secret == 11 + len(kept)
    signing = environment_graph.one("secrets-jwt-secret")
    assert {path.split(".")[0] for path in signing.secret_inputs} == {"stringData"}
    assert not RANDOM.search(json.dumps(environment_graph.exports))


EXISTING = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:team/old-AbCdEf"
PARAMETERS = {
    "variables": json.dumps({"schema": {"value": "planted-variable"}, "old": {"secret": EXISTING}}),
    "connections": json.dumps(
        {
            "warehouse": {
                "type": "postgres",
                "host": "db.example.com",
                "port": 5432,
                "password": "planted-password",
                "extra": {"token": "planted-token"},
            }
        }
    ),
}


def test_parameters_become_secrets_where_airflow_looks(graph_of: GraphOf) -> None:
    graph = graph_of(STACKS[0], "own", **PARAMETERS)
    prefix = graph.exports["secretsPrefix"]
    found = graph.of("aws:secretsmanager/secret:Secret")
    kept = {secret.inputs["name"]: secret for secret in found if "/recovery/" not in secret.inputs["name"]}
    assert set(kept) == {
        f"{prefix}/{name}"
        for name in ("variables/schema", "variables/old", "connections/warehouse", "connections/canary")
    }
    assert {found.inputs["kmsKeyId"] for found in kept.values()} == {"arn:aws:mock:::encryption-key"}
    assert all(graph.reaches("airflow-release", found.name) for found in kept.values())
    # The backend's own words for the fields, and numbers as numbers.
    text = graph.one("dag-parameters-connection-warehouse-text").inputs["secretString"]
    assert json.loads(text) == {
        "conn_type": "postgres",
        "host": "db.example.com",
        "port": 5432,
        "password": "planted-password",
        "extra": {"token": "planted-token"},
    }
    assert graph.one("dag-parameters-variable-old-text").inputs["secretString"] == "text-of-old"


@pytest.mark.parametrize(
    ("life", "days"),
    # A planned end frees the names for the next environment of the same name.
    [
        ({"durability": "persistent"}, 7),
        ({"durability": "persistent", "retire": "true"}, 0),
        ({"durability": "disposable"}, 0),
    ],
    ids=["persistent", "retired", "disposable"],
)
def test_removed_parameters_wait_where_data_must_not_be_lost(
    life: dict[str, str], days: int, graph_of: GraphOf
) -> None:
    graph = graph_of(STACKS[0], **life, database="{}")
    found = [
        one for one in graph.of("aws:secretsmanager/secret:Secret") if one.name.startswith("dag-parameters-")
    ]
    assert [secret.inputs["recoveryWindowInDays"] for secret in found] == [days]


def test_texts_of_parameters_are_secret_although_the_stack_file_has_them_in_plain(graph_of: GraphOf) -> None:
    graph = graph_of(STACKS[0], "own", **PARAMETERS)
    found = [
        (resource.name, path in resource.secret_inputs)
        for resource in graph.resources
        for path, text in leaves(resource.inputs, "")
        if "planted" in text or "text-of-old" in text
    ]
    assert len(found) == 3
    assert all(secret for _, secret in found)


def test_random_values_are_marked_secret(environment_graph: Graph) -> None:
    for resource in environment_graph.of("pulumi-python:dynamic/airflow:RandomSecret"):
        assert "value" in resource.additional_secret_outputs


def test_the_namespace_dies_before_what_its_pods_need(environment_graph: Graph) -> None:
    for needed in (
        "metadata-database-instance",
        "remote-logs-bucket",
        "remote-logs-policy",
        "identity-worker-association",
        "identity-worker-policy",
    ):
        assert environment_graph.reaches("namespace-namespace", needed)
        assert environment_graph.reaches("airflow-release", needed)


def test_the_namespace_takes_restricted_pods_alone(environment_graph: Graph) -> None:
    # https://kubernetes.io/docs/concepts/security/pod-security-admission/
    labels = environment_graph.one("namespace-namespace").inputs["metadata"]["labels"]
    assert {
        mode: labels.get(f"pod-security.kubernetes.io/{mode}") for mode in ("enforce", "warn", "audit")
    } == {
        "enforce": "restricted",
        "warn": "restricted",
        "audit": "restricted",
    }


def test_order_of_a_deployment(environment_graph: Graph) -> None:
    order = [
        "metadata-database-instance",
        "namespace-namespace",
        "secrets-database-login-secret",
        "tenant-role-and-database",
        "metadata-connection-secret",
        "migration-job",
        "airflow-release",
    ]
    for earlier, later in pairwise(order):
        assert environment_graph.reaches(later, earlier), (earlier, later)
        assert not environment_graph.reaches(earlier, later)
    for mounted in ("namespace-database-ca", "namespace-job-scripts", "namespace-migration"):
        assert environment_graph.reaches("migration-job", mounted)
        assert environment_graph.reaches("tenant-role-and-database", mounted)
    for secret in ("fernet-key-secret", "api-secret-key-secret", "jwt-secret", "administrator-secret"):
        assert environment_graph.reaches("airflow-release", f"secrets-{secret}")


def test_a_migration_takes_the_place_of_the_one_before(environment_graph: Graph) -> None:
    """Beside a failed Job, the one that settings of before want again would be deleted as the old one."""
    assert environment_graph.one("migration-job").delete_before_replace


def test_the_release_is_the_pinned_chart_and_waits(environment_graph: Graph) -> None:
    release = environment_graph.one("airflow-release").inputs
    assert release["name"] == "airflow"
    assert release["chart"] == ".charts/airflow"
    assert release["version"] == environment_graph.exports["chartVersion"]
    assert release.get("skipAwait", False) is False
    assert release.get("atomic", False) is False
    annotations = release["values"]["scheduler"]["podAnnotations"]
    assert {"checksum/secrets", "checksum/database-ca"} <= set(annotations)


def test_exports_are_the_contract(environment_graph: Graph) -> None:
    assert set(environment_graph.exports) == EXPORTS
    assert all(isinstance(value, str) and value for value in environment_graph.exports.values())


def test_with_single_sign_on_the_contract_holds_and_no_secret_of_an_administrator_is_named(
    graph_of: GraphOf,
) -> None:
    oidc = {"issuer": "https://login.example.com", "clientId": "airflow", "clientSecretName": "oidc"}
    access = {"host": "airflow.example.com", "oidc": {**oidc, "roles": {"admins": ["Admin"]}}}
    networks = {"clientNetworks": ["10.0.0.0/8"]}
    graph = graph_of(STACKS[0], access=json.dumps(access), networkPolicies=json.dumps(networks))
    assert set(graph.exports) == EXPORTS
    assert [name for name, value in graph.exports.items() if value == ""] == ["adminSecretName"]
    assert [resource.name for resource in graph.resources if "administrator" in resource.name] == []


def test_providers_name_account_region_and_tags(environment_graph: Graph) -> None:
    (provider,) = environment_graph.of("pulumi:providers:aws")
    assert json.loads(provider.inputs["allowedAccountIds"]) == ["123456789012"]
    tags = json.loads(provider.inputs["defaultTags"])["tags"]
    assert {"project", "stack", "deployment-id", "owner"} <= set(tags)
    (cluster,) = environment_graph.of("pulumi:providers:kubernetes")
    command = json.loads(cluster.inputs["kubeconfig"])["users"][0]["user"]["exec"]
    assert [command["command"], *command["args"][:2]] == ["aws", "eks", "get-token"]
    assert "token" not in json.loads(cluster.inputs["kubeconfig"])["users"][0]["user"]


def test_without_a_canary_there_is_no_canary(graph_of: GraphOf) -> None:
    graph = graph_of(STACKS[0], canary="false")
    assert [resource.name for resource in graph.resources if "canary" in resource.name] == []
    (container,) = graph.one("migration-job").inputs["spec"]["template"]["spec"]["containers"]
    # The user of an earlier deployment is removed.
    assert {entry["name"] for entry in container["env"] if "CANARY" in entry["name"]} == {
        "CANARY_USER",
        "CANARY_ROLE",
    }


def test_a_brought_cluster_gives_the_same_graph(graph_of: GraphOf) -> None:
    graph = graph_of(STACKS[0], cluster='{"name": "platform"}')
    from_stack = graph_of(STACKS[0])
    assert {resource.name for resource in graph.resources} == {
        resource.name for resource in from_stack.resources
    }
    assert graph.exports["clusterName"] == "platform"
