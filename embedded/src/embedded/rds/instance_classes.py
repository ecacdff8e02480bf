"""Memory of RDS instance classes, and the connection limit RDS derives from it.

Sizes: https://aws.amazon.com/rds/instance-types/ (memory doubles with each size).
"""

import re

_GIB = 1024**3
# Memory of size `large` by family, in GiB.
_LARGE = {"t3": 8, "t4g": 8, "m": 8, "r": 16}
_FACTORS = {"micro": 0.125, "small": 0.25, "medium": 0.5, "large": 1, "xlarge": 2}
_CLASS = re.compile(r"^db\.(?P<family>t3|t4g|m\d[a-z]*|r\d[a-z]*)\.(?P<size>\w+)$")


def memory_bytes(instance_class: str) -> int:
    """Nominal memory of a class such as `db.t4g.micro`.

    Raises:
        InvalidParameterValue: RDS has no such class for Postgres.
    """
    match = _CLASS.match(instance_class)
    if match:
        family, size = match["family"], match["size"]
        factor = _FACTORS.get(size)
        if factor is None and (multiple := re.match(r"^(\d+)xlarge$", size)):
            factor = 2.0 * int(multiple[1])
        burstable = family.startswith("t")
        if factor is not None and (burstable or factor >= 1):
            return int(_LARGE[family if burstable else family[0]] * factor * _GIB)
    # moto takes seconds to import, and a table needs none of it.
    from moto.rds.exceptions import InvalidParameterValue

    raise InvalidParameterValue(f"Invalid DB Instance class: {instance_class}")


def max_connections(instance_class: str) -> int:
    """RDS's default for Postgres: LEAST({DBInstanceClassMemory/9531392}, 5000).

    Source: https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/CHAP_Limits.html (maximum connections).
    RDS subtracts what its own processes take; the nominal memory is used here.
    """
    return min(memory_bytes(instance_class) // 9531392, 5000)
