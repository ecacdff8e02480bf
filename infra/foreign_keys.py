"""Keys of a stack file outside the project's own namespace: the engine's, those of providers, misspelt ones.

The programs make their providers themselves (infra/providers.py), and such a provider reads nothing of the
stack's configuration: https://www.pulumi.com/docs/iac/concepts/resources/providers/#explicit-provider-configuration
Who sets a region, tags or a profile there would see it ignored.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Final

from infra.config_messages import Mistake, nearest

# Keys that the engine reads: https://www.pulumi.com/docs/iac/concepts/config/#configuration-keys
ENGINE: Final = "pulumi"
# The one setting of a provider that may stand in a file, for tools that look for it, if it says the same.
REGION: Final = "aws:region"
PROVIDERS: Final = ("aws", "kubernetes")
# This repository's projects, for a key that stands in the other one's file.
_FILES: Final = {"airflow": "Pulumi.STACK.yaml", "airflow-cluster": "cluster/Pulumi.STACK.yaml"}
_CREDENTIALS: Final = "the environment variable AWS_PROFILE"
# What takes the place of a provider's setting; NS is the project's own namespace.
_INSTEAD: Final[Mapping[str, str]] = {
    "aws:profile": _CREDENTIALS,
    "aws:accessKey": _CREDENTIALS,
    "aws:secretKey": _CREDENTIALS,
    "aws:token": _CREDENTIALS,
    "aws:assumeRole": f"{_CREDENTIALS}, and role_arn in that profile",
    "aws:assumeRoles": f"{_CREDENTIALS}, and role_arn in that profile",
    "aws:endpoints": "the environment variable AWS_ENDPOINT_URL",
    "aws:defaultTags": "NS:tags",
    "aws:allowedAccountIds": "NS:accountId",
    "aws:forbiddenAccountIds": "NS:accountId",
}


def foreign_mistakes(namespace: str, values: Mapping[str, object]) -> list[Mistake]:
    """A mistake for each key that nobody reads.

    Args:
        namespace: the project's own.
        values: key with its namespace -> value. None but a region's is shown: it may be a secret.
    """
    mistakes: list[Mistake] = []
    for key, value in values.items():
        owner = key.partition(":")[0]
        if key == REGION:
            mistakes += _region(namespace, value, values.get(f"{namespace}:region"))
        elif owner in PROVIDERS:
            mistakes.append(Mistake(key, None, _ignored(namespace, key)))
        elif owner not in (namespace, ENGINE):
            mistakes.append(Mistake(key, None, _unknown(owner, (namespace, ENGINE))))
    return mistakes


def _region(namespace: str, found: object, own: object) -> list[Mistake]:
    if found == own or not isinstance(own, str):
        return []
    value = json.dumps(found) if isinstance(found, str) else None
    allowed = f"allowed: {own}, as {namespace}:region, which is the region in use; make them the same, or "
    return [Mistake(REGION, value, f"{allowed}remove {REGION}")]


def _ignored(namespace: str, key: str) -> str:
    why = "has no effect: the program makes its providers itself"
    instead = _INSTEAD.get(key)
    if key.startswith("kubernetes:") and namespace == "airflow":
        instead = "NS:cluster"
    if instead is None:
        return f"{why}; remove it"
    return f"{why}; remove it, and use {instead.replace('NS', namespace)}"


def _unknown(name: str, known: Iterable[str]) -> str:
    where = f"; its keys belong in {_FILES[name]}" if name in _FILES else nearest(name, known)
    return f"unknown namespace{where}; allowed: {', '.join(known)}"
