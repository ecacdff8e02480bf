"""CPU quantities of Kubernetes."""

import re
from decimal import Decimal

_QUANTITY = re.compile(r"^(?P<number>\d+(\.\d*)?|\.\d+)(?P<suffix>[num]?|k)$")
_MILLI = {
    "": Decimal(1000),
    "m": Decimal(1),
    "u": Decimal("0.001"),
    "n": Decimal("0.000001"),
    "k": Decimal(10**6),
}


def cpu_millis(quantity: str) -> Decimal | None:
    """A CPU quantity such as `250m` or `1.5` in thousandths of a core; None if it is written otherwise."""
    match = _QUANTITY.match(quantity)
    return Decimal(match["number"]) * _MILLI[match["suffix"]] if match else None


def scaled_cpu(quantity: str, factor: Decimal, floor: int, ceiling: int) -> str:
    """The quantity times `factor`, between `floor` and `ceiling` thousandths; never more than before."""
    millis = cpu_millis(quantity)
    if millis is None or millis == 0:
        return quantity
    scaled = min(max(int(millis * factor), floor), ceiling)
    return quantity if scaled >= millis else f"{scaled}m"
