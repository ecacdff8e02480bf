"""What follows from the name of an RDS instance class: memory, connections, CPU credits. Pure functions."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

# Memory of size `large` by family without its generation, GiB: https://aws.amazon.com/rds/instance-types/
_LARGE_GIB: Final[Mapping[str, float]] = {"t": 8, "m": 8, "r": 16, "c": 4, "z": 16}
_SIZES: Final[Mapping[str, float]] = {
    "micro": 1 / 8,
    "small": 1 / 4,
    "medium": 1 / 2,
    "large": 1,
    "xlarge": 2,
}
_CLASS: Final = re.compile(r"^db\.(?P<family>[a-z])[a-z0-9-]*\.(?P<times>[0-9]*)(?P<size>[a-z]+)$")


def memory_gib(instance_class: str) -> float | None:
    """Return the memory of a class in GiB, or None for a family that is not known here."""
    match = _CLASS.match(instance_class)
    large = _LARGE_GIB.get(match["family"]) if match else None
    size = _SIZES.get(match["size"]) if match else None
    if match is None or large is None or size is None or instance_class.startswith("db.x"):
        return None
    return large * size * (int(match["times"]) if match["times"] else 1)


def max_connections(instance_class: str) -> int | None:
    """Return RDS's default limit, LEAST({DBInstanceClassMemory/9531392}, 5000), or None where not known.

    https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/CHAP_Limits.html#RDS_Limits.MaxConnections
    The memory that RDS keeps for itself is not in DBInstanceClassMemory; AWS gives no figure, and 6 % and
    256 MiB leave a margin.
    """
    memory = memory_gib(instance_class)
    if memory is None:
        return None
    return min(int((memory * 1024 * 0.94 - 256) * 1024**2 // 9531392), 5000)


def is_burstable(instance_class: str) -> bool:
    """Whether the class earns and spends CPU credits."""
    return instance_class.startswith("db.t")
