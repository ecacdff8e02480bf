"""Where an environment's database is: on an instance of its own, or on a host that takes tenants."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Protocol

import pulumi

# Output of a cluster stack whose instance takes tenants; infra/stacks/cluster.py exports it under this name.
EXPORT: Final = "databaseHost"


class DatabaseEndpoint(Protocol):
    """What an environment needs to know of the instance that its database is on."""

    @property
    def host(self) -> pulumi.Output[str]:
        """Host name, as its certificate has it."""

    @property
    def port(self) -> pulumi.Output[int]:
        """TCP port."""

    @property
    def resource_id(self) -> pulumi.Output[str]:
        """Identity of the instance; another one after a restore, unlike its host name."""

    @property
    def administration_secret_arn(self) -> pulumi.Output[str]:
        """Secret with name and password of a role that makes roles and databases."""

    @property
    def administration_key_arn(self) -> pulumi.Output[str]:
        """KMS key of that secret."""

    @property
    def recovery_id(self) -> pulumi.Output[str] | None:
        """End of the final snapshot's identifier; None without one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseHost:
    """An instance that declares that it takes tenants; a `DatabaseEndpoint`."""

    host: pulumi.Output[str]
    port: pulumi.Output[int]
    resource_id: pulumi.Output[str]
    administration_secret_arn: pulumi.Output[str]
    administration_key_arn: pulumi.Output[str]
    recovery_id: pulumi.Output[str] | None = None


def export_of(endpoint: DatabaseEndpoint) -> dict[str, pulumi.Output[Any]]:
    """Return what a host exports; nothing of it is secret."""
    return {
        "host": endpoint.host,
        "port": endpoint.port,
        "resourceId": endpoint.resource_id,
        "administrationSecretArn": endpoint.administration_secret_arn,
        "administrationKeyArn": endpoint.administration_key_arn,
    }


def database_host(exported: pulumi.Output[Any] | None, *, stack: str | None) -> DatabaseHost:
    """Return the host that a cluster stack exports.

    Args:
        exported: the stack's output EXPORT, which is None where it has no such instance; or None without a
            stack.
        stack: name of the stack, for the message.

    Raises:
        pulumi.RunError: there is none.
    """

    def part(name: str) -> pulumi.Output[Any]:
        def read(found: Any) -> Any:
            if not found:
                raise pulumi.RunError(
                    f"airflow:database.tenancy: shared: stack {stack} has no instance that takes tenants; "
                    "set airflow-cluster:databaseHost.enabled there, or tenancy dedicated here"
                )
            return found[name]

        return pulumi.Output.from_input(exported).apply(read)

    return DatabaseHost(
        host=part("host"),
        port=part("port").apply(int),
        resource_id=part("resourceId"),
        administration_secret_arn=part("administrationSecretArn"),
        administration_key_arn=part("administrationKeyArn"),
    )
