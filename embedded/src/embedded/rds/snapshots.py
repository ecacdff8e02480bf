"""Snapshot operations of RDS: copies of an instance's data, and instances made from them."""

import shutil
from typing import Any, NoReturn, cast

from moto.rds.exceptions import DBInstanceNotFoundError, InvalidParameterCombination, RDSClientError
from moto.rds.models import DBInstance, DBSnapshot, RDSBackend

from embedded.faults import durations
from embedded.rds.instance import EmbeddedDbInstance
from embedded.rds.jobs import InstanceJobs

# https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_RestoreDBInstanceFromDBSnapshot.html:
# ManageMasterUserPassword "applies to RDS for Oracle only".
_MANAGED_RESTORE_MESSAGE = (
    "ManageMasterUserPassword can't be specified when a snapshot of engine postgres is restored; modify the "
    "restored instance instead."
)


class SnapshotOperations(RDSBackend):
    """`jobs` is set once at start, before any request."""

    jobs: InstanceJobs

    def create_db_snapshot(
        self,
        db_instance_identifier: str,
        db_snapshot_identifier: str,
        snapshot_type: str = "manual",  # noqa: ARG002 - moto's signature
        tags: list[dict[str, str]] | None = None,
        original_created_at: Any = None,  # noqa: ARG002 - moto's signature
        kms_key_id: str | None = None,  # noqa: ARG002 - moto's signature
    ) -> DBSnapshot:
        """CreateDBSnapshot: status creating until the data is copied."""
        instance = self._instance(db_instance_identifier)
        self._check_status(instance, "available", "stopped", "stopping")
        snapshot = self._new_snapshot(instance, db_snapshot_identifier, tags)
        if instance.status == "available":
            instance.status = "backing-up"
        pause = durations.scaled_seconds("rds", "CreateDBSnapshot")
        self.jobs.submit(lambda one: self.jobs.snapshot(one, db_snapshot_identifier, pause), instance)
        return snapshot

    def _new_snapshot(self, instance: Any, identifier: str, tags: list[dict[str, str]] | None) -> DBSnapshot:
        snapshot = super().create_db_snapshot(instance.db_instance_identifier, identifier, "manual", tags)
        snapshot.status = "creating"
        snapshot.percent_progress = 0  # type: ignore[attr-defined]
        return snapshot

    def copy_db_snapshot(self, *arguments: Any, **options: Any) -> DBSnapshot:
        """CopyDBSnapshot: the data is copied within the request."""
        source = options["source_db_snapshot_identifier"].rpartition(":")[2]
        self._check_snapshot(source)
        snapshot = super().copy_db_snapshot(
            *arguments, **{**options, "source_db_snapshot_identifier": source}
        )
        target = self.jobs.snapshot_directory(snapshot.db_snapshot_identifier)
        shutil.copytree(self.jobs.snapshot_directory(source), target, symlinks=True, dirs_exist_ok=True)
        return snapshot

    def delete_db_snapshot(self, db_snapshot_identifier: str) -> DBSnapshot:
        """DeleteDBSnapshot."""
        snapshot = super().delete_db_snapshot(db_snapshot_identifier)
        shutil.rmtree(self.jobs.snapshot_directory(snapshot.db_snapshot_identifier), ignore_errors=True)
        return snapshot

    def restore_db_instance_from_db_snapshot(self, from_snapshot_id: str, overrides: Any) -> DBInstance:
        """RestoreDBInstanceFromDBSnapshot: a new instance that begins with the snapshot's data.

        The master user keeps the password it had; a managed secret is not restored, and comes anew by
        ModifyDBInstance with ManageMasterUserPassword.
        """
        identifier = from_snapshot_id.rpartition(":")[2].lower()
        self._check_snapshot(identifier)
        if overrides.get("manage_master_user_password"):
            raise InvalidParameterCombination(_MANAGED_RESTORE_MESSAGE)
        # moto copies the source's options over those that are given as false.
        overrides["restore_from"] = identifier
        overrides["restore_options"] = {
            "deletion_protection": bool(overrides.get("deletion_protection")),
            "multi_az": bool(overrides.get("multi_az")),
            "manage_master_user_password": False,
            "master_user_password": None,
        }
        return super().restore_db_instance_from_db_snapshot(identifier, overrides)

    def _check_snapshot(self, identifier: str) -> None:
        snapshot = self.get_db_snapshot(identifier)
        if snapshot.status != "available":
            message = f"Snapshot {identifier} is not in available state but in {snapshot.status}."
            raise RDSClientError("InvalidDBSnapshotState", message)

    def _instance(self, identifier: str) -> EmbeddedDbInstance:
        identifier = identifier.rpartition(":")[2]
        instance = self.databases.get(identifier)
        if instance is None:
            raise DBInstanceNotFoundError(identifier)
        return cast(EmbeddedDbInstance, instance)

    def _check_status(self, instance: EmbeddedDbInstance, *allowed: str) -> None:
        if instance.status not in allowed:
            self._refuse_status(instance)

    def _refuse_status(self, instance: EmbeddedDbInstance) -> NoReturn:
        message = (
            f"Instance {instance.db_instance_identifier} is not in available state but in {instance.status}."
        )
        raise RDSClientError("InvalidDBInstanceState", message)
