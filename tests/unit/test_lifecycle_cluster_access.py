"""The way into a cluster: what is called, what is read, and that nothing of it stays."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path

import pytest

from infra.lifecycle.cluster_access import ClusterAccess, cluster_access, port_forward
from infra.lifecycle.errors import LifecycleError

SERVICE = {"spec": {"ports": [{"port": 8080}]}}


def _program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, script: str) -> None:
    directory = tmp_path / "bin"
    directory.mkdir(exist_ok=True)
    (directory / name).write_text(f"#!/bin/sh\n{script}\n")
    (directory / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{directory}:/usr/bin:/bin")


def _kubectl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, forward: str) -> ClusterAccess:
    script = f"""case "$*" in
  *port-forward*) echo $$ > {tmp_path}/pid; echo "$*" > {tmp_path}/arguments; {forward} ;;
  *"get service"*) echo '{json.dumps(SERVICE)}' ;;
esac"""
    _program(tmp_path, monkeypatch, "kubectl", script)
    return ClusterAccess(tmp_path / "kubeconfig", "airflow")


def test_a_forward_gives_the_port_that_kubectl_names_and_ends_with_its_block(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forward = "echo 'Forwarding from 127.0.0.1:43210 -> 8080'; exec sleep 600"
    access = _kubectl(tmp_path, monkeypatch, forward)
    with port_forward(access, "airflow-api-server") as running:
        assert running.url == "http://127.0.0.1:43210"
        pid = int((tmp_path / "pid").read_text())
        os.kill(pid, 0)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert "port-forward service/airflow-api-server :8080" in (tmp_path / "arguments").read_text()


def test_a_forward_that_fails_passes_on_what_kubectl_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    access = _kubectl(tmp_path, monkeypatch, "echo 'unable to listen on port 8080'; exit 1")
    with (
        pytest.raises(LifecycleError, match="unable to listen on port 8080"),
        port_forward(access, "airflow-api-server", 8080),
    ):
        pass


def test_the_kubeconfig_of_eks_is_private_and_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = f"""echo "$*" > {tmp_path}/arguments
while [ $# -gt 1 ]; do [ "$1" = --kubeconfig ] && echo config > "$2"; shift; done"""
    _program(tmp_path, monkeypatch, "aws", script)
    with cluster_access("shared", "eu-west-1", "airflow") as access:
        assert access.kubeconfig.stat().st_mode & 0o077 == 0
    assert not access.kubeconfig.parent.exists()
    called = (tmp_path / "arguments").read_text()
    assert called.startswith("eks update-kubeconfig --name shared --region eu-west-1 ")


def test_an_unknown_cluster_is_reported_in_the_words_of_aws(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _program(tmp_path, monkeypatch, "aws", "echo 'No cluster found for name: shared.' >&2; exit 254")
    with (
        pytest.raises(LifecycleError, match="No cluster found for name: shared"),
        cluster_access("shared", "eu-west-1", "airflow"),
    ):
        pass


def test_entries_of_a_secret_are_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = {"password": base64.b64encode(b"p\xc3\xa4ss").decode()}
    _program(tmp_path, monkeypatch, "kubectl", f"echo '{json.dumps({'data': data})}'")
    assert ClusterAccess(tmp_path / "k", "airflow").secret("administrator") == {"password": "päss"}


def test_pods_that_are_gone_are_still_known_from_their_events(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = {"items": [{"involvedObject": {"name": "canary-write-a1"}}]}
    _program(tmp_path, monkeypatch, "kubectl", f"echo '{json.dumps(events)}'")
    assert ClusterAccess(tmp_path / "k", "airflow").scheduled_pods() == {"canary-write-a1"}
