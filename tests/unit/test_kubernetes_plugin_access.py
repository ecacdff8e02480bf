"""Kubeconfigs and credentials: who the plugin is to a cluster, and how often it asks for that."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from embedded.plugins.common.errors import PluginError
from embedded.plugins.common.properties import UNKNOWN, Properties
from embedded.plugins.kubernetes import kubeconfig, settings
from embedded.plugins.kubernetes.api_client import ApiClient
from embedded.plugins.kubernetes.api_errors import ApiError, UnreachableError
from kubernetes_plugin_api_server import FakeApiServer
from kubernetes_plugin_api_server import kubeconfig as config_text


class TokenCommand:
    """A command as kubeconfigs name it: prints a new token at each run, and counts the runs in a file."""

    def __init__(self, directory: Path, lifetime: timedelta) -> None:
        self._runs = directory / "runs"
        script = directory / "token.py"
        expires = (datetime.now(UTC) + lifetime).strftime("%Y-%m-%dT%H:%M:%SZ")
        script.write_text(
            "import json, os, pathlib\n"
            f"runs = pathlib.Path({str(self._runs)!r})\n"
            "n = len(runs.read_text()) + 1 if runs.exists() else 1\n"
            "runs.write_text('x' * n)\n"
            "assert json.loads(os.environ['KUBERNETES_EXEC_INFO'])['kind'] == 'ExecCredential'\n"
            f"status = {{'token': f'token-{{n}}', 'expirationTimestamp': {expires!r}}}\n"
            "print(json.dumps({'apiVersion': 'client.authentication.k8s.io/v1beta1', 'status': status}))\n"
        )
        self.user = {
            "exec": {
                "apiVersion": "client.authentication.k8s.io/v1beta1",
                "command": sys.executable,
                "args": ["-I", str(script)],
                "env": None,
            }
        }

    @property
    def runs(self) -> int:
        return len(self._runs.read_text()) if self._runs.exists() else 0


def _client(server: FakeApiServer, user: dict[str, object]) -> ApiClient:
    config = kubeconfig.load(config_text(server.url, user))
    return ApiClient(kubeconfig.access(config), sleep=lambda _: None)


def test_one_credential_serves_all_calls_while_it_is_fresh(server: FakeApiServer, tmp_path: Path) -> None:
    command = TokenCommand(tmp_path, timedelta(minutes=14))
    client = _client(server, command.user)
    for _ in range(5):
        client.get("/version")
    assert command.runs == 1
    assert {one.headers["Authorization"] for one in server.requests} == {"Bearer token-1"}


def test_a_credential_about_to_expire_is_renewed_before_the_call(
    server: FakeApiServer, tmp_path: Path
) -> None:
    command = TokenCommand(tmp_path, timedelta(seconds=30))
    client = _client(server, command.user)
    client.get("/version")
    client.get("/version")
    assert [one.headers["Authorization"] for one in server.requests] == ["Bearer token-1", "Bearer token-2"]


def test_a_refused_credential_is_renewed_once(server: FakeApiServer, tmp_path: Path) -> None:
    command = TokenCommand(tmp_path, timedelta(minutes=14))
    server.accepted_tokens = {"token-2"}
    _client(server, command.user).get("/version")
    assert command.runs == 2


def test_a_token_that_stays_refused_is_an_error_and_no_loop(server: FakeApiServer) -> None:
    server.accepted_tokens = set()
    with pytest.raises(ApiError, match="Unauthorized"):
        _client(server, {"token": "old"}).get("/version")
    assert len(server.requests) == 1


def test_a_failing_command_tells_its_own_words(server: FakeApiServer) -> None:
    user = {"exec": {"command": "sh", "args": ["-c", "echo no such cluster >&2; exit 7"]}}
    with pytest.raises(UnreachableError, match="status 7: no such cluster"):
        _client(server, user).get("/version")


def test_no_answer_names_the_endpoint_and_the_next_step() -> None:
    client = ApiClient(kubeconfig.Access(server="http://127.0.0.1:9"), sleep=lambda _: None)
    with pytest.raises(UnreachableError, match=r"http://127\.0\.0\.1:9 does not answer.*check that"):
        client.get("/version")


def test_a_busy_server_is_asked_again(server: FakeApiServer) -> None:
    server.answers["GET", "/version"] = (503, {"kind": "Status", "message": "starting"})
    waits: list[float] = []

    def recover(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 2:
            server.answers.clear()

    config = kubeconfig.load(config_text(server.url))
    assert ApiClient(kubeconfig.access(config), sleep=recover).get("/version")["minor"] == "34"


def test_a_path_list_merges_and_the_first_file_wins(tmp_path: Path) -> None:
    first, second = tmp_path / "one", tmp_path / "two"
    first.write_text(config_text("https://first"))
    other = json.loads(config_text("https://second"))
    other["clusters"].append({"name": "extra", "cluster": {"server": "https://extra"}})
    second.write_text(json.dumps(other))
    merged = kubeconfig.load(f"{first}:{second}")
    assert kubeconfig.access(merged).server == "https://first"
    assert kubeconfig.access(merged, cluster="extra").server == "https://extra"


def test_relative_files_are_looked_for_beside_the_kubeconfig(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("PEM")
    config = json.loads(config_text("https://x"))
    config["clusters"][0]["cluster"]["certificate-authority"] = "ca.pem"
    (tmp_path / "config").write_text(json.dumps(config))
    assert kubeconfig.access(kubeconfig.load(str(tmp_path / "config"))).authority == "PEM"


def test_broken_yaml_does_not_show_its_content() -> None:
    with pytest.raises(PluginError) as told:
        kubeconfig.load("users:\n- token: hunter2: [\n")
    assert "line 2" in str(told.value)
    assert "hunter2" not in str(told.value)


@pytest.mark.parametrize(
    ("context", "cluster", "message"),
    [
        ("nope", None, "no context named 'nope'; it has: x"),
        (None, "nope", "no cluster named 'nope'; it has: c"),
    ],
)
def test_unknown_names_are_told_with_the_known_ones(
    context: str | None, cluster: str | None, message: str
) -> None:
    with pytest.raises(PluginError, match=message):
        kubeconfig.access(kubeconfig.load(config_text("https://x")), context, cluster)


def _provider(text: object, **more: object) -> Properties:
    return Properties({"kubeconfig": text, **more})


def test_only_another_cluster_replaces_everything() -> None:
    old = _provider(config_text("https://a"))
    same_cluster = settings.difference(old, _provider(config_text("https://a", {"token": "renewed"})))
    other_cluster = settings.difference(old, _provider(config_text("https://b")))
    unknown = settings.difference(old, _provider(UNKNOWN))
    assert (same_cluster.changed, same_cluster.replaces) == (["kubeconfig"], [])
    assert other_cluster.replaces == ["kubeconfig"]
    assert unknown.replaces == ["kubeconfig"]


def test_an_identifier_decides_over_the_kubeconfig() -> None:
    old = _provider(config_text("https://a"), clusterIdentifier="one")
    kept = settings.difference(old, _provider(config_text("https://b"), clusterIdentifier="one"))
    moved = settings.difference(old, _provider(config_text("https://a"), clusterIdentifier="two"))
    assert (kept.replaces, moved.replaces) == ([], ["clusterIdentifier"])


def test_all_mistakes_in_settings_are_told_at_once() -> None:
    failures = settings.check(
        _provider(
            "x",
            enableServerSideApply="false",
            renderYamlToDirectory="out",
            typo="1",
            enablePatchForce="maybe",
        )
    )
    assert sorted(name for name, _ in failures) == [
        "enablePatchForce",
        "enableServerSideApply",
        "renderYamlToDirectory",
        "typo",
    ]


def test_settings_are_read_from_their_json_text_and_the_environment() -> None:
    read = settings.read(
        _provider("x", enableConfigMapMutable="true", helmReleaseSettings='{"driver": "configmap"}'),
        {"PULUMI_K8S_DELETE_UNREACHABLE": "true", "PULUMI_K8S_ENABLE_SECRET_MUTABLE": "false"},
    )
    assert (read.config_map_mutable, read.secret_mutable, read.delete_unreachable) == (True, False, True)
    assert read.helm_driver == "configmap"
