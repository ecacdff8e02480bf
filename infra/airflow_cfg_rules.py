"""What may stand in airflow.cfg: options that exist, have an effect and are no secret; text that survives.

Pure. The checks add one line for each mistake to a `Mistakes`; none of them raises.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

# Where overrides stand in a stack file.
STACK_FILE: Final = "airflow:airflow.config"

_BUILT_IN: Final = (
    "the pods get it from a Kubernetes Secret as an environment variable, which wins over airflow.cfg"
)
_CHART: Final = "the chart computes it"
_XCOM: Final = "large XComs are always kept in the environment's bucket"

# Options that have no effect in airflow.cfg, or that break the deployment there: refused everywhere.
# Source: the environment and the defaults that the chart renders (templates and `config` of its values).
SHADOWED: Final[Mapping[str, str]] = {
    "core.fernet_key": f"{_BUILT_IN}; it is made once, and kept in state",
    "database.sql_alchemy_conn": f"{_BUILT_IN}; set `database` in the stack file",
    "database.sql_alchemy_conn_async": f"{_BUILT_IN}; set `database` in the stack file",
    "api.secret_key": f"{_BUILT_IN}; it is made once, and kept in state",
    "api_auth.jwt_secret": "tokens are signed by a key that can be rotated; `airflow-env rotate jwt`",
    "core.executor": "the chart's roles depend on it; infra/chart_values.py fixes KubernetesExecutor",
    "core.load_examples": "the image sets AIRFLOW__CORE__LOAD_EXAMPLES, which wins; examples stay off",
    "core.dags_folder": f"{_CHART}; set `dags` in the stack file",
    "core.execution_api_server_url": f"{_CHART} from [api] base_url",
    "dag_processor.dag_bundle_config_list": "set `dags` in the stack file",
    "kubernetes_executor.namespace": f"{_CHART}: the namespace of the release",
    "kubernetes_executor.pod_template_file": f"{_CHART}; edit charts/values/task_pod.yaml.tpl",
    "kubernetes_executor.worker_container_repository": "set `airflow.image` in the stack file",
    "kubernetes_executor.worker_container_tag": "set `airflow.image` in the stack file",
    "kubernetes_executor.multi_namespace_mode": f"{_CHART}; an environment is one namespace",
    "metrics.statsd_on": f"{_CHART} from `statsd` of its values",
    "metrics.statsd_host": f"{_CHART} from `statsd` of its values",
    "metrics.statsd_port": f"{_CHART} from `statsd` of its values",
    "api.port": "the chart's Service and probes use 8080",
    "logging.trigger_log_server_port": "the chart's Service and the network policies use 8794",
    "logging.worker_log_server_port": "the network policies open no other; logs of tasks are in the bucket",
}

# Options that airflow_config/ sets on purpose: refused in a stack file.
OWNED: Final[Mapping[str, str]] = {
    "core.parallelism": "set `airflow.parallelism` in the stack file",
    "core.xcom_backend": f"{_XCOM}; set `xcom` in the stack file",
    "common.io.xcom_objectstorage_path": f"{_XCOM}; the pods' roles reach no other place",
    "common.io.xcom_objectstorage_threshold": "set `xcom.thresholdBytes` in the stack file",
    "common.io.xcom_objectstorage_compression": "errors of a compressed upload are lost, and the XCom too",
    "core.auth_manager": "users and roles depend on it; airflow_config/airflow.cfg sets it for all",
    "api.base_url": "set `access.host` in the stack file",
    "database.sql_alchemy_schema": "migration and pods use the schema of the environment's own database",
    "fab.config_file": "edit airflow_config/webserver_config.py, or set `access.oidc` in the stack file",
    "fab.auth_role_public": "everybody who reaches Airflow would have the role without signing in",
    "api.expose_config": "it would show the configuration to every user; it stays off",
    "api_auth.trusted_jwks_url": "running tasks depend on it; `airflow-env rotate jwt` makes new keys",
    "api_auth.jwt_private_key_path": "running tasks depend on it; `airflow-env rotate jwt` makes new keys",
    "api_auth.jwt_kid": "it has to be the key's thumbprint, which Airflow computes",
    "api_auth.jwt_algorithm": "the kind of key decides it",
    "logging.remote_logging": "task logs are always kept in the environment's bucket",
    "logging.remote_base_log_folder": "task logs are always kept in the environment's bucket",
    "logging.remote_log_conn_id": "the pods' own identity writes the logs",
    "secrets.backend": "Connections and Variables come from AWS Secrets Manager",
    "secrets.backend_kwargs": "the prefix is the environment's own, and its role reads no other",
    "workers.secrets_backend": "tasks read Connections and Variables through the API server",
}

# What the count of connections rests on (infra/connection_budget.py), with the least that it can count. To
# SQLAlchemy a pool of 0 and an overflow of -1 have no limit:
# https://docs.sqlalchemy.org/en/20/core/pooling.html#sqlalchemy.pool.QueuePool.__init__
COUNTED: Final[Mapping[str, int]] = {
    "database.sql_alchemy_pool_size": 1,
    "database.sql_alchemy_max_overflow": 0,
    "api.workers": 1,
}
POOLED: Final = "database.sql_alchemy_pool_enabled"

# Described as sensitive by Airflow, since a backend could want a password in it; ours holds prefixes only.
NOT_SECRET: Final = frozenset({"secrets.backend_kwargs"})
_SECRETS_BELONG: Final = (
    "airflow.cfg is a ConfigMap; keep secrets in AWS Secrets Manager as a Connection or Variable"
)

# What such a name holds is a secret: the catalogue can't say so of free-form sections. The words are those of
# Airflow's own masks (airflow_shared.secrets_masker) and of the Elasticsearch and OpenSearch clients.
_SECRET_NAME: Final = re.compile(
    r"pass(word|wd|phrase)|secret|token|auth|credential|(api|private)_?key", re.I
)

_TRUE: Final = frozenset({"t", "true", "1"})
_BOOLEANS: Final = _TRUE | {"f", "false", "0"}  # what Airflow's getboolean reads
_PERCENT: Final = re.compile(r"%(?!%)")
# What a block of YAML does not hold: control characters, Unicode's own line ends, surrogates.
# https://yaml.org/spec/1.1/#id868524
_UNPRINTABLE: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]")
_PASSWORD_IN_URL: Final = re.compile(r"://[^/\s:@]*:[^/\s@]+@")


class Mistakes(list[str]):
    """The mistakes found so far, one line each."""

    def add(self, mistake: str) -> None:
        """Add a line, once."""
        if mistake not in self:
            self.append(mistake)

    def at(self, section: str, option: str, where: str, problem: str) -> None:
        """Add a line about an option, with the place where it stands: a file, or the stack file's key."""
        key = f"{STACK_FILE}.{section}.{option}"
        self.add(f"{key if where == STACK_FILE else f'[{section}] {option} ({where})'}: {problem}")

    @staticmethod
    def nearest(name: str, names: Iterable[str]) -> str:
        """`; did you mean X?` for the nearest of `names`, else the list of them if that is short."""
        names = sorted(names)
        if close := difflib.get_close_matches(name, names, n=1, cutoff=0.6):
            return f"; did you mean {close[0]}?"
        return f"; allowed: {', '.join(names)}" if 0 < len(names) <= 12 else ""


@dataclass(frozen=True)
class Option:
    """An option of the catalogue; `type` is string, integer, float or boolean."""

    type: str
    sensitive: bool


@dataclass(frozen=True)
class OptionCatalogue:
    """The options of one Airflow version and its providers; keys of the flat mappings are section.option."""

    airflow: str
    sections: Mapping[str, Mapping[str, Option]]
    free_form: frozenset[str]
    renamed: Mapping[str, str]
    removed: frozenset[str]

    @classmethod
    def parse(cls, data: Mapping[str, Any]) -> OptionCatalogue:
        """From the JSON that airflow_config/generate_options.py writes."""
        sections = {
            name: {
                option: Option(fields["type"], fields.get("sensitive", False))
                for option, fields in section["options"].items()
            }
            for name, section in data["sections"].items()
        }
        free_form = frozenset(name for name, section in data["sections"].items() if section.get("free_form"))
        return cls(data["airflow"], sections, free_form, data["renamed"], frozenset(data["removed"]))

    def find(self, section: str, option: str) -> Option | None:
        """The option, or None if this version has no such option."""
        return self.sections.get(section, {}).get(option)

    def sections_with(self, option: str) -> list[str]:
        """The sections that have an option of this name."""
        return sorted(name for name, options in self.sections.items() if option in options)


def check_option(
    section: str, option: str, where: str, overrides: bool, catalogue: OptionCatalogue, mistakes: Mistakes
) -> None:
    """Whether the option may be set there: it exists, has an effect, and is no secret."""
    key = f"{section}.{option}"
    found = catalogue.find(section, option)
    secret_source = option.removesuffix("_cmd").removesuffix("_secret")
    if key in SHADOWED:
        mistakes.at(section, option, where, f"may not be set: {SHADOWED[key]}")
    elif overrides and key in OWNED:
        mistakes.at(section, option, where, f"may not be set: {OWNED[key]}")
    elif found is None and secret_source != option and catalogue.find(section, secret_source):
        mistakes.at(section, option, where, f"may not be set: {_SECRETS_BELONG}")
    elif found is None and section not in catalogue.free_form:
        mistakes.at(section, option, where, _unknown(section, option, catalogue))
    elif found is None and _SECRET_NAME.search(option):
        mistakes.at(section, option, where, f"looks like a secret by its name; {_SECRETS_BELONG}")
    elif found is not None and found.sensitive and key not in NOT_SECRET:
        mistakes.at(section, option, where, f"is a secret; {_SECRETS_BELONG}")


def _unknown(section: str, option: str, catalogue: OptionCatalogue) -> str:
    """Why an option is not known, and what to write for it."""
    key = f"{section}.{option}"
    successor = key
    while successor in catalogue.renamed:
        successor = catalogue.renamed[successor]
    if successor != key:
        new_section, new_option = successor.rsplit(".", 1)
        return f"was renamed; write [{new_section}] {new_option}"
    if key in catalogue.removed:
        return f"was removed from Airflow before {catalogue.airflow}; delete it"
    if elsewhere := catalogue.sections_with(option):
        return f"is no option of this section; it is in {' and '.join(f'[{name}]' for name in elsewhere)}"
    if section not in catalogue.sections:
        nearest = Mistakes.nearest(section, catalogue.sections)
        return f"unknown section for Airflow {catalogue.airflow}{nearest}"
    nearest = Mistakes.nearest(option, catalogue.sections[section])
    return f"unknown option for Airflow {catalogue.airflow}{nearest}"


def check_text(
    section: str, option: str, where: str, text: str, known: Option | None, mistakes: Mistakes
) -> None:
    """Whether the text reaches Airflow unchanged through the chart's templates and Airflow's parser."""
    problems = [
        ("{{" in text, "contains {{, which the chart would run as a template"),
        (
            "\n" in text or "\r" in text,
            "has more than one line, which would break the ConfigMap; join the lines",
        ),
        (
            _UNPRINTABLE.search(text.replace("\n", "").replace("\r", "")),
            "has a control character or a byte that YAML does not keep; remove it",
        ),
        (_PERCENT.search(text.replace("%%", "")), "has a single %, which Airflow interpolates; write %%"),
        (_PASSWORD_IN_URL.search(text), f"looks like a URL with a password; {_SECRETS_BELONG}"),
    ]
    for present, problem in problems:
        if present:
            mistakes.at(section, option, where, problem)
    uncounted = _uncounted(f"{section}.{option}", text.strip()) if known is not None else None
    if uncounted is not None:
        mistakes.at(section, option, where, f"{text!r}: {uncounted}")
        return
    reads = _READS.get(known.type) if known is not None else None
    if known is not None and reads is not None and not reads(text.strip()):
        mistakes.at(section, option, where, f"{text!r} is no {known.type}{_ALLOWED.get(known.type, '')}")


def _uncounted(key: str, text: str) -> str | None:
    """What is allowed where the connections of a process could not be counted by this text."""
    if key == POOLED and text.lower() not in _TRUE:
        return "allowed: True; without pools nobody can tell how many connections Airflow opens"
    least = COUNTED.get(key)
    if least is None or (_reads_as(int)(text) and int(text) >= least):
        return None
    return f"allowed: {least} or more, without which nobody can tell how many connections Airflow opens"


def _reads_as(number: Callable[[str], Any]) -> Callable[[str], bool]:
    def reads(text: str) -> bool:
        try:
            number(text)
        except ValueError:
            return False
        return True

    return reads


# Empty text means unset for options whose default is unset, whatever their type.
_READS: Final[Mapping[str, Callable[[str], bool]]] = {
    "boolean": lambda text: text.lower() in _BOOLEANS,
    "integer": lambda text: not text or _reads_as(int)(text),
    "float": lambda text: not text or _reads_as(float)(text),
}
_ALLOWED: Final[Mapping[str, str]] = {"boolean": "; allowed: True, False"}
