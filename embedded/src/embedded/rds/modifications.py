"""Which parts of a ModifyDBInstance take effect now, and which wait.

Without ApplyImmediately some settings wait for the maintenance window, or for a reboot before it. A request
with ApplyImmediately takes what waits with it.
https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_ModifyDBInstance.html
https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_ModifyInstance.Settings.html
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from embedded.rds.instance import EmbeddedDbInstance

GIVEN_UP_MESSAGE = "You must specify MasterUserPassword when ManageMasterUserPassword is turned off."

# moto's attribute -> the API's name, of the settings that wait.
_DEFERRED = {
    "db_instance_class": "DBInstanceClass",
    "engine_version": "EngineVersion",
    "allocated_storage": "AllocatedStorage",
    "storage_type": "StorageType",
    "iops": "Iops",
    "multi_az": "MultiAZ",
}
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def split(instance: EmbeddedDbInstance, request: Any) -> dict[str, Any]:
    """The changes of a request that take effect now; the rest is put into the instance's pending ones."""
    from moto.core.parse import XFormedDict

    changes = XFormedDict(request.original_dict() if hasattr(request, "original_dict") else request)
    if changes.get("apply_immediately"):
        return {**take_pending(instance), **cast(dict[str, Any], changes)}
    for key, name in _DEFERRED.items():
        value = changes.get(key)
        if value is None:
            continue
        if value == getattr(instance, key):
            instance.pending_modified_values.pop(name, None)
        else:
            instance.pending_modified_values[name] = value
            del changes[key]
    return cast(dict[str, Any], changes)


def take_pending(instance: EmbeddedDbInstance) -> dict[str, Any]:
    """What waits, by moto's names; nothing waits afterwards."""
    pending, instance.pending_modified_values = instance.pending_modified_values, {}
    return {key: pending[name] for key, name in _DEFERRED.items() if name in pending}


def in_window(window: str | None, now: datetime) -> bool:
    """Whether a moment (UTC) is in a maintenance window such as `sun:23:30-mon:00:30`."""
    if not window:
        return False
    begin, end = (_minute_of_week(text) for text in window.lower().split("-"))
    minute = _minutes(now.weekday(), now.hour, now.minute)
    return begin <= minute < end if begin < end else minute >= begin or minute < end


def _minute_of_week(text: str) -> int:
    day, hour, minute = text.split(":")
    return _minutes(_DAYS.index(day), int(hour), int(minute))


def _minutes(day: int, hour: int, minute: int) -> int:
    return int(timedelta(days=day, hours=hour, minutes=minute).total_seconds() // 60)
