"""The security baseline on every stack file and variant; every check can fail."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from graph_recording import ROOT, STACKS, Graph, Registered

from policy.checks import CHECKS
from policy.evaluate import evaluate, waivers
from policy.model import Check, Level

GraphOf = Callable[..., Graph]

VARIANTS: dict[str, dict[str, str]] = {
    "persistent": {"durability": "persistent", "database": "{}"},
    "disposable": {"durability": "disposable", "database": "{}"},
    "retiring": {"durability": "persistent", "database": "{}", "retire": "true"},
}
NAMES = [f"row{check.row:02}-{check.id.replace(' ', '-')}" for check in CHECKS]


def classes(variant: str) -> list[str]:
    return ["persistent", "retiring"] if variant == "retiring" else [variant]


def binding(program: list[Registered], of: list[str], check: Check) -> list[str]:
    return [found.text for found in evaluate(program, of, [check]) if found.waiver is None]


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("stack", STACKS)
@pytest.mark.parametrize("check", CHECKS, ids=NAMES)
def test_environments(check: Check, stack: str, variant: str, graph_of: GraphOf) -> None:
    if check.level is not Level.ADVISORY:
        assert binding(graph_of(stack, **VARIANTS[variant]).resources, classes(variant), check) == []


@pytest.mark.parametrize("check", CHECKS, ids=NAMES)
def test_stack_files_as_they_are(check: Check, environment_graph: Graph) -> None:
    protected = environment_graph.one("metadata-database-instance").inputs["deletionProtection"]
    if check.level is not Level.ADVISORY:
        of = ["persistent" if protected else "disposable"]
        assert binding(environment_graph.resources, of, check) == []


@pytest.mark.parametrize("check", CHECKS, ids=NAMES)
def test_clusters(check: Check, cluster_graph: Graph) -> None:
    if check.level is not Level.ADVISORY:
        assert binding(cluster_graph.resources, ["persistent", "cluster"], check) == []


# Row -> what to spoil: type of resource, path of its inputs, wrong value; or None to take the resource away.
SPOILT: dict[int, tuple[str, str | None, Any]] = {
    1: ("rds/instance", "publiclyAccessible", True),
    2: ("rds/instance", "kmsKeyId", None),
    3: ("rds/instance", "multiAz", False),
    4: ("rds/instance", "monitoringInterval", 0),
    5: ("rds/instance", "deletionProtection", False),
    6: ("rds/instance", "enabledCloudwatchLogsExports", ["upgrade"]),
    7: ("rds/instance", "iamDatabaseAuthenticationEnabled", False),
    8: ("rds/instance", "backupRetentionPeriod", 6),
    9: ("rds/instance", "autoMinorVersionUpgrade", False),
    10: ("rds/instance", "copyTagsToSnapshot", False),
    12: ("rds/eventSubscription", None, None),
    13: ("rds/instance", "username", "postgres"),
    14: ("rds/parameterGroup", "parameters", [{"name": "rds.force_ssl", "value": "0"}]),
    15: ("rds/instance", "caCertIdentifier", "rds-ca-2019"),
    16: ("rds/instance", "performanceInsightsKmsKeyId", None),
    17: ("rds/instance", "finalSnapshotIdentifier", None),
    18: ("rds/instance", "password", "planted"),
    19: ("s3/bucketPublicAccessBlock", "ignorePublicAcls", False),
    20: ("s3/bucketPolicy", None, None),
    21: ("s3/bucketServerSideEncryptionConfiguration", None, None),
    22: ("s3/bucketVersioning", None, None),
    23: ("s3/bucketLifecycleConfiguration", None, None),
    25: ("s3/bucketOwnershipControls", None, None),
    26: ("s3/bucket", "forceDestroy", True),
    33: ("vpc/securityGroupIngressRule", "cidrIpv4", "0.0.0.0/0"),
    35: (
        "iam/rolePolicy",
        "policy",
        '{"Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "a"}]}',
    ),
    36: (
        "iam/rolePolicy",
        "policy",
        '{"Statement": [{"Effect": "Allow", "Action": "iam:PutRolePolicy", "Resource": "*"}]}',
    ),
    37: (
        "iam/role",
        "assumeRolePolicy",
        '{"Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": "*"}}]}',
    ),
    38: ("secretsmanager/secret", "kmsKeyId", None),
    39: ("kms/key", "enableKeyRotation", False),
    40: ("cloudwatch/logGroup", "kmsKeyId", None),
    45: ("helm.sh/v3", "values", {}),
    46: ("providers:aws", "defaultTags", "{}"),
}
SPOILT_CLUSTER: dict[int, tuple[str, str | None, Any]] = {
    # The routes of the public subnets, for all of them.
    11: ("ec2/routeTableAssociation", "routeTableId", "network-public-routes-id"),
    27: ("eks/cluster", "vpcConfig", {"endpointPrivateAccess": True, "endpointPublicAccess": True}),
    28: ("eks/cluster", "version", "1.20"),
    29: ("eks/cluster", "encryptionConfig", None),
    30: ("eks/cluster", "enabledClusterLogTypes", ["api"]),
    31: ("ec2/subnet", "mapPublicIpOnLaunch", True),
    32: ("eks/cluster", "computeConfig", None),
    34: ("ec2/flowLog", None, None),
    41: ("ecr/repository", "imageTagMutability", "MUTABLE"),
}


def spoil(program: list[Registered], type_: str, path: str | None, value: Any) -> list[Registered]:
    met, result = False, []
    for resource in program:
        named = resource.type.startswith(f"aws:{type_}:") or type_ in (
            resource.type.removeprefix("pulumi:"),
            resource.type.removeprefix("kubernetes:").rsplit(":", 1)[0],
        )
        met |= named
        if not named:
            result.append(resource)
        elif path is not None:
            result.append(replace(resource, inputs={**copy.deepcopy(resource.inputs), path: value}))
    assert met, type_
    return result


@pytest.mark.parametrize("row", SPOILT)
def test_a_check_finds_what_was_spoilt(row: int, graph_of: GraphOf) -> None:
    program = graph_of(STACKS[0], **VARIANTS["persistent"]).resources
    spoilt = spoil(program, *SPOILT[row])
    checks = [check for check in CHECKS if check.row == row]
    before = {found.text for found in evaluate(program, ["persistent"], checks)}
    assert {found.text for found in evaluate(spoilt, ["persistent"], checks)} - before


@pytest.mark.parametrize("row", SPOILT_CLUSTER)
def test_a_check_finds_what_was_spoilt_of_a_cluster(row: int, cluster_graph: Graph) -> None:
    checks = [check for check in CHECKS if check.row == row]
    assert evaluate(spoil(cluster_graph.resources, *SPOILT_CLUSTER[row]), ["persistent"], checks)


def test_every_row_is_there_and_can_fail() -> None:
    rows = {check.row for check in CHECKS}
    # 42 to 44 are of rendered manifests.
    assert rows == set(range(1, 47)) - {42, 43, 44}
    # Access logs are wanted by nobody.
    assert rows - SPOILT.keys() - SPOILT_CLUSTER.keys() == {24}


def test_the_page_has_every_row_with_its_level_and_files_that_exist() -> None:
    page = (ROOT / "docs" / "security-baseline.md").read_text(encoding="utf-8")
    table = [line.strip("| ").split(" | ") for line in page.splitlines() if line[:3].strip("| ").isdigit()]
    named = {int(row): level for row, _, level, *_ in table}
    levels = {check.row: check.level.value for check in CHECKS}
    assert {row: level for row, level in named.items() if row in levels} == levels
    assert sorted(named) == list(range(1, 47))
    for _, _, _, where, test in table:
        for file in (text.strip("` ") for text in f"{where},{test}".split(",")):
            assert file == "-" or (ROOT / file.split("::")[0]).is_file(), file


def test_no_waiver_is_left_over(graph_of: GraphOf, cluster_graph: Graph) -> None:
    programs = [(graph_of(STACKS[0], **VARIANTS[variant]), classes(variant)) for variant in VARIANTS]
    programs.append((cluster_graph, ["persistent", "cluster"]))
    used = {found.waiver for graph, of in programs for found in evaluate(graph.resources, of) if found.waiver}
    assert set(waivers()) == used
    assert all(len(waiver.reason) > 30 for waiver in waivers())
