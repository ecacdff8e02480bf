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
        static = {
            one["ParameterName"] for one in changes if parameters.is_static(one["ParameterName"], engine)
        }
        waiting = {one["ParameterName"] for one in changes if one.get("ApplyMethod") == "pending-reboot"}
        if static - waiting:
            message = "cannot use immediate apply method for static parameter"
            raise InvalidParameterCombination(message)
        group = super().modify_db_parameter_group(db_parameter_group_name, changes)
        self._apply_to_instances(db_parameter_group_name, parameters.of_group(group), changes, waiting)
        return group

    def reset_db_parameter_group(self, name: str, reset_all: bool, changes: Iterable[dict[str, Any]]) -> Any:
        """ResetDBParameterGroup: parameters go back to the engine's defaults, by the rules of a change."""
        group = self.db_parameter_groups.get(name)
        if group is None:
            raise DBParameterGroupNotFoundError(name)
        listed = list(changes)
        if reset_all:
            listed = [{"ParameterName": one, "ApplyMethod": "pending-reboot"} for one in group.parameters]
        waiting = {one["ParameterName"] for one in listed if one.get("ApplyMethod") == "pending-reboot"}
        for one in listed:
            group.parameters.pop(one["ParameterName"], None)
        self._apply_to_instances(name, parameters.of_group(group), listed, waiting)
        return group

    def _apply_to_instances(
        self, name: str, group: dict[str, str], changes: list[dict[str, Any]], waiting: set[str]
    ) -> None:
        """Dynamic parameters to all instances of the group now; the others wait for their reboot."""
        changed = {one["ParameterName"] for one in changes}
        for instance in self.databases.values():
            if instance.db_parameter_group_name != name:
                continue
            own = cast(EmbeddedDbInstance, instance)
            own.reboot_pending |= bool(waiting)
            for parameter in changed - waiting:
                own.applied_parameters.pop(parameter, None)
                if parameter in group:
                    own.applied_parameters[parameter] = group[parameter]
            if own.status == "available":
                self.jobs.submit(self.jobs.apply_settings, own)

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
