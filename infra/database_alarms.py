"""Which metrics of a database instance mean trouble, and from which value on. Pure functions.

https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/rds-metrics.html
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from infra import instance_classes, naming
from infra.settings import AlarmSettings, DatabaseSettings

NAMESPACE: Final = "AWS/RDS"
ABOVE: Final = "GreaterThanThreshold"
BELOW: Final = "LessThanThreshold"
GIB: Final = 1024**3

# Seconds of write or read latency that a healthy gp3 volume stays far below.
LATENCY_SECONDS: Final = 0.1
# Transaction ids used before Postgres stops taking writes, 2^31; autovacuum begins at 200 million.
TRANSACTION_IDS: Final = 1_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """One alarm: a metric over `periods` periods of `period_seconds` against a threshold in its own unit."""

    name: str
    metric: str
    description: str
    operator: str
    threshold: float
    statistic: str = "Average"
    period_seconds: int = 300
    periods: int = 3
    missing_is_trouble: bool = False


def database_alarms(settings: AlarmSettings, database: DatabaseSettings) -> list[Alarm]:
    """Return the alarms of an instance, with thresholds from its class and storage."""
    storage = database.storage_gib * settings.free_storage_percent / 100
    alarms = [
        Alarm(
            name="cpu",
            metric="CPUUtilization",
            description=f"The database's processor is over {settings.cpu_percent}% in use",
            operator=ABOVE,
            threshold=settings.cpu_percent,
            missing_is_trouble=True,
        ),
        Alarm(
            name="free-storage",
            metric="FreeStorageSpace",
            description=f"Less than {storage:.1f} GiB of the database's storage are free",
            operator=BELOW,
            threshold=round(storage * GIB),
        ),
        Alarm(
            name="transaction-ids",
            metric="MaximumUsedTransactionIDs",
            description="Autovacuum falls behind; at two billion transaction ids Postgres takes no writes",
            operator=ABOVE,
            threshold=TRANSACTION_IDS,
            statistic="Maximum",
        ),
        *_latency_alarms(),
    ]
    return [*alarms, *_class_alarms(settings, database)]


def _latency_alarms() -> list[Alarm]:
    return [
        Alarm(
            name=f"{verb}-latency",
            metric=f"{verb.capitalize()}Latency",
            description=f"A {verb} takes the database over {LATENCY_SECONDS} s on average",
            operator=ABOVE,
            threshold=LATENCY_SECONDS,
        )
        for verb in ("read", "write")
    ]


def _class_alarms(settings: AlarmSettings, database: DatabaseSettings) -> list[Alarm]:
    """Alarms whose thresholds follow from the instance class; an unknown one has none of these."""
    instance_class, alarms = database.instance_class, []
    memory, limit = (
        instance_classes.memory_gib(instance_class),
        instance_classes.max_connections(instance_class),
    )
    if memory is not None and limit is not None:
        free = memory * settings.freeable_memory_percent / 100
        many = limit * settings.connections_percent // 100
        alarms += [
            Alarm(
                name="freeable-memory",
                metric="FreeableMemory",
                description=f"Less than {free:.2f} GiB of {memory:g} GiB memory are free",
                operator=BELOW,
                threshold=round(free * GIB),
            ),
            Alarm(
                name="connections",
                metric="DatabaseConnections",
                description=f"Over {many} of {limit} connections are open",
                operator=ABOVE,
                threshold=many,
                statistic="Maximum",
            ),
        ]
    if instance_classes.is_burstable(instance_class):
        alarms.append(
            Alarm(
                name="cpu-credits",
                metric="CPUCreditBalance",
                description=f"Less than {settings.cpu_credits} CPU credits are left; without any it slows",
                operator=BELOW,
                threshold=settings.cpu_credits,
            )
        )
    return alarms


def subscriber_name(protocol: str, endpoint: str) -> str:
    """Return the end of a subscription's logical name: what it is, without the address in it."""
    return f"{protocol}-{naming.short_hash(endpoint, 8)}"


def dashboard_body(alarms: Sequence[Alarm], *, instance: str, region: str) -> str:
    """Return the JSON of a dashboard: a graph for each alarm's metric, with its threshold."""
    widgets = [
        {
            "type": "metric",
            "x": index % 2 * 12,
            "y": index // 2 * 6,
            "width": 12,
            "height": 6,
            "properties": {
                "title": alarm.metric,
                "region": region,
                "view": "timeSeries",
                "stat": alarm.statistic,
                "period": alarm.period_seconds,
                "metrics": [[NAMESPACE, alarm.metric, "DBInstanceIdentifier", instance]],
                "annotations": {"horizontal": [{"label": alarm.name, "value": alarm.threshold}]},
            },
        }
        for index, alarm in enumerate(alarms)
    ]
    return json.dumps({"widgets": widgets}, sort_keys=True)
