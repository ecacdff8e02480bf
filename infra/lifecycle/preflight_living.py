"""Preflight of a change to a living environment: what AWS would refuse halfway, or do by losing all data.

The program describes what is wanted and does not know what there is; the stack's state does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from infra.lifecycle.known_cluster import KnownCluster
from infra.lifecycle.report import Outcome, Row
from infra.settings import EnvironmentSettings

NAME: Final = "change"
_INSTANCE: Final = "aws:rds/instance:Instance"
_STACK: Final = "pulumi:pulumi:Stack"
_PROVIDER: Final = "pulumi:providers:aws"

Resources = Iterable[Mapping[str, Any]]


def row(chosen: EnvironmentSettings, resources: Resources, cluster: KnownCluster) -> Row:
    """Judge whether the environment can become what its stack file says.

    Args:
        chosen: the stack file's settings.
        resources: of the stack's state; none before the first deployment.
        cluster: the cluster that the stack file means.
    """
    found = list(resources)
    if not found:
        return Row(NAME, Outcome.NOT_APPLICABLE, "nothing is deployed yet")
    wrong = [*_moves(chosen, found), *_other_cluster(found, cluster), *_database(chosen, found)]
    if not wrong and cluster.unreadable:
        # The program itself refuses nothing here: a changed cluster is a replaced database.
        seen = f"whether it stays on its cluster can't be told: {cluster.unreadable}"
        return Row(NAME, Outcome.NOT_JUDGED, seen)
    seen = "; ".join(wrong) or "the environment can become what its stack file says"
    step = "Put the value back. A new environment, with this database if you like: docs/restore.md."
    return Row.judged(NAME, not wrong, seen, step)


def _moves(chosen: EnvironmentSettings, resources: Resources) -> list[str]:
    """An environment stays in its account and region: names and data are there."""
    wrong = []
    for provider in (item.get("inputs", {}) for item in resources if item["type"] == _PROVIDER):
        region, accounts = provider.get("region"), str(provider.get("allowedAccountIds", ""))
        if region not in (None, chosen.region):
            wrong.append(f"airflow:region: {chosen.region}: it was deployed in {region} and does not move")
        if accounts and chosen.account_id not in accounts:
            wrong.append(f"airflow:accountId: {chosen.account_id}: it was deployed in {accounts.strip('[]')}")
    return wrong


def _other_cluster(resources: Resources, cluster: KnownCluster) -> list[str]:
    """A database stays in the network of its cluster."""
    [outputs] = [item.get("outputs", {}) for item in resources if item["type"] == _STACK] or [{}]
    deployed_on = outputs.get("clusterName")
    if deployed_on in (None, cluster.name) or cluster.unreadable:
        return []
    named = cluster.name or "of a stack that is not deployed"
    return [f"airflow:cluster: cluster {named}: it is on cluster {deployed_on} and does not move"]


def _database(chosen: EnvironmentSettings, resources: Resources) -> list[str]:
    """What RDS does not do to an instance.

    https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_ModifyDBInstance.html: AllocatedStorage and
    EngineVersion.
    """
    database, wrong = chosen.database, []
    # A resource that waits for its deletion was replaced by another one.
    instances = [item for item in resources if item["type"] == _INSTANCE and not item.get("delete")]
    for inputs in (item.get("inputs", {}) for item in instances):
        # A restored instance begins with its snapshot's size, and names none.
        storage = int(inputs.get("allocatedStorage") or 0)
        major = int(str(inputs["engineVersion"]).split(".")[0])
        if database.shared:
            # For disposable environments alone, whose data may go with the instance.
            continue
        if database.storage_gib < storage:
            size = f"{database.storage_gib}: it was made with {storage} GiB, and RDS makes none smaller"
            wrong.append(f"airflow:database.storageGib: {size}")
        if database.postgres_major < major:
            wrong.append(f"airflow:database.postgresMajor: {database.postgres_major}: it runs {major}")
        elif database.postgres_major > major and not database.apply_immediately:
            # Until the window comes the old group of parameters is in use, and can't be deleted.
            wrong.append(
                f"airflow:database.postgresMajor: {database.postgres_major}: it runs {major}, and an upgrade "
                "takes airflow:database.applyImmediately: true, with some minutes without a database"
            )
    return wrong
