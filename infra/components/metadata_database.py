"""The RDS Postgres instance that holds Airflow's metadata."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import pulumi
import pulumi_aws as aws

from infra import policies
from infra.cluster_ref import ClusterReference
from infra.dynamic import RandomSuffix
from infra.naming import MASTER_USERNAME, Names
from infra.settings import DatabaseSettings

# What RDS writes to CloudWatch (FSBP RDS.36).
EXPORTED_LOGS: Final = ("postgresql", "upgrade")
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
    """Take a final snapshot, and keep automated backups after the end."""
    protected: bool


class MetadataDatabase(pulumi.ComponentResource):
    """An encrypted, private instance that only the cluster's pods reach, and only with TLS.

    RDS makes, keeps and rotates the master password in Secrets Manager: it is in no state and no stack file.
    The final snapshot's identifier is made once and kept in state, so that two ends never collide.
    """

    TOKEN: Final = "airflowinfra:index:MetadataDatabase"  # noqa: S105 - a type token

    host: pulumi.Output[str]
    """Host name, as its certificate has it."""
    port: pulumi.Output[int]
    """TCP port."""
    resource_id: pulumi.Output[str]
    """Identity of the instance; another one after a restore, unlike its host name."""
    master_secret_arn: pulumi.Output[str]
    """Secret with the master user's name and password."""

    def __init__(
        self, name: str, args: MetadataDatabaseArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(self.TOKEN, name, None, opts)
        self._name, self._args = name, args
        self._child = pulumi.ResourceOptions(parent=self)
        instance = self._instance(
            subnets=self._subnet_group(),
            parameters=self._parameter_group(),
            security_group=self._security_group(),
            monitoring_role=self._monitoring_role() if args.settings.monitoring_interval_seconds else None,
            log_groups=self._log_groups(),
        )
        self.host = instance.address
        self.port = instance.port
        self.resource_id = instance.resource_id
        self.master_secret_arn = instance.master_user_secrets.apply(lambda found: str(found[0].secret_arn))
        self.register_outputs(
            {
                "host": self.host,
                "port": self.port,
                "resourceId": self.resource_id,
                "masterSecretArn": self.master_secret_arn,
            }
        )

    def _subnet_group(self) -> aws.rds.SubnetGroup:
        return aws.rds.SubnetGroup(
            f"{self._name}-subnets",
            name=self._args.names.database_instance,
            description="Private subnets of the cluster",
            subnet_ids=self._args.cluster.private_subnet_ids,
            opts=self._child,
        )

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

    def _security_group(self) -> aws.ec2.SecurityGroup:
        # No egress at all: an instance opens no connections.
        group = aws.ec2.SecurityGroup(
            f"{self._name}-access",
            name=self._args.names.database_instance,
            description="Metadata database: from the pods of the cluster only",
            vpc_id=self._args.cluster.vpc_id,
            opts=self._child,
        )
        aws.vpc.SecurityGroupIngressRule(
            f"{self._name}-access-from-pods",
            security_group_id=group.id,
            referenced_security_group_id=self._args.cluster.security_group_id,
            description="Postgres from the pods of the cluster",
            ip_protocol="tcp",
            from_port=self._args.settings.port,
            to_port=self._args.settings.port,
            opts=self._child,
        )
        return group

    def _monitoring_role(self) -> aws.iam.Role:
        region, account_id = self._args.names.region, self._args.names.account_id
        role = aws.iam.Role(
            f"{self._name}-monitoring",
            name=self._args.names.role("database-monitoring"),
            description="Enhanced monitoring of the metadata database",
            assume_role_policy=policies.as_json(policies.monitoring_trust(account_id=account_id)),
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
        # Made here and before the instance: RDS would make them without retention, and leave them behind.
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

    def _instance(
        self,
        *,
        subnets: aws.rds.SubnetGroup,
        parameters: aws.rds.ParameterGroup,
        security_group: aws.ec2.SecurityGroup,
        monitoring_role: aws.iam.Role | None,
        log_groups: list[aws.cloudwatch.LogGroup],
    ) -> aws.rds.Instance:
        args, settings = self._args, self._args.settings
        minutes = f"{args.timeout_minutes}m"
        insights = settings.performance_insights
        # A replacement of this resource is the loss of all metadata since the last backup.
        return aws.rds.Instance(
            f"{self._name}-instance",
            identifier=args.names.database_instance,
            engine="postgres",
            engine_version=str(settings.postgres_major),
            instance_class=settings.instance_class,
            storage_type="gp3",
            allocated_storage=settings.storage_gib,
            max_allocated_storage=settings.max_storage_gib,
            storage_encrypted=True,
            kms_key_id=args.key_arn,
            username=MASTER_USERNAME,
            manage_master_user_password=True,
            master_user_secret_kms_key_id=args.key_arn,
            port=settings.port,
            multi_az=settings.multi_az,
            publicly_accessible=False,
            db_subnet_group_name=subnets.name,
            parameter_group_name=parameters.name,
            vpc_security_group_ids=[security_group.id],
            ca_cert_identifier=settings.ca_certificate,
            iam_database_authentication_enabled=True,
            auto_minor_version_upgrade=True,
            copy_tags_to_snapshot=True,
            backup_retention_period=settings.backup_retention_days,
            backup_window=settings.backup_window,
            maintenance_window=settings.maintenance_window,
            apply_immediately=settings.apply_immediately,
            enabled_cloudwatch_logs_exports=list(EXPORTED_LOGS),
            monitoring_interval=settings.monitoring_interval_seconds,
            monitoring_role_arn=monitoring_role.arn if monitoring_role else None,
            performance_insights_enabled=insights,
            performance_insights_kms_key_id=args.key_arn if insights else None,
            deletion_protection=args.protected,
            skip_final_snapshot=not args.persistent,
            final_snapshot_identifier=self._final_snapshot() if args.persistent else None,
            delete_automated_backups=not args.persistent,
            opts=pulumi.ResourceOptions(
                parent=self,
                protect=args.protected,
                # RDS would make the log groups itself if it came first.
                depends_on=log_groups,
                custom_timeouts=pulumi.CustomTimeouts(create=minutes, update=minutes, delete=minutes),
            ),
        )

    def _final_snapshot(self) -> pulumi.Output[str]:
        suffix = RandomSuffix(f"{self._name}-final-snapshot", opts=self._child)
        return pulumi.Output.concat(self._args.names.database_instance, "-final-", suffix.value)


def parameter_values(settings: DatabaseSettings) -> Mapping[str, str]:
    """Return the instance's parameters: all take effect without a restart.

    `rds.force_ssl` refuses connections without TLS (FSBP RDS.38).
    """
    return {
        "rds.force_ssl": "1",
        "log_statement": "ddl",
        "log_min_duration_statement": str(settings.log_statements_over_milliseconds),
    }
