"""What is set for a cloud is kept, matched and refused as its commands say."""

from __future__ import annotations

import json
import time
from datetime import datetime
from pathlib import Path

import pytest
from embedded.errors import EmbeddedError
from embedded.faults.live import LiveSettings
from embedded.faults.names import mistakes
from embedded.faults.played import Played
from embedded.faults.settings import FaultSettings, Latency, Target, changing, read_settings, settings_path
from embedded.identity import CloudIdentity
from embedded.rds.modifications import in_window


@pytest.fixture
def identity(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CloudIdentity:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    identity = CloudIdentity.of(tmp_path)
    identity.state_directory.mkdir(parents=True)
    return identity


def full() -> FaultSettings:
    settings = FaultSettings(duration_scale=0.5, consistency_seconds=3, api_server_pause_seconds=1)
    settings = settings.with_fault("timeout", Target("rds", "Create*"), count=2, probability=0.5, seconds=1.0)
    return settings.with_latency(Latency(Target("s3"), 0.25))


def test_what_is_written_is_read_back(identity: CloudIdentity) -> None:
    with changing(identity) as change:
        change.settings = full()
    assert read_settings(settings_path(identity)) == change.settings


def test_a_change_is_seen_by_who_is_running_and_a_broken_file_changes_nothing(
    identity: CloudIdentity,
) -> None:
    live = LiveSettings(settings_path(identity))
    assert live.current().quiet
    with changing(identity) as change:
        change.settings = full()
    assert live.current() == change.settings
    settings_path(identity).write_text("{")
    assert live.current() == change.settings


def test_ids_are_never_used_twice() -> None:
    """A count that belongs to a cleared fault must not use up a new one."""
    first = FaultSettings().with_fault("error", Target())
    second = first.without_faults((first.faults[0].id,)).with_fault("error", Target())
    assert second.faults[0].id != first.faults[0].id


def test_a_fault_that_is_not_there_is_named_with_those_that_are() -> None:
    with pytest.raises(EmbeddedError, match="no fault f9; there are: f1"):
        FaultSettings().with_fault("error", Target()).without_faults(("f9",))


def test_a_latency_replaces_the_one_of_the_same_target() -> None:
    slow = FaultSettings().with_latency(Latency(Target("s3"), 1)).with_latency(Latency(Target("s3"), 2))
    assert [one.seconds for one in slow.latencies] == [2]
    assert slow.with_latency(Latency(Target("s3"), 0)).quiet


def test_counts_go_on_after_a_restart(tmp_path: Path) -> None:
    file = tmp_path / "played.json"
    assert [Played(file).take("f1", 2) for _ in range(3)] == [True, True, False]
    assert json.loads(file.read_text()) == {"f1": 2}


@pytest.mark.parametrize(
    ("service", "operation", "said"),
    [
        ("rds", "CreateDBInstance", []),
        ("*", "Anything", []),
        ("rds", "Create*", []),
        ("secretmanager", "*", ["did you mean secretsmanager"]),
        ("sts", "AssumeRoles", ["did you mean AssumeRole"]),
    ],
)
def test_a_name_of_nothing_is_refused_with_the_nearest(service: str, operation: str, said: list[str]) -> None:
    found = mistakes(service, operation)
    assert len(found) == len(said)
    assert all(part in text for part, text in zip(said, found, strict=True))


@pytest.mark.parametrize(
    ("window", "moment", "inside"),
    [
        ("sun:03:00-sun:03:30", "2026-11-22 03:00", True),
        ("sun:03:00-sun:03:30", "2026-11-22 03:30", False),
        ("sun:03:00-sun:03:30", "2026-11-23 03:10", False),
        ("sun:23:45-mon:00:15", "2026-11-22 23:50", True),
        ("sun:23:45-mon:00:15", "2026-11-23 00:10", True),
        ("sun:23:45-mon:00:15", "2026-11-23 00:20", False),
    ],
)
def test_a_maintenance_window_may_cross_the_week(window: str, moment: str, inside: bool) -> None:
    """2026-11-22 is a Sunday, the last day of moto's and RDS's week."""
    assert time.strptime(moment[:10], "%Y-%m-%d").tm_wday in (6, 0)
    assert in_window(window, datetime.fromisoformat(moment)) is inside
