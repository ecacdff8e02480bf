"""What a render must have whichever chart it comes from. Oracles: rules of Kubernetes, and plain reading."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest
import yaml
from chart_rendering import (
    NAMESPACE,
    OVER_SSH,
    PLAIN,
    SCENARIO_NAMES,
    SCENARIOS,
    render,
    run_helm,
    scenario_values,
    settings,
    values_of,
)
from network_policy_rules import STRANGER, Pod, airflow, allowed

from infra import naming, network_policies

pytestmark = pytest.mark.chart

scenarios = pytest.mark.parametrize("scenario", SCENARIO_NAMES)
# What a task must not have: with it, it would reach the database or read every Connection.
SECRETS_OF_SERVERS = {
    naming.METADATA_SECRET,
    naming.POOLED_METADATA_SECRET,
    naming.FERNET_KEY_SECRET,
    naming.API_SECRET_KEY_SECRET,
    naming.JWT_SECRET,
}


def secrets_named(node) -> set[str]:
    """Names of all Secrets that a pod or container refers to, in any way there is."""
    found = set()
    if isinstance(node, dict):
        for key, child in node.items():
            if key in ("secretKeyRef", "secretRef"):
                found.add(child["name"])
            elif key == "secret" and "secretName" in child:
                found.add(child["secretName"])
            else:
                found |= secrets_named(child)
    elif isinstance(node, list):
        for child in node:
            found |= secrets_named(child)
    return found


@scenarios
def test_two_renders_are_the_same_to_the_byte(helm, chart, rendered, scenario, tmp_path):
    again = render(helm, chart, scenario_values(scenario), tmp_path)
    assert again.text == rendered(chart, scenario).text


@scenarios
def test_no_secret_is_rendered_and_no_hook(chart, rendered, scenario):
    result = rendered(chart, scenario)
    assert not result.of_kind("Secret")
    assert not result.of_kind("Job")
    assert "helm.sh/hook" not in result.text


@scenarios
def test_task_pods_name_no_secret_of_the_servers(chart, rendered, scenario):
    pod = rendered(chart, scenario).task_pod
    assert not secrets_named(pod) & SECRETS_OF_SERVERS
    names = {variable["name"] for variable in pod["spec"]["containers"][0]["env"]}
    assert not {name for name in names if "SQL_ALCHEMY" in name or "FERNET" in name or "SECRET" in name}
    assert not names & {"AIRFLOW_CONN_AIRFLOW_DB"}


@scenarios
def test_servers_have_database_and_keys_and_only_two_sign_tokens(chart, rendered, scenario):
    """The URL of PgBouncer comes where there is one; that for asyncpg stays the database's."""
    pods = rendered(chart, scenario).pods
    servers = SECRETS_OF_SERVERS - {naming.POOLED_METADATA_SECRET}
    if "airflow-pgbouncer" in pods:
        servers = SECRETS_OF_SERVERS
    for name in ("api-server", "scheduler", "dag-processor", "triggerer"):
        wanted = servers - {naming.JWT_SECRET}
        if name in ("api-server", "scheduler"):
            wanted = servers
        assert secrets_named(pods[f"airflow-{name}"]) & SECRETS_OF_SERVERS == wanted


@scenarios
def test_pods_keep_the_restricted_pod_security_standard(chart, rendered, scenario):
    """https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted"""
    result = rendered(chart, scenario)
    allowed_volumes = {"configMap", "emptyDir", "secret", "projected", "downwardAPI"}
    for workload, pod in result.pods.items():
        assert not {"hostNetwork", "hostPID", "hostIPC"} & pod.keys(), workload
        for volume in pod.get("volumes", []):
            assert volume.keys() - {"name"} <= allowed_volumes, (workload, volume)
        security = pod["securityContext"]
        assert security["runAsNonRoot"] is True, workload
        assert security["runAsUser"] > 0
        assert security["seccompProfile"]["type"] in ("RuntimeDefault", "Localhost")
    for name, container in result.containers().items():
        security = container["securityContext"]
        assert security["allowPrivilegeEscalation"] is False, name
        assert security["capabilities"] == {"drop": ["ALL"]}, name
        assert not security.get("privileged"), name
        assert security.get("runAsUser") != 0, name


@scenarios
def test_every_container_has_requests_and_a_memory_limit(chart, rendered, scenario):
    for name, container in rendered(chart, scenario).containers().items():
        assert {"cpu", "memory"} <= container["resources"]["requests"].keys(), name
        assert "memory" in container["resources"]["limits"], name


@scenarios
def test_one_airflow_image_in_all_pods_and_in_the_configuration(chart, rendered, scenario):
    result = rendered(chart, scenario)
    others = ("git-sync", "statsd", "pgbouncer")
    images = {
        container["image"]
        for name, container in result.containers().items()
        if not any(other in name for other in others)
    }
    config = result.airflow_cfg["kubernetes_executor"]
    tag = f"{config['worker_container_repository']}:{config['worker_container_tag']}"
    assert images == {tag}
    policies = {container["imagePullPolicy"] for container in result.containers().values()}
    assert policies == {"IfNotPresent"}


@scenarios
def test_no_pod_runs_an_airflow_before_its_own(chart, rendered, scenario):
    """The migration has ended before; what else comes first is a checkout of DAGs."""
    for workload, pod in rendered(chart, scenario).pods.items():
        first = {container["name"] for container in pod["initContainers"]}
        assert first <= {"git-sync-init"}, workload


@scenarios
def test_no_variable_is_set_twice(chart, rendered, scenario):
    """Server-side apply refuses such a container."""
    for name, container in rendered(chart, scenario).containers().items():
        variables = [variable["name"] for variable in container.get("env", [])]
        assert len(variables) == len(set(variables)), name


@scenarios
def test_what_pods_refer_to_is_there_or_made_by_the_program(chart, rendered, scenario):
    """Volumes of all mounts, ConfigMaps of all volumes, ports of all Services, accounts of all pods."""
    result = rendered(chart, scenario)
    config_maps = {*result.of_kind("ConfigMap"), naming.DATABASE_CA_CONFIG_MAP, naming.CANARY_CONFIG_MAP}
    for workload, pod in result.pods.items():
        volumes = {volume["name"]: volume for volume in pod.get("volumes", [])}
        for container in [*pod["initContainers"], *pod["containers"]]:
            paths = [mount["mountPath"] for mount in container.get("volumeMounts", [])]
            assert len(paths) == len(set(paths)), (workload, container["name"])
            for mount in container.get("volumeMounts", []):
                assert mount["name"] in volumes, (workload, container["name"], mount)
        for volume in volumes.values():
            if "configMap" in volume:
                assert volume["configMap"]["name"] in config_maps, workload
        assert pod["serviceAccountName"] in result.of_kind("ServiceAccount"), workload
    for name, service in result.of_kind("Service").items():
        chosen = [
            manifest["spec"]["template"]
            for manifest in result.of_kind("Deployment").values()
            if service["spec"]["selector"].items()
            <= manifest["spec"]["template"]["metadata"]["labels"].items()
        ]
        assert len(chosen) == 1, name
        ports = {
            port["containerPort"]
            for container in chosen[0]["spec"]["containers"]
            for port in container.get("ports", [])
        }
        assert {port.get("targetPort", port["port"]) for port in service["spec"]["ports"]} <= ports


@scenarios
def test_servers_verify_the_database_with_the_mounted_authorities(chart, rendered, scenario):
    for name, container in rendered(chart, scenario).containers().items():
        variables = {variable["name"]: variable.get("value") for variable in container.get("env", [])}
        if "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN" not in variables:
            continue
        path = variables["PGSSLROOTCERT"]
        mounts = [mount["mountPath"] for mount in container["volumeMounts"]]
        assert any(path.startswith(f"{mount}/") for mount in mounts), name
        assert "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC" in variables, name


@scenarios
def test_the_canary_is_where_its_bundle_looks(chart, rendered, scenario):
    result = rendered(chart, scenario)
    bundles = json.loads(result.airflow_cfg["dag_processor"]["dag_bundle_config_list"])
    paths = {bundle["kwargs"].get("path") for bundle in bundles if bundle["name"] == "canary"}
    readers = [result.pods["airflow-dag-processor"]["containers"][0], result.pods["task"]["containers"][0]]
    for container in readers:
        mounted = {
            mount["mountPath"].rpartition("/")[0]
            for mount in container["volumeMounts"]
            if mount["name"] == "canary"
        }
        assert mounted == paths


@scenarios
def test_rotation_rolls_every_server(chart, rendered, scenario):
    """The hashes that the program computes stand in each pod template."""
    for name, manifest in rendered(chart, scenario).of_kind("Deployment").items():
        if name.endswith("-statsd"):
            continue
        annotations = manifest["spec"]["template"]["metadata"]["annotations"]
        assert annotations.get("checksum/secrets", annotations.get("checksum/pgbouncer")) == "a" * 64, name
        assert annotations["checksum/database-ca"] == "b" * 64, name


def test_a_changed_option_rolls_every_server(helm, chart, rendered, tmp_path):
    changed = settings(**PLAIN, airflow={"size": "small", "config": {"core": {"max_map_length": "7"}}})
    before, after = (
        rendered(chart, "small, nothing around it"),
        render(helm, chart, values_of(changed), tmp_path),
    )
    assert after.airflow_cfg["core"]["max_map_length"] == "7"
    for name, manifest in after.of_kind("Deployment").items():
        old = before.of_kind("Deployment")[name]
        checksums = [
            found["spec"]["template"]["metadata"]["annotations"]["checksum/airflow-config"]
            for found in (old, manifest)
        ]
        assert checksums[0] != checksums[1], name


def test_airflow_works_under_the_policies_and_strangers_stay_out(chart, rendered):
    """The chart's policies and the program's, together: every conversation of Airflow 3, and no other."""
    scenario = "ingress of AWS, with single sign-on"
    specs = [manifest["spec"] for manifest in rendered(chart, scenario).of_kind("NetworkPolicy").values()]
    specs += network_policies.policy_specs(settings(**SCENARIOS[scenario])).values()
    client = Pod({}, {"kubernetes.io/metadata.name": "elsewhere"}, "10.0.3.4")
    servers = [airflow(name) for name in ("api-server", "scheduler", "dag-processor", "triggerer")]
    talks = [(airflow("worker"), airflow("api-server"), 8080), (client, airflow("api-server"), 8080)]
    talks += [(server, airflow("pgbouncer"), 6543) for server in servers]
    talks += [(airflow("database-cleanup"), airflow("pgbouncer"), 6543)]
    talks += [(pod, airflow("statsd"), 9125) for pod in [*servers, airflow("worker")]]
    talks += [(airflow("api-server"), airflow("triggerer"), 8794)]
    for source, target, port in talks:
        assert allowed(specs, source, target, port), (source, target, port)
    for component, port in (("api-server", 8080), ("pgbouncer", 6543), ("statsd", 9102), ("triggerer", 8794)):
        assert not allowed(specs, STRANGER, airflow(component), port), component
    for component in ("scheduler", "dag-processor", "worker", "environment-job"):
        for port in (22, 8080, 8793):
            assert not allowed(specs, airflow("worker"), airflow(component), port), (component, port)


@scenarios
def test_servers_are_probed_and_images_are_fixed(chart, rendered, scenario):
    """Row 43 of the baseline: CKV_K8S_8, 9, 14 and 43."""
    result = rendered(chart, scenario)
    for name, manifest in result.of_kind("Deployment").items():
        server = manifest["spec"]["template"]["spec"]["containers"][0]
        assert "livenessProbe" in server, name
        # What nobody connects to has no traffic that a readiness probe could hold back.
        assert ("readinessProbe" in server) == bool(server.get("ports")) or "triggerer" in name, name
    for where, container in result.containers().items():
        tag = container["image"].rpartition("/")[2].partition(":")[2]
        assert tag not in ("", "latest"), where


@scenarios
def test_roles_name_what_they_allow_and_tokens_are_where_they_are_used(chart, rendered, scenario):
    """Row 44 of the baseline: CIS-EKS 4.1.3 and 4.1.6."""
    result = rendered(chart, scenario)
    allowed_to = {
        subject["name"]
        for binding in result.of_kind("RoleBinding").values()
        for subject in binding["subjects"]
        if result.of_kind("Role")[binding["roleRef"]["name"]].get("rules")
    }
    for name, role in result.of_kind("Role").items():
        for rule in role.get("rules") or []:
            assert "*" not in [*rule["apiGroups"], *rule["resources"], *rule["verbs"]], name
    for pod, spec in result.pods.items():
        account = result.of_kind("ServiceAccount")[spec["serviceAccountName"]]
        mounted = spec.get("automountServiceAccountToken", account.get("automountServiceAccountToken", True))
        assert not mounted or spec["serviceAccountName"] in allowed_to, pod


def test_git_sync_over_ssh_knows_the_server(chart, rendered):
    """Wherever there is a key of ours, there is one of the server, and git-sync is told to compare."""
    result = rendered(chart, "git-sync over ssh")
    entries = [line for line in OVER_SSH["knownHosts"].splitlines() if not line.startswith("#")]
    assert result.configuration["known_hosts"].splitlines() == entries
    syncs = {where: found for where, found in result.containers().items() if "git-sync" in where}
    assert len(syncs) == 5  # two and two in the servers that read DAG files, and one in a task pod
    for where, container in syncs.items():
        variables = {variable["name"]: variable.get("value") for variable in container["env"]}
        assert variables["GITSYNC_SSH_KNOWN_HOSTS"] == variables["GIT_KNOWN_HOSTS"] == "true", where
        files = {mount["mountPath"]: mount for mount in container["volumeMounts"]}
        mounted = files[variables["GITSYNC_SSH_KNOWN_HOSTS_FILE"]]
        volumes = {volume["name"]: volume for volume in result.pods[where.partition("/")[0]]["volumes"]}
        source = volumes[mounted["name"]]["configMap"]["name"], mounted["subPath"]
        assert source == (f"{naming.RELEASE}-config", "known_hosts"), where


PLACEMENT = {
    "nodeSelector": {"pool": "tasks"},
    "tolerations": [{"key": "tasks", "operator": "Exists", "effect": "NoSchedule"}],
    "affinity": {"podAntiAffinity": {}},
    "topologySpreadConstraints": [
        {"maxSkew": 1, "topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "ScheduleAnyway"}
    ],
}


def test_task_pods_have_what_the_values_say_of_them(helm, chart, tmp_path):
    values = values_of(settings())
    aliases = [{"ip": "10.0.0.9", "hostnames": ["source.example.com"]}]
    more = {**PLACEMENT, "hostAliases": aliases, "priorityClassName": "tasks", "labels": {"team": "data"}}
    values["workers"]["kubernetes"] |= more
    pod = render(helm, chart, values, tmp_path).task_pod
    assert {key: pod["spec"].get(key) for key in more if key != "labels"} == {
        key: value for key, value in more.items() if key != "labels"
    }
    wanted = {"tier": "airflow", "component": "worker", "release": naming.RELEASE, "team": "data"}
    assert pod["metadata"]["labels"] == wanted


def test_task_pods_follow_what_the_values_say_of_all_pods(helm, official, tmp_path):
    """As the chart's own pods do; the stand-in has none of these keys."""
    every: dict[str, Any] = {**PLACEMENT, "imagePullSecrets": ["registry", {"name": "other"}]}
    every |= {"labels": {"team": "data"}, "airflowPodAnnotations": {"example.com/a": "b"}}
    result = render(helm, official, values_of(settings()) | every, tmp_path)
    task, server = result.task_pod, result.of_kind("Deployment")["airflow-dag-processor"]["spec"]["template"]
    for key in ("nodeSelector", "tolerations", "affinity", "imagePullSecrets"):
        assert task["spec"][key] == server["spec"][key], key
    assert task["spec"]["topologySpreadConstraints"] == PLACEMENT["topologySpreadConstraints"]
    for field, key in (("labels", "team"), ("annotations", "example.com/a")):
        assert task["metadata"][field][key] == server["metadata"][field][key]


def test_only_launchers_may_start_pods(chart, rendered):
    """Task pods are among them only where the environment says so."""

    def launchers(scenario: str) -> set[str]:
        result = rendered(chart, scenario)
        binding = result.of_kind("RoleBinding")["airflow-pod-launcher-rolebinding"]
        accounts = result.of_kind("ServiceAccount")
        return {subject["name"] for subject in binding["subjects"]} & accounts.keys()

    assert naming.SERVICE_ACCOUNTS.worker not in launchers("small, nothing around it")
    assert naming.SERVICE_ACCOUNTS.scheduler in launchers("small, nothing around it")
    assert naming.SERVICE_ACCOUNTS.worker in launchers("tasks launch pods")


@scenarios
def test_servers_spread_over_zones_and_still_start_in_one(chart, rendered, scenario):
    """A hard constraint would keep pods pending where a zone is lost, or where there is one node."""
    deployments = rendered(chart, scenario).of_kind("Deployment")
    for name, manifest in deployments.items():
        if name.endswith("-statsd"):
            continue
        [constraint] = manifest["spec"]["template"]["spec"]["topologySpreadConstraints"]
        assert constraint["whenUnsatisfiable"] == "ScheduleAnyway", name
        assert (constraint["topologyKey"], constraint["maxSkew"]) == ("topology.kubernetes.io/zone", 1), name
        chosen = constraint["labelSelector"]["matchLabels"].items()
        counted = {
            other
            for other, found in deployments.items()
            if chosen <= found["spec"]["template"]["metadata"]["labels"].items()
        }
        assert counted == {name}


def test_disruption_budgets_come_with_more_than_one_replica(chart, rendered):
    for scenario in ("small, nothing around it", "medium"):
        result = rendered(chart, scenario)
        budgets = {
            manifest["spec"]["selector"]["matchLabels"]["component"]
            for manifest in result.of_kind("PodDisruptionBudget").values()
        }
        replicated = {
            name.removeprefix("airflow-")
            for name, manifest in result.of_kind("Deployment").items()
            if manifest["spec"]["replicas"] > 1
        }
        assert budgets == replicated


def test_objects_stay_in_the_namespace_of_the_release(chart, rendered):
    for scenario in SCENARIO_NAMES:
        for identity, manifest in rendered(chart, scenario).objects.items():
            assert manifest["metadata"].get("namespace", NAMESPACE) == NAMESPACE, identity
            assert not identity[0].startswith("Cluster")


def test_helm_refuses_a_key_that_the_stand_in_does_not_have(helm, stand_in, tmp_path):
    values = values_of(settings()) | {"webserver": {"replicas": 2}}
    path = tmp_path / "values.json"
    path.write_text(json.dumps(values), encoding="utf-8")
    result = run_helm(helm, stand_in, path)
    assert result.returncode != 0
    assert "webserver" in result.stderr


def test_the_stand_in_says_that_it_is_one(stand_in, helm):
    chart = yaml.safe_load((stand_in / "Chart.yaml").read_text(encoding="utf-8"))
    assert chart["annotations"] == {"embedded.airflow/stand-in": "true"}
    result = subprocess.run([str(helm), "lint", str(stand_in)], capture_output=True, text=True, check=False)
    # It needs values to render; lint without any must complain of those alone.
    assert "podTemplate" in result.stdout
