"""The role that makes tenants on an instance that environments share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import pulumi
import pulumi_aws as aws
import pulumi_kubernetes as kubernetes

from infra import naming
from infra.components.airflow_secrets import PASSWORD_BYTES, PASSWORD_KEY, USERNAME_KEY, digest
from infra.components.database_tenant import PASSWORD_FILE, AdministrationJob
from infra.dynamic import DatabaseTenantResource, RandomKind, RandomSecret
from infra.naming import Names


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantAdministrationArgs:
    """What TenantAdministration needs."""

    names: Names
    job: AdministrationJob
    """Runs as the master user."""
    instance_resource_id: pulumi.Input[str]
    key_arn: pulumi.Input[str]
    aws_provider: aws.Provider
    kubernetes_provider: kubernetes.Provider


class TenantAdministration(pulumi.ComponentResource):
    """A role without superuser rights that makes roles and databases, and a secret that holds its password.

    Environments read this secret to make and drop their own role and database; the master user's stays with
    the host.
    """

    TOKEN: Final = "airflowinfra:index:TenantAdministration"  # noqa: S105 - a type token

    secret_arn: pulumi.Output[str]
    """Secret with name and password, once the role is there."""

    def __init__(
        self, name: str, args: TenantAdministrationArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(self.TOKEN, name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        value = RandomSecret(f"{name}-password", RandomKind.TOKEN, length=PASSWORD_BYTES, opts=child).value
        password: pulumi.Output[str] = pulumi.Output.secret(value)
        mounted = kubernetes.core.v1.Secret(
            f"{name}-mounted-password",
            metadata={"name": PASSWORD_FILE.secret, "namespace": args.job.namespace},
            type="Opaque",
            string_data={PASSWORD_KEY: password},
            opts=pulumi.ResourceOptions(parent=self, provider=args.kubernetes_provider),
        )
        role = DatabaseTenantResource(
            f"{name}-role",
            {
                **args.job.properties({"DATABASE_ROLE": naming.TENANT_ADMINISTRATOR}, PASSWORD_FILE),
                "createAction": "host",
                "instanceResourceId": args.instance_resource_id,
                "database": "postgres",
                "role": naming.TENANT_ADMINISTRATOR,
                "passwordDigest": password.apply(digest),
                "connectionLimit": -1,
                # The instance goes with the role.
                "dropOnDelete": False,
            },
            # Its Job's pod mounts the Secret by name.
            pulumi.ResourceOptions(parent=self, depends_on=[mounted]),
        )
        self.secret_arn = self._secret(name, args, password, role)
        self.register_outputs({"secretArn": self.secret_arn})

    def _secret(
        self,
        name: str,
        args: TenantAdministrationArgs,
        password: pulumi.Output[str],
        role: pulumi.Resource,
    ) -> pulumi.Output[str]:
        on_aws = pulumi.ResourceOptions(parent=self, provider=args.aws_provider)
        secret = aws.secretsmanager.Secret(
            f"{name}-secret",
            name=f"{args.names.secrets_prefix}/{naming.TENANT_ADMINISTRATOR}",
            description="Role that makes databases on the instance that environments share",
            kms_key_id=args.key_arn,
            # Made anew with each instance: a window would only keep the name from the next one.
            recovery_window_in_days=0,
            opts=on_aws,
        )
        version = aws.secretsmanager.SecretVersion(
            f"{name}-secret-value",
            secret_id=secret.id,
            # As secret as the password in it.
            secret_string=pulumi.Output.json_dumps(
                {USERNAME_KEY: naming.TENANT_ADMINISTRATOR, PASSWORD_KEY: password}
            ),
            # Nobody reads the password of a role that is not there.
            opts=pulumi.ResourceOptions(parent=self, provider=args.aws_provider, depends_on=[role]),
        )
        return version.secret_arn
