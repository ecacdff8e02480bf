"""Automated backups of RDS, as far as they show: which there are, and which stay when an instance goes.

Nothing is copied, and nothing can be restored from them. They are here so that what a deleted instance leaves
in an account is seen.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from moto.rds.models import RDSBackend

from embedded.rds.instance import EmbeddedDbInstance


class AutomatedBackupOperations(RDSBackend):
    """Retained backups are kept by the resource id of their instance, since its name may be taken again."""

    def create_auto_snapshot(self, db_instance_identifier: str, db_snapshot_identifier: str) -> Any:
        """moto would make a snapshot without data."""

    def describe_db_instance_automated_backups(
        self, db_instance_identifier: str | None = None, **other: Any
    ) -> Any:
        """DescribeDBInstanceAutomatedBackups: of living instances, and what is retained of deleted ones."""
        if unknown := sorted(other.keys() - {"max_records"}):
            raise NotImplementedError(f"DescribeDBInstanceAutomatedBackups by {', '.join(unknown)}")
        now = datetime.now(UTC)
        living = [_backup(one, "active", now) for one in self.databases.values() if _days(one)]
        retained = [one for one in self._retained.values() if _expires(one) > now]
        return [
            one
            for one in (*living, *retained)
            if db_instance_identifier in (None, one["DBInstanceIdentifier"])
        ]

    def retain_backups(self, instance: EmbeddedDbInstance) -> None:
        """Keep what a deletion with DeleteAutomatedBackups=false leaves, until its retention ends."""
        if _days(instance):
            backup = _backup(instance, "retained", datetime.now(UTC))
            self._retained[backup["DbiResourceId"]] = backup

    @property
    def _retained(self) -> dict[str, dict[str, Any]]:
        # Accounts that were saved before this was there have none.
        found: dict[str, dict[str, Any]] = self.__dict__.setdefault("retained_backups", {})
        return found


def _days(instance: Any) -> int:
    """Retention of an instance's backups; 0 for none."""
    return int(instance.backup_retention_period or 0)


def _expires(backup: dict[str, Any]) -> datetime:
    latest: datetime = backup["RestoreWindow"]["LatestTime"]
    return latest + timedelta(days=backup["BackupRetentionPeriod"])


def _backup(instance: Any, status: str, now: datetime) -> dict[str, Any]:
    days, made = _days(instance), instance.created
    made = made if made.tzinfo else made.replace(tzinfo=UTC)
    return {
        "DBInstanceIdentifier": instance.db_instance_identifier,
        "DBInstanceArn": instance.db_instance_arn,
        "DbiResourceId": instance.dbi_resource_id,
        "Region": instance.region,
        "Status": status,
        "RestoreWindow": {"EarliestTime": max(made, now - timedelta(days=days)), "LatestTime": now},
        "BackupRetentionPeriod": days,
        "InstanceCreateTime": made,
        "AllocatedStorage": int(instance.allocated_storage or 0),
        "Engine": instance.engine,
        "EngineVersion": instance.engine_version,
        "Encrypted": bool(instance.storage_encrypted),
        "KmsKeyId": instance.kms_key_id if instance.storage_encrypted else None,
        "TagList": list(instance.tags),
    }
