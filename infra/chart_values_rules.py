"""What may stand in charts/values/, how its files are merged, and the chart's schema as a check.

Helm ignores a key that no template reads, and its schema is open in several places; a typo there would be a
setting without effect. So the checks here are stricter than Helm's.
"""

from __future__ import annotations

import copy
import difflib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import jsonschema
import pulumi
import yaml

Values = dict[str, Any]

_FIXED: Final = "infra/chart_values.py fixes it for all environments"
_PROGRAM: Final = "the program makes it; infra/chart_values.py passes its name on"

# Keys that code decides, with where to change them. A key covers all below it.
OWNED: Final[Mapping[str, str]] = {
    "executor": _FIXED,
    "fullnameOverride": _FIXED,
    "nameOverride": _FIXED,
    "useStandardNaming": _FIXED,
    "multiNamespaceMode": _FIXED,
    "allowPodLaunching": _FIXED,
    "rbac": _FIXED,
    "createUserJob": "the program's own Job makes the first administrator",
    "migrateDatabaseJob": "the program's own Job migrates the database",
    "postgresql": "the metadata database is RDS; set `database` in the stack file",
    "redis": "there is no Celery here",
    "triggerer.persistence": _FIXED,
    "airflowLocalSettings": _FIXED,
    "airflowVersion": "set `airflow.version` in the stack file",
    "defaultAirflowRepository": "set `airflow.image.repository` in the stack file",
    "defaultAirflowTag": "set `airflow.image.tag` in the stack file",
    "defaultAirflowDigest": "task pods would not follow it; set `airflow.image.tag` in the stack file",
    "images.airflow.repository": "set `airflow.image.repository` in the stack file",
    "images.airflow.tag": "task pods would not follow it; set `airflow.image.tag` in the stack file",
    "images.airflow.digest": "task pods would not follow it; set `airflow.image.tag` in the stack file",
    "images.pod_template": "all Airflow pods have one image; set `airflow.image` in the stack file",
    "data": _PROGRAM,
    "fernetKey": _PROGRAM,
    "fernetKeySecretName": _PROGRAM,
    "apiSecretKey": _PROGRAM,
    "apiSecretKeySecretName": _PROGRAM,
    "jwtSecret": _PROGRAM,
    "jwtSecretName": _PROGRAM,
    "webserverSecretKey": "Airflow 3 has none",
    "webserverSecretKeySecretName": "Airflow 3 has none; its key is apiSecretKeySecretName",
    "enableBuiltInSecretEnvVars": _FIXED,
    "secret": "secrets reach pods by name through infra/chart_values.py only",
    "extraSecrets": "a Secret in values is a secret in plain text; let the program make it",
    "env": "set options in airflow_config/ or `airflow.config` of the stack file",
    "extraEnv": "set options in airflow_config/ or `airflow.config` of the stack file",
    "extraEnvFrom": "set options in airflow_config/ or `airflow.config` of the stack file",
    "volumes": _FIXED,
    "volumeMounts": _FIXED,
    "config": "set options in airflow_config/ or `airflow.config` of the stack file",
    "podTemplate": "edit charts/values/task_pod.yaml.tpl",
    "dags.gitSync.enabled": "set `dags.source` in the stack file",
    "dags.gitSync.repo": "set `dags.repository` in the stack file",
    "dags.gitSync.ref": "set `dags.reference` in the stack file",
    "dags.gitSync.branch": "set `dags.reference` in the stack file",
    "dags.gitSync.rev": "set `dags.reference` in the stack file",
    "dags.gitSync.subPath": "set `dags.subdirectory` in the stack file",
    "dags.gitSync.credentialsSecret": "set `dags.credentialsSecret` in the stack file",
    "dags.gitSync.sshKeySecret": "set `dags.credentialsSecret` in the stack file",
    "dags.gitSync.knownHosts": "set `dags.knownHosts` in the stack file",
    "dags.gitSync.sshKey": "a key in values is a secret in plain text; set `dags.credentialsSecret`",
    "dagProcessor.dagBundleConfigList": "set `dags` in the stack file",
    "ingress": "set `access` in the stack file",
    "networkPolicies": "set `networkPolicies` in the stack file",
    "apiServer.networkPolicy": "set `networkPolicies` in the stack file",
    "apiServer.args": "set `access` in the stack file",
    "apiServer.apiServerConfig": "edit airflow_config/webserver_config.py, or set `access.oidc`",
    "apiServer.apiServerConfigConfigMapName": "edit airflow_config/webserver_config.py",
    "statsd.enabled": "set `statsd` in the stack file",
    "statsd.serviceAccount": "infra/naming.py names it",
    "statsd.extraNetworkPolicies": "set `networkPolicies.scraperNamespaces` in the stack file",
    **dict.fromkeys(
        ("pgbouncer.enabled", "pgbouncer.replicas", "pgbouncer.podDisruptionBudget"),
        "set `pgbouncer` in the stack file",
    ),
    "pgbouncer.serviceAccount": "infra/naming.py names it",
    "pgbouncer.command": _FIXED,
    "pgbouncer.containerLifecycleHooks": _FIXED,
    "pgbouncer.metricsExporterSidecar.statsSecretName": _PROGRAM,
    "pgbouncer.extraNetworkPolicies": "set `networkPolicies.scraperNamespaces` in the stack file",
    # With a Secret of ours the chart reads none of these; it would ignore them without a word.
    **dict.fromkeys(
        (
            "pgbouncer.configSecretName",
            "pgbouncer.mountConfigSecret",
            "pgbouncer.auth_type",
            "pgbouncer.auth_file",
            "pgbouncer.metadataPoolSize",
            "pgbouncer.resultBackendPoolSize",
            "pgbouncer.maxClientConn",
            "pgbouncer.sslmode",
            "pgbouncer.ssl",
            "pgbouncer.ciphers",
            "pgbouncer.verbose",
            "pgbouncer.logConnections",
            "pgbouncer.logDisconnections",
            "pgbouncer.extraIni",
            "pgbouncer.extraIniMetadata",
            "pgbouncer.extraIniResultBackend",
        ),
        "infra/pgbouncer_config.py writes PgBouncer's configuration",
    ),
    **dict.fromkeys(
        ("cleanup.enabled", "databaseCleanup.enabled", "databaseCleanup.retentionDays"),
        "set `cleanup` in the stack file",
    ),
    **{
        f"{job}.{key}": _FIXED
        for job in ("cleanup", "databaseCleanup")
        for key in ("command", "args", "env", "applyCustomEnv")
    },
    "cleanup.serviceAccount": "infra/naming.py names it",
    "databaseCleanup.serviceAccount": "infra/naming.py names it",
    # Their own command is infra/chart_features.py's, which uses none of these.
    **dict.fromkeys(
        (
            "databaseCleanup.skipArchive",
            "databaseCleanup.tables",
            "databaseCleanup.batchSize",
            "databaseCleanup.verbose",
        ),
        _FIXED,
    ),
}

# The same for each component.
COMPONENTS: Final = ("scheduler", "apiServer", "dagProcessor", "triggerer", "workers", "workers.kubernetes")
OWNED_BY_COMPONENT: Final[Mapping[str, str]] = {
    "serviceAccount": "infra/naming.py names it",
    "env": "set options in airflow_config/ or `airflow.config` of the stack file",
    "extraVolumes": "infra/chart_values.py mounts what pods need",
    "extraVolumeMounts": "infra/chart_values.py mounts what pods need",
}
_POINTERS: Final[Mapping[str, str]] = {
    **OWNED,
    **{f"{component}.{key}": text for component in COMPONENTS for key, text in OWNED_BY_COMPONENT.items()},
}

# The pod of a task, and what it reads of `workers`; the chart's own template, which reads more, is not used.
TASK_POD: Final = "task_pod.yaml.tpl"
_TASK_POD_KEY: Final = re.compile(r"\.Values\.workers\.kubernetes\.(\w+)")

# What a size may set, at any depth below a component.
SIZING: Final = frozenset(
    {
        "replicas",
        "resources",
        "podDisruptionBudget",
        "topologySpreadConstraints",
        "affinity",
        "nodeSelector",
        "tolerations",
        "priorityClassName",
    }
)


class ChartValuesError(ValueError):
    """The chart's values are not what they should be; `mistakes` has one line for each reason."""

    def __init__(self, mistakes: Iterable[str]) -> None:
        self.mistakes = tuple(mistakes)
        super().__init__("chart values:\n" + "\n".join(f"  - {mistake}" for mistake in self.mistakes))


def merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> Values:
    """A new mapping: `above` over `below`, mappings merged at every depth, all else (lists too) replaced."""
    merged = dict(copy.copy(below))
    for key, value in above.items():
        old = merged.get(key)
        both = isinstance(old, Mapping) and isinstance(value, Mapping)
        merged[key] = merge(old, value) if both and isinstance(old, Mapping) else value
    return merged


def read_files(directory: Path, size: str) -> Values:
    """base.yaml with <size>.yaml over it; raises `ChartValuesError` for all that may not stand in them."""
    values: Values = {}
    mistakes: list[str] = []
    template = directory / TASK_POD
    task_keys = frozenset(
        _TASK_POD_KEY.findall(template.read_text(encoding="utf-8")) if template.is_file() else ()
    )
    for name in ("base.yaml", f"{size}.yaml"):
        path = directory / name
        if not path.is_file():
            known = ", ".join(sorted(file.stem for file in directory.glob("*.yaml") if file.stem != "base"))
            raise ChartValuesError([f"{name} is missing in {directory}; sizes there are: {known or 'none'}"])
        try:
            # PyYAML's loader in C, a seventh of the time; its packages have it for every platform.
            content = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader) or {}
        except yaml.YAMLError as error:
            mistakes.append(f"{name}: {' '.join(str(error).split())}")
            continue
        mistakes += _file_mistakes(name, content, task_keys, sizing_only=name != "base.yaml")
        values = merge(values, content)
    if mistakes:
        raise ChartValuesError(mistakes)
    return values


def _file_mistakes(
    name: str, content: Mapping[str, Any], task_keys: Iterable[str], *, sizing_only: bool
) -> Iterator[str]:
    read = tuple(f"workers.kubernetes.{key}" for key in sorted(task_keys))
    for path in leaves(content):
        pointer = owner(path)
        if pointer is not None:
            yield f"{name}: {path} may not be set there: {pointer}"
        elif _covers("workers", path) and not any(f"{path}.".startswith(f"{key}.") for key in read):
            free = ", ".join(key for key in read if owner(key) is None)
            yield f"{name}: {path} would have no effect: task pods come from {TASK_POD}, which reads {free}"
        elif sizing_only and not SIZING.intersection(path.split(".")):
            yield f"{name}: {path} is no sizing or placement; move it to base.yaml"


def owner(path: str) -> str | None:
    """Where to change the value at a dotted path, if code decides it; None if it belongs to the files."""
    return next((pointer for key, pointer in _POINTERS.items() if _covers(key, path)), None)


def leaves(content: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """Dotted paths of all values that are not mappings; an empty mapping counts as a value."""
    for key, value in content.items():
        path = f"{prefix}{key}"
        if isinstance(value, Mapping) and value:
            yield from leaves(value, f"{path}.")
        else:
            yield path


def _covers(key: str, path: str) -> bool:
    """Whether setting `path` sets `key` or something below it."""
    return f"{path}.".startswith(f"{key}.") or key.startswith(f"{path}.")


def load_schema(chart: Path) -> Mapping[str, Any]:
    """The values schema of a chart's directory; raises `ChartValuesError` when it is not there."""
    path = chart / "values.schema.json"
    if not path.is_file():
        raise ChartValuesError([f"{path} is missing; run `airflow-env chart`, which fetches the chart"])
    schema: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return schema


def check_schema(values: Mapping[str, Any], schema: Mapping[str, Any]) -> None:
    """Raise `ChartValuesError` with every key that the chart does not know, or does not take this way."""
    plain = _without_outputs(values)
    validator = jsonschema.validators.validator_for(schema)(schema)
    mistakes = [
        f"{'.'.join(map(str, error.absolute_path)) or '(root)'}: {error.message}"
        for error in sorted(
            validator.iter_errors(plain), key=lambda error: list(map(str, error.absolute_path))
        )
    ]
    mistakes += [mistake for mistake in _unknown_keys(plain, schema) if mistake not in mistakes]
    if mistakes:
        raise ChartValuesError(mistakes)


def _unknown_keys(values: Any, schema: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """Keys that the schema does not describe, where it is open by omission only."""
    known = schema.get("properties")
    if not known or not isinstance(values, Mapping) or "$ref" in schema:
        return
    for key, value in values.items():
        if key in known:
            yield from _unknown_keys(value, known[key], f"{prefix}{key}.")
        elif "additionalProperties" not in schema and "patternProperties" not in schema:
            close = difflib.get_close_matches(key, known, n=1)
            hint = f"; did you mean {close[0]}?" if close else ""
            yield f"{prefix}{key}: the chart has no such key{hint}"


def _without_outputs(value: Any) -> Any:
    """The same values with text in place of Outputs: all of them become text."""
    if isinstance(value, pulumi.Output):
        return "output"
    if isinstance(value, Mapping):
        return {key: _without_outputs(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_outputs(item) for item in value]
    return value
