"""moto's RDS backend with instances that are servers, and RDS's refusals where moto is too forgiving."""

from typing import Any, NoReturn, cast

from moto.rds.exceptions import DBSubnetGroupNotFoundError, InvalidParameterCombination, RDSClientError
from moto.rds.models import DBInstance

from embedded.faults import durations
from embedded.rds import instance_classes, modifications, storage
from embedded.rds.automated_backups import AutomatedBackupOperations
from embedded.rds.instance import (
    MANAGED_MASTER_MESSAGE,
    EmbeddedDbInstance,
    check_creation,
    check_password,
)
from embedded.rds.parameter_groups import ParameterGroupOperations
from embedded.rds.snapshots import SnapshotOperations

_NEEDS_RESTART = ("db_instance_class", "port")


class EmbeddedRdsBackend(AutomatedBackupOperations, SnapshotOperations, ParameterGroupOperations):
    """RDS of one region. `jobs` is set once at start, before any request."""

    @property
    def _url_module(self) -> Any:
        import moto.rds.urls

        return moto.rds.urls

    def create_db_instance(self, db_kwargs: Any) -> DBInstance:
        """CreateDBInstance: answers at once with status creating."""
        check_creation(db_kwargs)
        db_kwargs["engine_version"] = self.jobs.engine.resolve(db_kwargs.get("engine_version"))
        if group := db_kwargs.get("db_parameter_group_name"):
            self._check_group_family(group)
        index = self.jobs.free_address_index()
        restored_with = db_kwargs.pop("restore_options", None) or {}
        for name, value in restored_with.items():
            db_kwargs[name] = value
        try:
            self.jobs.check_port(int(db_kwargs.get("port") or 5432))
        except ValueError as error:
            raise InvalidParameterCombination(f"The embedded RDS cannot make it: {error}.") from error
        instance = cast(EmbeddedDbInstance, super().create_db_instance(db_kwargs))
        instance.status = "creating"
        instance.address_index = index
        instance.restore_from = db_kwargs.get("restore_from")
        operation = "RestoreDBInstanceFromDBSnapshot" if instance.restore_from else "CreateDBInstance"
        instance.busy_until = durations.done_at("rds", operation)
        self.jobs.submit(self.jobs.provision, instance)
        return instance

    def modify_db_instance(self, db_instance_identifier: str, db_kwargs: Any) -> DBInstance:
        """ModifyDBInstance."""
        instance = self._instance(db_instance_identifier)
        if db_kwargs.get("new_db_instance_identifier"):
            raise NotImplementedError("renaming an instance (NewDBInstanceIdentifier)")
        self._check_status(instance, "available", "stopped", "storage-optimization")
        self._check_modification(instance, db_kwargs)
        previous_group = instance.db_parameter_group_name
        changes = modifications.split(instance, db_kwargs)
        restart = any(changes.get(key) not in (None, getattr(instance, key)) for key in _NEEDS_RESTART)
        password_changes = bool(
            changes.get("master_user_password")
            or changes.get("manage_master_user_password")
            or changes.get("rotate_master_user_password")
        )
        super().modify_db_instance(db_instance_identifier, changes)
        if instance.status == "available":
            self._apply(
                instance, restart, password_changes, previous_group != instance.db_parameter_group_name
            )
        return instance

    def _apply(self, instance: EmbeddedDbInstance, restart: bool, password: bool, group: bool) -> None:
        if restart:
            self._restart(instance, "modifying", "ModifyDBInstance")
        elif group:
            # RDS: a newly associated group waits for a reboot as a whole.
            instance.reboot_pending = True
        if password:
            self.jobs.submit(self.jobs.apply_password, instance)

    def _check_modification(self, instance: EmbeddedDbInstance, changes: Any) -> None:
        if new_class := changes.get("db_instance_class"):
            instance_classes.memory_bytes(new_class)
        if version := changes.get("engine_version"):
            changes["engine_version"] = self.jobs.engine.resolve(version)
        managed = changes.get("manage_master_user_password")
        given_up = managed is False and instance.manage_master_user_password
        if given_up and not changes.get("master_user_password"):
            raise InvalidParameterCombination(modifications.GIVEN_UP_MESSAGE)
        if managed and instance.manage_master_user_password:
            del changes["manage_master_user_password"]  # as it is; moto would make a second secret
        if password := changes.get("master_user_password"):
            if instance.manage_master_user_password and managed is not False:
                raise InvalidParameterCombination(MANAGED_MASTER_MESSAGE)
            check_password(password)
        if group := changes.get("db_parameter_group_name"):
            self._check_group_family(group)
        self._check_storage(instance, changes)
        storage.check_windows(
            changes.get("preferred_backup_window") or instance.preferred_backup_window,
            changes.get("preferred_maintenance_window") or instance.preferred_maintenance_window,
        )

    def _check_storage(self, instance: EmbeddedDbInstance, changes: Any) -> None:
        wanted = changes.get("allocated_storage")
        if wanted is not None and int(wanted) < instance.allocated_storage:
            raise InvalidParameterCombination("Allocated storage size can't be reduced")
        gib = int(wanted or instance.allocated_storage)
        iops, throughput = changes.get("iops"), changes.get("storage_throughput")
        kind = changes.get("storage_type") or instance.storage_type
        storage.check_performance(kind, gib, iops, throughput)
        if kind == "gp3" and gib >= storage.STRIPED_GIB > instance.allocated_storage:
            # https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_ModifyDBInstance.html
            if not iops:
                raise InvalidParameterCombination(
                    "You must specify both the storage size and iops when modifying the storage size or iops "
                    "on a DB instance that has iops."
                )
            changes["storage_throughput"] = throughput or storage.baseline(gib)[1]

    def apply_pending(self, instance: EmbeddedDbInstance) -> None:
        """What the maintenance window does: apply the modifications that wait."""
        super().modify_db_instance(instance.db_instance_identifier, modifications.take_pending(instance))
        self._restart(instance, "modifying", "ModifyDBInstance")

    def _restart(self, instance: EmbeddedDbInstance, status: str, operation: str) -> None:
        instance.status = status
        instance.busy_until = durations.done_at("rds", operation)
        self.jobs.submit(self.jobs.bring_up, instance)

    def reboot_db_instance(self, db_instance_identifier: str) -> DBInstance:
        """RebootDBInstance: restarts the server with all parameters of its group and what was pending."""
        instance = self._instance(db_instance_identifier)
        self._check_status(instance, "available")
        super().modify_db_instance(db_instance_identifier, modifications.take_pending(instance))
        self._restart(instance, "rebooting", "RebootDBInstance")
        return instance

    def stop_db_instance(
        self, db_instance_identifier: str, db_snapshot_identifier: str | None = None
    ) -> DBInstance:
        """StopDBInstance."""
        instance = self._instance(db_instance_identifier)
        self._check_status(instance, "available")
        if db_snapshot_identifier:
            self.create_db_snapshot(db_instance_identifier, db_snapshot_identifier)
        instance.status = "stopping"
        instance.busy_until = durations.done_at("rds", "StopDBInstance")
        self.jobs.submit(self.jobs.shut_down, instance)
        return instance

    def start_db_instance(self, db_instance_identifier: str) -> DBInstance:
        """StartDBInstance."""
        instance = self._instance(db_instance_identifier)
        self._check_status(instance, "stopped")
        self._restart(instance, "starting", "StartDBInstance")
        return instance

    def delete_db_instance(
        self,
        db_instance_identifier: str,
        final_db_snapshot_identifier: str | None = None,
        skip_final_snapshot: bool | None = False,
        delete_automated_backups: bool | None = True,
    ) -> DBInstance:
        """DeleteDBInstance: gone once its server is and the final snapshot is made."""
        instance = self._instance(db_instance_identifier)
        if instance.deletion_protection:
            raise InvalidParameterCombination(
                "Cannot delete protected DB Instance, please disable deletion protection and try again."
            )
        if skip_final_snapshot and final_db_snapshot_identifier:
            raise InvalidParameterCombination(
                "FinalDBSnapshotIdentifier can not be specified when deleting an instance with "
                "SkipFinalSnapshot."
            )
        if not skip_final_snapshot and not final_db_snapshot_identifier:
            raise InvalidParameterCombination(
                "FinalDBSnapshotIdentifier is required unless SkipFinalSnapshot is specified."
            )
        if instance.status == "deleting":
            self._refuse_status(instance)
        if final_db_snapshot_identifier:
            self._new_snapshot(instance, final_db_snapshot_identifier, None)
            instance.final_snapshot = final_db_snapshot_identifier
        instance.keeps_backups = delete_automated_backups is False
        instance.status = "deleting"
        instance.busy_until = durations.done_at("rds", "DeleteDBInstance")
        self.jobs.submit(self.jobs.delete, instance)
        return instance

    def forget(self, instance: EmbeddedDbInstance) -> None:
        """The end of a deletion: the record and the managed secret go, and backups unless they are kept."""
        if instance.keeps_backups:
            self.retain_backups(instance)
        if self.databases.pop(instance.db_instance_identifier, None) and instance.manage_master_user_password:
            instance.master_user_secret.delete_secret()

    def delete_subnet_group(self, subnet_name: str) -> Any:
        """DeleteDBSubnetGroup: refused while an instance uses it."""
        for one in self.databases.values():
            if (one._db_subnet_group_name or "").lower() == subnet_name.lower():
                message = (
                    f"Cannot delete the subnet group '{subnet_name}' because at least one database instance: "
                    f"{one.db_instance_identifier} is still using it."
                )
                raise RDSClientError("InvalidDBSubnetGroupStateFault", message)
        return super().delete_subnet_group(subnet_name)

    def modify_db_subnet_group(self, subnet_name: str, description: str, subnets: Any) -> Any:
        """ModifyDBSubnetGroup: the group stays, which moto takes out of its list."""
        if subnet_name not in self.subnet_groups:
            raise DBSubnetGroupNotFoundError(subnet_name)
        group = super().modify_db_subnet_group(subnet_name, description, subnets)
        self.subnet_groups[subnet_name] = group
        return group

    def create_db_instance_read_replica(self, db_kwargs: Any) -> NoReturn:
        """Not emulated."""
        raise NotImplementedError("read replicas")

    def restore_db_instance_to_point_in_time(self, *_: Any, **__: Any) -> NoReturn:
        """Not emulated."""
        raise NotImplementedError("point-in-time recovery; restore a snapshot instead")

    def create_db_cluster(self, kwargs: Any) -> NoReturn:
        """Not emulated."""
        raise NotImplementedError("Aurora and Multi-AZ clusters")
