"""The pure functions that components plan with."""

from __future__ import annotations

import ipaddress
import json
from itertools import combinations
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pulumi
import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra import ca_bundle as ca
from infra import cluster_job, config, job_pod
from infra.cluster_settings import Nat
from infra.components.airflow_secrets import connection_urls, digest
from infra.components.database_migration import migration_name
from infra.components.metadata_database import parameter_values, storage_size
from infra.components.network import plan_subnets
from infra.job_pod import JobPod, SecretFile, job_spec
from infra.stacks.cluster import enough_zones

REQUIRED = {"region": "eu-west-1", "accountId": "123456789012", "owner": "x", "cluster": {"name": "platform"}}
POD = JobPod(
    script="database_tenant.py",
    image="apache/airflow:3.2.2",
    service_account="airflow-migration",
    environment={"NAME": "value"},
    secret_environment={"KEY": ("airflow-fernet-key", "fernet-key")},
    secret_files=[SecretFile(secret="airflow-metadata", key="password")],
)


@given(third=st.integers(0, 255), prefix=st.integers(16, 20))
def test_subnets_share_the_network_without_overlap(third: int, prefix: int) -> None:
    network = ipaddress.IPv4Network((f"10.{third}.0.0", prefix), strict=False)
    plans = plan_subnets(str(network), Nat.SINGLE)
    subnets = [ipaddress.IPv4Network(plan.network) for plan in plans]
    assert len([plan for plan in plans if plan.public]) == 3
    assert sorted(plan.zone for plan in plans if not plan.public) == [0, 1, 2]
    assert all(subnet.subnet_of(network) for subnet in subnets)
    assert not any(one.overlaps(other) for one, other in combinations(subnets, 2))
    assert len({plan.role for plan in plans}) == len(plans)


def test_a_region_with_too_few_zones_is_refused_by_name() -> None:
    assert enough_zones(["a", "b", "c", "d"], "eu-west-1") == ["a", "b", "c", "d"]
    with pytest.raises(pulumi.RunError, match=r"airflow-cluster:region: us-west-1: has 2 availability zones"):
        enough_zones(["us-west-1a", "us-west-1c"], "us-west-1")


def test_a_network_without_a_way_out_has_no_public_subnet() -> None:
    plans = plan_subnets("10.0.0.0/16", Nat.NONE)
    assert [plan.public for plan in plans] == [False, False, False]


def test_connection_urls_verify_certificate_and_host() -> None:
    urls = connection_urls(host="db.example", port=5433, role="airflow_a", password="p-_w")
    sync, asynchronous = urlsplit(urls["connection"]), urlsplit(urls["connection-async"])
    for url in (sync, asynchronous):
        assert (url.hostname, url.port) == ("db.example", 5433)
        assert (url.username, url.password) == ("airflow_a", "p-_w")
        assert url.path == "/airflow"
    assert sync.scheme == "postgresql"
    assert parse_qs(sync.query) == {"sslmode": ["verify-full"], "sslrootcert": ["/etc/rds-ca/ca.pem"]}
    # asyncpg refuses `sslmode`.
    assert asynchronous.scheme == "postgresql+asyncpg"
    assert parse_qs(asynchronous.query) == {"ssl": ["verify-full"]}


def test_a_digest_tells_parts_apart() -> None:
    assert digest("ab", "c") != digest("a", "bc")
    assert digest({"a": "1", "b": "2"}) == digest({"b": "2", "a": "1"})


@pytest.mark.parametrize("index", range(4))
def test_the_migration_runs_again_when_any_part_changes(index: int) -> None:
    parts: list[Any] = ["1.21.0", "db-1", "airflow", {"image": "apache/airflow:3.2.2"}]
    name = migration_name(*parts)
    assert migration_name(*parts) == name
    parts[index] = "other"
    assert migration_name(*parts) != name
    assert len(name) <= 63


def test_the_database_refuses_connections_without_tls() -> None:
    settings = config.parse(
        {
            "region": "eu-west-1",
            "accountId": "123456789012",
            "owner": "x",
            "cluster": {"name": "platform"},
            "database": {"logStatementsOverMilliseconds": 250},
        }
    )
    values = parameter_values(settings.database)
    assert values["rds.force_ssl"] == "1"
    assert values["log_min_duration_statement"] == "250"


@pytest.mark.parametrize(
    ("gib", "named"),
    # https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/CHAP_Storage.html#gp3-storage
    [(20, {}), (399, {}), (400, {"iops": 12000, "storage_throughput": 500}), (30000, {})],
)
def test_striped_storage_names_the_baseline_that_an_increase_needs(gib: int, named: dict[str, int]) -> None:
    settings = config.parse(
        {**REQUIRED, "database": {"storageGib": gib, "maxStorageGib": 65536}},
    )
    assert storage_size(settings.database) == {"allocated_storage": gib, **named}


def test_a_restored_instance_begins_with_its_snapshots_size() -> None:
    restore = {"snapshot": "old-final", "fernetKeysSecret": "airflow/old/recovery/fernet-keys/abc"}
    settings = config.parse({**REQUIRED, "database": {"storageGib": 20, "restore": restore}})
    assert storage_size(settings.database) == {}


@pytest.mark.parametrize(
    ("region", "host"),
    # https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.SSL.html
    [
        ("eu-west-1", "truststore.pki.rds.amazonaws.com"),
        ("us-gov-west-1", "truststore.pki.us-gov-west-1.rds.amazonaws.com"),
    ],
)
def test_each_partition_has_its_own_place_of_certificates(region: str, host: str) -> None:
    assert ca.download_url(region) == f"https://{host}/{region}/{region}-bundle.pem"


def test_a_path_that_no_file_can_have_is_no_traceback(tmp_path: Path) -> None:
    with pytest.raises(pulumi.RunError, match=r"airflow:database.caBundle: .* can't be read"):
        ca.read_ca_bundle("a\0b", root=tmp_path, region="eu-west-1", environment={})


def test_job_pods_fit_restricted_pod_security() -> None:
    # The rules: https://kubernetes.io/docs/concepts/security/pod-security-standards/
    pod = job_spec(POD, deadline_seconds=60, retries=1)["template"]["spec"]
    (container,) = pod["containers"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"]["allowPrivilegeEscalation"] is False
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert {kind for volume in pod["volumes"] for kind in volume if kind != "name"} <= {"configMap", "secret"}
    assert not pod.keys() & {"hostNetwork", "hostPID", "hostIPC"}
    assert pod["automountServiceAccountToken"] is False
    assert {"requests", "limits"} == set(container["resources"])


def test_autoscalers_leave_job_pods_where_they_are() -> None:
    # https://karpenter.sh/docs/concepts/disruption/#pod-level-controls
    annotations = job_spec(POD, deadline_seconds=60, retries=1)["template"]["metadata"]["annotations"]
    assert annotations["karpenter.sh/do-not-disrupt"] == "true"
    assert annotations["cluster-autoscaler.kubernetes.io/safe-to-evict"] == "false"


def test_secrets_reach_job_pods_by_reference_only() -> None:
    pod = job_spec(POD, deadline_seconds=60, retries=1)["template"]["spec"]
    (container,) = pod["containers"]
    variables = {entry["name"]: entry for entry in container["env"]}
    assert variables["KEY"]["valueFrom"]["secretKeyRef"] == {
        "name": "airflow-fernet-key",
        "key": "fernet-key",
    }
    mounted = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    assert POD.secret_files[0].path == f"{mounted['airflow-metadata']}/password"
    assert set(mounted) == {volume["name"] for volume in pod["volumes"]}


def test_job_scripts_compile_and_import_nothing_of_ours() -> None:
    for name, source in job_pod.scripts().items():
        compile(source, name, "exec")
        assert "infra" not in source.replace("infrastructure", "")


def test_a_jobs_arguments_and_deadline_are_put_in_and_the_spec_stays() -> None:
    spec = job_spec(POD, deadline_seconds=60, retries=1)
    before = json.dumps(spec)
    body = cluster_job.job_body("name", spec, ["drop"], 30)
    assert body["spec"]["template"]["spec"]["containers"][0]["args"] == ["drop"]
    assert body["spec"]["activeDeadlineSeconds"] == 30
    assert json.dumps(spec) == before


def test_the_variable_takes_the_place_of_the_bundles_file(ca_bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "own.pem").write_text("-----BEGIN CERTIFICATE-----own", encoding="utf-8")

    def read(environment: dict[str, str]) -> str:
        return ca.read_ca_bundle("own.pem", root=tmp_path, region="eu-west-1", environment=environment)

    assert read({}).endswith("own")
    assert read({"RDS_CA_BUNDLE": str(ca_bundle)}) == ca_bundle.read_text(encoding="utf-8")


@pytest.mark.parametrize("content", [None, "no certificate", "-----BEGIN CERTIFICATE-----" + "x" * 1_000_000])
def test_a_useless_bundle_is_refused_with_where_to_get_one(content: str | None, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "ca.pem").write_text(content, encoding="utf-8")
    with pytest.raises(pulumi.RunError, match=r"caBundle.*truststore\.pki\.rds\.amazonaws\.com/eu-west-1"):
        ca.read_ca_bundle("ca.pem", root=tmp_path, region="eu-west-1", environment={})
