"""Alarms of a database: thresholds from its class and storage."""

from __future__ import annotations

import json

import pytest

from infra import instance_classes
from infra.database_alarms import BELOW, dashboard_body, database_alarms, subscriber_name
from infra.settings import AlarmSettings, DatabaseSettings


# Sizes as AWS lists them: https://aws.amazon.com/rds/instance-types/
@pytest.mark.parametrize(
    ("instance_class", "gib"),
    [
        ("db.t4g.micro", 1),
        ("db.t4g.medium", 4),
        ("db.m7g.large", 8),
        ("db.m7g.2xlarge", 32),
        ("db.r6i.xlarge", 32),
        ("db.c6gd.large", 4),
        ("db.x2g.large", None),
    ],
)
def test_memory_of_classes(instance_class: str, gib: float | None) -> None:
    assert instance_classes.memory_gib(instance_class) == gib
    limit = instance_classes.max_connections(instance_class)
    if gib is None:
        assert limit is None
    else:
        # RDS's formula with the whole memory is the upper end.
        assert limit is not None
        assert 0.6 * gib * 1024**3 / 9531392 <= limit <= gib * 1024**3 / 9531392


def test_thresholds_follow_class_and_storage() -> None:
    settings = AlarmSettings(free_storage_percent=20, freeable_memory_percent=10)
    found = {
        alarm.name: alarm
        for alarm in database_alarms(
            settings, DatabaseSettings(instance_class="db.m7g.large", storage_gib=100)
        )
    }
    assert found["free-storage"].threshold == 20 * 1024**3
    assert found["freeable-memory"].threshold == round(0.8 * 1024**3)
    assert found["free-storage"].operator == BELOW
    assert "cpu-credits" not in found


def test_burstable_classes_have_credits_and_unknown_ones_no_guesses() -> None:
    def names(instance_class: str) -> set[str]:
        return {
            alarm.name
            for alarm in database_alarms(AlarmSettings(), DatabaseSettings(instance_class=instance_class))
        }

    assert "cpu-credits" in names("db.t4g.medium")
    assert not names("db.x2g.large") & {"connections", "freeable-memory"}
    assert "cpu" in names("db.x2g.large")


def test_a_dashboard_shows_every_metric_with_its_threshold() -> None:
    alarms = database_alarms(AlarmSettings(), DatabaseSettings())
    widgets = json.loads(dashboard_body(alarms, instance="db", region="eu-west-1"))["widgets"]
    shown = {
        widget["properties"]["metrics"][0][1]: widget["properties"]["annotations"]["horizontal"][0]["value"]
        for widget in widgets
    }
    assert shown == {alarm.metric: alarm.threshold for alarm in alarms}
    assert len({(widget["x"], widget["y"]) for widget in widgets}) == len(alarms)


def test_an_address_is_no_part_of_a_logical_name() -> None:
    name = subscriber_name("email", "someone@example.com")
    assert "someone" not in name
    assert name != subscriber_name("email", "other@example.com")
