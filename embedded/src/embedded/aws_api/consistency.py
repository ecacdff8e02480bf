"""Changes to identities take effect after a delay, as on AWS, where IAM and EKS are eventually consistent.

Reading such an object shows a change at once; what it grants comes later: a new role cannot be assumed, a
new policy does not allow, an association does not reach pods, an access entry does not open the cluster.
https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html#troubleshoot_general_eventual-consistency
https://docs.aws.amazon.com/eks/latest/userguide/pod-id-how-it-works.html

The delay is 0 unless `embedded faults consistency` sets another; it may be set while the cloud runs.
"""

import time
from collections.abc import Callable, Hashable
from typing import Any, TypeVar, cast

from embedded.faults.live import consistency_seconds

Value = TypeVar("Value")

_clock: Callable[[], float] = time.monotonic
# What held before each change that has not taken effect yet, oldest first, with the moment it ends.
_former: dict[Hashable, list[tuple[float, Any]]] = {}


def remember(key: Hashable, value: object) -> None:
    """Keep `value` in effect for `key` until the change that is about to be made has spread."""
    if (delay := consistency_seconds()) > 0:
        _former.setdefault(key, []).append((_clock() + delay, value))


def effective(key: Hashable, current: Callable[[], Value]) -> Value:
    """What holds for `key`: what was remembered and still lasts, else the current value."""
    now = _clock()
    lasting = [entry for entry in _former.get(key, ()) if entry[0] > now]
    if not lasting:
        _former.pop(key, None)
        return current()
    _former[key] = lasting
    return cast(Value, lasting[0][1])


def settle(key: Hashable) -> None:
    """Let the current value of `key` hold at once."""
    _former.pop(key, None)
