"""RDS's rules for its two windows, which it would refuse only when the instance is made.

https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBInstance.html: both are 30 minutes or
more, and they must not overlap.
"""

from __future__ import annotations

from typing import Final

_DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY: Final = 24 * 60
_WEEK: Final = 7 * _DAY
_LEAST_MINUTES: Final = 30
# A maintenance window lasts less than a day: RDS, "Adjusting the preferred DB instance maintenance window".
_MOST_MINUTES: Final = _DAY - 1


def window_mistakes(backup: str, maintenance: str) -> list[tuple[str, object, str]]:
    """What is wrong with the windows, each of the right form: key, value, what is allowed."""
    begin, end = (_minutes(time) for time in backup.split("-"))
    week_begin, week_end = (
        _DAYS.index(moment[:3]) * _DAY + _minutes(moment[4:]) for moment in maintenance.split("-")
    )
    length, week_length = (end - begin) % _DAY, (week_end - week_begin) % _WEEK
    mistakes: list[tuple[str, object, str]] = []
    if length < _LEAST_MINUTES:
        mistakes.append(("backupWindow", backup, f"allowed: {_LEAST_MINUTES} minutes or more"))
    if not _LEAST_MINUTES <= week_length <= _MOST_MINUTES:
        mistakes.append(
            ("maintenanceWindow", maintenance, f"allowed: {_LEAST_MINUTES} minutes or more, less than a day")
        )
    if not mistakes and any(
        (week_begin - (day * _DAY + begin)) % _WEEK < length
        or (day * _DAY + begin - week_begin) % _WEEK < week_length
        for day in range(7)
    ):
        mistakes.append(
            ("maintenanceWindow", maintenance, f"overlaps backupWindow {backup}; RDS wants them apart")
        )
    return mistakes


def _minutes(time: str) -> int:
    return int(time[:2]) * 60 + int(time[3:])
