"""Health of targets: asked again and again, and what follows for requests.

https://docs.aws.amazon.com/elasticloadbalancing/latest/application/target-group-health-checks.html
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from typing import Final

import urllib3
from urllib3.exceptions import HTTPError

from embedded.load_balancer.rules import TargetGroup

Target = tuple[str, int]
_Key = tuple[TargetGroup, Target]

_TICK_SECONDS: Final = 1.0


class Tally:
    """Answers of one target. Pure."""

    def __init__(self, healthy_threshold: int, unhealthy_threshold: int) -> None:
        self._thresholds = {True: healthy_threshold, False: unhealthy_threshold}
        self._same = 0
        self._last: bool | None = None
        self.healthy: bool | None = None
        """None while it is new: one good answer makes it healthy then."""

    def add(self, passed: bool) -> None:
        """Count an answer."""
        self._same = self._same + 1 if passed == self._last else 1
        self._last = passed
        if self._same >= self._thresholds[passed] or (self.healthy is None and passed):
            self.healthy = passed


class Health:
    """Asks every target at its group's pace, from the load balancer's own address."""

    def __init__(self, source_address: str) -> None:
        self._tallies: dict[_Key, Tally] = {}
        self._due: dict[_Key, float] = {}
        self._source = source_address
        self._stop = threading.Event()
        threading.Thread(target=self._ask_again_and_again, name="health", daemon=True).start()

    def watch(self, targets: Mapping[TargetGroup, Sequence[Target]]) -> None:
        """Ask these from now on, and no others."""
        wanted = {(group, target): group for group, found in targets.items() for target in found}
        tallies = {
            key: self._tallies.get(key)
            or Tally(group.health_check.healthy_threshold, group.health_check.unhealthy_threshold)
            for key, group in wanted.items()
        }
        self._due = {key: self._due.get(key, 0.0) for key in wanted}
        self._tallies = tallies

    def usable(self, group: TargetGroup, targets: Sequence[Target]) -> Sequence[Target]:
        """Targets for a request: the healthy ones, or all where none is.

        https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-target-groups.html#target-group-health
        """
        tallies = self._tallies
        healthy = [one for one in targets if (known := tallies.get((group, one))) and known.healthy]
        return healthy or targets

    def stop(self) -> None:
        """Ask no more."""
        self._stop.set()

    def _ask_again_and_again(self) -> None:
        while not self._stop.wait(_TICK_SECONDS):
            now = time.monotonic()
            for key in [key for key, due in self._due.items() if due <= now]:
                group, target = key
                if key in self._due:
                    self._due[key] = now + group.health_check.interval_seconds
                if tally := self._tallies.get(key):
                    tally.add(self._passes(group, target))

    def _passes(self, group: TargetGroup, target: Target) -> bool:
        check = group.health_check
        pool = urllib3.HTTPConnectionPool(
            *target,
            source_address=(self._source, 0),
            timeout=float(check.timeout_seconds),
            retries=False,
        )
        try:
            headers = {"User-Agent": "ELB-HealthChecker/2.0"}
            return check.accepts(pool.request("GET", check.path, headers=headers, redirect=False).status)
        except (HTTPError, OSError):
            return False
        finally:
            pool.close()
