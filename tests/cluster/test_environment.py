"""A whole environment on the embedded cloud: it works, settles, keeps its secrets, and goes without a trace.

The last two tests end it, so they stay last.
"""

from __future__ import annotations

import base64
import json
import os
import re
import ssl
import time
import urllib.parse
from typing import Any

import boto3
import httpx
import places
import planted
import pytest
import residue
import survival
from embedded.identity import CloudIdentity
from environment_access import airflow_as_canary, bucket_keys, opened
from network_policy_rules import STRANGER, Pod, airflow, allowed
from pod_access import ALLOWED, reached, worker_says
from stack_file import HOST, authority
from witness import (
    DOWN_SECONDS,
    ROOT,
    STACK,
    UP_SECONDS,
    Environment,
    checkout_files,
    parsed,
    run,
    stacks,
    succeed,
)

from infra.lifecycle.ingress_route import HEALTH_PATH

pytestmark = pytest.mark.cluster

# Shorter values of Secrets are names and addresses, not keys.
SHORTEST_SECRET = 16


def test_a_second_up_changes_nothing(environment: Environment) -> None:
    ended = run(
        "pulumi",
        "up",
        "--yes",
        "--skip-preview",
        "--non-interactive",
        "--expect-no-changes",
        "--stack",
        environment.stack,
        seconds=UP_SECONDS,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_the_checkout_stays_clean(environment: Environment) -> None:
    """Deploying writes no salt, key, state or cache into files that git would show."""
    assert checkout_files() == environment.checkout_before


def test_manifests_and_state_do_not_know_the_embedded_cloud(environment: Environment) -> None:
    """Only admission, as on EKS, tells pods where AWS is; nothing that the program wrote does."""
    endpoint = urllib.parse.urlsplit(os.environ["AWS_ENDPOINT_URL"])
    assert endpoint.hostname
    address = re.compile(rf"(?<![\d.]){re.escape(endpoint.hostname)}(?!\d)")
    texts = {"state": succeed("pulumi", "stack", "export", "--show-secrets", "--stack", environment.stack)}
    for stack in stacks(ROOT / "cluster"):
        exported = ("pulumi", "stack", "export", "--show-secrets", "--stack", stack)
        texts[f"state of cluster {stack}"] = succeed(*exported, directory=ROOT / "cluster")
    texts |= places.manifests(environment)
    # Pods carry what admission put there; events quote pods.
    for kind in ("Pod", "Event"):
        texts.pop(kind, None)
    texts["helm release"] = places.helm_release(environment)
    assert {"Secret", "Deployment"} <= texts.keys()
    assert [name for name, text in texts.items() if address.search(text)] == []
    assert [name for name, text in texts.items() if "AWS_ENDPOINT_URL" in text] == []


def test_pods_are_told_where_aws_is(environment: Environment) -> None:
    """The other half of the test before: the pattern that is absent there is present here."""
    pods = environment.kubectl("get", "pods", "--selector", "component=scheduler", "--output", "yaml")
    assert os.environ["AWS_ENDPOINT_URL"] in pods


def test_secrets_are_nowhere_in_plain(environment: Environment) -> None:
    """Every value of the namespace's Secrets and of the stack file, against all that is not a Secret.

    What the stack file has for DAGs is in Secrets Manager alone, not even in a Secret.
    """
    assert {name: _of_dags(environment, name) for name in environment.planted} == environment.planted
    values = _secret_values(environment)
    # Fernet, API and JWT keys, two passwords, two URLs.
    assert len(values) >= 7
    manifests = places.manifests(environment)
    assert planted.found(environment.planted, {"Secrets": manifests["Secret"]}) == []
    searched = {
        "state": succeed("pulumi", "stack", "export", "--stack", environment.stack),
        "files of the state backend": places.state_files(),
        "outputs": succeed("pulumi", "stack", "output", "--json", "--stack", environment.stack),
        "what up printed": environment.said,
        "release": places.helm_release(environment),
        "logs of pods": places.logs(environment),
        "bucket": places.bucket(environment),
        "process list": "\n".join(places.process_list()),
        "processes during up": "\n".join(environment.processes),
        **{kind: text for kind, text in manifests.items() if kind != "Secret"},
    }
    assert {"ConfigMap", "Deployment", "Job", "Pod", "Event"} <= searched.keys()
    assert planted.found({**values, **environment.planted}, searched) == []


def test_the_administrators_password_opens_airflow_and_another_does_not(environment: Environment) -> None:
    """By the load balancer, to which `airflow-env open` leads, with what `airflow-env password` prints.

    Its certificate is verified, for the name: it is the one that was imported.
    """
    secret = json.loads(
        environment.kubectl("get", "secret", environment.outputs["adminSecretName"], "--output", "json")
    )
    expected = base64.b64decode(secret["data"]["password"]).decode()
    assert succeed("airflow-env", "password", STACK).strip() == expected
    assert expected not in environment.said
    said = succeed("airflow-env", "open", STACK)
    assert f"Airflow of {STACK}: https://{HOST}" in said
    assert "Log in as admin" in said
    with _client() as client:
        answers = [
            client.post(f"https://{HOST}/auth/token", json={"username": "admin", "password": tried})
            for tried in (expected, f"{expected}-not")
        ]
    assert [answer.status_code for answer in answers] == [201, 401]


def test_a_host_without_a_dns_record_is_told_of_and_a_port_is_forwarded(
    environment: Environment,
) -> None:
    with opened(STACK) as (url, said):
        assert httpx.get(f"{url}{HEALTH_PATH}", trust_env=False).status_code == 200
    [balancer] = _load_balancers()
    assert f"{HOST} CNAME {balancer['DNSName']}" in said


def test_the_load_balancer_of_the_cluster_serves_the_host_alone(environment: Environment) -> None:
    """One internal load balancer, as AWS shows it; what no rule of an Ingress matches is not found."""
    [balancer] = _load_balancers()
    assert (balancer["Scheme"], balancer["Type"]) == ("internal", "application")
    found = json.loads(environment.kubectl("get", "ingresses", "--output", "json"))["items"]
    given = [item["status"]["loadBalancer"]["ingress"] for item in found]
    assert given == [[{"hostname": balancer["DNSName"]}]]
    with _client() as client:
        assert client.get(f"https://{HOST}{HEALTH_PATH}").status_code == 200
        other = client.get(f"https://{HOST}{HEALTH_PATH}", headers={"Host": "other.example.com"})
    assert other.status_code == 404


def _client() -> httpx.Client:
    """One that trusts the cloud's authority and no other."""
    context = ssl.create_default_context(cafile=authority())
    return httpx.Client(verify=context, trust_env=False, timeout=30)


def _load_balancers() -> list[Any]:
    client: Any = boto3.client("elbv2")
    return list(client.describe_load_balancers()["LoadBalancers"])


@pytest.mark.contract(
    "eks",
    "A pod with the workers' role uses its own bucket and secret; another bucket, its own over http and "
    "another environment's secret are refused",
    "https://docs.aws.amazon.com/eks/latest/userguide/pod-identities.html",
)
def test_a_worker_reaches_what_is_its_own_and_nothing_else(environment: Environment) -> None:
    s3, secrets = boto3.client("s3"), boto3.client("secretsmanager")
    bucket, other = environment.outputs["logsBucket"], f"{environment.outputs['logsBucket'][:50]}-other"
    own_secret = f"{environment.outputs['secretsPrefix']}/connections/access-probe"
    other_secret = "another-environment/connections/access-probe"
    # Workers may write task logs; the rest of the bucket is not theirs.
    key = "task-logs/access-probe"
    s3.create_bucket(Bucket=other, CreateBucketConfiguration={"LocationConstraint": s3.meta.region_name})
    for secret in (own_secret, other_secret):
        secrets.create_secret(Name=secret, SecretString="probe")
    s3.put_object(Bucket=other, Key=key, Body=b"1")
    names = {"bucket": bucket, "other_bucket": other, "key": key}
    try:
        said = worker_says(environment, {**names, "secret": own_secret, "other_secret": other_secret})
    finally:
        s3.delete_object(Bucket=bucket, Key=key)
        s3.delete_object(Bucket=other, Key=key)
        s3.delete_bucket(Bucket=other)
        for secret in (own_secret, other_secret):
            secrets.delete_secret(SecretId=secret, ForceDeleteWithoutRecovery=True)
    assert said == {
        "write own bucket": ALLOWED,
        "write elsewhere in own bucket": "AccessDenied",
        "read own bucket": ALLOWED,
        "read other bucket": "AccessDenied",
        "write other bucket": "AccessDenied",
        "read own bucket over http": "AccessDenied",
        "write own bucket over http": "AccessDenied",
        "read own secret": ALLOWED,
        "read other secret": "AccessDeniedException",
        "delete own secret": "AccessDeniedException",
    }


@pytest.mark.contract(
    "eks",
    "Where the switch of network policies is on, packets that no policy lets through are dropped",
    "https://docs.aws.amazon.com/eks/latest/userguide/auto-net-pol.html",
)
def test_packets_pass_as_the_network_policies_say(environment: Environment) -> None:
    policies = json.loads(environment.kubectl("get", "networkpolicies", "--output", "json"))["items"]
    specs = [policy["spec"] for policy in policies]
    pods = json.loads(environment.kubectl("get", "pods", "--selector", "tier=airflow", "--output", "json"))
    targets = [
        (pod["metadata"]["labels"]["component"], pod["status"]["podIP"], port["containerPort"])
        for pod in pods["items"]
        if pod["status"]["phase"] == "Running"
        for container in pod["spec"]["containers"]
        for port in container.get("ports", [])
        if port.get("protocol", "TCP") == "TCP"
    ]
    sources = {"worker": airflow("worker"), "unlabelled": Pod({}), "stranger": STRANGER}
    seen, expected = {}, {}
    for name, source in sources.items():
        namespace = "default" if source is STRANGER else environment.namespace
        answers = reached(environment, namespace, source.labels, [target[1:] for target in targets])
        for (component, _, port), answer in zip(targets, answers, strict=True):
            seen[name, component, port] = answer
            expected[name, component, port] = allowed(specs, source, airflow(component), port)
    assert {True, False} == set(expected.values())
    assert seen == expected


def test_everything_survives_the_kill_of_every_part(environment: Environment) -> None:
    """kill -9 of all that runs, pods too: after `embedded up` AWS, cluster and state agree, and work."""
    bucket = environment.outputs["logsBucket"]
    kept = bucket_keys(bucket)
    canary_runs = {match[1] for key in kept if (match := re.search(r"dag_id=canary/run_id=([^/]+)/", key))}
    assert canary_runs
    parts = {part["pid"] for part in parsed("embedded", "status", "--json")}
    since = time.time()
    # Containers and what holds them are no parts.
    assert survival.kill_everything(CloudIdentity.of(ROOT)) > parts
    succeed("embedded", "up", seconds=600)
    survival.await_parts()
    assert bucket_keys(bucket) >= kept
    refreshed = ("pulumi", "up", "--yes", "--skip-preview", "--non-interactive", "--refresh")
    ended = run(*refreshed, "--expect-no-changes", "--stack", environment.stack, seconds=UP_SECONDS)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    survival.await_pods(environment, since)
    with _client() as client:
        assert client.get(f"https://{HOST}{HEALTH_PATH}").status_code == 200
    with airflow_as_canary(environment) as airflow:
        # They are rows of the database; a run that is not there is an error.
        assert all(airflow.run_state("canary", name) for name in canary_runs)
    answer = json.loads(succeed("airflow-env", "canary", STACK, "--json", seconds=900))
    assert [row for row in answer["rows"] if row["outcome"] != "passed"] == []


def test_down_leaves_nothing_of_the_environment(environment: Environment) -> None:
    """Of all that is new since before, nothing names it; its cluster is still there."""
    name = environment.namespace
    there = _naming(name, residue.take().more_than(environment.before))
    # What the absence of is judged below: the pattern finds the environment wherever it is.
    assert {"account", "kubernetes", "databases"} == there.keys()
    succeed("airflow-env", "down", STACK, seconds=DOWN_SECONDS)
    left = residue.take().more_than(environment.before)
    assert _naming(name, left) == {}
    assert "databases" not in left
    assert STACK not in stacks()


def test_down_all_leaves_what_was_there_before(environment: Environment) -> None:
    """Everything that moto holds, every object of every kind: neither more nor less than before."""
    succeed("airflow-env", "down", "--all", seconds=DOWN_SECONDS)
    after = residue.take()
    assert after.more_than(environment.before) == {}
    assert environment.before.more_than(after) == {}


def _naming(name: str, found: dict[str, list[str]]) -> dict[str, list[str]]:
    named = {place: [line for line in lines if name in line] for place, lines in found.items()}
    return {place: lines for place, lines in named.items() if lines}


def _of_dags(environment: Environment, name: str) -> str:
    """The secret text of a Variable or Connection as Secrets Manager has it."""
    found = boto3.client("secretsmanager").get_secret_value(
        SecretId=f"{environment.outputs['secretsPrefix']}/{name}"
    )["SecretString"]
    return str(json.loads(found)["password"]) if name.startswith("connections/") else found


def _secret_values(environment: Environment) -> dict[str, str]:
    secrets = parsed("kubectl", "--namespace", environment.namespace, "get", "secrets", "--output", "json")
    values = {}
    for item in secrets["items"]:
        if item["metadata"].get("labels", {}).get("owner") == "helm":
            continue
        for key, data in (item.get("data") or {}).items():
            value = base64.b64decode(data).decode(errors="replace")
            if len(value) >= SHORTEST_SECRET:
                values[f"{item['metadata']['name']}/{key}"] = value
    return values
