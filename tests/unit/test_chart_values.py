"""Chart values: how layers merge, who owns a key, what the schema check sees that Helm does not."""

from __future__ import annotations

import configparser
import json
import shutil
from pathlib import Path
from typing import Any

import pulumi
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from infra import chart_dags, chart_values, chart_values_rules, naming
from infra.chart_values_rules import ChartValuesError
from infra.settings import EnvironmentSettings, Size
from infra.settings_database import DatabaseSettings

STAND_IN = Path(__file__).resolve().parents[2] / "embedded" / "charts" / "airflow"
CFG = {"core": {"parallelism": "32"}}
COMPONENTS = ("scheduler", "apiServer", "dagProcessor", "triggerer")
HOST = {"host": "airflow.example.com"}
CLIENTS = {"clientNetworks": ["10.1.0.0/16"]}
OIDC = {
    "issuer": "https://login.example.com",
    "clientId": "airflow",
    "clientSecretName": "oidc-client",
    "roles": {"platform": ["Admin"]},
}
HOST_KEY = "git.example.com ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDYSmJvR2ENSZihXq+rqXxwHMGFq/JtO8OtABIvFr8gs"
GIT = {"repository": "https://git.example.com/dags.git", "reference": "v1"}


def settings(**extra: Any) -> EnvironmentSettings:
    base = {
        "region": "eu-west-1",
        "accountId": "123456789012",
        "owner": "x",
        "cluster": {"stack": "a/b/c"},
    }
    return EnvironmentSettings.model_validate_json(json.dumps({**base, **extra}))


def build(
    environment: EnvironmentSettings | None = None,
    *,
    wiring: chart_values.ChartWiring | None = None,
    directory: Path = chart_values.VALUES_DIRECTORY,
) -> chart_values_rules.Values:
    return chart_values.build_values(
        environment or settings(),
        airflow_cfg=CFG,
        wiring=wiring or chart_values.ChartWiring(),
        directory=directory,
    )


def at(values: Any, path: str) -> Any:
    for key in path.split("."):
        values = values[key]
    return values


# Every way to switch the shape of the values, each against the one before.
VARIANTS = {
    "plain": settings(),
    "small": settings(airflow={"size": "small"}),
    "large, replicas": settings(airflow={"size": "large", "replicas": {"triggerer": 5}}),
    "no canary": settings(canary=False),
    "host": settings(access=HOST, networkPolicies=CLIENTS),
    "single sign-on": settings(access={**HOST, "oidc": OIDC}, networkPolicies=CLIENTS),
    "certificate in a Secret": settings(
        access={**HOST, "tlsSecretName": "tls", "ingressAnnotations": {"a/b": "c"}}, networkPolicies=CLIENTS
    ),
    "git-sync": settings(dags={"source": "gitSync", **GIT, "credentialsSecret": "git"}),
    "git-sync over ssh": settings(
        dags={
            "source": "gitSync",
            **GIT,
            "repository": "git@git.example.com:dags.git",
            "credentialsSecret": "git",
            "knownHosts": HOST_KEY,
        }
    ),
    "git bundle": settings(dags={"source": "gitBundle", **GIT, "credentialsSecret": "git"}),
    "policies with scrapers": settings(networkPolicies={"scraperNamespaces": ["monitoring"]}),
    "nothing around it": settings(
        pgbouncer={"enabled": False},
        networkPolicies={"enabled": False},
        statsd={"enabled": False},
        cleanup={"taskPods": False, "database": False},
    ),
    "launching tasks": settings(airflow={"tasksLaunchPods": True}),
}
each_variant = pytest.mark.parametrize("environment", VARIANTS.values(), ids=VARIANTS)

trees = st.recursive(
    st.integers() | st.lists(st.integers(), max_size=2),
    lambda inner: st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
)
mappings = st.dictionaries(st.sampled_from("abc"), trees, max_size=3)


@given(mappings, mappings)
def test_merge_keeps_all_of_the_upper_and_what_the_upper_does_not_set(below, above):
    before = json.dumps([below, above])
    merged = chart_values_rules.merge(below, above)
    assert json.dumps([below, above]) == before  # neither is changed
    for key in below.keys() | above.keys():
        if key in above and not (isinstance(above[key], dict) and isinstance(below.get(key), dict)):
            assert merged[key] == above[key]
        elif key not in above:
            assert merged[key] == below[key]
        else:
            assert merged[key] == chart_values_rules.merge(below[key], above[key])


def test_base_size_and_computed_values_are_laid_over_each_other():
    values = build(settings(airflow={"size": "medium", "replicas": {"scheduler": 3}}))
    files = {
        name: yaml.safe_load((chart_values.VALUES_DIRECTORY / f"{name}.yaml").read_text())
        for name in ("base", "medium")
    }
    assert values["scheduler"]["startupProbe"] == files["base"]["scheduler"]["startupProbe"]
    assert values["apiServer"]["replicas"] == files["medium"]["apiServer"]["replicas"]
    assert values["scheduler"]["replicas"] == 3


@each_variant
def test_what_code_sets_cannot_be_set_in_files(environment, tmp_path):
    """Else a file's value would be lost without a word. Sizing and annotations are shared on purpose."""
    for name in ("base", environment.airflow.size.value):
        (tmp_path / f"{name}.yaml").write_text("{}")
    (tmp_path / "task_pod.yaml.tpl").write_text("")
    computed = build(environment, directory=tmp_path)
    for path in chart_values_rules.leaves(computed):
        if "podAnnotations" in path or path.endswith(".replicas"):
            continue
        assert chart_values_rules.owner(path) is not None, path


@each_variant
def test_the_schema_of_the_stand_in_takes_all_that_can_be_set(environment):
    values = build(environment)
    chart_values_rules.check_schema(values, chart_values_rules.load_schema(STAND_IN))


@pytest.mark.parametrize("size", list(Size))
def test_the_schema_of_the_stand_in_refuses_any_other_key_at_any_depth(size):
    """A key more in any mapping that is not free by nature is refused, and named where it stands."""
    schema = chart_values_rules.load_schema(STAND_IN)
    values = build(settings(airflow={"size": size.value}))
    free = ("podAnnotations", "config", "matchLabels", "kwargs")
    planted: list[str] = []

    def walk(node: Any, path: str) -> None:
        for key, child in node.items():
            if isinstance(child, dict) and not any(name in f"{path}{key}" for name in free):
                walk(child, f"{path}{key}.")
        node["unheardOf"] = "x"
        planted.append(path)

    walk(values, "")
    with pytest.raises(ChartValuesError) as refused:
        chart_values_rules.check_schema(values, schema)
    places = [mistake.partition(": ")[0] for mistake in refused.value.mistakes if "unheardOf" in mistake]
    named = {place.removesuffix("unheardOf").removesuffix(".").removeprefix("(root)") for place in places}
    assert {path.removesuffix(".") for path in planted} - named == set()
    assert len(planted) > 50


@pytest.mark.parametrize(
    ("text", "pointer"),
    [
        ("executor: CeleryExecutor", "infra/chart_values.py"),
        ("data: null", "passes its name on"),
        ("data: {metadataConnection: {pass: x}}", "passes its name on"),
        ("fernetKey: x", "passes its name on"),
        ("webserverSecretKeySecretName: x", "apiSecretKeySecretName"),
        ("images: {airflow: {tag: x}}", "`airflow.image.tag`"),
        ("config: {core: {parallelism: 3}}", "airflow_config/"),
        ("scheduler: {serviceAccount: {annotations: {a: b}}}", "infra/naming.py"),
        ("workers: {kubernetes: {env: []}}", "airflow_config/"),
        ("extraSecrets: {a: {data: x}}", "plain text"),
        ("postgresql: {enabled: true}", "RDS"),
        ("pgbouncer: {maxClientConn: 500}", "infra/pgbouncer_config.py"),
        ("pgbouncer: {replicas: 3}", "`pgbouncer`"),
        ("pgbouncer: {metricsExporterSidecar: {statsSecretName: x}}", "passes its name on"),
        ("networkPolicies: {enabled: false}", "`networkPolicies`"),
        ("statsd: {extraNetworkPolicies: []}", "scraperNamespaces"),
        ("apiServer: {apiServerConfig: x}", "webserver_config.py"),
        ("cleanup: {enabled: true}", "`cleanup`"),
        ("databaseCleanup: {retentionDays: 3}", "`cleanup`"),
        ("databaseCleanup: {skipArchive: false}", "infra/chart_values.py"),
    ],
)
def test_an_owned_key_in_a_file_is_refused_with_a_pointer(text, pointer, tmp_path):
    (tmp_path / "base.yaml").write_text(text)
    (tmp_path / "small.yaml").write_text("{}")
    with pytest.raises(ChartValuesError) as raised:
        chart_values_rules.read_files(tmp_path, "small")
    (mistake,) = raised.value.mistakes
    assert mistake.startswith("base.yaml: ")
    assert pointer in mistake


@pytest.mark.parametrize(
    "key",
    [
        "workers.nodeSelector.pool",  # the chart's old place of it
        "workers.replicas",
        "workers.celery.replicas",
        "workers.kubernetes.extraContainers",
        "workers.kubernetes.securityContexts.pod.runAsUser",
        "workers.kubernetes.resource.limits",
    ],
)
def test_a_key_of_task_pods_that_their_template_does_not_read_is_refused(key, tmp_path):
    """The chart and its schema know most of them, and no task pod would have them."""
    for name in ("base.yaml", "small.yaml", "task_pod.yaml.tpl"):
        shutil.copy(chart_values.VALUES_DIRECTORY / name, tmp_path)
    values = yaml.safe_load((tmp_path / "base.yaml").read_text())
    *above, last = key.split(".")
    place = values
    for name in above:
        place = place.setdefault(name, {})
    place[last] = "x"
    (tmp_path / "base.yaml").write_text(yaml.safe_dump(values))
    with pytest.raises(ChartValuesError) as raised:
        chart_values_rules.read_files(tmp_path, "small")
    (mistake,) = raised.value.mistakes
    assert mistake.startswith(f"base.yaml: {key} would have no effect: ")
    assert "task_pod.yaml.tpl" in mistake
    assert "workers.kubernetes.nodeSelector" in mistake


def test_a_size_holds_sizing_only_and_all_mistakes_come_together(tmp_path):
    (tmp_path / "base.yaml").write_text("executor: X\njwtSecret: x")
    (tmp_path / "small.yaml").write_text("scheduler: {replicas: 1, args: [x]}")
    with pytest.raises(ChartValuesError) as raised:
        chart_values_rules.read_files(tmp_path, "small")
    assert len(raised.value.mistakes) == 3
    assert "small.yaml: scheduler.args is no sizing or placement" in raised.value.mistakes[2]


def test_sizes_set_the_same_keys():
    """Else a step from one size to the next would leave something at the chart's default."""
    files = {
        size: yaml.safe_load((chart_values.VALUES_DIRECTORY / f"{size}.yaml").read_text()) for size in Size
    }
    for values in files.values():
        for component in COMPONENTS:
            assert values[component]["replicas"] >= 1
            assert values[component]["resources"]["requests"].keys() == {"cpu", "memory"}
            assert "memory" in values[component]["resources"]["limits"]
    assert set(chart_values_rules.leaves(files[Size.MEDIUM])) == set(
        chart_values_rules.leaves(files[Size.LARGE])
    )


def test_an_unknown_size_names_those_there_are(tmp_path):
    (tmp_path / "base.yaml").write_text("{}")
    (tmp_path / "tiny.yaml").write_text("{}")
    with pytest.raises(ChartValuesError, match=r"huge\.yaml is missing .*: tiny"):
        chart_values_rules.read_files(tmp_path, "huge")


def test_keys_that_helm_would_ignore_are_found_with_the_nearest_name():
    schema = {
        "properties": {
            "apiServer": {"properties": {"replicas": {"type": "integer"}}},
            "labels": {"additionalProperties": {"type": "string"}},
        }
    }
    values = {"apiserver": {}, "apiServer": {"replica": 1, "replicas": "x"}, "labels": {"any": "thing"}}
    with pytest.raises(ChartValuesError) as raised:
        chart_values_rules.check_schema(values, schema)
    assert [mistake.split(":")[0] for mistake in raised.value.mistakes] == [
        "apiServer.replicas",
        "apiserver",
        "apiServer.replica",
    ]
    assert "did you mean apiServer?" in raised.value.mistakes[1]


def test_outputs_stand_at_leaves_and_pass_the_schema():
    secret = pulumi.Output.secret("name")
    wiring = chart_values.ChartWiring(
        pooled_metadata_secret=secret, checksums={"keys": pulumi.Output.from_input("1")}
    )
    values = build(wiring=wiring)
    assert at(values, "data.metadataSecretName") is secret
    assert isinstance(at(values, "triggerer.podAnnotations")["checksum/keys"], pulumi.Output)
    chart_values_rules.check_schema(values, chart_values_rules.load_schema(STAND_IN))


@each_variant
def test_every_environment_has_what_makes_it_safe(environment):
    values = build(environment)
    for key in ("fernetKeySecretName", "apiSecretKeySecretName", "jwtSecretName"):
        assert values[key]
    for path in ("postgresql", "redis", "createUserJob", "migrateDatabaseJob", "triggerer.persistence"):
        assert at(values, f"{path}.enabled") is False
    assert at(values, "securityContexts.pod")["runAsNonRoot"] is True
    accounts = {at(values, f"{name}.serviceAccount.name") for name in (*COMPONENTS, "workers.kubernetes")}
    names = naming.SERVICE_ACCOUNTS
    assert accounts == {
        names.scheduler,
        names.api_server,
        names.dag_processor,
        names.triggerer,
        names.worker,
    }


def test_a_variable_is_set_in_one_place_only():
    """Server-side apply refuses a container with one name twice."""
    for environment in VARIANTS.values():
        values = build(environment)
        shared = [item["name"] for item in values["env"]] + [item["envName"] for item in values["secret"]]
        for component in COMPONENTS:
            names = shared + [item["name"] for item in values[component].get("env", [])]
            assert len(names) == len(set(names))


def test_tasks_may_launch_pods_only_where_that_is_wanted():
    closed = build()
    assert at(closed, "workers.serviceAccount.name") != naming.SERVICE_ACCOUNTS.worker
    assert at(closed, "workers.kubernetes.serviceAccount.automountServiceAccountToken") is False
    opened = build(settings(airflow={"tasksLaunchPods": True}))
    assert at(opened, "workers.serviceAccount.name") == naming.SERVICE_ACCOUNTS.worker
    assert at(opened, "triggerer.serviceAccount.automountServiceAccountToken") is True


def test_network_policies_let_task_pods_reach_the_api_server():
    sources = at(build(settings(networkPolicies=CLIENTS)), "apiServer.networkPolicy.ingress.from")
    tasks = {"tier": "airflow", "release": "airflow", "component": "worker"}
    assert sources == [{"podSelector": {"matchLabels": tasks}}, {"ipBlock": {"cidr": "10.1.0.0/16"}}]


def test_the_canary_is_a_bundle_of_its_own_beside_any_source():
    for dags in ({}, {"source": "gitSync", **GIT}, {"source": "gitBundle", **GIT}):
        values = build(settings(dags=dags))
        bundles = {item["name"]: item for item in at(values, "dagProcessor.dagBundleConfigList")}
        assert len(bundles) == 2
        assert bundles["canary"]["kwargs"] == {"path": chart_dags.CANARY_DIRECTORY}
        for path in ("dagProcessor", "workers.kubernetes"):
            (mount,) = at(values, f"{path}.extraVolumeMounts")
            assert mount["mountPath"] == f"{chart_dags.CANARY_DIRECTORY}/canary.py"
            assert mount["subPath"] == "canary.py"


@pytest.mark.parametrize(
    ("repository", "key"),
    [("https://git.example.com/d.git", "credentialsSecret"), ("git@git.example.com:d.git", "sshKeySecret")],
)
def test_git_sync_credentials_go_where_the_protocol_wants_them(repository, key):
    dags = {"source": "gitSync", **GIT, "repository": repository, "credentialsSecret": "git"}
    if key == "sshKeySecret":
        dags["knownHosts"] = HOST_KEY
    sync = at(build(settings(dags=dags)), "dags.gitSync")
    assert sync["enabled"] is True
    assert {name for name in ("credentialsSecret", "sshKeySecret") if name in sync} == {key}
    assert sync.get("knownHosts") == dags.get("knownHosts")
    assert sync["ref"] == sync["branch"] == "v1"


def test_a_git_bundle_reaches_airflow_as_it_stands_in_the_stack_file():
    """The chart writes the list as JSON into airflow.cfg, which Airflow reads with Python's ConfigParser."""
    address = "https://dev.azure.com/org/My%20Project/_git/dags"
    values = build(settings(dags={"source": "gitBundle", "repository": address, "reference": "v1"}))
    parser = configparser.ConfigParser()
    text = json.dumps(at(values, "dagProcessor.dagBundleConfigList"))
    parser.read_string(f"[dag_processor]\ndag_bundle_config_list = {text}\n")
    bundles = json.loads(parser["dag_processor"]["dag_bundle_config_list"])
    assert [bundle["kwargs"]["repo_url"] for bundle in bundles if bundle["name"] == "dags"] == [address]


def minute_of_week(day: str, time: str) -> int:
    """Minutes since Sunday 00:00; `day` as RDS writes it."""
    hour, minute = time.split(":")
    return (("sun", "mon", "tue", "wed", "thu", "fri", "sat").index(day) * 24 + int(hour)) * 60 + int(minute)


def test_the_weekly_cleanup_of_the_database_keeps_clear_of_its_default_windows():
    """All in UTC; RDS may restart the instance within its maintenance; a cleanup has an hour at least."""
    minute, hour, *_, weekday = str(at(build(), "databaseCleanup.schedule")).split()
    cleanup = int(weekday) * 24 * 60 + int(hour) * 60 + int(minute)  # cron's Sunday is 0
    defaults = DatabaseSettings.model_fields
    begin, end = defaults["maintenance_window"].default.split("-")
    windows = [(minute_of_week(begin[:3], begin[4:]), minute_of_week(end[:3], end[4:]), 7 * 24 * 60)]
    begin, end = defaults["backup_window"].default.split("-")
    windows.append((minute_of_week("sun", begin), minute_of_week("sun", end), 24 * 60))
    for first, last, period in windows:
        assert (cleanup - first) % period >= last - first
        assert (first - cleanup) % period >= 60


def test_git_bundle_credentials_reach_all_pods_that_clone():
    values = build(settings(dags={"source": "gitBundle", **GIT, "credentialsSecret": "git"}))
    for path in ("dagProcessor", "triggerer", "workers.kubernetes"):
        variables = {item["name"]: item for item in at(values, f"{path}.env")}
        source = variables["AIRFLOW_CONN_DAGS_REPOSITORY"]["valueFrom"]["secretKeyRef"]
        assert source == {"name": "git", "key": "connection"}
    assert "CONNECTION_CHECK_MAX_COUNT" in {item["name"] for item in at(values, "workers.kubernetes.env")}
