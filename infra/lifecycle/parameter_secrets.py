"""Secrets of Variables and Connections that wait for their deletion: removed entries, or somebody's hand.

Their names would block the next deployment: AWS makes no secret of such a name. The texts are in the stack
file, so nothing is lost when a name is set free.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Any

import boto3

from infra import naming
from infra.settings import EnvironmentSettings
from infra.settings_dag_parameters import CANARY_CONNECTION


def expected_names(settings: EnvironmentSettings, names: naming.Names) -> set[str]:
    """Names of the secrets that a deployment of `settings` has."""
    connections = [*settings.connections, *([CANARY_CONNECTION] if settings.canary else [])]
    return {
        *(names.variable_secret(variable) for variable in settings.variables),
        *(names.connection_secret(connection) for connection in connections),
    }


def settle(
    region: str,
    wanted: Collection[str],
    ids_in_state: Callable[[], Collection[str]],
    say: Callable[[str], None],
) -> None:
    """Bring back the waiting secrets that the stack's state has, and free the names of the others.

    Args:
        region: region of the environment.
        wanted: names of the secrets that the next deployment has.
        ids_in_state: reads the ids in the stack's state, where the id of a secret is its ARN.
        say: prints a line for each secret, with the date that AWS gives for its deletion.
    """
    client = boto3.client("secretsmanager", region_name=region)
    waiting = list(_waiting(client, wanted))
    known = ids_in_state() if waiting else ()
    for secret in waiting:
        date = secret["DeletedDate"].date().isoformat()
        if secret["ARN"] in known:
            client.restore_secret(SecretId=secret["ARN"])
            say(f"secret {secret['Name']} waited for its deletion ({date}), and is back")
        else:
            client.delete_secret(SecretId=secret["ARN"], ForceDeleteWithoutRecovery=True)
            say(f"secret {secret['Name']} waited for its deletion ({date}), and its name is free again")


def _waiting(client: Any, wanted: Collection[str]) -> Iterable[dict[str, Any]]:
    if not wanted:
        return
    # One prefix covers them all; the filter is by words, so each name is compared.
    prefix = next(iter(wanted)).rsplit("/", 2)[0]
    filters = [{"Key": "name", "Values": [f"{prefix}/"]}]
    for page in client.get_paginator("list_secrets").paginate(IncludePlannedDeletion=True, Filters=filters):
        for secret in page["SecretList"]:
            if secret["Name"] in wanted and secret.get("DeletedDate"):
                yield secret
