"""Preflight of single sign-on: the Secret of its client, which nobody but the user can make."""

from __future__ import annotations

from typing import Final

from infra.chart_features import OIDC_SECRET_KEY
from infra.lifecycle.cluster_access import ClusterAccess
from infra.lifecycle.report import Outcome, Row
from infra.settings_access import OidcSettings

NAME: Final = "single sign-on"


def row(access: ClusterAccess, oidc: OidcSettings | None) -> Row:
    """Whether the client's Secret is in the namespace; API servers wait for it as long as the release does.

    Its text is not read further than to see that there is one.

    Raises:
        LifecycleError: kubectl fails.
    """
    if oidc is None:
        return Row(NAME, Outcome.NOT_APPLICABLE, "the stack file has no access.oidc")
    name = oidc.client_secret_name
    # A list of nothing, where there is no such Secret or no namespace yet.
    found = access.json("get", "secrets", "--field-selector", f"metadata.name={name}").get("items") or []
    if any((secret.get("data") or {}).get(OIDC_SECRET_KEY) for secret in found):
        return Row.judged(NAME, True, f"Secret {name} has {OIDC_SECRET_KEY}")
    wanted = f"{access.namespace} has no Secret {name} with {OIDC_SECRET_KEY}"
    make = (
        f"`kubectl --namespace {access.namespace} create secret generic {name} "
        f"--from-file={OIDC_SECRET_KEY}=FILE`, with the text that the provider gave."
    )
    namespaces = access.json("get", "namespaces", "--field-selector", f"metadata.name={access.namespace}")
    if not namespaces.get("items"):
        return Row(NAME, Outcome.NOT_JUDGED, f"{wanted} yet", f"Once `up` has made the namespace: {make}")
    return Row.judged(NAME, False, wanted, f"Run {make}")
