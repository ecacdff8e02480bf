"""Airflow's own role and database on an instance, made by SQL that runs inside the cluster."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import pulumi

from infra import naming
from infra.components.airflow_secrets import PASSWORD_KEY
from infra.dynamic import DatabaseTenantResource
from infra.job_pod import JobPod, SecretFile, job_spec

SCRIPT: Final = "database_tenant.py"
JOB: Final = "airflow-database-tenant"
CLOSED_LOGIN_VARIABLE: Final = "DATABASE_CLOSED_LOGIN_ROLE"
PASSWORD_FILE: Final = SecretFile(secret=naming.DATABASE_LOGIN_SECRET, key=PASSWORD_KEY)


@dataclass(frozen=True, slots=True, kw_only=True)
class AdministrationJob:
    """A Job that changes roles of an instance: where it runs, and as whom it logs in there."""

    kubeconfig: pulumi.Input[str]
    namespace: pulumi.Input[str]
    image: str
    host: pulumi.Input[str]
    port: pulumi.Input[int]
    secret_arn: pulumi.Input[str]
    """Secret with name and password of the master user, or of the administrator of tenants."""
    timeout_seconds: int

    def properties(
        self, environment: Mapping[str, pulumi.Input[str]], password_file: SecretFile
    ) -> dict[str, Any]:
        """Return the part of a dynamic resource's properties that says how to run the Job."""
        pod = JobPod(
            script=SCRIPT,
            image=self.image,
            service_account=naming.SERVICE_ACCOUNTS.database_administration,
            environment={
                "DATABASE_HOST": self.host,
                "DATABASE_PORT": pulumi.Output.format("{}", self.port),
                "ADMINISTRATION_SECRET_ARN": self.secret_arn,
                "PASSWORD_FILE": password_file.path,
                **environment,
            },
            secret_environment={},
            secret_files=[password_file],
        )
        return {
            "kubeconfig": self.kubeconfig,
            "namespace": self.namespace,
            "jobName": JOB,
            "job": pulumi.Output.json_dumps(job_spec(pod, deadline_seconds=self.timeout_seconds, retries=2)),
            "timeoutSeconds": self.timeout_seconds,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseTenantArgs:
    """What a DatabaseTenant needs."""

    job: AdministrationJob
    instance_resource_id: pulumi.Input[str]
    password_digest: pulumi.Input[str]
    login_role: pulumi.Input[str]
    """Role that gets the password and acts as the owner."""
    closed_login_role: pulumi.Input[str]
    """The other login role while nobody uses it, or empty."""
    drop_on_delete: bool
    """Drop both at the end; where the instance goes too, its final snapshot must still hold them."""
    tenant: naming.Tenant = field(default_factory=naming.Tenant)
    connection_limit: int = -1
    protected: bool = False


class DatabaseTenant(pulumi.ComponentResource):
    """A database that one role owns, and the roles that log in and act as it; nobody else may connect."""

    TOKEN: Final = "airflowinfra:index:DatabaseTenant"  # noqa: S105 - a type token

    database: pulumi.Output[str]
    """Name of the database, once role and database are there."""
    identity: pulumi.Output[str]
    """Identity of role and database; another one when they are dropped and made again."""

    def __init__(
        self, name: str, args: DatabaseTenantArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(self.TOKEN, name, None, opts)
        environment = {
            "DATABASE_NAME": args.tenant.database,
            "DATABASE_ROLE": args.tenant.role,
            "DATABASE_LOGIN_ROLES": ",".join(naming.login_roles(args.tenant.role, 0)),
            "DATABASE_LOGIN_ROLE": args.login_role,
            CLOSED_LOGIN_VARIABLE: args.closed_login_role,
            "DATABASE_CONNECTION_LIMIT": str(args.connection_limit),
        }
        resource = DatabaseTenantResource(
            f"{name}-role-and-database",
            {
                **args.job.properties(environment, PASSWORD_FILE),
                "instanceResourceId": args.instance_resource_id,
                "database": args.tenant.database,
                "role": args.tenant.role,
                "passwordDigest": args.password_digest,
                "connectionLimit": args.connection_limit,
                "dropOnDelete": args.drop_on_delete,
            },
            # The names are the same in each life: what comes after must not be dropped with what was before.
            pulumi.ResourceOptions(parent=self, protect=args.protected, delete_before_replace=True),
        )
        self.database = resource.database
        self.identity = resource.id
        self.register_outputs({"database": self.database})
