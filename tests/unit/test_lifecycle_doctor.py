"""Preflight: what is wrong is one red row that says what was seen and what is allowed."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import formatdate
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from infra import config
from infra.lifecycle import doctor, guarding, preflight_backend, preflight_versions
from infra.lifecycle.cluster_access import ClusterAccess
from infra.lifecycle.known_cluster import KnownCluster
from infra.lifecycle.report import Outcome, Row
from infra.lifecycle.state_lock import StateLock

NOW = 1_767_225_600.0


class _Sts:
    """Answers as AWS does: a body with the headers of the HTTP answer."""

    def __init__(self, answer: dict[str, Any] | Exception) -> None:
        self._answer = answer

    def get_caller_identity(self) -> dict[str, Any]:
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer


def _identity(account: str) -> dict[str, Any]:
    headers = {"date": formatdate(usegmt=True)}
    return {
        "Account": account,
        "Arn": f"arn:aws:iam::{account}:user/ci",
        "ResponseMetadata": {"HTTPHeaders": headers},
    }


def _outcomes(rows: list[Row]) -> dict[str, Outcome]:
    return {row.name: row.outcome for row in rows}


def test_the_right_account_with_a_good_clock_passes() -> None:
    rows = doctor.aws_rows("111122223333", "eu-west-1", _Sts(_identity("111122223333")))
    assert _outcomes(rows) == {"AWS account": Outcome.PASSED, "clock": Outcome.PASSED}


def test_credentials_of_another_account_fail_and_both_accounts_are_named() -> None:
    rows = doctor.aws_rows("111122223333", "eu-west-1", _Sts(_identity("999988887777")))
    assert _outcomes(rows)["AWS account"] is Outcome.FAILED
    assert "999988887777" in rows[0].detail
    assert "111122223333" in rows[0].detail


def test_refused_credentials_still_show_a_clock_that_is_wrong() -> None:
    """A clock far off makes AWS refuse good credentials; the row must lead to the clock."""
    answer = {
        "Error": {"Code": "SignatureDoesNotMatch"},
        "ResponseMetadata": {"HTTPHeaders": {"date": formatdate(NOW, usegmt=True)}},
    }
    rows = doctor.aws_rows("111122223333", "eu-west-1", _Sts(ClientError(answer, "GetCallerIdentity")))  # type: ignore[arg-type]
    assert _outcomes(rows) == {"AWS account": Outcome.FAILED, "clock": Outcome.FAILED}
    assert "SignatureDoesNotMatch" in rows[0].detail


def test_a_profile_that_is_not_there_is_a_row(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    monkeypatch.setenv("AWS_PROFILE", "mistyped")
    rows = doctor.aws_rows("111122223333", "eu-west-1")
    rows += guarding.guarded(preflight_backend.NAME, lambda: preflight_backend.write_row("s3://state"))
    assert {row.outcome for row in rows} == {Outcome.FAILED}
    assert all("mistyped" in row.detail for row in rows)
    assert all("get-caller-identity" in row.next_step for row in rows)


@pytest.mark.parametrize(
    ("error", "named"),
    [
        (ClientError({"Error": {"Code": "ExpiredToken", "Message": "no"}}, "ListObjectsV2"), "ExpiredToken"),
        (PermissionError(13, "Permission denied", "/checkout/.charts"), "/checkout/.charts"),
    ],
)
def test_what_refuses_to_be_looked_at_is_a_row_with_a_next_step(error: Exception, named: str) -> None:
    def check() -> Row:
        raise error

    [row] = guarding.guarded("state lock", check)
    assert (row.outcome, row.name) == (Outcome.FAILED, "state lock")
    assert named in row.detail
    assert row.next_step


def test_a_clusters_run_that_was_cut_off_is_told_with_the_environments_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PULUMI_BACKEND_URL", f"file://{tmp_path}")
    begun = [SimpleNamespace(name="vpc")]
    project: Any = SimpleNamespace(
        directory=tmp_path, stacks=lambda: ["shared"], pending_creates=lambda stack: begun
    )
    rows = doctor.unsettled_cluster("shared", project, "team-a")
    assert _outcomes(rows) == {
        "state lock of cluster shared": Outcome.PASSED,
        "last run of cluster shared": Outcome.FAILED,
    }
    assert rows[1].next_step == "Run `airflow-env recover team-a`."


def test_an_endpoint_that_does_not_answer_is_a_row() -> None:
    rows = doctor.aws_rows("111122223333", "x", _Sts(EndpointConnectionError(endpoint_url="https://x")))
    assert _outcomes(rows) == {"AWS account": Outcome.FAILED}


@pytest.mark.parametrize(
    ("skew", "outcome"),
    [(0, Outcome.PASSED), (-119, Outcome.PASSED), (121, Outcome.FAILED), (-3600, Outcome.FAILED)],
)
def test_the_clock_may_be_off_by_two_minutes(skew: float, outcome: Outcome) -> None:
    assert doctor.clock_row(formatdate(NOW, usegmt=True), NOW + skew).outcome is outcome


def _programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, **answers: str) -> None:
    """Programs on PATH that print one answer each."""
    for name, answer in answers.items():
        program = tmp_path / name
        program.write_text(f"#!/bin/sh\ncat <<'END'\n{answer}\nEND\n")
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")


def test_an_engine_of_another_minor_than_the_sdk_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "installed_version", lambda name: "3.255.0")
    _programs(tmp_path, monkeypatch, pulumi="v3.140.0")
    row = doctor._pulumi()
    assert row.outcome is Outcome.FAILED
    assert "3.140.0" in row.detail
    assert "3.255.0" in row.detail


def test_a_missing_tool_is_a_row_with_the_next_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    [row] = guarding.guarded("helm", preflight_versions.helm)
    assert row.outcome is Outcome.FAILED
    assert "`helm` is not on PATH" in row.detail
    assert "make setup" in row.next_step


@pytest.mark.parametrize(
    ("version", "outcome"),
    [
        ((3, 10), Outcome.FAILED),
        ((3, 11), Outcome.PASSED),
        ((3, 13), Outcome.PASSED),
        ((3, 14), Outcome.FAILED),
    ],
)
def test_the_interpreter_is_one_that_the_packages_are_pinned_for(
    version: tuple[int, int], outcome: Outcome
) -> None:
    assert doctor.python_row(version).outcome is outcome


def _lock(process: int, host: str) -> StateLock:
    return StateLock(process, "ci", host, datetime.now(UTC))


def test_a_free_state_passes_and_a_backend_without_lock_files_is_not_judged() -> None:
    assert doctor.lock_row("team-a", []).outcome is Outcome.PASSED
    assert doctor.lock_row("team-a", None).outcome is Outcome.NOT_APPLICABLE


def test_a_lock_of_a_living_run_is_red_and_says_to_wait() -> None:
    row = doctor.lock_row("team-a", [_lock(os.getpid(), socket.gethostname())])
    assert row.outcome is Outcome.FAILED
    assert "wait" in row.next_step
    assert "recover" not in row.next_step


def test_a_lock_of_another_host_may_be_of_a_dead_run_and_the_command_that_ends_it_is_named() -> None:
    """A runner of CI that is gone takes its processes with it; the plain command would refuse."""
    row = doctor.lock_row("team-a", [_lock(1, "elsewhere")])
    assert row.outcome is Outcome.FAILED
    assert "wait" in row.next_step
    assert "`airflow-env recover team-a --unlock`" in row.next_step
    row = doctor.lock_row("team-a", [_lock(1, "elsewhere")], " of cluster shared")
    assert "`airflow-env recover team-a --unlock-cluster`" in row.next_step


def test_a_lock_of_a_dead_run_is_red_and_names_the_command() -> None:
    row = doctor.lock_row("team-a", [_lock(2**22 + 1, socket.gethostname())])
    assert row.outcome is Outcome.FAILED
    assert "airflow-env recover team-a" in row.next_step


@pytest.mark.parametrize(
    ("releases", "outcome"),
    [
        ("[]", Outcome.PASSED),
        ('[{"name": "other", "status": "uninstalling"}]', Outcome.PASSED),
        ('[{"name": "airflow", "status": "uninstalling"}]', Outcome.FAILED),
    ],
)
def test_a_release_that_is_half_gone_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, releases: str, outcome: Outcome
) -> None:
    """The engine's state says nothing of it, so an ordinary run would find nothing to do."""
    _programs(tmp_path, monkeypatch, helm=releases, kubectl="ok", aws="")

    @contextmanager
    def access(_cluster: str, _region: str, namespace: str) -> Iterator[ClusterAccess]:
        yield ClusterAccess(tmp_path / "kubeconfig", namespace)

    monkeypatch.setattr(doctor, "cluster_access", access)
    chosen = config.parse(STACK_FILE)
    rows = doctor._api_server("team-a", chosen, "shared")
    assert _outcomes(rows)["API server"] is Outcome.PASSED
    assert _outcomes(rows)["release"] is outcome


STACK_FILE: dict[str, Any] = {
    "region": "eu-west-1",
    "accountId": "123456789012",
    "owner": "data-platform",
    "durability": "disposable",
    "cluster": {"stack": "acme/platform/live"},
}
FEATURES = Row.judged("of the cluster", True, "")


def _cluster_rows(monkeypatch: pytest.MonkeyPatch, cluster: KnownCluster) -> list[Row]:
    """Rows about a cluster, of an environment that is on `platform`."""
    state = [{"type": "pulumi:pulumi:Stack", "outputs": {"clusterName": "platform"}}]
    project = SimpleNamespace(stacks=lambda: ["team-a"], resources=lambda _stack: state)
    monkeypatch.setattr(doctor.known_cluster, "find", lambda _chosen: cluster)
    monkeypatch.setattr(doctor.environments, "project", lambda: project)
    monkeypatch.setattr(doctor.cluster_features, "rows", lambda *_: [FEATURES])
    monkeypatch.setattr(doctor, "_api_server", lambda *_: [Row.judged("API server", True, "asked")])
    monkeypatch.setattr(
        doctor.preflight_versions, "kubectl", lambda version: Row.judged("kubectl", version is not None, "")
    )
    return doctor._cluster("team-a", config.parse(STACK_FILE))


def test_a_cluster_of_another_project_is_asked_as_a_brought_one_is(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = _cluster_rows(monkeypatch, KnownCluster(name="platform", own=False))
    assert FEATURES in rows
    assert _outcomes(rows)["change"] is Outcome.PASSED
    assert _outcomes(rows)["API server"] is Outcome.PASSED


def test_this_checkouts_own_cluster_has_what_the_program_gave_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert FEATURES not in _cluster_rows(monkeypatch, KnownCluster(name="platform", own=True))


def test_what_cannot_be_read_of_another_project_stops_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    why = "stack acme/platform/live can't be read: 403"
    rows = _cluster_rows(monkeypatch, KnownCluster(name=None, own=False, unreadable=why))
    found = {row.name: row for row in rows}
    for name in ("change", "API server"):
        assert found[name].outcome is Outcome.NOT_JUDGED
        assert why in found[name].detail


def test_another_projects_stack_without_a_cluster_is_red(monkeypatch: pytest.MonkeyPatch) -> None:
    """The program would stop there; and nothing here makes it."""
    [row] = [
        row
        for row in _cluster_rows(monkeypatch, KnownCluster(name=None, own=False))
        if row.name == "API server"
    ]
    assert row.outcome is Outcome.FAILED
    assert "acme/platform/live" in row.detail
