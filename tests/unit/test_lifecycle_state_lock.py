"""What a killed run leaves: a lock is released only when its owner is provably gone."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from infra.lifecycle import recovery, state_lock
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


def test_nothing_is_known_of_another_host(tmp_path: Path) -> None:
    assert not _lock(tmp_path, _text(2**22 + 1, host="elsewhere")).is_dead()


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


def test_a_clusters_checkpoint_is_mended_before_its_stacks_are_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The engine reads every checkpoint to list the stacks, and stops at one that is cut off."""
    monkeypatch.setenv("PULUMI_BACKEND_URL", _write(tmp_path, _text(2**22 + 1)))
    place = tmp_path / ".pulumi" / "stacks" / "airflow"
    place.mkdir(parents=True)
    (place / "team-a.json").write_text("")
    (place / "team-a.json.bak").write_text("{}")
    project = SimpleNamespace(stacks=lambda: [str(json.loads((place / "team-a.json").read_text()))])
    monkeypatch.setattr(recovery.environments, "cluster_project", lambda: project)
    monkeypatch.setattr(recovery.environments, "own_cluster_stack", lambda _: "team-a")
    monkeypatch.setattr(recovery.checkout, "cluster_files", lambda: SimpleNamespace(name="airflow"))
    assert not recovery.recover_cluster(EnvironmentSettings.model_construct())
