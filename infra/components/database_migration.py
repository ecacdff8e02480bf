"""The Job that migrates the metadata database before the release, and makes Airflow's first users."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, cast

import pulumi
import pulumi_kubernetes as kubernetes

from infra import naming
from infra.chart_values import CONNECTION_ASYNC_KEY, CONNECTION_KEY
from infra.components.airflow_secrets import FERNET_KEY, PASSWORD_KEY
from infra.job_pod import JobPod, SecretFile, job_spec
from infra.settings import AdministratorSettings

SCRIPT: Final = "database_migration.py"
PASSWORD_FILE: Final = SecretFile(secret=naming.ADMINISTRATOR_SECRET, key=PASSWORD_KEY)
CANARY_PASSWORD_FILE: Final = SecretFile(secret=naming.CANARY_USER_SECRET, key=PASSWORD_KEY)
# Options that the migration itself depends on; all others are the release's concern.
CONFIGURED_SECTIONS: Final = ("core", "fab")


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrationSnapshot:
    """The instance to take a snapshot of, and the beginning of the snapshot's name."""

    instance: str
    prefix: str
    region: str

    @property
    def environment(self) -> dict[str, str]:
        """Variables of the Job's script."""
        return {
            "SNAPSHOT_INSTANCE": self.instance,
            "SNAPSHOT_PREFIX": self.prefix,
            "SNAPSHOT_REGION": self.region,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseMigrationArgs:
    """What a DatabaseMigration needs."""

    namespace: pulumi.Input[str]
    image: str
    chart_version: str
    instance_resource_id: pulumi.Input[str]
    database: pulumi.Input[str]
    """Identity of the database on the instance; see `DatabaseTenant.identity`."""
    administrator: AdministratorSettings | None
    """The first administrator, or None for none."""
    renew_administrator: bool
    """Give the administrator this environment's password where the database knows another one."""
    snapshot: MigrationSnapshot | None
    """How to take a snapshot before a change; None where data may be lost."""
    canary: bool
    """Make the canary's user; without it, remove the user of an earlier deployment."""
    airflow_cfg: Mapping[str, Mapping[str, pulumi.Input[str]]]
    required_modules: Sequence[str]
    """Modules that the configuration of the release imports; see `infra/image_modules.py`."""
    timeout_seconds: int


class DatabaseMigration(pulumi.ComponentResource):
    """A Job named by a hash of image, chart version and database: it runs again when one of these changes.

    A Job can't be changed, so the old one is removed and a new one is made. It has no time to live: the Job
    that stays is the record of the last migration, and says why it failed if it did.
    The Job takes the snapshot itself, since only it can see whether the database's revision will change.
    """

    TOKEN: Final = "airflowinfra:index:DatabaseMigration"  # noqa: S105 - a type token

    job_name: pulumi.Output[str]
    """Name of the Job, once it succeeded."""

    def __init__(
        self, name: str, args: DatabaseMigrationArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(self.TOKEN, name, None, opts)
        spec = job_spec(_pod(args), deadline_seconds=args.timeout_seconds, retries=1)
        identity = pulumi.Output.all(args.chart_version, args.instance_resource_id, args.database, spec)
        job_name = identity.apply(lambda parts: migration_name(*parts))
        seconds = f"{args.timeout_seconds}s"
        job = kubernetes.batch.v1.Job(
            f"{name}-job",
            metadata=kubernetes.meta.v1.ObjectMetaArgs(
                name=job_name,
                namespace=args.namespace,
                # A failed Job of the same name would only fail again: the next run starts it anew.
                annotations={"pulumi.com/replaceUnready": "true"},
            ),
            spec=cast(kubernetes.batch.v1.JobSpecArgs, spec),
            opts=pulumi.ResourceOptions(
                parent=self,
                custom_timeouts=pulumi.CustomTimeouts(create=seconds),
                # Beside a failed Job the one before would wait for its deletion, and would get it as the one
                # that is wanted again, once the settings go back.
                delete_before_replace=True,
            ),
        )
        self.job_name = job.metadata.apply(lambda metadata: str(metadata.name))
        self.register_outputs({"jobName": self.job_name})


def migration_name(chart_version: str, instance_resource_id: str, database: str, spec: object) -> str:
    """Return the Job's name: another one for another chart, database or anything in the Job's spec.

    The spec holds the image. It can't be changed in place, so every change of it is another Job.
    """
    parts = json.dumps([chart_version, instance_resource_id, database, spec], sort_keys=True)
    return f"airflow-database-migration-{naming.short_hash(parts, 12)}"


def _pod(args: DatabaseMigrationArgs) -> JobPod:
    options = {
        f"AIRFLOW__{section.upper()}__{option.upper()}": text
        for section in CONFIGURED_SECTIONS
        for option, text in args.airflow_cfg.get(section, {}).items()
    }
    administrator = {}
    if args.administrator is not None:
        administrator = {
            "ADMINISTRATOR_USERNAME": args.administrator.username,
            "ADMINISTRATOR_EMAIL": args.administrator.email,
            "ADMINISTRATOR_PASSWORD_FILE": PASSWORD_FILE.path,
            **({"ADMINISTRATOR_RENEWED": "true"} if args.renew_administrator else {}),
        }
    canary = {"CANARY_PASSWORD_FILE": CANARY_PASSWORD_FILE.path} if args.canary else {}
    return JobPod(
        script=SCRIPT,
        image=args.image,
        service_account=naming.SERVICE_ACCOUNTS.migration,
        environment={
            "AIRFLOW__CORE__AUTH_MANAGER": (
                "airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager"
            ),
            **options,
            **administrator,
            **(args.snapshot.environment if args.snapshot else {}),
            "REQUIRED_MODULES": ",".join(args.required_modules),
            "CANARY_USER": naming.CANARY_USER,
            "CANARY_ROLE": naming.CANARY_ROLE,
            **canary,
        },
        secret_environment={
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": (naming.METADATA_SECRET, CONNECTION_KEY),
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC": (naming.METADATA_SECRET, CONNECTION_ASYNC_KEY),
            "AIRFLOW__CORE__FERNET_KEY": (naming.FERNET_KEY_SECRET, FERNET_KEY),
        },
        secret_files=[
            *([PASSWORD_FILE] if args.administrator is not None else []),
            *([CANARY_PASSWORD_FILE] if args.canary else []),
        ],
        memory="768Mi",
        memory_limit="2Gi",
    )
