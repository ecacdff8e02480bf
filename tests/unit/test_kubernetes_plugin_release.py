"""Releases: inputs, the chart's checksum, leftovers of killed runs, and how helm is called."""

from __future__ import annotations

import json
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from embedded.plugins.common.errors import PluginError
from embedded.plugins.common.naming import NameSource
from embedded.plugins.common.properties import UNKNOWN, Properties
from embedded.plugins.common.values import Asset
from embedded.plugins.kubernetes.helm import binary, chart, records
from embedded.plugins.kubernetes.helm import release as releases
from embedded.plugins.kubernetes.helm.records import Record, Way
from embedded.plugins.kubernetes.helm.release import Release
from embedded.plugins.kubernetes.settings import Settings
from hypothesis import given
from hypothesis import strategies as st
from kubernetes_plugin_api_server import kubeconfig

FAKE_HELM = """#!{python}
import json, os, pathlib, sys
call = {{
    "argv": sys.argv[1:],
    "stdin": sys.stdin.read(),
    "kubeconfig": pathlib.Path(os.environ["KUBECONFIG"]).read_text(),
    "on_disk": os.path.realpath(os.environ["KUBECONFIG"]),
}}
with open({calls!r}, "a") as file:
    file.write(json.dumps(call) + "\\n")
answer = json.loads(pathlib.Path({answer!r}).read_text())
sys.stdout.write(answer["stdout"])
sys.stderr.write(answer["stderr"])
sys.exit(answer["status"])
"""


class FakeHelm:
    """A helm that notes how it is called and answers what it is told to."""

    def __init__(self, directory: Path) -> None:
        self._calls, self._answer = directory / "calls", directory / "answer"
        self.path = directory / "helm"
        text = FAKE_HELM.format(python=sys.executable, calls=str(self._calls), answer=str(self._answer))
        self.path.write_text(text)
        self.path.chmod(0o755)
        self.will()

    def will(self, stdout: str = "", stderr: str = "", status: int = 0) -> None:
        self._answer.write_text(json.dumps({"stdout": stdout, "stderr": stderr, "status": status}))

    @property
    def calls(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._calls.read_text().splitlines()]


@pytest.fixture
def helm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeHelm:
    fake = FakeHelm(tmp_path)
    monkeypatch.setenv("HELM_BIN", str(fake.path))
    return fake


def _release(**inputs: Any) -> Release:
    return Release({"name": "shop", "namespace": "team", "chart": "./chart", **inputs})


def _runner() -> binary.Helm:
    return binary.Helm(Settings(kubeconfig=kubeconfig("https://x", {"token": "kubetoken"})))


def test_no_secret_is_on_a_command_line_or_on_disk(helm: FakeHelm) -> None:
    values = {"password": "hunter2", "nothing": None}
    options = {"repo": "https://charts.example", "username": "me", "password": "repopass"}
    _runner().install(_release(chart="web", values=values, repositoryOpts=options), threading.Event())
    added, installed = helm.calls
    for secret in ("hunter2", "repopass", "kubetoken"):
        assert secret not in json.dumps([added["argv"], installed["argv"]])
    assert json.loads(installed["stdin"]) == values
    assert added["stdin"] == "repopass"
    assert "kubetoken" in installed["kubeconfig"]
    assert installed["on_disk"].startswith("/memfd:")


def test_a_failure_is_helms_reason_without_its_noise(helm: FakeHelm) -> None:
    helm.will(stderr="WARNING: chatter\nError: INSTALLATION FAILED: values don't fit\n", status=1)
    with pytest.raises(binary.HelmError) as told:
        _runner().install(_release(), threading.Event())
    assert str(told.value) == "INSTALLATION FAILED: values don't fit"


def test_a_release_that_is_not_there_is_none(helm: FakeHelm) -> None:
    helm.will(stderr="Error: release: not found\n", status=1)
    assert _runner().status("shop", "team") is None


def test_without_helm_the_error_says_where_it_is_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HELM_BIN", "/nowhere/helm")
    with pytest.raises(PluginError, match=r"/nowhere/helm is not on PATH.*HELM_BIN"):
        _runner().status("shop", "team")


@pytest.mark.parametrize(
    ("inputs", "present", "absent"),
    [
        ({}, ["--wait", "--timeout 300s", "--reset-values"], ["--atomic", "--wait-for-jobs", "--install"]),
        ({"skipAwait": True}, [], ["--wait"]),
        ({"waitForJobs": True, "timeout": 900}, ["--wait-for-jobs", "--timeout 900s"], []),
        ({"atomic": True, "cleanupOnFail": True}, ["--atomic", "--cleanup-on-fail"], []),
        ({"reuseValues": True, "maxHistory": 5}, ["--reuse-values", "--history-max 5"], ["--reset-values"]),
        ({"disableWebhooks": True, "skipCrds": True}, ["--no-hooks", "--skip-crds"], []),
    ],
)
def test_inputs_become_flags(inputs: dict[str, Any], present: list[str], absent: list[str]) -> None:
    flags = releases.upgrade_flags(_release(**inputs))
    assert [one for one in present if one not in " ".join(flags)] == []
    assert [one for one in absent if one in flags] == []


def _record(state: str, revision: int) -> Record:
    return Record({"info": {"status": state}, "version": revision}, {})


@pytest.mark.parametrize(
    ("record", "way"),
    [
        (None, Way.INSTALL),
        (_record("failed", 1), Way.UPGRADE),
        (_record("pending-install", 1), Way.REINSTALL),
        (_record("uninstalling", 4), Way.REINSTALL),
    ],
)
def test_leftovers_of_a_stopped_run_are_no_obstacle(record: Record | None, way: Way) -> None:
    assert records.way_to_create(_release(), record) is way


@pytest.mark.parametrize(("state", "revision"), [("deployed", 1), ("pending-upgrade", 3)])
def test_a_release_in_use_is_not_taken_unless_told_so(state: str, revision: int) -> None:
    with pytest.raises(PluginError, match=r"still in use.*import_='team/shop'"):
        records.way_to_create(_release(), _record(state, revision))
    assert records.way_to_create(_release(replace=True), _record(state, revision)) is Way.UPGRADE


def test_all_mistakes_in_inputs_are_told_at_once_and_without_their_values() -> None:
    failures = releases.mistakes(
        Properties({"values": "hunter2", "timeout": -1, "atomic": "yes", "typo": 1, "name": UNKNOWN})
    )
    assert sorted(name for name, _ in failures) == ["atomic", "chart", "timeout", "typo", "values"]
    assert "hunter2" not in str(failures)


def test_values_go_over_values_files_and_secrets_stay_marked() -> None:
    files = [Asset(text="a: {x: 1, y: 1}\nb: 1"), Asset(text="a: {y: 2}")]
    inputs = Properties(
        {"chart": "c", "valueYamlFiles": files, "values": {"a": {"z": "s"}}},
        frozenset({("values", "a", "z")}),
    )
    completed, failures = releases.completed(inputs, Properties(), NameSource("shop", b"s"), "team")
    assert failures == []
    assert completed.values["values"] == {"a": {"x": 1, "y": 2, "z": "s"}, "b": 1}
    assert completed.secrets == {("values", "a", "z")}
    assert completed.values["name"].startswith("shop-")
    assert (completed.values["namespace"], completed.values["timeout"]) == ("team", 300)


def test_a_generated_name_stays_with_its_release() -> None:
    inputs = Properties({"chart": "c"})
    first, _ = releases.completed(inputs, Properties(), NameSource("shop", b"one"), "team")
    again, _ = releases.completed(inputs, first, NameSource("shop", b"two"), "team")
    assert again.values["name"] == first.values["name"]


_JSON = st.recursive(
    st.integers(), lambda inner: st.dictionaries(st.text(max_size=3), inner, max_size=3), max_leaves=6
)


@given(st.dictionaries(st.text(max_size=3), _JSON, max_size=3))
def test_merging_is_neutral_with_nothing_and_with_itself(values: dict[str, Any]) -> None:
    assert releases.merge({}, values) == values
    assert releases.merge(values, {}) == values
    assert releases.merge(values, values) == values


def _write_chart(directory: Path) -> Path:
    (directory / "templates").mkdir(parents=True)
    (directory / "Chart.yaml").write_text("apiVersion: v2\nname: web\nversion: 1.2.3\n")
    (directory / "templates" / "a.yaml").write_text("a: 1\n")
    return directory


def test_a_charts_checksum_follows_its_content_and_nothing_else(tmp_path: Path) -> None:
    one, two = _write_chart(tmp_path / "one"), _write_chart(tmp_path / "two")
    (two / "templates" / "a.yaml").chmod(0o600)
    assert chart.checksum(one) == chart.checksum(two)
    link = tmp_path / "link"
    link.symlink_to(one)
    assert chart.checksum(link) == chart.checksum(one)
    (two / "templates" / "a.yaml").rename(two / "templates" / "b.yaml")
    assert chart.checksum(one) != chart.checksum(two)


def test_a_chart_on_disk_is_read_without_helm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HELM_BIN", "/nowhere/helm")
    monkeypatch.chdir(tmp_path)
    _write_chart(tmp_path / "chart")
    found = chart.find(_runner(), _release())
    assert (found.name, found.version) == ("web", "1.2.3")


def test_a_chart_that_is_not_there_is_told_with_the_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(PluginError, match=f"no chart at ./chart .relative to {tmp_path}"):
        chart.find(_runner(), _release())


def test_names_of_resources_are_spelled_as_the_official_plugin_does() -> None:
    manifest = (
        "apiVersion: v1\nkind: Service\nmetadata: {name: b}\n---\n"
        "apiVersion: v1\nkind: Service\nmetadata: {name: a, namespace: n}\n---\n"
        "# only a comment\n---\n"
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\n"
    )
    assert records.resource_names(manifest) == {
        "Deployment.apps/apps/v1": ["web"],
        "Service/v1": ["b", "n/a"],
    }
