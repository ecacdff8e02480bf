"""The stand-in chart against the official one: under our values both make the same of Airflow.

The oracle is the official chart, where it is at hand. Compared is everything that the Kubernetes API would
see, apart from what `comparable` takes out, each with its reason.
"""

from __future__ import annotations

import copy
import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from chart_rendering import SCENARIO_NAMES, run_helm, scenario_values

from infra import chart_values_rules

pytestmark = pytest.mark.chart

# Sections that the official chart always writes and that nothing reads here: other executors and backends,
# and options that Airflow 3 no longer has.
INERT_SECTIONS = {
    "celery",
    "celery_kubernetes_executor",
    "elasticsearch",
    "elasticsearch_configs",
    "kerberos",
    "webserver",
}
INERT_OPTIONS = {("scheduler", "standalone_dag_processor")}
# The order of these lists has a meaning; all others are sets to Kubernetes.
ORDERED = {"args", "command"}

OUR_CHECKSUMS = {
    "checksum/secrets",
    "checksum/database-ca",
    "checksum/pgbouncer",
    "checksum/webserver-config",
}

scenarios = pytest.mark.parametrize("scenario", SCENARIO_NAMES)


def comparable(node: Any, key: str = "") -> Any:
    """The same without what is empty, and with lists in one order."""
    if isinstance(node, dict):
        items = {name: comparable(child, name) for name, child in node.items()}
        return {name: child for name, child in items.items() if child not in (None, {}, [])}
    if isinstance(node, list):
        children = [comparable(child) for child in node]
        return children if key in ORDERED else sorted(children, key=repr_in_order)
    return node


def repr_in_order(node: Any) -> str:
    return repr(sorted(node.items(), key=str)) if isinstance(node, dict) else repr(node)


def manifests(render: Any) -> dict[tuple[str, str], Any]:
    """All objects, comparable."""
    found = {}
    for identity, manifest in render.objects.items():
        manifest = comparable(manifest)
        # The official chart leaves it to helm at most objects.
        manifest["metadata"].pop("namespace", None)
        if identity[0] == "ConfigMap":
            # The texts are compared as what they mean, below; statsd's mappings are our own.
            if identity[1].endswith("-api-server-config"):
                found[identity] = manifest
                continue
            manifest["data"] = set(manifest["data"])
        if identity[0] == "Deployment":
            template = manifest["spec"]["template"]
            annotations = template["metadata"].pop("annotations", {})
            template["annotations"] = {
                name: value
                for name, value in annotations.items()
                # Hashes of the chart's own texts differ; ours are compared.
                if not name.startswith("checksum/") or name in OUR_CHECKSUMS
            }
            for container in template["spec"]["containers"]:
                shorten_checks(container)
        found[identity] = manifest
    return found


def shorten_checks(container: dict[str, Any]) -> None:
    """Of a command that checks a job, keep which job: the official chart wraps it into a shell."""
    for kind in ("livenessProbe", "startupProbe"):
        command = container.get(kind, {}).get("exec", {}).get("command")
        if command and container["name"] != "metrics-exporter":
            words = set(" ".join(command).split())
            assert {"airflow", "jobs", "check", "--local", "--job-type"} <= words
            container[kind]["exec"] = {word for word in words if word.endswith("Job")}


@scenarios
def test_both_charts_make_the_same_objects(rendered, official, stand_in, scenario):
    theirs, ours = manifests(rendered(official, scenario)), manifests(rendered(stand_in, scenario))
    assert ours.keys() == theirs.keys()
    for identity, manifest in theirs.items():
        assert ours[identity] == manifest, identity


@scenarios
def test_both_charts_configure_airflow_alike(rendered, official, stand_in, scenario):
    theirs, ours = rendered(official, scenario).airflow_cfg, rendered(stand_in, scenario).airflow_cfg
    for section in INERT_SECTIONS:
        del theirs[section]
    for section, option in INERT_OPTIONS:
        del theirs[section][option]
    assert ours == {section: options for section, options in theirs.items() if options}


@scenarios
def test_both_charts_make_the_same_task_pod(rendered, official, stand_in, scenario):
    theirs, ours = rendered(official, scenario).task_pod, rendered(stand_in, scenario).task_pod
    assert comparable(ours) == comparable(theirs)


@scenarios
def test_the_official_schema_takes_our_values(official, scenario):
    """With the check that is stricter than helm's: a key that no template reads is refused too."""
    schema = chart_values_rules.load_schema(official)
    chart_values_rules.check_schema(scenario_values(scenario), schema)


@pytest.fixture(scope="module")
def with_notes(official, tmp_path_factory) -> Path:
    """The official chart with its notes as a template: helm renders notes at an installation only."""
    copy = tmp_path_factory.mktemp("notes") / "airflow"
    shutil.copytree(official, copy)
    notes = copy / "templates" / "NOTES.txt"
    notes.rename(notes.with_name("notes.yaml"))
    return copy


@scenarios
def test_no_other_key_of_ours_is_deprecated_in_the_official_chart(helm, with_notes, scenario, tmp_path):
    """Its notes warn of each. Up to 1.21 only the old key of the workers' account decides who launches."""
    path = tmp_path / "values.json"
    path.write_text(json.dumps(scenario_values(scenario)), encoding="utf-8")
    # The notes are no YAML, so helm fails after it has printed them.
    result = run_helm(helm, with_notes, path, "--debug", "--show-only", "templates/notes.yaml")
    assert "Thank you for installing" in result.stdout, result.stderr
    renamed = set(re.findall(r"`([^`]+)`\s+has been (?:renamed|moved|deprecated)", result.stdout))
    assert result.stdout.upper().count("DEPRECATION WARNING") == len(renamed)
    assert {name.rpartition(".")[0] for name in renamed} == {"workers.serviceAccount"}


def test_the_stand_in_holds_no_text_of_the_official_chart(official, stand_in):
    """No line is in both that is more than a name and one field of Kubernetes."""

    def lines(chart: Path) -> set[str]:
        return {
            line.strip()
            for path in chart.rglob("*")
            if path.is_file() and path.suffix in (".yaml", ".tpl", ".txt", ".json")
            for line in path.read_text(encoding="utf-8").splitlines()
            if len(line.strip()) > 64
        }

    assert lines(stand_in) & lines(official) == set()


# What the official chart does with a wrong key: "refused" by its schema, or "ignored" without a word.
WRONG_KEYS = {
    "pgbouncer.poolSize": "refused",
    "cleanup.retentionDays": "refused",
    "networkPolicies.clientNetworks": "refused",
    "apiserver": "ignored",
    "workers.kubernetes.resource": "ignored",
    "statsd.serviceAccount.tokens": "ignored",
}


@pytest.mark.parametrize(("key", "outcome"), WRONG_KEYS.items())
def test_a_wrong_key_that_the_official_chart_ignores_is_refused_before(
    helm, official, key, outcome, tmp_path
):
    """So a typo is never a setting without effect."""
    values = copy.deepcopy(scenario_values("medium"))
    *above, last = key.split(".")
    place = values
    for name in above:
        place = place.setdefault(name, {})
    place[last] = {}
    path = tmp_path / "values.json"
    path.write_text(json.dumps(values), encoding="utf-8")
    result = run_helm(helm, official, path)
    assert (result.returncode != 0) == (outcome == "refused"), result.stderr
    with pytest.raises(chart_values_rules.ChartValuesError, match=last):
        chart_values_rules.check_schema(values, chart_values_rules.load_schema(official))
