"""What a killed run leaves: a lock is released only when its owner is provably gone."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from infra.lifecycle import process_table, pulumi_project, recovery, state_bucket, state_lock
from infra.lifecycle.errors import LifecycleError
from infra.lifecycle.process_table import process_start
from infra.lifecycle.state_lock import StateLock
from infra.settings import EnvironmentSettings

HOST = socket.gethostname()


def _write(backend: Path, text: str, name: str = "one.json") -> str:
    place = backend / ".pulumi" / "locks" / "organization" / "airflow" / "team-a"
    place.mkdir(parents=True, exist_ok=True)
    (place / name).write_text(text)
    return f"file://{backend}"


def _text(process: int, host: str = HOST, taken: datetime | None = None) -> str:
    when = (taken or datetime.now(UTC)).isoformat().replace("+00:00", "Z")
    return json.dumps({"pid": process, "username": "ci", "hostname": host, "timestamp": when})


def _lock(backend: Path, text: str) -> StateLock:
    (found,) = state_lock.locks(_write(backend, text), "airflow", "team-a") or []
    return found


def test_no_lock_no_owner(tmp_path: Path) -> None:
    assert state_lock.locks(f"file://{tmp_path}", "airflow", "team-a") == []


def test_a_backend_that_keeps_no_files_is_told_apart() -> None:
    assert state_lock.locks("https://api.pulumi.com", "airflow", "team-a") is None


def test_the_owner_that_is_alive_keeps_its_lock(tmp_path: Path) -> None:
    assert not _lock(tmp_path, _text(os.getpid())).is_dead()


def test_an_owner_that_ended_is_dead(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        pass
    assert _lock(tmp_path, _text(process.pid)).is_dead()


def test_a_number_that_another_process_was_given_later_is_no_owner(tmp_path: Path) -> None:
    began = process_start(os.getpid())
    assert began is not None
    before = datetime.fromtimestamp(began, UTC) - timedelta(minutes=5)
    assert _lock(tmp_path, _text(os.getpid(), taken=before)).is_dead()


def test_a_clock_that_was_set_forward_kills_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel tells starts by the time of its own start, which moves with the clock."""
    began = process_start(os.getpid())
    assert began is not None
    # The clock of the lock was a little, or in an engine's life hours behind that of now.
    assert not _lock(tmp_path, _text(os.getpid(), taken=datetime.fromtimestamp(began - 100, UTC))).is_dead()
    monkeypatch.setattr(process_table, "process_name", lambda _: "pulumi")
    assert not _lock(tmp_path, _text(os.getpid(), taken=datetime.fromtimestamp(began - 9000, UTC))).is_dead()


@pytest.mark.parametrize(
    ("found", "answer"),
    [
        # No /proc (macOS), and one that shows another PID namespace: both numbers are this process's own.
        (None, ProcessLookupError),
        ("1", ProcessLookupError),
        # Another user's process, of which /proc shows nothing (hidepid).
        (str(os.getpid()), PermissionError),
        (str(os.getpid()), OverflowError),
    ],
    ids=["no /proc", "another /proc", "another user's", "no number"],
)
def test_an_owner_that_cannot_be_looked_at_is_not_dead(
    found: str | None, answer: type[Exception], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def link(_: object) -> str:
        if found is None:
            raise FileNotFoundError
        return found

    def kill(*_: object) -> None:
        raise answer

    monkeypatch.setattr(process_table.os, "readlink", link)
    monkeypatch.setattr(process_table.os, "kill", kill)
    assert not _lock(tmp_path, _text(2**22 + 1)).is_dead()


def test_a_container_that_bears_the_machines_name_knows_nothing_of_its_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As `docker run --uts host` gives: the same host name, and processes of its own."""
    links = {"/proc/self": str(os.getpid()), "/proc/self/ns/pid": "pid:[4026532201]"}
    links["/proc/self/ns/uts"] = "uts:[4026531838]"
    monkeypatch.setattr(process_table.os, "readlink", lambda path: links[str(path)])
    lock = _lock(tmp_path, _text(2**22 + 1))
    assert not lock.is_dead()
    # With a name of its own, all that bear it are seen.
    links["/proc/self/ns/uts"] = "uts:[4026532200]"
    assert lock.is_dead()


def test_a_dead_process_that_nobody_buried_holds_nothing(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert _lock(tmp_path, _text(process.pid)).is_dead()


def test_nothing_is_known_of_another_host(tmp_path: Path) -> None:
    assert not _lock(tmp_path, _text(2**22 + 1, host="elsewhere")).is_dead()


def test_a_lock_that_goes_while_it_is_read_is_none(tmp_path: Path) -> None:
    url = _write(tmp_path, _text(1))
    place = tmp_path / ".pulumi" / "locks" / "organization" / "airflow" / "team-a"
    (place / "gone.json").symlink_to(place / "nowhere")
    assert [lock.process for lock in state_lock.locks(url, "airflow", "team-a") or []] == [1]


def test_a_lock_that_goes_from_s3_while_it_is_read_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = ["gone.json", "one.json"]
    pages = [{"Contents": [{"Key": key} for key in keys]}]

    def get_object(Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803 - boto3's names
        if Key == "gone.json":
            raise ClientError({"Error": {"Code": "NoSuchKey"}}, "GetObject")
        return {"Body": BytesIO(_text(7).encode())}

    paginator = SimpleNamespace(paginate=lambda **_: pages)
    bucket = SimpleNamespace(get_paginator=lambda _: paginator, get_object=get_object)
    monkeypatch.setattr(state_lock.state_bucket, "client", lambda _: bucket)
    assert [lock.process for lock in state_lock.locks("s3://state", "airflow", "team-a") or []] == [7]


def test_a_lock_that_cannot_be_read_is_one_sentence_with_the_command(tmp_path: Path) -> None:
    with pytest.raises(LifecycleError) as error:
        state_lock.locks(_write(tmp_path, "{"), "airflow", "team-a")
    assert "pulumi cancel" in error.value.next_step


@pytest.mark.parametrize("cut", [0, 10])
def test_a_checkpoint_that_was_cut_off_gives_way_to_the_one_before(tmp_path: Path, cut: int) -> None:
    place = tmp_path / ".pulumi" / "stacks" / "airflow"
    place.mkdir(parents=True)
    whole = json.dumps({"version": 3, "checkpoint": {"stack": "team-a"}})
    (place / "team-a.json").write_text(whole[:cut])
    (place / "team-a.json.bak").write_text(whole)
    (place / "team-a.json.attrs").write_text("{}"[: cut and 2])
    assert state_lock.restore_checkpoint(f"file://{tmp_path}", "airflow", "team-a")
    assert (place / "team-a.json").read_text() == whole
    # Notes that were cut off make the backend refuse the file beside them.
    assert (place / "team-a.json.attrs").is_file() == bool(cut)
    # A whole one is never touched.
    (place / "team-a.json").write_text(json.dumps({"version": 3}))
    assert not state_lock.restore_checkpoint(f"file://{tmp_path}", "airflow", "team-a")
    assert json.loads((place / "team-a.json").read_text()) == {"version": 3}


@pytest.mark.parametrize("state", ["compressed", "not readable", "ended"])
def test_a_checkpoint_that_is_not_cut_off_stays(tmp_path: Path, state: str) -> None:
    """Compressed files have another name, a disk may fail to answer, and `down` leaves the copy alone."""
    place = tmp_path / ".pulumi" / "stacks" / "airflow"
    place.mkdir(parents=True)
    (place / "team-a.json.bak").write_text("{}")
    if state == "compressed":
        (place / "team-a.json.gz").write_bytes(b"new")
    if state == "not readable":
        # Reading it fails for root, too.
        (place / "team-a.json").mkdir()
        (place / "team-a.json.attrs").mkdir()
    before = sorted(place.iterdir())
    assert not state_lock.restore_checkpoint(f"file://{tmp_path}", "airflow", "team-a")
    assert sorted(place.iterdir()) == before


def test_a_clusters_checkpoint_is_mended_before_its_stacks_are_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The engine reads every checkpoint to list the stacks, and stops at one that is cut off."""
    monkeypatch.setenv("PULUMI_BACKEND_URL", _write(tmp_path, _text(2**22 + 1)))
    place = tmp_path / ".pulumi" / "stacks" / "airflow"
    place.mkdir(parents=True)
    (place / "team-a.json").write_text("")
    (place / "team-a.json.bak").write_text("{}")
    project = SimpleNamespace(
        directory=tmp_path, stacks=lambda: [str(json.loads((place / "team-a.json").read_text()))]
    )
    monkeypatch.setattr(recovery.environments, "cluster_project", lambda: project)
    monkeypatch.setattr(recovery.environments, "own_cluster_stack", lambda _: "team-a")
    monkeypatch.setattr(recovery.checkout, "cluster_files", lambda: SimpleNamespace(name="airflow"))
    assert not recovery.recover_cluster(EnvironmentSettings.model_construct())


@pytest.mark.parametrize("unlock", [False, True])
def test_a_clusters_lock_of_another_host_goes_only_when_the_user_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unlock: bool
) -> None:
    monkeypatch.setenv("PULUMI_BACKEND_URL", _write(tmp_path, _text(1, host="runner-gone")))
    released: list[str] = []
    project = SimpleNamespace(
        directory=tmp_path, stacks=lambda: ["team-a"], pending_creates=lambda _: [], cancel=released.append
    )
    monkeypatch.setattr(recovery.environments, "cluster_project", lambda: project)
    monkeypatch.setattr(recovery.environments, "own_cluster_stack", lambda _: "team-a")
    monkeypatch.setattr(recovery.checkout, "cluster_files", lambda: SimpleNamespace(name="airflow"))
    for step in ("reconcile", "sweep"):
        monkeypatch.setattr(recovery, step, lambda *_, **__: None)
    settings = EnvironmentSettings.model_construct(region="eu-west-1")
    assert recovery.recover_cluster(settings, unlock=unlock) is unlock
    assert released == ["team-a"] * unlock


def test_who_unlocks_an_environment_does_not_unlock_its_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the jobs do that end environments of pull requests, while somebody deploys the cluster."""
    said: list[bool] = []

    def recover_cluster(_: object, *, unlock: bool) -> bool:
        said.append(unlock)
        raise LifecycleError("that is all", "none")

    monkeypatch.setattr(recovery.environments, "settings", lambda _: None)
    monkeypatch.setattr(recovery, "recover_cluster", recover_cluster)
    for unlock, unlock_cluster in ((True, False), (False, True)):
        with pytest.raises(LifecycleError):
            recovery.recover("team-a", unlock=unlock, unlock_cluster=unlock_cluster)
    assert said == [False, True]


@pytest.mark.parametrize(
    ("given", "absolute"),
    [
        ("file://./state?no_tmp_dir=true", "file:///checkout/cluster/state?no_tmp_dir=true"),
        ("file://state", "file:///checkout/cluster/state"),
        ("file:///state", "file:///state"),
        ("file://~/state", "file://~/state"),
        ("s3://state/team?region=x", "s3://state/team?region=x"),
    ],
)
def test_a_directory_is_found_from_where_the_engine_runs(
    given: str, absolute: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PULUMI_BACKEND_URL", given)
    assert pulumi_project.backend_url(Path("/checkout/cluster")) == absolute


@pytest.mark.parametrize(
    ("url", "endpoint", "region"),
    [
        ("s3://state/team?region=eu-west-1", "https://s3.eu-west-1.amazonaws.com", "eu-west-1"),
        ("s3://state?region=eu-west-1&endpoint=minio:9000&disableSSL=true", "http://minio:9000", "eu-west-1"),
        ("s3://state?region=x&endpoint=https://minio&s3ForcePathStyle=true", "https://minio", "x"),
        ("s3://state?profile=other", "https://s3.eu-west-3.amazonaws.com", "eu-west-3"),
    ],
)
def test_a_bucket_is_asked_where_the_engine_asks(
    url: str, endpoint: str, region: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """https://www.pulumi.com/docs/iac/concepts/state-and-backends/#aws-s3"""
    (tmp_path / "config").write_text("[profile other]\nregion = eu-west-3\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"):
        monkeypatch.delenv(name, raising=False)
    client = state_bucket.client(url)
    assert (client.meta.endpoint_url, client.meta.region_name) == (endpoint, region)
