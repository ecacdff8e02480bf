"""What persistent environments left behind: what to restore from, and what waits for its deletion.

Everything is found in AWS by its tags, so it is found when the stack is long gone.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError
from rich.markup import escape
from rich.table import Table

from infra import naming
from infra.lifecycle import checkout, environments
from infra.lifecycle.report import console

DEPLOYMENT_TAG = "deployment-id"


@dataclass(frozen=True)
class Item:
    """One thing in AWS."""

    kind: str
    name: str
    date: str
    """When it was made; of what waits for deletion, when it goes."""


@dataclass(frozen=True)
class Restorable:
    """A snapshot and the secret that goes with it."""

    snapshot: str
    fernet_keys_secret: str

    def settings(self) -> str:
        """The part of a new stack's file that restores it."""
        return (
            "  airflow:database:\n    restore:\n"
            f"      snapshot: {self.snapshot}\n      fernetKeysSecret: {self.fernet_keys_secret}"
        )


@dataclass(frozen=True)
class RecoverySet:
    """Everything of one deployment id."""

    kept: Sequence[Item] = field(default_factory=tuple)
    pending: Sequence[Item] = field(default_factory=tuple)
    """What waits for its deletion; another environment of the same name does not need these names."""
    unseen: Sequence[str] = field(default_factory=tuple)
    """Ids of keys that these credentials may not look at: others' of a shared account, or ours."""

    def restorable(self) -> list[Restorable]:
        """Final snapshots with their secrets, by the id that both names end in; the newest last."""
        secrets = {item.name.rsplit("/", 1)[1]: item.name for item in self.kept if item.kind == "secret"}
        found = []
        for item in sorted(self.kept, key=lambda item: item.date):
            identity = item.name.rsplit("-", 1)[-1]
            if item.kind == "snapshot" and "-final-" in item.name and identity in secrets:
                found.append(Restorable(item.name, secrets[identity]))
        return found


def of_stack(stack: str) -> RecoverySet:
    """Return the recovery set of the environment that a stack file describes.

    Raises:
        LifecycleError: there is no such file, or it has mistakes.
    """
    chosen = environments.settings(stack)
    project = checkout.environment_files().name
    return find(chosen.region, naming.deployment_id(project, stack, given=chosen.deployment_id))


def find(region: str, deployment_id: str) -> RecoverySet:
    """Return what AWS has of a deployment id, in one region."""
    kept, pending, unseen = _keys(region, deployment_id)
    more_kept, more_pending = _secrets(region, deployment_id)
    kept += [*more_kept, *_snapshots(region, deployment_id)]
    return RecoverySet(kept=tuple(kept), pending=(*pending, *more_pending), unseen=tuple(unseen))


def _keys(region: str, deployment_id: str) -> tuple[list[Item], list[Item], list[str]]:
    kms: Any = boto3.client("kms", region_name=region)
    kept, pending, unseen = [], [], []
    for page in kms.get_paginator("list_keys").paginate():
        for key in page["Keys"]:
            try:
                metadata, tags = _key(kms, key["KeyId"])
            except ClientError as error:
                # A key's own policy decides who sees it.
                if error.response["Error"]["Code"] != "AccessDeniedException":
                    raise
                unseen.append(key["KeyId"])
                continue
            if metadata["KeyState"] == "PendingDeletion" and tags.get(DEPLOYMENT_TAG) == deployment_id:
                pending.append(Item("key", key["KeyId"], _date(metadata["DeletionDate"])))
            elif tags.get(naming.RECOVERY_SET_TAG) == deployment_id:
                kept.append(Item("key", key["KeyId"], _date(metadata["CreationDate"])))
    return kept, pending, unseen


def _key(kms: Any, key_id: str) -> tuple[dict[str, Any], dict[str, str]]:
    """Metadata and tags of a key; AWS's own keys have none of ours."""
    metadata = kms.describe_key(KeyId=key_id)["KeyMetadata"]
    if metadata.get("KeyManager") != "CUSTOMER":
        return metadata, {}
    tags = kms.list_resource_tags(KeyId=key_id)["Tags"]
    return metadata, {tag["TagKey"]: tag["TagValue"] for tag in tags}


def _secrets(region: str, deployment_id: str) -> tuple[list[Item], list[Item]]:
    client: Any = boto3.client("secretsmanager", region_name=region)
    kept, pending = [], []
    for page in client.get_paginator("list_secrets").paginate(IncludePlannedDeletion=True):
        for secret in page["SecretList"]:
            tags = {tag["Key"]: tag["Value"] for tag in secret.get("Tags") or []}
            if secret.get("DeletedDate") and tags.get(DEPLOYMENT_TAG) == deployment_id:
                pending.append(Item("secret", secret["Name"], _date(secret["DeletedDate"])))
            elif tags.get(naming.RECOVERY_SET_TAG) == deployment_id:
                kept.append(Item("secret", secret["Name"], _date(secret["CreatedDate"])))
    return kept, pending


def _snapshots(region: str, deployment_id: str) -> list[Item]:
    rds: Any = boto3.client("rds", region_name=region)
    found = []
    for page in rds.get_paginator("describe_db_snapshots").paginate(SnapshotType="manual"):
        for snapshot in page["DBSnapshots"]:
            tags = {tag["Key"]: tag["Value"] for tag in snapshot.get("TagList") or []}
            if tags.get(naming.RECOVERY_SET_TAG) == deployment_id:
                made = snapshot.get("SnapshotCreateTime")
                date = _date(made) if made else snapshot["Status"]
                found.append(Item("snapshot", snapshot["DBSnapshotIdentifier"], date))
    return found


def _date(moment: Any) -> str:
    return str(moment.strftime("%Y-%m-%d %H:%M"))


def print_waiting(keys: Iterable[str]) -> None:
    """Print until when each of these KMS keys (ARNs) waits for its deletion, where AWS tells it.

    What is told of is gone already, so an answer that does not come is no failure.
    """
    for arn in keys:
        kms: Any = boto3.client("kms", region_name=arn.split(":")[3])
        name = f"KMS key {arn.rsplit('/', 1)[1]}"
        try:
            metadata = kms.describe_key(KeyId=arn)["KeyMetadata"]
        except (BotoCoreError, ClientError) as error:
            console.print(f"{name} waits for its deletion; until when is not known: {error}", markup=False)
            continue
        if metadata["KeyState"] == "PendingDeletion":
            date = _date(metadata["DeletionDate"])
            console.print(f"{name} waits for its deletion until {date}, and holds no name.", markup=False)


def print_json(found: RecoverySet) -> None:
    """Print it as one JSON document."""
    document = {**asdict(found), "restorable": [asdict(one) for one in found.restorable()]}
    print(json.dumps(document, indent=2))


def print_text(stack: str, found: RecoverySet) -> None:
    """Print what there is, and how to restore the newest."""
    table = Table(title=f"Recovery set of {stack}", title_justify="left")
    for heading in ("what", "name", "state"):
        table.add_column(heading, overflow="fold")
    for item in found.kept:
        table.add_row(item.kind, escape(item.name), f"kept, made {item.date}")
    for item in found.pending:
        table.add_row(item.kind, escape(item.name), f"goes {item.date}")
    if found.unseen:
        console.print(
            f"{len(found.unseen)} keys that these credentials may not look at: {', '.join(found.unseen)}",
            markup=False,
        )
    if not (found.kept or found.pending):
        console.print(f"{stack} has left nothing to restore from.")
        return
    console.print(table)
    if restorable := found.restorable():
        console.print("To restore it, write a file Pulumi.NEW.yaml for a new stack, with")
        console.print(restorable[-1].settings(), markup=False)
        console.print("and deploy it: `airflow-env up NEW`. docs/restore.md has the steps.", markup=False)
