"""Log groups that RDS made anew, with what an instance logged in its last moments.

They come after the deletion of the deployment's own, without key, retention or tags, and have the names that
the next deployment needs: https://github.com/terraform-aws-modules/terraform-aws-rds/issues/419
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import boto3

from infra import naming
from infra.components.metadata_database import EXPORTED_LOGS
from infra.settings import EnvironmentSettings


def expected_names(settings: EnvironmentSettings, names: naming.Names) -> set[str]:
    """Names of the log groups that a deployment of `settings` has."""
    return set() if settings.database.shared else {names.database_log_group(log) for log in EXPORTED_LOGS}


def settle(
    region: str,
    wanted: Collection[str],
    ids_in_state: Callable[[], Collection[str]],
    say: Callable[[str], None],
) -> None:
    """Delete the log groups that stand in the way of the next deployment, and are nobody's.

    One with a key, a retention or a tag was made by somebody, one in the state is the deployment's, and an
    instance that lives writes to its own: they stay.

    Args:
        region: region of the environment.
        wanted: names of the log groups that the next deployment has.
        ids_in_state: reads the ids in the stack's state, where the id of a log group is its name.
        say: prints a line for each group that is deleted.
    """
    client, rds = boto3.client("logs", region_name=region), boto3.client("rds", region_name=region)
    found = [group for name in sorted(wanted) for group in _named(client, name)]
    known = ids_in_state() if found else ()
    for group in found:
        name = str(group["logGroupName"])
        if name not in known and not _is_somebodys(client, group) and not _is_written(rds, name):
            client.delete_log_group(logGroupName=name)
            say(f"log group {name} came back after its deletion, and is gone again")


def _named(client: Any, name: str) -> list[dict[str, Any]]:
    found = client.describe_log_groups(logGroupNamePrefix=name)["logGroups"]
    return [group for group in found if group["logGroupName"] == name]


def _is_written(rds: Any, group: str) -> bool:
    """Whether the instance whose log it is lives: /aws/rds/instance/NAME/LOG."""
    try:
        rds.describe_db_instances(DBInstanceIdentifier=group.split("/")[4])
    except rds.exceptions.DBInstanceNotFoundFault:
        return False
    return True


def _is_somebodys(client: Any, group: dict[str, Any]) -> bool:
    arn = str(group["arn"]).removesuffix(":*")
    made = "kmsKeyId" in group or "retentionInDays" in group
    return made or bool(client.list_tags_for_resource(resourceArn=arn)["tags"])
