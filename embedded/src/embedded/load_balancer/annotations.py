"""What the annotations of an Ingress ask for. Pure.

https://kubernetes-sigs.github.io/aws-load-balancer-controller/latest/guide/ingress/annotations/
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from embedded.load_balancer.rules import HealthCheck

PREFIX: Final = "alb.ingress.kubernetes.io/"
_SCHEMES: Final = ("internal", "internet-facing")
_SUCCESS_CODES: Final = re.compile(r"[2-4]\d\d(-[2-4]\d\d)?(,[2-4]\d\d(-[2-4]\d\d)?)*")
_CERTIFICATE: Final = re.compile(r"arn:aws[a-z-]*:(acm|iam):\S+")
# Parameter of HealthCheck -> annotation, least, most.
# https://docs.aws.amazon.com/elasticloadbalancing/latest/application/target-group-health-checks.html
_HEALTH_NUMBERS: Final = {
    "interval_seconds": ("healthcheck-interval-seconds", 5, 300),
    "timeout_seconds": ("healthcheck-timeout-seconds", 2, 120),
    "healthy_threshold": ("healthy-threshold-count", 2, 10),
    "unhealthy_threshold": ("unhealthy-threshold-count", 2, 10),
}
_KNOWN: Final = {
    "scheme",
    "target-type",
    "listen-ports",
    "certificate-arn",
    "healthcheck-path",
    "success-codes",
    *(name for name, _, _ in _HEALTH_NUMBERS.values()),
}


class RefusedError(Exception):
    """What is asked for is not given; the text is the event's."""


@dataclass(frozen=True)
class Options:
    """An Ingress' annotations, read."""

    scheme: str | None
    listeners: tuple[tuple[str, int], ...]
    """(HTTP or HTTPS, port)."""
    certificate_arns: tuple[str, ...]
    health_check: HealthCheck


def read(annotations: Mapping[str, str]) -> Options:
    """The options of an Ingress.

    Raises:
        RefusedError: a value that the controller refuses, or an annotation that is not emulated; all of them.
    """
    given = {name.removeprefix(PREFIX): text for name, text in annotations.items() if name.startswith(PREFIX)}
    mistakes = [
        f"the embedded cloud does not emulate {PREFIX}{name}" for name in sorted(given.keys() - _KNOWN)
    ]
    scheme = given.get("scheme")
    if scheme is not None and scheme not in _SCHEMES:
        mistakes.append(f"unknown scheme: {scheme}")
    if (target_type := given.get("target-type", "ip")) != "ip":
        # Targets of type instance are nodes' ports, which ClusterIP Services have none of.
        mistakes.append(f"the embedded cloud does not emulate {PREFIX}target-type: {target_type}")
    certificates = tuple(one.strip() for one in given.get("certificate-arn", "").split(",") if one.strip())
    mistakes += [f"invalid certificate ARN: {one}" for one in certificates if not _CERTIFICATE.fullmatch(one)]
    listeners = _listeners(given.get("listen-ports"), bool(certificates), mistakes)
    health_check = _health_check(given, mistakes)
    if mistakes:
        raise RefusedError("; ".join(mistakes))
    return Options(scheme, listeners, certificates, health_check)


def _listeners(text: str | None, certified: bool, mistakes: list[str]) -> tuple[tuple[str, int], ...]:
    """Without the annotation: HTTPS where there is a certificate, else HTTP."""
    if text is None:
        return (("HTTPS", 443),) if certified else (("HTTP", 80),)
    try:
        parsed = json.loads(text)
        found = [(protocol, int(port)) for entry in parsed for protocol, port in entry.items()]
    except (ValueError, TypeError, AttributeError):
        mistakes.append(f"failed to parse listen-ports configuration: `{text}`")
        return ()
    if not found:
        mistakes.append(f"empty listen-ports configuration: `{text}`")
    for protocol, port in found:
        if protocol not in ("HTTP", "HTTPS"):
            mistakes.append(f"listen protocol must be HTTP or HTTPS: {protocol}")
        if not 1 <= port <= 65535:
            mistakes.append(f"listen port must be within [1, 65535]: {port}")
    if len({port for _, port in found}) < len(found):
        mistakes.append(f"conflicting listen ports: `{text}`")
    return tuple(found)


def _health_check(given: Mapping[str, str], mistakes: list[str]) -> HealthCheck:
    numbers = {}
    for parameter, (name, least, most) in _HEALTH_NUMBERS.items():
        if name not in given:
            continue
        text = given[name].strip()
        if re.fullmatch(r"[0-9]{1,6}", text) and least <= int(text) <= most:
            numbers[parameter] = int(text)
        else:
            mistakes.append(f"{PREFIX}{name}: {given[name]!r} is no number of {least} to {most}")
    path = given.get("healthcheck-path", "/")
    if not path.startswith("/"):
        mistakes.append(f"{PREFIX}healthcheck-path: {path!r} does not begin with a slash")
    codes = given.get("success-codes", "200")
    if not _SUCCESS_CODES.fullmatch(codes):
        mistakes.append(f"{PREFIX}success-codes: {codes!r} is none of 200, 200,302 and 200-399")
        codes = "200"
    return HealthCheck(path=path, success_codes=codes, **numbers)
