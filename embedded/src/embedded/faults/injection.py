"""Plays the faults: decides what happens to a request before it is served, and to its answer after."""

from __future__ import annotations

import errno
import logging
import random
import select
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from embedded.faults import codes, live
from embedded.faults.played import Played, played_path
from embedded.faults.settings import Fault, FaultSettings

_log = logging.getLogger("embedded.faults")

_LONGEST_HANG_SECONDS = 3600.0
"""A client that never gives up must not hold a thread for ever."""
_STEP_SECONDS = 1.0


@dataclass(frozen=True)
class Play:
    """What happens to one request."""

    error: codes.ErrorAnswer | None = None
    """Answered instead of serving the request."""
    answer_is_lost: bool = False
    """The request is served; then the connection is cut."""


class Injector:
    """Faults and latency of the AWS API."""

    def __init__(self, settings_file: Path) -> None:
        self._live = live.install(settings_file)
        self._played = Played(played_path(settings_file))
        self._draws: dict[str, random.Random] = {}

    @property
    def active(self) -> bool:
        """Whether any request can be hit; the name of its operation is worth finding out then only."""
        settings = self._live.current()
        return bool(settings.faults or settings.latencies)

    def play(self, signing_name: str, operation: str, environ: dict[str, Any]) -> Play:
        """Wait as long as the settings say, and decide what becomes of the request.

        Raises:
            OSError: the request timed out; the server closes the connection without a word.
        """
        service, settings = codes.service_name(signing_name), self._live.current()
        time.sleep(latency(settings, service, operation))
        fault = self._chosen(settings, service, operation)
        if fault is None:
            return Play()
        _log.warning("fault %s: %s played on %s %s", fault.id, fault.kind, service, operation)
        if fault.kind == "throttle":
            return Play(error=codes.throttling(service))
        if fault.kind == "error":
            return Play(error=codes.internal(service))
        if fault.kind == "timeout":
            _hang(environ, fault.seconds)
            cut()
        return Play(answer_is_lost=True)

    def _chosen(self, settings: FaultSettings, service: str, operation: str) -> Fault | None:
        """The first fault that hits this request."""
        for fault in settings.faults:
            if not fault.target.matches(service, operation):
                continue
            draw = self._draws.setdefault(fault.id, random.Random(fault.seed))  # noqa: S311 - no secret
            if draw.random() < fault.probability and self._played.take(fault.id, fault.count):
                return fault
        return None


def latency(settings: FaultSettings, service: str, operation: str) -> float:
    """The delay of a request in seconds: the sum of all that mean it."""
    return sum(one.seconds for one in settings.latencies if one.target.matches(service, operation))


def cut() -> NoReturn:
    """Close the connection without an answer: what the server does when the client's end is gone."""
    raise BrokenPipeError(errno.EPIPE, "the connection is cut by a fault that is set")


def _hang(environ: dict[str, Any], seconds: float | None) -> None:
    """Hold the request until its client has closed the connection, or for the given time."""
    request = environ.get("embedded.request")
    deadline = time.monotonic() + (_LONGEST_HANG_SECONDS if seconds is None else seconds)
    workers = request.server.requests if request is not None else None
    if workers is not None:
        workers.grow(1)  # others are served meanwhile
    try:
        while (left := deadline - time.monotonic()) > 0:
            if request is None:
                time.sleep(min(left, _STEP_SECONDS))
            # A client that waits for an answer writes nothing: whatever is there to read is its goodbye.
            elif select.select([request.conn.socket], [], [], min(left, _STEP_SECONDS))[0]:
                return
    finally:
        if workers is not None:
            workers.shrink(1)
