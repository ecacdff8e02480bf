"""airflow.cfg: what a stack file may say, and what comes out of files, parameters and overrides.

Oracles: sections and options that Airflow 3.2 is known to have, the mistakes that public deployments of this
chart were found with, and Python's own parser for the format.
"""

from __future__ import annotations

import configparser
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pulumi
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from infra import airflow_cfg, airflow_cfg_rules
from infra.settings import EnvironmentSettings

PARAMETERS = {
    "base_url": "https://airflow.example.com",
    "parallelism": 32,
    "region": "eu-west-1",
    "remote_logs_bucket": "logs",
    "secrets_prefix": "airflow/one",
    "task_logs_prefix": "task-logs",
    "xcom_prefix": "xcom",
    "xcom_threshold_bytes": 65536,
}


@pytest.fixture(scope="module")
def catalogue() -> airflow_cfg_rules.OptionCatalogue:
    return airflow_cfg.load_catalogue("3.2.2")


def build(
    catalogue: airflow_cfg_rules.OptionCatalogue,
    overrides: Mapping[str, Mapping[str, Any]] | None = None,
    files: list[Path] | None = None,
    parameters: Mapping[str, Any] = PARAMETERS,
) -> airflow_cfg.AirflowCfg:
    return airflow_cfg.build_airflow_cfg(
        airflow_cfg.config_files() if files is None else files,
        parameters=parameters,
        overrides=overrides or {},
        catalogue=catalogue,
    )


def mistakes(catalogue: airflow_cfg_rules.OptionCatalogue, **sections: Mapping[str, Any]) -> tuple[str, ...]:
    with pytest.raises(airflow_cfg.AirflowCfgError) as raised:
        build(catalogue, sections, files=[])
    return raised.value.mistakes


def test_our_own_files_are_valid_and_keep_logs_and_large_xcoms_in_the_bucket(catalogue):
    config = build(catalogue)
    assert config["common.io"]["xcom_objectstorage_path"] == "s3://logs/xcom"
    assert config["common.io"]["xcom_objectstorage_threshold"] == "65536"
    assert config["core"]["xcom_backend"].endswith(".XComObjectStorageBackend")
    assert config["logging"]["remote_logging"] == "True"
    assert config["logging"]["remote_base_log_folder"] == "s3://logs/task-logs"
    assert config["logging"]["remote_log_conn_id"] == ""
    kwargs = json.loads(str(config["secrets"]["backend_kwargs"]))
    assert kwargs["connections_prefix"] == "airflow/one/connections"
    assert kwargs["config_prefix"] is None


def test_all_values_are_text(catalogue):
    config = build(catalogue, {"core": {"max_active_runs_per_dag": 8, "lazy_load_plugins": True}})
    assert {type(text) for options in config.values() for text in options.values()} == {str}
    assert config["core"]["max_active_runs_per_dag"] == "8"
    assert config["core"]["lazy_load_plugins"] == "True"


def test_a_large_number_does_not_become_a_float(catalogue):
    config = build(catalogue, {"core": {"max_map_length": 40960000}}, files=[])
    assert config == {"core": {"max_map_length": "40960000"}}


# What public deployments of this chart set without effect, and what they meant.
@pytest.mark.parametrize(
    ("section", "option", "value", "expected"),
    [
        ("core", "remote_logging", "True", "it is in [logging]"),
        ("core", "colored_console_log", "False", "it is in [logging]"),
        ("logging", "delete_worker_pods", "False", "it is in [kubernetes_executor]"),
        ("kubernetes", "namespace", "airflow", "it is in [kubernetes_executor]"),
        ("webserver", "enable_proxy_fix", "True", "write [fab] enable_proxy_fix"),
        ("scheduler", "standalone_dag_processor", "True", "unknown option for Airflow 3.2.2"),
        ("webserver", "expose_config", "True", "write [api] expose_config"),
        ("scheduler", "dag_dir_list_interval", "30", "write [dag_processor] refresh_interval"),
        ("core", "enable_xcom_pickling", "True", "was removed"),
    ],
)
def test_known_mistakes_of_public_deployments_are_refused_with_the_right_place(
    catalogue, section, option, value, expected
):
    (mistake,) = mistakes(catalogue, **{section: {option: value}})
    assert mistake.startswith(f"airflow:airflow.config.{section}.{option}: ")
    assert expected in mistake


@pytest.mark.parametrize(
    ("section", "option", "value", "expected"),
    [
        ("core", "max_active_run_per_dag", "3", "did you mean max_active_runs_per_dag?"),
        ("shceduler", "frobnicate", "3", "did you mean scheduler?"),
        ("core", "fernet_key", "x", "Kubernetes Secret"),
        ("database", "sql_alchemy_conn", "x", "environment variable"),
        ("database", "sql_alchemy_conn_cmd", "cat x", "Secrets Manager"),
        ("api_auth", "jwt_secret", "x", "airflow-env rotate jwt"),
        ("core", "executor", "LocalExecutor", "infra/chart_values.py"),
        ("core", "parallelism", "3", "`airflow.parallelism`"),
        ("api", "base_url", "http://x", "`access.host`"),
        ("logging", "remote_logging", "False", "always kept"),
        ("api", "expose_config", "True", "stays off"),
        ("core", "xcom_backend", "airflow.sdk.bases.xcom.BaseXCom", "set `xcom`"),
        ("common.io", "xcom_objectstorage_path", "s3://elsewhere/xcom", "environment's bucket"),
        ("common.io", "xcom_objectstorage_threshold", "-1", "`xcom.thresholdBytes`"),
        ("common.io", "xcom_objectstorage_compression", "gzip", "are lost"),
        ("fab", "config_file", "/etc/other.py", "`access.oidc`"),
        ("fab", "auth_role_public", "Admin", "without signing in"),
        ("logging", "trigger_log_server_port", "9000", "8794"),
        ("logging", "worker_log_server_port", "9000", "network policies"),
        ("sentry", "sentry_dsn", "https://x", "is a secret"),
        ("elasticsearch_configs", "password", "hunter2", "Secrets Manager"),
        ("elasticsearch_configs", "basic_auth", "me:hunter2", "Secrets Manager"),
        ("opensearch_configs", "api_key", "hunter2", "Secrets Manager"),
        ("core", "default_timezone", "{{ .Values }}", "run as a template"),
        ("core", "default_timezone", "a\nb", "more than one line"),
        ("logging", "log_format", "%(message)s", "write %%"),
        ("smtp", "smtp_host", "smtp://me:pass@host", "URL with a password"),
        ("core", "max_map_length", "many", "is no integer"),
        ("kubernetes_executor", "delete_worker_pods", "Flase", "allowed: True, False"),
        ("core", "max_map_length", None, "allowed: text, number, boolean"),
        ("core", "default_timezone", "${nothing}", "unknown parameter ${nothing}"),
        ("core", "default_timezone", "$HOME", "write ${name}, or $$"),
    ],
)
def test_what_would_have_no_effect_or_do_harm_is_refused(catalogue, section, option, value, expected):
    (mistake,) = mistakes(catalogue, **{section: {option: value}})
    assert mistake.startswith(f"airflow:airflow.config.{section}.{option}: ")
    assert expected in mistake


def test_all_mistakes_are_reported_together(catalogue):
    found = mistakes(
        catalogue, core={"remote_logging": "1", "max_map_length": "x"}, nowhere={"zzz": "1", "yyy": "2"}
    )
    assert len(found) == 4


def test_options_of_free_form_sections_that_are_no_secrets_are_taken(catalogue):
    given = {
        "elasticsearch_configs": {"http_compress": "True", "ca_certs": "/etc/ca.pem", "max_retries": "3"}
    }
    assert build(catalogue, given, files=[]) == given


def test_escaped_percent_and_dollar_reach_airflow(catalogue):
    config = build(catalogue, {"logging": {"log_format": "%%(message)s $$HOME"}}, files=[])
    assert config["logging"]["log_format"] == "%%(message)s $HOME"


def test_the_file_and_line_of_a_broken_file_are_named(catalogue, tmp_path):
    path = tmp_path / "broken.cfg"
    path.write_text("[core]\nparallelism = 3\nparallelism = 4\n")
    with pytest.raises(airflow_cfg.AirflowCfgError, match=r"broken.cfg.*line\s*3"):
        build(catalogue, files=[path])


def test_later_files_win_and_overrides_win_over_files(catalogue, tmp_path):
    for name, value in (("a.cfg", 1), ("b.cfg", 2)):
        (tmp_path / name).write_text(
            f"[core]\nmax_map_length = {value}\nmax_templated_field_length = {value}\n"
        )
    files = [tmp_path / "a.cfg", tmp_path / "b.cfg"]
    config = build(catalogue, {"core": {"max_map_length": "3"}}, files=files)
    assert config["core"] == {"max_map_length": "3", "max_templated_field_length": "2"}


def test_only_options_with_an_output_become_outputs(catalogue):
    bucket = pulumi.Output.from_input("bucket-of-output")
    config = build(catalogue, parameters={**PARAMETERS, "remote_logs_bucket": bucket})
    outputs = {
        (section, option)
        for section, options in config.items()
        for option, text in options.items()
        if isinstance(text, pulumi.Output)
    }
    assert outputs == {("logging", "remote_base_log_folder"), ("common.io", "xcom_objectstorage_path")}


def test_an_output_is_filled_in_beside_text_with_braces(catalogue, tmp_path):
    path = tmp_path / "x.cfg"
    path.write_text('[secrets]\nbackend_kwargs = {"a": {"b": "${prefix}-${region}"}}\n')
    prefix = pulumi.Output.from_input("p")
    config = build(catalogue, files=[path], parameters={"prefix": prefix, "region": "r"})
    seen: list[str] = []

    @pulumi.runtime.test
    def resolve() -> Any:
        return pulumi.Output.all(config["secrets"]["backend_kwargs"]).apply(seen.extend)

    resolve()
    assert seen == ['{"a": {"b": "p-r"}}']


def test_a_version_without_catalogue_names_those_that_exist():
    with pytest.raises(airflow_cfg.AirflowCfgError, match=r"3\.99\.0; there is: .*3\.2"):
        airflow_cfg.load_catalogue("3.99.0")


def test_the_catalogue_knows_what_airflow_has_and_what_it_has_not(catalogue):
    assert catalogue.find("kubernetes_executor", "worker_pods_creation_batch_size")
    assert catalogue.find("core", "fernet_key").sensitive
    assert catalogue.find("core", "sql_alchemy_conn") is None
    assert catalogue.find("api", "expose_config").type == "string"  # also "non-sensitive-only"
    assert len(catalogue.sections) > 35


def test_every_refused_option_is_an_option_of_this_airflow(catalogue):
    """A pointer for an option that is gone would never be read."""
    for key in (*airflow_cfg_rules.SHADOWED, *airflow_cfg_rules.OWNED):
        assert catalogue.find(*key.rsplit(".", 1)), key


def test_parameters_follow_the_settings():
    settings = EnvironmentSettings.model_validate(
        {
            "region": "eu-west-1",
            "accountId": "123456789012",
            "owner": "x",
            "cluster": {"stack": "a/b/c"},
            "access": {"host": "airflow.example.com"},
            "networkPolicies": {"enabled": False},
        }
    )
    parameters = airflow_cfg.config_parameters(settings, remote_logs_bucket="b", secrets_prefix="p")
    assert parameters["base_url"] == "https://airflow.example.com"
    assert build(airflow_cfg.load_catalogue("3.2.2"), parameters=parameters)


CATALOGUE = airflow_cfg.load_catalogue("3.2.2")
# Mostly what people write, so that much of it is accepted; and anything at all.
TEXTS = st.text(st.sampled_from("abz019 .,:;=#%$'\"[]()/\\-_~!\tä")) | st.text()


@given(TEXTS)
def test_any_text_comes_through_chart_and_airflow_unchanged_or_is_refused(text):
    """What is accepted is what YAML's block and then ConfigParser, as Airflow uses it, read back."""
    try:
        config = build(CATALOGUE, {"core": {"default_timezone": text}}, files=[])
    except airflow_cfg.AirflowCfgError:
        return
    accepted = str(config["core"]["default_timezone"])
    block = yaml.safe_load(f"airflow.cfg: |-\n  [core]\n  default_timezone = {accepted}\n  security = x\n")
    parser = configparser.ConfigParser()
    parser.read_file(io.StringIO(block["airflow.cfg"]))
    assert parser["core"]["default_timezone"] == accepted.replace("%%", "%").strip()
    assert parser["core"]["security"] == "x"
