"""What an environment is configured with, as text: its airflow.cfg and its chart values.

Both come from the files alone, by the functions that the program itself calls; nothing is deployed or asked.
"""

from __future__ import annotations

import configparser
import io

import yaml

from infra import airflow_cfg, chart_values
from infra.chart_values_rules import ChartValuesError
from infra.lifecycle import environments
from infra.lifecycle.errors import LifecycleError
from infra.settings import EnvironmentSettings


class _PlainDumper(yaml.SafeDumper):
    """Writes a value out wherever it stands: people read this, and look for keys in it."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002 - the signature is PyYAML's
        return True


def rendered_config(stack: str) -> str:
    """The airflow.cfg overrides of `stack`, in Airflow's format.

    Raises:
        LifecycleError: the stack file or an option is wrong; all mistakes are in the message.
    """
    parser = configparser.RawConfigParser(delimiters=("=",), default_section="")
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    sections = sections_of(stack, environments.settings(stack))
    parser.read_dict({section: dict(options) for section, options in sections.items()})
    text = io.StringIO()
    parser.write(text)
    return text.getvalue().rstrip() + "\n"


def rendered_values(stack: str) -> str:
    """The chart values of `stack`, as YAML. Secrets are referenced by name.

    The pods' checksum annotations are missing: they are hashes of what a deployment makes.

    Raises:
        LifecycleError: the stack file, an option or a values file is wrong; all mistakes are in the message.
    """
    chosen = environments.settings(stack)
    sections = sections_of(stack, chosen)
    try:
        values = chart_values.build_values(chosen, airflow_cfg=sections, wiring=chart_values.ChartWiring())
    except ChartValuesError as error:
        raise LifecycleError(str(error), "Correct the files in charts/values/.") from None
    return str(yaml.dump(values, Dumper=_PlainDumper, sort_keys=True))


def sections_of(stack: str, chosen: EnvironmentSettings) -> airflow_cfg.AirflowCfg:
    names = environments.names(stack, chosen)
    try:
        return airflow_cfg.build_airflow_cfg(
            airflow_cfg.config_files(),
            parameters=airflow_cfg.config_parameters(
                chosen, remote_logs_bucket=names.logs_bucket, secrets_prefix=names.secrets_prefix
            ),
            overrides=chosen.airflow.config,
            catalogue=airflow_cfg.load_catalogue(chosen.airflow.version),
        )
    except airflow_cfg.AirflowCfgError as error:
        raise LifecycleError(str(error), f"Correct airflow_config/ or Pulumi.{stack}.yaml.") from None
