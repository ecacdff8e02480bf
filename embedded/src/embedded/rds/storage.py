"""Sizes and speeds that RDS gives gp3 volumes of Postgres, and the windows of backups and maintenance.

https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/CHAP_Storage.html#gp3-storage
https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBInstance.html
"""

from typing import Any

# From this size on, GiB, a volume is striped over four.
STRIPED_GIB = 400
# IOPS and MiB/s of a volume of which nobody asked for more.
_PLAIN, _STRIPED = (3000, 125), (12000, 500)
_STRIPED_IOPS, _STRIPED_THROUGHPUT = range(12000, 64001), range(500, 4001)
_LEAST_WINDOW_MINUTES = 30
_DAY_MINUTES, _WEEK_MINUTES = 24 * 60, 7 * 24 * 60
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def baseline(gib: int) -> tuple[int, int]:
    """IOPS and throughput (MiB/s) of a gp3 volume of a size that names none."""
    return _STRIPED if gib >= STRIPED_GIB else _PLAIN


def _wrong_combination(message: str) -> Exception:
    # moto takes seconds to import, and what is right needs none of it.
    from moto.rds.exceptions import InvalidParameterCombination

    refusal: Exception = InvalidParameterCombination(message)
    return refusal


def _wrong_value(message: str) -> Exception:
    from moto.rds.exceptions import InvalidParameterValue

    refusal: Exception = InvalidParameterValue(message)
    return refusal


def check_performance(storage_type: Any, gib: int, iops: Any, throughput: Any) -> None:
    """Refuse IOPS and throughput that a gp3 volume of this size can't have; None is not asked for.

    Raises:
        InvalidParameterCombination: in RDS's words.
    """
    if storage_type != "gp3":
        return
    if gib < STRIPED_GIB and (iops or throughput):
        message = (
            "You can't specify IOPS or storage throughput for engine postgres and a storage size less than "
            f"{STRIPED_GIB}."
        )
        raise _wrong_combination(message)
    of = "value for engine name postgres and storage type gp3"
    if iops and int(iops) not in _STRIPED_IOPS:
        raise _wrong_combination(f"Invalid iops {of}: {iops}")
    if throughput and int(throughput) not in _STRIPED_THROUGHPUT:
        raise _wrong_combination(f"Invalid storage throughput {of}: {throughput}")


def check_windows(backup: str | None, maintenance: str | None) -> None:
    """Refuse windows that are shorter than half an hour or at the same time.

    Raises:
        InvalidParameterValue: in RDS's words.
    """
    daily = None if not backup else _span(backup, _DAY_MINUTES)
    weekly = None if not maintenance else _span(maintenance.lower(), _WEEK_MINUTES)
    for name, span in (("backup", daily), ("maintenance", weekly)):
        if span is not None and span[1] < _LEAST_WINDOW_MINUTES:
            raise _wrong_value(f"The {name} window must be at least {_LEAST_WINDOW_MINUTES} minutes.")
    if daily is None or weekly is None:
        return
    minutes = {(weekly[0] + passed) % _DAY_MINUTES for passed in range(min(weekly[1], _DAY_MINUTES))}
    if any((daily[0] + passed) % _DAY_MINUTES in minutes for passed in range(daily[1])):
        raise _wrong_value("The backup window and maintenance window must not overlap.")


def _span(window: str, around: int) -> tuple[int, int]:
    """Where a window begins and how long it is, minutes."""
    begin, end = (_minute(text) for text in window.split("-"))
    return begin, (end - begin) % around


def _minute(text: str) -> int:
    *day, hour, minute = text.split(":")
    return (_DAYS.index(day[0]) * _DAY_MINUTES if day else 0) + int(hour) * 60 + int(minute)
