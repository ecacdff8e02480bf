"""The Kubernetes namespace of an environment, and what every pod in it may mount."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import pulumi
import pulumi_kubernetes as kubernetes

from infra import job_pod, naming
from infra.cluster_guard import ENVIRONMENT_LABEL
from infra.naming import JOB_SCRIPTS_CONFIG_MAP, SERVICE_ACCOUNTS

# https://kubernetes.io/docs/concepts/security/pod-security-admission/
POD_SECURITY: Final = {
    "pod-security.kubernetes.io/enforce": "restricted",
    "pod-security.kubernetes.io/warn": "restricted",
    "pod-security.kubernetes.io/audit": "restricted",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class AirflowNamespaceArgs:
    """What an AirflowNamespace needs."""

    namespace: str
    database_ca: str
    """Certificate authorities of the database, PEM."""
    scripts: Mapping[str, str] = field(default_factory=job_pod.scripts)
    """Scripts of the environment's Jobs, file name -> text."""
    environment: bool = True
    """Whether the namespace is an environment's; the cluster does not go while there is one."""


class AirflowNamespace(pulumi.ComponentResource):
    """A namespace under restricted pod security, with the database's CA, the Jobs' scripts and their
    accounts.

    Whoever makes it passes as `depends_on` what its last pods need while they die: identity, database, logs.
    So a destroy removes the namespace first.
    """

    TOKEN: Final = "airflowinfra:index:AirflowNamespace"  # noqa: S105 - a type token

    name: pulumi.Output[str]
    """Name of the namespace, once it is there."""

    def __init__(
        self, name: str, args: AirflowNamespaceArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(self.TOKEN, name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        labels = dict([*POD_SECURITY.items(), *([ENVIRONMENT_LABEL] if args.environment else [])])
        namespace = kubernetes.core.v1.Namespace(
            f"{name}-namespace", metadata={"name": args.namespace, "labels": labels}, opts=child
        )
        self.name = namespace.metadata.apply(lambda metadata: str(metadata.name))
        for role, config_map, data in (
            ("database-ca", naming.DATABASE_CA_CONFIG_MAP, {naming.DATABASE_CA_KEY: args.database_ca}),
            ("job-scripts", JOB_SCRIPTS_CONFIG_MAP, dict(args.scripts)),
        ):
            kubernetes.core.v1.ConfigMap(
                f"{name}-{role}",
                metadata={"name": config_map, "namespace": self.name},
                data=data,
                opts=child,
            )
        for account in (SERVICE_ACCOUNTS.database_administration, SERVICE_ACCOUNTS.migration):
            kubernetes.core.v1.ServiceAccount(
                f"{name}-{account.removeprefix('airflow-')}",
                metadata={"name": account, "namespace": self.name},
                automount_service_account_token=False,
                opts=child,
            )
        self.register_outputs({"name": self.name})
