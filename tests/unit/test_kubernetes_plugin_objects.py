"""Objects against an API server on HTTP level: what is sent, what is refused, and what the state keeps."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from embedded.plugins.common.errors import InitializationError, PluginError
from embedded.plugins.common.naming import NameSource
from embedded.plugins.common.operations import Context, Known
from embedded.plugins.common.properties import UNKNOWN, Properties
from embedded.plugins.kubernetes import api_client
from embedded.plugins.kubernetes.apply import field_manager
from embedded.plugins.kubernetes.cluster import Cluster
from embedded.plugins.kubernetes.object_provider import ObjectOperations
from embedded.plugins.kubernetes.settings import Settings
from kubernetes_plugin_api_server import FakeApiServer, kubeconfig, status

PATH = "/api/v1/namespaces/shop/configmaps/settings"


class RecordingLog:
    """Keeps what is told, by kind."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str]] = []

    def status(self, urn: str, message: str) -> None:
        self.told.append(("status", message))

    def info(self, urn: str, message: str) -> None:
        self.told.append(("info", message))

    def warning(self, urn: str, message: str) -> None:
        self.told.append(("warning", message))


def _context(kind: str = "core/v1:ConfigMap") -> Context:
    return Context(f"urn:pulumi:dev::shop::kubernetes:{kind}::settings", RecordingLog())


def _operations(url: str, **settings: Any) -> ObjectOperations:
    return ObjectOperations(Cluster(Settings(kubeconfig=kubeconfig(url, namespace="team"), **settings)))


def _config_map(annotations: dict[str, str] | None = None, **data: Any) -> Properties:
    metadata: dict[str, Any] = {"name": "settings", "namespace": "shop"}
    if annotations:
        metadata["annotations"] = annotations
    return Properties({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data})


def test_creation_is_a_strict_apply_under_a_manager_of_its_own(server: FakeApiServer) -> None:
    context = _context()
    stored = _operations(server.url).create(context, _config_map(a="1"), 5, preview=False)
    (sent,) = server.sent("PATCH")
    assert (sent.path, sent.headers["Content-Type"]) == (PATH, "application/apply-patch+yaml")
    expected = {"fieldManager": field_manager(context.urn), "force": "false", "fieldValidation": "Strict"}
    assert sent.query == expected
    assert stored.resource_id == "shop/settings"
    assert "managedFields" not in stored.outputs.values["metadata"]


def test_an_object_of_somebody_else_is_refused_and_untouched(server: FakeApiServer) -> None:
    server.objects[PATH] = {"metadata": {"name": "settings", "managedFields": [{"manager": "kubectl"}]}}
    with pytest.raises(PluginError, match=r"already exists.*import_='shop/settings'"):
        _operations(server.url).create(_context(), _config_map(a="1"), 5, preview=False)
    assert server.sent("PATCH") == []


@pytest.mark.parametrize(
    ("annotations", "settings", "force"),
    [
        ({"pulumi.com/patchForce": "true"}, {}, "true"),
        (None, {"patch_force": True}, "true"),
        (None, {"upsert_existing_objects": True}, "false"),
    ],
)
def test_an_object_of_somebody_else_is_taken_when_told_so(
    server: FakeApiServer, annotations: dict[str, str] | None, settings: dict[str, bool], force: str
) -> None:
    server.objects[PATH] = {"metadata": {"name": "settings", "managedFields": [{"manager": "kubectl"}]}}
    _operations(server.url, **settings).create(_context(), _config_map(annotations, a="1"), 5, preview=False)
    assert server.sent("PATCH")[0].query["force"] == force


def test_what_a_killed_run_of_the_same_resource_left_is_taken_over(server: FakeApiServer) -> None:
    context = _context()
    manager = {"manager": field_manager(context.urn), "operation": "Apply"}
    server.objects[PATH] = {"metadata": {"name": "settings", "managedFields": [manager]}}
    _operations(server.url).create(context, _config_map(a="1"), 5, preview=False)
    assert server.objects[PATH]["data"] == {"a": "1"}


def test_a_preview_changes_nothing_and_asks_for_a_dry_run(server: FakeApiServer) -> None:
    _operations(server.url).create(_context(), _config_map(a="1"), 5, preview=True)
    assert server.sent("PATCH")[0].query["dryRun"] == "All"
    assert server.objects == {}


def test_a_preview_tells_what_the_server_would_refuse(server: FakeApiServer) -> None:
    server.answers["PATCH", PATH] = status(422, "Invalid", "data[a b]: Invalid value")
    with pytest.raises(PluginError, match=r"would refuse it: data\[a b\]"):
        _operations(server.url).create(_context(), _config_map(a="1"), 5, preview=True)


def test_a_preview_with_unknown_values_sends_nothing(server: FakeApiServer) -> None:
    inputs = _config_map(a=UNKNOWN)
    assert _operations(server.url).create(_context(), inputs, 5, preview=True).outputs == inputs
    assert server.requests == []


@pytest.fixture
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api_client, "RETRY_PAUSES_SECONDS", [0.0] * len(api_client.RETRY_PAUSES_SECONDS))


@pytest.mark.usefixtures("_no_pauses")
def test_a_preview_without_a_cluster_still_previews() -> None:
    inputs = _config_map(a="1")
    assert _operations("http://127.0.0.1:9").create(_context(), inputs, 5, preview=True).outputs == inputs


def test_a_conflict_names_the_fields_their_owners_and_the_way_out(server: FakeApiServer) -> None:
    cause = {"reason": "FieldManagerConflict", "message": 'conflict with "kubectl-edit"', "field": ".data.a"}
    server.answers["PATCH", PATH] = status(409, "Conflict", "1 conflict", causes=[cause])
    known = Known("shop/settings", _config_map(a="1"), Properties())
    with pytest.raises(PluginError, match=r"\.data\.a .*kubectl-edit.*patchForce"):
        _operations(server.url).update(_context(), known, _config_map(a="2"), 5, preview=False)


def test_an_update_keeps_the_manager_that_the_state_names(server: FakeApiServer) -> None:
    known = Known("shop/settings", _config_map(a="1"), Properties({"__fieldManager": "first-urn"}))
    _operations(server.url).update(_context(), known, _config_map(a="2"), 5, preview=False)
    assert server.sent("PATCH")[0].query["fieldManager"] == "first-urn"


@pytest.mark.parametrize(("annotation", "sent"), [(None, "Foreground"), ("orphan", "Orphan")])
def test_deletion_takes_dependents_along_unless_told_otherwise(
    server: FakeApiServer, annotation: str | None, sent: str
) -> None:
    server.objects[PATH] = {"metadata": {"name": "settings", "uid": "1"}}
    annotations = {"pulumi.com/deletionPropagationPolicy": annotation} if annotation else None
    known = Known("shop/settings", _config_map(annotations, a="1"), Properties())
    _operations(server.url).delete(_context(), known, 5)
    assert server.sent("DELETE")[0].body["propagationPolicy"] == sent
    assert server.objects == {}


def test_a_deletion_that_hangs_names_the_finalizer(server: FakeApiServer) -> None:
    server.keeps_deleted = True
    held = {"name": "settings", "namespace": "shop", "uid": "1", "finalizers": ["shop.io/hold"]}
    server.objects[PATH] = {"metadata": held}
    known = Known("shop/settings", _config_map(a="1"), Properties())
    with pytest.raises(
        PluginError, match=r"still there 1 s after its deletion: finalizers shop\.io/hold"
    ) as told:
        _operations(server.url).delete(_context(), known, 1)
    assert "kubectl patch configmap settings --namespace shop --type=merge" in str(told.value)


def test_deleting_what_is_gone_succeeds(server: FakeApiServer) -> None:
    _operations(server.url).delete(_context(), Known("shop/settings", _config_map(a="1"), Properties()), 5)
    assert server.sent("DELETE") == []


@pytest.mark.usefixtures("_no_pauses")
def test_without_a_cluster_deletion_fails_unless_the_user_gives_it_up() -> None:
    known = Known("shop/settings", _config_map(a="1"), Properties())
    with pytest.raises(PluginError, match=r"127\.0\.0\.1:9.*PULUMI_K8S_DELETE_UNREACHABLE=true"):
        _operations("http://127.0.0.1:9").delete(_context(), known, 5)
    context = _context()
    _operations("http://127.0.0.1:9", delete_unreachable=True).delete(context, known, 5)
    assert isinstance(context.log, RecordingLog)
    assert [kind for kind, _ in context.log.told if kind != "status"] == ["warning"]


def test_a_failed_job_is_told_with_its_log_and_remembered(server: FakeApiServer) -> None:
    inputs = Properties(
        {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {"name": "settings", "namespace": "shop"},
            "spec": {"selector": {"matchLabels": {"job": "x"}}},
            "status": {
                "conditions": [{"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded"}]
            },
        }
    )
    ended = {"name": "main", "state": {"terminated": {"exitCode": 3, "reason": "Error"}}}
    pod = {"metadata": {"name": "settings-1", "namespace": "shop"}, "status": {"containerStatuses": [ended]}}
    server.answers["GET", "/api/v1/namespaces/shop/pods"] = (200, {"items": [pod]})
    server.answers["GET", "/api/v1/namespaces/shop/pods/settings-1/log"] = (200, "the table is missing")
    with pytest.raises(InitializationError) as told:
        _operations(server.url).create(_context("batch/v1:Job"), inputs, 5, preview=False)
    for part in ("BackoffLimitExceeded", "exit code 3", "the table is missing"):
        assert part in str(told.value)
    assert told.value.resource_id == "shop/settings"


def test_generated_names_have_seven_digits_and_survive_updates() -> None:
    operations = _operations("http://127.0.0.1:9")
    inputs = Properties({"data": {"a": "1"}})
    first = operations.check(_context(), Properties(), inputs, NameSource("settings", b"seed")).inputs
    again = operations.check(_context(), first, inputs, NameSource("settings", b"other seed")).inputs
    metadata = first.values["metadata"]
    prefix, _, suffix = metadata["name"].rpartition("-")
    assert (prefix, len(suffix), metadata["namespace"]) == ("settings", 7, "team")
    assert again.values["metadata"] == metadata


def test_a_named_object_is_deleted_before_its_replacement_and_an_autonamed_one_after() -> None:
    operations = _operations("http://127.0.0.1:9")
    named = operations.diff(_context(), Known("x", _config_map(a="1"), Properties()), _config_map(a="2"))
    auto = {"pulumi.com/autonamed": "true"}
    known = Known("x", _config_map(auto, a="1"), Properties())
    generated = operations.diff(_context(), known, _config_map(auto, a="2"))
    assert (named.delete_before_replace, generated.delete_before_replace) == (True, False)


def test_refresh_brings_back_what_others_changed_and_nothing_else(server: FakeApiServer) -> None:
    inputs = _config_map(a="1", b="2")
    recorded = Properties({"metadata": {"name": "settings"}, "data": {"a": "1", "b": "2"}})
    server.objects[PATH] = {
        "metadata": {"name": "settings", "namespace": "shop", "resourceVersion": "9"},
        "data": {"a": "1", "b": "edited", "c": "added by a controller"},
    }
    read = _operations(server.url).read(_context(), Known("shop/settings", inputs, recorded))
    assert read.inputs.values == _config_map(a="1", b="edited").values


def test_data_of_a_secret_is_secret_however_it_was_written(server: FakeApiServer) -> None:
    encoded = base64.b64encode(b"hunter2").decode()
    server.objects["/api/v1/namespaces/shop/secrets/settings"] = {
        "metadata": {"name": "settings", "namespace": "shop"},
        "data": {"password": encoded},
    }
    metadata = {"name": "settings", "namespace": "shop"}
    written = Properties({"metadata": metadata, "stringData": {"password": "hunter2"}})
    recorded = Properties({"data": {"password": encoded}})
    context = _context("core/v1:Secret")
    read = _operations(server.url).read(context, Known("shop/settings", written, recorded))
    imported = _operations(server.url).read(context, Known("shop/settings", Properties(), Properties()))
    assert read.inputs.values["stringData"] == {"password": "hunter2"}
    assert ("stringData",) in read.inputs.secrets
    assert ("data",) in read.outputs.secrets
    assert ("data",) in imported.inputs.secrets


def test_a_criterion_of_another_form_is_refused_by_its_annotation() -> None:
    inputs = _config_map({"pulumi.com/waitFor": "Ready"}, a="1")
    checked = _operations("http://127.0.0.1:9").check(_context(), Properties(), inputs, NameSource("x"))
    assert ["pulumi.com/waitFor" in reason for _, reason in checked.failures] == [True]


@pytest.mark.parametrize("token", ["yaml/v2:ConfigGroup", "helm.sh/v4:Chart", "core/v1:ConfigMapPatch"])
def test_types_that_are_not_emulated_are_refused_by_name(token: str) -> None:
    with pytest.raises(PluginError, match=f"kubernetes:{token} is not supported"):
        _operations("http://127.0.0.1:9").check(_context(token), Properties(), Properties(), NameSource("x"))


def test_a_creation_waits_for_what_the_program_says(server: FakeApiServer) -> None:
    annotations = {"pulumi.com/waitFor": "jsonpath={.data.ready}=yes", "pulumi.com/timeoutSeconds": "0.1"}
    with pytest.raises(InitializationError, match=r"waiting for jsonpath=\{\.data\.ready\}=yes"):
        _operations(server.url).create(_context(), _config_map(annotations, ready="no"), 0, False)
    server.objects.clear()
    _operations(server.url).create(_context(), _config_map(annotations, ready="yes"), 0, False)
