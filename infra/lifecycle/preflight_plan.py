"""Preflight of what the program computes before it registers anything: each part is a row of its own.

The program would say the same, but only after the cluster was made, and one mistake at a time.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Final

import pulumi

from infra import chart_values, config
from infra.airflow_cfg import AirflowCfg
from infra.ca_bundle import download_url, read_ca_bundle
from infra.chart_values_rules import check_schema, load_schema
from infra.cluster_settings import ClusterProjectSettings
from infra.connection_budget import connection_budget
from infra.lifecycle import chart_source, checkout, environments, rendering
from infra.lifecycle.errors import LifecycleError
from infra.lifecycle.report import Outcome, Row
from infra.settings import EnvironmentSettings

NAMES: Final = ("airflow.cfg", "chart values", "connections", "certificate authorities", "cluster file")


def rows(stack: str, chosen: EnvironmentSettings) -> list[Row]:
    """Judge airflow.cfg, chart values, connections, certificate authorities, and the cluster's stack file."""
    configuration, values, connections, authorities, _ = NAMES
    get = f"Put the bundle of the region there: {download_url(chosen.region)}"
    bundle = _row(authorities, lambda: _authorities(chosen), get)
    try:
        sections = rendering.sections_of(stack, chosen)
    except LifecycleError as error:
        unjudged = [Row(name, Outcome.NOT_JUDGED, "needs airflow.cfg") for name in (values, connections)]
        return [
            Row.judged(configuration, False, error.message, error.next_step),
            *unjudged,
            bundle,
            cluster_row(chosen),
        ]
    options = sum(len(section) for section in sections.values())
    return [
        Row.judged(configuration, True, f"{options} options, all known to Airflow {chosen.airflow.version}"),
        _row(values, lambda: _values(chosen, sections), "Correct the files in charts/values/."),
        _row(
            connections, lambda: _connections(chosen, sections), "Change one of the keys that the row names."
        ),
        bundle,
        cluster_row(chosen),
    ]


def cluster_row(chosen: EnvironmentSettings) -> Row:
    """Judge the file of the cluster's stack where it is this checkout's: alone, and beside `chosen`."""
    name, stack, files = NAMES[-1], environments.own_cluster_stack(chosen), checkout.cluster_files()
    if stack is None:
        return Row(name, Outcome.NOT_APPLICABLE, "the cluster is not one of this checkout's")
    if not files.path(stack).is_file():
        return Row(name, Outcome.NOT_APPLICABLE, f"cluster/{files.path(stack).name} is not there")
    correct = f"Correct cluster/{files.path(stack).name}, or what Pulumi.STACK.yaml says of it."
    try:
        cluster = config.parse_file(ClusterProjectSettings, files.name, files.configuration(stack))
    except LifecycleError as error:
        return Row.judged(name, False, error.message, error.next_step)
    except config.SettingsError as error:
        return Row.judged(name, False, str(error), correct)
    places = ((cluster.account_id, cluster.region), (chosen.account_id, chosen.region))
    theirs, ours = (f"account {account}, {region}" for account, region in places)
    seen = f"cluster: {theirs}; environment: {ours}"
    return Row.judged(name, places[0] == places[1], seen, correct)


def _row(name: str, look: Callable[[], str], next_step: str) -> Row:
    try:
        return Row.judged(name, True, look())
    # What is wrong with a file is a RunError, all else of ours a ValueError.
    except (pulumi.RunError, ValueError) as error:
        return Row.judged(name, False, str(error), next_step)


def _values(chosen: EnvironmentSettings, sections: AirflowCfg) -> str:
    values = chart_values.build_values(chosen, airflow_cfg=sections, wiring=chart_values.ChartWiring())
    check_schema(values, load_schema(checkout.ROOT / chart_source.PLACE))
    return "fit the chart's schema"


def _connections(chosen: EnvironmentSettings, sections: AirflowCfg) -> str:
    values = chart_values.build_values(chosen, airflow_cfg=sections, wiring=chart_values.ChartWiring())
    budget = connection_budget(chosen, values=values, airflow_cfg=sections)
    budget.check()
    return f"{budget.total} in a rollout; allowed: {budget.allowed} ({budget.limit_is})"


def _authorities(chosen: EnvironmentSettings) -> str:
    text = read_ca_bundle(
        chosen.database.ca_bundle, root=checkout.ROOT, region=chosen.region, environment=os.environ
    )
    return f"{text.count('-----BEGIN CERTIFICATE-----')} certificates"
