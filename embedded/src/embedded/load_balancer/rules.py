"""An Application Load Balancer's rules: what is asked of them, and which one answers. Pure.

https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-listeners.html
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache


@dataclass(frozen=True)
class HealthCheck:
    """How targets are asked for their health; the controller's defaults.

    https://kubernetes-sigs.github.io/aws-load-balancer-controller/latest/guide/ingress/annotations/#health-check
    """

    path: str = "/"
    success_codes: str = "200"
    """HTTP status codes: `200`, `200,302` or `200-399`."""
    interval_seconds: int = 15
    timeout_seconds: int = 5
    healthy_threshold: int = 2
    unhealthy_threshold: int = 2

    def accepts(self, status: int) -> bool:
        """Whether this status is a sign of health."""
        for part in self.success_codes.split(","):
            first, _, last = part.partition("-")
            if int(first) <= status <= int(last or first):
                return True
        return False


@dataclass(frozen=True)
class TargetGroup:
    """The pods behind one port of a Service."""

    namespace: str
    service: str
    port: int | str
    """Number or name of the Service's port."""
    health_check: HealthCheck


@dataclass(frozen=True)
class Rule:
    """Requests of one of the hosts for one of the paths go to the target group."""

    hosts: tuple[str, ...]
    """Patterns; none: every host."""
    paths: tuple[str, ...]
    """Patterns; none: every path."""
    target_group: TargetGroup

    def matches(self, host: str, path: str) -> bool:
        """Whether a request is this rule's. Host names are compared without case, paths with it."""
        of_host = not self.hosts or any(_pattern(one.lower()).fullmatch(host.lower()) for one in self.hosts)
        return of_host and (not self.paths or any(_pattern(one).fullmatch(path) for one in self.paths))


def first_match(rules: Iterable[Rule], host: str, path: str) -> Rule | None:
    """The rule that answers: the first one that matches, in the order of their priorities."""
    return next((rule for rule in rules if rule.matches(host, path)), None)


@lru_cache(maxsize=1024)
def _pattern(text: str) -> re.Pattern[str]:
    """`*` is any number of characters, `?` is one."""
    wildcards = {"*": ".*", "?": "."}
    return re.compile("".join(wildcards.get(one) or re.escape(one) for one in text), re.DOTALL)
