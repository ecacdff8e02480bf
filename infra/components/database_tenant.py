"""Airflow's own role and database on the instance, made by SQL that runs inside the cluster."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import pulumi

from infra import naming
from infra.components.airflow_secrets import PASSWORD_KEY
from infra.dynamic import DatabaseTenantResource
from infra.job_pod import JobPod, SecretFile, job_spec

SCRIPT: Final = "database_tenant.py"
PASSWORD_FILE: Final = SecretFile(secret=naming.METADATA_SECRET, key=PASSWORD_KEY)


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseTenantArgs:
    """What a DatabaseTenant needs."""

    kubeconfig: pulumi.Input[str]
    namespace: pulumi.Input[str]
    image: str
    host: pulumi.Input[str]
    port: pulumi.Input[int]
    instance_resource_id: pulumi.Input[str]
    master_secret_arn: pulumi.Input[str]
    password_digest: pulumi.Input[str]
    login_role: pulumi.Input[str]
    """Role that gets the password and acts as the owner."""
    closed_login_role: pulumi.Input[str]
    """The other login role while nobody uses it, or empty."""
    drop_on_delete: bool
    """Drop both at the end; where the instance goes too, its final snapshot must still hold them."""
    timeout_seconds: int
    connection_limit: int = -1
    protected: bool = False


class DatabaseTenant(pulumi.ComponentResource):
    """A database that one role owns, and the roles that log in and act as it; nobody else may connect."""

    TOKEN: Final = "airflowinfra:index:DatabaseTenant"  # noqa: S105 - a type token

    database: pulumi.Output[str]
    """Name of the database, once role and database are there."""

    def __init__(
        self, name: str, args: DatabaseTenantArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(self.TOKEN, name, None, opts)
        pod = JobPod(
            script=SCRIPT,
            image=args.image,
            service_account=naming.SERVICE_ACCOUNTS.database_administration,
            environment={
                "DATABASE_HOST": args.host,
                "DATABASE_PORT": pulumi.Output.format("{}", args.port),
                "DATABASE_NAME": naming.DATABASE,
                "DATABASE_ROLE": naming.DATABASE_ROLE,
                "DATABASE_LOGIN_ROLES": ",".join(naming.login_roles(naming.DATABASE_ROLE, 0)),
                "DATABASE_LOGIN_ROLE": args.login_role,
                "DATABASE_CLOSED_LOGIN_ROLE": args.closed_login_role,
                "DATABASE_CONNECTION_LIMIT": str(args.connection_limit),
                "MASTER_SECRET_ARN": args.master_secret_arn,
                "PASSWORD_FILE": PASSWORD_FILE.path,
            },
            secret_environment={},
            secret_files=[PASSWORD_FILE],
        )
        resource = DatabaseTenantResource(
            f"{name}-role-and-database",
            {
                "kubeconfig": args.kubeconfig,
                "namespace": args.namespace,
                "jobName": "airflow-database-tenant",
                "job": pulumi.Output.json_dumps(
                    job_spec(pod, deadline_seconds=args.timeout_seconds, retries=2)
                ),
                "timeoutSeconds": args.timeout_seconds,
                "instanceResourceId": args.instance_resource_id,
                "database": naming.DATABASE,
                "role": naming.DATABASE_ROLE,
                "passwordDigest": args.password_digest,
                "dropOnDelete": args.drop_on_delete,
            },
            pulumi.ResourceOptions(parent=self, protect=args.protected),
        )
        self.database = resource.database
        self.register_outputs({"database": self.database})
