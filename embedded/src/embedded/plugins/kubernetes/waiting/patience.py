"""How long an operation may take, and a pause that ends when the engine cancels."""

import threading
import time
from dataclasses import dataclass, field
from typing import Any

from embedded.plugins.common.errors import PluginError
from embedded.plugins.common.properties import value_at

DEFAULT_TIMEOUT_SECONDS = 600.0
"""Source: the official plugin's documentation of customTimeouts."""

TIMEOUT_ANNOTATION = "pulumi.com/timeoutSeconds"

_FIRST_PAUSE_SECONDS = 0.2
_LONGEST_PAUSE_SECONDS = 2.0
_PAUSE_GROWTH = 1.5


class CancelledError(PluginError):
    """The engine was told to stop; what was sent to the cluster so far stays there."""

    def __init__(self) -> None:
        super().__init__("cancelled")


@dataclass
class Patience:
    """Time left for one operation, in seconds, and growing pauses within it."""

    seconds: float
    cancelled: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self._end = time.monotonic() + self.seconds
        self._pause = _FIRST_PAUSE_SECONDS

    @property
    def is_over(self) -> bool:
        """Whether the time is used up."""
        return time.monotonic() >= self._end

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return self.seconds - (self._end - time.monotonic())

    def pause(self) -> None:
        """Wait a little, longer every time. Raises CancelledError when the engine cancels meanwhile."""
        left = self._end - time.monotonic()
        if self.cancelled.wait(max(min(self._pause, left), 0.0)):
            raise CancelledError
        self._pause = min(self._pause * _PAUSE_GROWTH, _LONGEST_PAUSE_SECONDS)


def timeout_seconds(custom_timeout: float, inputs: dict[str, Any]) -> float:
    """Seconds an operation may take: customTimeouts of the resource, else its annotation, else ten minutes.

    Raises PluginError when the annotation is no number.
    """
    if custom_timeout:
        return custom_timeout
    text = value_at(inputs, ("metadata", "annotations", TIMEOUT_ANNOTATION))
    if text is None:
        return DEFAULT_TIMEOUT_SECONDS
    try:
        return float(text)
    except (TypeError, ValueError):
        raise PluginError(
            f"annotation {TIMEOUT_ANNOTATION} is {text!r}; it must be a number of seconds"
        ) from None
