"""The RDS Postgres instance that holds Airflow's metadata."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import pulumi
import pulumi_aws as aws

from infra import naming, policies, trust_policies
from infra.cluster_ref import ClusterReference
from infra.components.database_network import security_group, subnet_group
from infra.dynamic import RandomSuffix
from infra.naming import MASTER_USERNAME, Names
from infra.settings import DatabaseSettings

# What RDS writes to CloudWatch (FSBP RDS.36).
EXPORTED_LOGS: Final = ("postgresql", "upgrade")
# From this size on, RDS stripes a gp3 volume of Postgres over four: it has this baseline at no charge, and an
# increase over the threshold has to name it (below it, naming any is refused). The provider would send the
# 3000 of before, which RDS refuses: https://github.com/hashicorp/terraform-provider-aws/issues/28382
# https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/CHAP_Storage.html#gp3-storage
STRIPED_FROM_GIB: Final = 400
STRIPED_BASELINE: Final[Mapping[str, int]] = {"iops": 12000, "storage_throughput": 500}
# IOPS are half of the GiB or more, so from here on the baseline is no value to name; RDS keeps its own.
STRIPED_UP_TO_GIB: Final = 24000
MONITORING_POLICY: Final = "service-role/AmazonRDSEnhancedMonitoringRole"


@dataclass(frozen=True, slots=True, kw_only=True)
class MetadataDatabaseArgs:
    """What a MetadataDatabase needs."""

    names: Names
    settings: DatabaseSettings
    cluster: ClusterReference
    key_arn: pulumi.Input[str]
    log_retention_days: int
    timeout_minutes: int
    permissions_boundary: str | None
    persistent: bool
    """Take a final snapshot."""
    protected: bool
    """Refuse to go; and where it is deleted all the same, keep its automated backups until they expire."""
    tags: Mapping[str, str] = field(default_factory=dict)
    """Tags of the instance besides the provider's; RDS copies them to its snapshots."""


class MetadataDatabase(pulumi.ComponentResource):
    """An encrypted, private instance that only the cluster's pods reach, and only with TLS.

    RDS makes, keeps and rotates the master password in Secrets Manager: it is in no state and no stack file.
    The final snapshot's identifier is made once and kept in state, so that two ends never collide.
    """

    TOKEN: Final = "airflowinfra:index:MetadataDatabase"  # noqa: S105 - a type token

    identifier: pulumi.Output[str]
    """Identifier of the instance, once it is there."""
    host: pulumi.Output[str]
    """Host name, as its certificate has it."""
    port: pulumi.Output[int]
    """TCP port."""
    resource_id: pulumi.Output[str]
    """Identity of the instance; another one after a restore, unlike its host name."""
    administration_secret_arn: pulumi.Output[str]
    """Secret with the master user's name and password."""
    administration_key_arn: pulumi.Output[str]
    """KMS key of that secret."""
    recovery_id: pulumi.Output[str] | None
    """End of the final snapshot's identifier, made once; None without one."""

    def __init__(
        self, name: str, args: MetadataDatabaseArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(self.TOKEN, name, None, opts)
        self._name, self._args = name, args
        self._child = pulumi.ResourceOptions(parent=self)
        suffix = RandomSuffix(f"{name}-final-snapshot", opts=self._child) if args.persistent else None
        self.recovery_id = suffix.value if suffix else None
        instance = self._instance()
        self.identifier = instance.identifier
        self.host = instance.address
        self.port = instance.port
        self.resource_id = instance.resource_id
        secrets = instance.master_user_secrets
        self.administration_secret_arn = secrets.apply(lambda found: str(found[0].secret_arn))
        self.administration_key_arn = pulumi.Output.from_input(args.key_arn)
        self.register_outputs(
            {
                "host": self.host,
                "port": self.port,
                "resourceId": self.resource_id,
                "administrationSecretArn": self.administration_secret_arn,
            }
        )

    def _instance(self) -> aws.rds.Instance:
        args, settings = self._args, self._args.settings
        minutes = f"{args.timeout_minutes}m"
        # Made here and before the instance: RDS would make them without retention, and leave them behind.
        log_groups = self._log_groups()
        # A replacement of this resource is the loss of all metadata since the last backup.
        return aws.rds.Instance(
            f"{self._name}-instance",
            identifier=args.names.database_instance,
            engine="postgres",
            engine_version=str(settings.postgres_major),
            # Another major in the stack file is meant; RDS refuses it without this.
            allow_major_version_upgrade=True,
            instance_class=settings.instance_class,
            username=MASTER_USERNAME,
            manage_master_user_password=True,
            master_user_secret_kms_key_id=args.key_arn,
            auto_minor_version_upgrade=True,
            apply_immediately=settings.apply_immediately,
            maintenance_window=settings.maintenance_window,
            tags=dict(args.tags),
            **self._storage(),
            **self._network(),
            **self._observation(),
            **self._durability(),
            opts=pulumi.ResourceOptions(
                parent=self,
                protect=args.protected,
                depends_on=log_groups,
                # Where the data came from is history once the instance is there: dropping the parameter
                # must not replace it.
                ignore_changes=["snapshotIdentifier"],
                custom_timeouts=pulumi.CustomTimeouts(create=minutes, update=minutes, delete=minutes),
            ),
        )

    def _storage(self) -> dict[str, Any]:
        settings = self._args.settings
        restored = settings.restore.wanted
        return {
            "storage_type": "gp3",
            "max_allocated_storage": settings.max_storage_gib,
            "storage_encrypted": True,
            "kms_key_id": self._args.key_arn,
            "snapshot_identifier": self._origin(settings.restore.snapshot) if restored else None,
            **storage_size(settings),
        }

    def _network(self) -> dict[str, Any]:
        args, settings = self._args, self._args.settings
        identifier = args.names.database_instance
        subnets = subnet_group(self._name, identifier, args.cluster, self._child)
        group = security_group(self._name, identifier, settings.port, args.cluster, self._child)
        return {
            "port": settings.port,
            "multi_az": settings.multi_az,
            "publicly_accessible": False,
            "db_subnet_group_name": subnets.name,
            "parameter_group_name": self._parameter_group().name,
            "vpc_security_group_ids": [group.id],
            "ca_cert_identifier": settings.ca_certificate,
            "iam_database_authentication_enabled": True,
        }

    def _observation(self) -> dict[str, Any]:
        settings = self._args.settings
        insights = settings.performance_insights
        interval = settings.monitoring_interval_seconds
        return {
            "enabled_cloudwatch_logs_exports": list(EXPORTED_LOGS),
            "monitoring_interval": interval,
            "monitoring_role_arn": self._monitoring_role().arn if interval else None,
            "performance_insights_enabled": insights,
            "performance_insights_kms_key_id": self._args.key_arn if insights else None,
        }

    def _durability(self) -> dict[str, Any]:
        args, settings = self._args, self._args.settings
        final = None
        if self.recovery_id is not None:
            final = pulumi.Output.concat(args.names.database_instance, "-final-", self.recovery_id)
        return {
            "backup_retention_period": settings.backup_retention_days,
            "backup_window": settings.backup_window,
            "copy_tags_to_snapshot": True,
            "deletion_protection": args.protected,
            "skip_final_snapshot": not args.persistent,
            "final_snapshot_identifier": final,
            # A planned end leaves the recovery set alone, with the final snapshot in it. Any other end is by
            # somebody's hand: RDS keeps the backups then, until their retention ends.
            "delete_automated_backups": not args.protected,
        }

    def _origin(self, snapshot: str | None) -> pulumi.Output[str]:
        """Copy the snapshot under this environment's key, and return the copy's identifier.

        A restored instance keeps its snapshot's key; so it would hang on the key of another environment.
        """
        identifier = f"{self._args.names.database_instance}-origin-{naming.short_hash(str(snapshot))}"
        copy = aws.rds.SnapshotCopy(
            f"{self._name}-origin",
            source_db_snapshot_identifier=snapshot,
            target_db_snapshot_identifier=identifier,
            kms_key_id=self._args.key_arn,
            opts=pulumi.ResourceOptions(
                parent=self,
                # Another source has another target, by the hash; RDS itself does not tell the source of a
                # copy within the account.
                ignore_changes=["sourceDbSnapshotIdentifier"],
                custom_timeouts=pulumi.CustomTimeouts(create=f"{self._args.timeout_minutes}m"),
            ),
        )
        return copy.target_db_snapshot_identifier

    def _parameter_group(self) -> aws.rds.ParameterGroup:
        major = self._args.settings.postgres_major
        parameters = [
            aws.rds.ParameterGroupParameterArgs(name=name, value=value, apply_method="immediate")
            for name, value in parameter_values(self._args.settings).items()
        ]
        return aws.rds.ParameterGroup(
            f"{self._name}-parameters",
            name=self._args.names.parameter_group(major),
            family=f"postgres{major}",
            description="TLS only, slow statements logged",
            parameters=parameters,
            opts=self._child,
        )

    def _monitoring_role(self) -> aws.iam.Role:
        region, account_id = self._args.names.region, self._args.names.account_id
        role = aws.iam.Role(
            f"{self._name}-monitoring",
            name=self._args.names.role("database-monitoring"),
            description="Enhanced monitoring of the metadata database",
            assume_role_policy=policies.as_json(trust_policies.monitoring_trust(account_id=account_id)),
            permissions_boundary=self._args.permissions_boundary,
            opts=self._child,
        )
        aws.iam.RolePolicyAttachment(
            f"{self._name}-monitoring-policy",
            role=role.name,
            policy_arn=f"arn:{policies.partition(region)}:iam::aws:policy/{MONITORING_POLICY}",
            opts=self._child,
        )
        return role

    def _log_groups(self) -> list[aws.cloudwatch.LogGroup]:
        return [
            aws.cloudwatch.LogGroup(
                f"{self._name}-log-{log}",
                name=self._args.names.database_log_group(log),
                retention_in_days=self._args.log_retention_days,
                kms_key_id=self._args.key_arn,
                opts=self._child,
            )
            for log in EXPORTED_LOGS
        ]


def storage_size(settings: DatabaseSettings) -> dict[str, int]:
    """Return size and performance of the storage: the instance's properties, GiB, IOPS and MiB/s.

    A restored instance begins with its snapshot's size: storage that grew by itself may be more than the
    stack file says, and RDS refuses to make it less. Without the parameter the size counts again.
    """
    if settings.restore.wanted:
        return {}
    striped = STRIPED_FROM_GIB <= settings.storage_gib <= STRIPED_UP_TO_GIB
    return {"allocated_storage": settings.storage_gib, **(STRIPED_BASELINE if striped else {})}


def parameter_values(settings: DatabaseSettings) -> Mapping[str, str]:
    """Return the instance's parameters: all take effect without a restart.

    `rds.force_ssl` refuses connections without TLS (FSBP RDS.38).
    """
    return {
        "rds.force_ssl": "1",
        "log_statement": "ddl",
        "log_min_duration_statement": str(settings.log_statements_over_milliseconds),
    }
