"""Renders a chart with an environment's real values, and reads what came out."""

from __future__ import annotations

import base64
import configparser
import io
import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from infra import airflow_cfg, chart_values, naming
from infra.lifecycle import environments
from infra.settings import EnvironmentSettings

CHECKOUT = Path(__file__).resolve().parents[2]
NAMESPACE = "environment"
Manifest = dict[str, Any]

GIT = {"repository": "https://git.example.com/dags.git", "reference": "v1", "credentialsSecret": "git"}
# What the format wants: the key begins with its kind.
HOST_KEY = "ssh-ed25519 " + base64.b64encode(b"\0\0\0\x0bssh-ed25519" + bytes(36)).decode()
OVER_SSH = {
    **GIT,
    "repository": "git@git.example.com:dags.git",
    "knownHosts": f"# of two servers\ngit.example.com,10.0.0.7 {HOST_KEY}\nother.example.com {HOST_KEY}\n",
}

OIDC = {
    "issuer": "https://login.example.com/tenant",
    "clientId": "airflow",
    "clientSecretName": "oidc-client",
    "roles": {"platform": ["Admin"], "analysts": ["User", "Viewer"]},
}
CLIENTS = {"networkPolicies": {"enabled": True, "clientNetworks": ["10.0.0.0/16", "192.168.7.0/24"]}}
PLAIN = {
    "pgbouncer": {"enabled": False},
    "networkPolicies": {"enabled": False},
    "statsd": {"enabled": False},
    "cleanup": {"taskPods": False, "database": False},
}

# Settings that between them switch every part of the render.
SCENARIOS: dict[str, dict[str, Any]] = {
    "small, nothing around it": {"airflow": {"size": "small"}, **PLAIN},
    "medium": {"airflow": {"size": "medium"}},
    "large, without canary": {"airflow": {"size": "large"}, "canary": False},
    "one PgBouncer, one CronJob": {
        "pgbouncer": {"replicas": 1, "poolSize": 7},
        "cleanup": {"taskPods": False},
    },
    "the other CronJob": {"cleanup": {"database": False}, "statsd": {"enabled": False}},
    "policies without a pool": {"pgbouncer": {"enabled": False}},
    "ingress of AWS, with single sign-on": {
        "access": {
            "host": "airflow.example.com",
            "certificateArn": "arn:aws:acm:eu-west-1:123456789012:certificate/1-2",
            "oidc": OIDC,
        },
        **CLIENTS,
    },
    "ingress with a certificate in a Secret": {
        "access": {
            "host": "airflow.example.com",
            "ingressClass": "nginx",
            "tlsSecretName": "airflow-tls",
            "ingressAnnotations": {"nginx.ingress.kubernetes.io/proxy-body-size": "1m"},
        },
        "networkPolicies": {"enabled": False},
    },
    "git-sync over https": {"dags": {"source": "gitSync", **GIT}},
    "git-sync over ssh": {"dags": {"source": "gitSync", **OVER_SSH}},
    # A % in airflow.cfg is a hole of its parser.
    "git bundle": {"dags": {"source": "gitBundle", **GIT, "repository": "https://git.example.com/my%20dags"}},
    "tasks launch pods": {"airflow": {"tasksLaunchPods": True}},
}


def settings(**extra: Any) -> EnvironmentSettings:
    """Settings of an environment with nothing but what must be given, and `extra`."""
    given = {
        "region": "eu-west-1",
        "accountId": "123456789012",
        "owner": "tests",
        "cluster": {"stack": "organization/project/stack"},
    }
    return EnvironmentSettings.model_validate_json(json.dumps({**given, **extra}))


def values_of(environment: EnvironmentSettings) -> dict[str, Any]:
    """Values as the program makes them, with plain text where it has Outputs."""
    config = airflow_cfg.build_airflow_cfg(
        airflow_cfg.config_files(),
        parameters=airflow_cfg.config_parameters(
            environment, remote_logs_bucket="logs-bucket", secrets_prefix="airflow/environment"
        ),
        overrides=environment.airflow.config,
        catalogue=airflow_cfg.load_catalogue(environment.airflow.version),
    )
    wiring = chart_values.ChartWiring(
        checksums={"secrets": "a" * 64, "database-ca": "b" * 64}, pgbouncer_checksum="a" * 64
    )
    return chart_values.build_values(environment, airflow_cfg=config, wiring=wiring)


def stack_files() -> list[str]:
    """Names of the stacks that the checkout has files of."""
    return sorted(path.name.split(".")[1] for path in CHECKOUT.glob("Pulumi.*.yaml"))


# Each stack file of the checkout, and every scenario.
SCENARIO_NAMES = [*(f"stack file {stack}" for stack in stack_files()), *SCENARIOS]


def scenario_values(scenario: str) -> dict[str, Any]:
    """Values of one of `SCENARIO_NAMES`."""
    if scenario.startswith("stack file "):
        return values_of(environments.settings(scenario.removeprefix("stack file ")))
    return values_of(settings(**SCENARIOS[scenario]))


@dataclass(frozen=True)
class Render:
    """The text of a render and its objects by (kind, name)."""

    text: str
    objects: dict[tuple[str, str], Manifest]

    def of_kind(self, kind: str) -> dict[str, Manifest]:
        """Objects of a kind by name."""
        return {name: manifest for (found, name), manifest in self.objects.items() if found == kind}

    @property
    def configuration(self) -> Manifest:
        """Data of the ConfigMap of Airflow's configuration."""
        data: Manifest = self.objects["ConfigMap", f"{naming.RELEASE}-config"]["data"]
        return data

    @property
    def airflow_cfg(self) -> dict[str, dict[str, str]]:
        """airflow.cfg, read as Airflow reads it."""
        parser = configparser.ConfigParser()
        parser.read_file(io.StringIO(self.configuration["airflow.cfg"]))
        return {section: dict(parser[section]) for section in parser.sections()}

    @property
    def task_pod(self) -> Manifest:
        """The template of task pods."""
        pod: Manifest = yaml.safe_load(self.configuration["pod_template_file.yaml"])
        return pod

    @property
    def pods(self) -> dict[str, Manifest]:
        """Pod specs by workload, those of CronJobs and the task pod's among them."""
        pods = {
            name: manifest["spec"]["template"]["spec"]
            for name, manifest in self.of_kind("Deployment").items()
        }
        jobs = {
            name: manifest["spec"]["jobTemplate"]["spec"]["template"]["spec"]
            for name, manifest in self.of_kind("CronJob").items()
        }
        found = {**pods, **jobs, "task": self.task_pod["spec"]}
        # An empty list is written as none, as null, or not at all: to Kubernetes all are the same.
        return {
            name: {**pod, "initContainers": pod.get("initContainers") or []} for name, pod in found.items()
        }

    def containers(self) -> dict[str, Manifest]:
        """All containers, init containers too, by "workload/container"."""
        return {
            f"{workload}/{container['name']}": container
            for workload, pod in self.pods.items()
            for container in [*pod["initContainers"], *pod["containers"]]
        }


def run_helm(helm: Path, chart: Path, values: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`helm template` of the chart; does not raise."""
    command = [str(helm), "template", naming.RELEASE, str(chart), "--namespace", NAMESPACE]
    command += ["--values", str(values), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def render(helm: Path, chart: Path, values: dict[str, Any], directory: Path) -> Render:
    """Render a chart with values; fails with helm's own words."""
    path = directory / "values.json"
    path.write_text(json.dumps(values), encoding="utf-8")
    result = run_helm(helm, chart, path)
    assert result.returncode == 0, result.stderr
    manifests = [manifest for manifest in yaml.safe_load_all(result.stdout) if manifest]
    objects = {(manifest["kind"], manifest["metadata"]["name"]): manifest for manifest in manifests}
    assert len(objects) == len(manifests), "two objects of one name"
    return Render(result.stdout, objects)
