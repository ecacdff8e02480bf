"""Values that nothing reads beside others: they would look as if something were done.

A switch that is off keeps its numbers (the pools of a PgBouncer that is off), so that it can be turned on
again, and stack files can have the same keys. A mistake is what somebody would rely on: addresses, networks.
"""

from __future__ import annotations

from infra.settings_alarms import AlarmSettings
from infra.settings_platform import NetworkPolicySettings

Found = list[tuple[str, object, str]]


def unheard_alarms(alarms: AlarmSettings, *, made: bool, shared: bool) -> Found:
    """Addresses of alarms that are not made.

    Args:
        alarms: who is to hear them.
        made: whether the environment makes alarms.
        shared: whether its database is on a host's instance.
    """
    if made:
        return []
    why = "has no effect without alarms; set alarms.enabled true, or remove it"
    if shared:
        why = "has no effect with database.tenancy shared: the host's instance has its own alarms; remove it"
    given = {"emails": alarms.emails, "httpsEndpoints": alarms.https_endpoints}
    return [(f"alarms.{key}", list(value), why) for key, value in given.items() if value]


def unused_networks(policies: NetworkPolicySettings, *, metrics: bool) -> Found:
    """Networks and namespaces that no policy names.

    Args:
        policies: the policies.
        metrics: whether anything offers metrics.
    """
    unused = {
        "clientNetworks": policies.client_networks,
        "scraperNamespaces": policies.scraper_namespaces,
    }
    mistakes: Found = [
        (f"networkPolicies.{key}", list(value), "has no effect with networkPolicies.enabled false")
        for key, value in unused.items()
        if value and not policies.enabled
    ]
    if policies.enabled and policies.scraper_namespaces and not metrics:
        why = (
            "has no effect with statsd.enabled and pgbouncer.enabled false, which have the metrics; remove it"
        )
        mistakes.append(("networkPolicies.scraperNamespaces", list(policies.scraper_namespaces), why))
    return mistakes
