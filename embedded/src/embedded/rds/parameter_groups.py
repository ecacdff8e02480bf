"""Parameter group operations of RDS."""

from collections.abc import Iterable
from typing import Any, cast

from moto.rds.exceptions import (
    DBParameterGroupNotFoundError,
    InvalidParameterCombination,
    InvalidParameterValue,
    RDSClientError,
)
from moto.rds.models import RDSBackend

from embedded.rds import parameters
from embedded.rds.instance import EmbeddedDbInstance
from embedded.rds.jobs import InstanceJobs


class ParameterGroupOperations(RDSBackend):
    """`jobs` is set once at start, before any request."""

    jobs: InstanceJobs

    def modify_db_parameter_group(
        self, db_parameter_group_name: str, db_parameter_group_parameters: Iterable[dict[str, Any]]
    ) -> Any:
        """ModifyDBParameterGroup: dynamic parameters apply now, static ones at the next reboot."""
        changes = list(db_parameter_group_parameters)
        engine = self.jobs.engine
        if db_parameter_group_name.startswith("default."):
            raise InvalidParameterValue(f"The parameter group {db_parameter_group_name} cannot be modified.")
        parameters.check(
            {one["ParameterName"]: str(one.get("ParameterValue", "")) for one in changes}, engine
        )
        static = [
            one["ParameterName"]
            for one in changes
            if engine.parameters.get(one["ParameterName"]) == "postmaster"
        ]
        immediate = [
            one for one in changes if one["ParameterName"] in static and one.get("ApplyMethod") == "immediate"
        ]
        if immediate:
            message = "cannot use immediate apply method for static parameter"
            raise InvalidParameterCombination(message)
        group = super().modify_db_parameter_group(db_parameter_group_name, changes)
        for instance in self.databases.values():
            if instance.db_parameter_group_name == db_parameter_group_name and instance.status == "available":
                cast(EmbeddedDbInstance, instance).reboot_pending |= bool(static)
                self.jobs.submit(self.jobs.apply_settings, cast(EmbeddedDbInstance, instance))
        return group

    def delete_db_parameter_group(self, db_parameter_group_name: str) -> Any:
        """DeleteDBParameterGroup: refused while an instance uses it."""
        users = [
            one for one in self.databases.values() if one.db_parameter_group_name == db_parameter_group_name
        ]
        if users:
            name = db_parameter_group_name
            message = f"One or more database instances are still members of this parameter group {name}"
            raise RDSClientError("InvalidDBParameterGroupState", message)
        return super().delete_db_parameter_group(db_parameter_group_name)

    def _check_group_family(self, name: str) -> None:
        family = f"postgres{self.jobs.engine.major}"
        if name == f"default.{family}":
            return
        group = self.db_parameter_groups.get(name)
        if group is None:
            raise DBParameterGroupNotFoundError(name)
        if group.family != family:
            raise InvalidParameterCombination(
                f"The Parameter Group {name} with DBParameterGroupFamily {group.family} can't be used for "
                f"this instance. Please use a Parameter Group with DBParameterGroupFamily {family}"
            )
