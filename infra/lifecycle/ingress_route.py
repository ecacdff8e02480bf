"""Why an environment's ingress does not answer from here: name, certificate, network, rule or target."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx

from infra.lifecycle.cluster_access import ClusterAccess

# Airflow answers this without a login.
HEALTH_PATH = "/api/v2/monitor/health"
_ANSWER_SECONDS = 5.0
_NOT_TRUSTED = "CERTIFICATE_VERIFY_FAILED"
# What a load balancer answers with when its targets do not.
_TARGET_STATUSES = (502, 503, 504)

Resolve = Callable[[str], set[str]]
"""From a name to its addresses; none when it has none."""


@dataclass(frozen=True)
class IngressState:
    """What the cluster says of a host's Ingress."""

    load_balancer: str | None
    """Name or address that its controller gave it; None: none yet."""
    warning: str | None
    """What its controller complained of last."""


def resolve(name: str) -> set[str]:
    """The addresses of a name, as this machine finds them."""
    try:
        return {str(found[4][0]) for found in socket.getaddrinfo(name, 443, type=socket.SOCK_STREAM)}
    except OSError:
        return set()


def ingress_state(access: ClusterAccess, host: str) -> IngressState:
    """Ask the cluster for the Ingress of a host, in the environment's namespace.

    Raises:
        LifecycleError: kubectl fails.
    """
    found = access.json("get", "ingresses").get("items") or []
    named = [one for one in found if any(rule.get("host") == host for rule in one["spec"].get("rules") or [])]
    if not named:
        return IngressState(None, f"there is no Ingress for {host}")
    given = ((named[0].get("status") or {}).get("loadBalancer") or {}).get("ingress") or []
    name = next((one.get("hostname") or one.get("ip") for one in given), None)
    selector = f"involvedObject.kind=Ingress,involvedObject.name={named[0]['metadata']['name']},type=Warning"
    events = access.json("get", "events", "--field-selector", selector).get("items") or []
    latest = max(events, key=_moment, default=None)
    return IngressState(name, str(latest["message"]) if latest else None)


def _moment(event: dict[str, Any]) -> str:
    return str(event.get("lastTimestamp") or event.get("eventTime") or "")


def obstacles(
    url: str,
    state: IngressState,
    resolve: Resolve = resolve,
    transport: httpx.BaseTransport | None = None,
) -> list[str]:
    """What keeps this machine from Airflow at `url`, one sentence each, with the next step; none: it answers.

    Args:
        url: https URL of the environment.
        state: its Ingress.
        resolve: finds addresses.
        transport: for the request.
    """
    host = urlsplit(url).hostname or ""
    if resolve(host):
        answer = _obstacle(host, host, transport)
        return [answer, *_elsewhere(host, state, resolve), *_complaint(state)] if answer else []
    if state.load_balancer is None:
        return [
            f"{host} does not resolve here, and its Ingress has no load balancer yet.",
            *_complaint(state),
        ]
    found = [f"{host} does not resolve here. Its DNS zone needs: {host} CNAME {state.load_balancer}"]
    if not resolve(state.load_balancer):
        return [*found, f"{state.load_balancer} does not resolve here either.", *_complaint(state)]
    answer = _obstacle(host, state.load_balancer, transport)
    return [*found, answer or f"With that it works: the load balancer answers for {host}."]


def _obstacle(host: str, server: str, transport: httpx.BaseTransport | None) -> str | None:
    """Ask a server for Airflow's health, as a client would that took it for the host."""
    try:
        # What the system trusts, not what a Python package does.
        with httpx.Client(
            timeout=_ANSWER_SECONDS, transport=transport, verify=ssl.create_default_context()
        ) as client:
            status = client.get(
                f"https://{server}{HEALTH_PATH}", headers={"Host": host}, extensions={"sni_hostname": host}
            ).status_code
    except httpx.HTTPError as error:
        if _NOT_TRUSTED in str(error):
            return (
                f"The certificate for {host} is not trusted here ({_reason(error)}). If your own "
                "authority signed it, let SSL_CERT_FILE name its file; else look at access.certificateArn."
            )
        return (
            f"{server} takes no connection from here ({_reason(error)}). Its load balancer is internal: it "
            "answers inside of the VPC, and by VPN or peering."
        )
    if status == 200:
        return None
    if status in _TARGET_STATUSES:
        return (
            f"The load balancer has no target that answers (status {status}): look at "
            "`airflow-env logs STACK api-server`, and whether networkPolicies.clientNetworks holds the load "
            "balancer's subnets."
        )
    if status == 404:
        return f"The load balancer has no rule for {host} (status 404): `airflow-env up STACK` writes it."
    return f"{server} answers with status {status}, which Airflow's health check never does."


def _reason(error: httpx.HTTPError) -> str:
    return str(error).rpartition("failed: ")[2].partition(" (_ssl.c")[0] or type(error).__name__


def _elsewhere(host: str, state: IngressState, resolve: Resolve) -> list[str]:
    """A record that leads to another load balancer than the Ingress has now."""
    if state.load_balancer is None:
        return []
    found, expected = resolve(host), resolve(state.load_balancer)
    if not expected or found & expected:
        return []
    return [
        f"{host} leads to {', '.join(sorted(found))}, and not to its load balancer {state.load_balancer}: "
        "correct the CNAME."
    ]


def _complaint(state: IngressState) -> list[str]:
    return [f"Its controller says: {state.warning}"] if state.warning else []
