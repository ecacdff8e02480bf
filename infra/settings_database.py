"""Settings of the metadata database and of logs."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final, Literal, Self

from pydantic import Field, model_validator

from infra import versions
from infra.settings_model import (
    NO_BOOLEAN,
    DailyWindow,
    LogRetentionDays,
    Model,
    WeeklyWindow,
    inconsistent,
    optional_text,
)
from infra.settings_windows import window_mistakes

# RDS's limit of gp3, and the largest size with a ceiling of 10% more below it:
# https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/CHAP_Storage.html#gp3-storage
STORAGE_LIMIT_GIB: Final = 65536
LARGEST_STORAGE_GIB: Final = STORAGE_LIMIT_GIB * 10 // 11


# Text without control characters.
PATH_PATTERN: Final = r"^[^\x00-\x1f\x7f]*$"


class Tenancy(StrEnum):
    """Whose instance the database is on."""

    DEDICATED = "dedicated"
    SHARED = "shared"


class RestoreSettings(Model):
    """Where the database comes from when it is made: a recovery set, or nothing for an empty one."""

    snapshot: Annotated[
        str | None,
        optional_text(
            # Before the colon: who took it, RDS by itself or AWS Backup.
            r"(arn:aws[a-z-]*:rds:[a-z0-9-]+:[0-9]{12}:snapshot:)?(rds:|awsbackup:)?"
            r"[A-Za-z][A-Za-z0-9]*(-[A-Za-z0-9]+)*",
            "identifier or ARN of a snapshot, or empty",
        ),
    ] = Field(
        default=None,
        description="Snapshot that the database begins with. It is read when the instance is made; later "
        "changes of it have no effect, and it may be removed then.",
    )
    fernet_keys_secret: Annotated[
        str | None,
        optional_text(
            r"(arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:)?[\w/+=.@-]{1,512}",
            "name or ARN of a secret, or empty",
        ),
    ] = Field(
        default=None,
        description="Secret with the Fernet keys that the snapshot's Connections are encrypted with.",
    )

    @model_validator(mode="after")
    def _both_or_none(self) -> Self:
        if (self.snapshot is None) != (self.fernet_keys_secret is None):
            missing = "snapshot" if self.snapshot is None else "fernetKeysSecret"
            raise inconsistent(
                (missing, None, "snapshot and fernetKeysSecret go together: one is of no use alone")
            )
        return self

    @property
    def wanted(self) -> bool:
        """Whether the database comes from a snapshot."""
        return self.snapshot is not None


class DatabaseSettings(Model):
    """The RDS Postgres instance that holds Airflow's metadata."""

    tenancy: Tenancy = Field(
        default=Tenancy.DEDICATED,
        description="dedicated: an instance of its own. shared: a database on the instance that the cluster "
        "stack declares as a host; for durability disposable.",
    )
    tenant_connections: int = Field(
        default=120,
        ge=10,
        le=5000,
        description="With tenancy shared: connections that this environment may hold at the same time.",
    )
    restore: RestoreSettings = Field(
        default_factory=RestoreSettings, description="What the database begins with; empty: nothing."
    )

    postgres_major: int = Field(
        default=versions.POSTGRES_MAJOR,
        json_schema_extra={"enum": list(versions.SUPPORTED_POSTGRES_MAJORS)},
        description="Major version; RDS applies minor versions within the maintenance window. "
        f"Allowed: {', '.join(map(str, versions.SUPPORTED_POSTGRES_MAJORS))}.",
    )
    instance_class: str = Field(
        default="db.m7g.large",
        pattern=r"^db\.[a-z][a-z0-9-]*\.(micro|small|medium|large|[0-9]*xlarge)$",
        description="RDS instance class. It decides memory, and memory decides the number of connections.",
    )
    storage_gib: int = Field(
        default=50,
        ge=20,
        le=LARGEST_STORAGE_GIB,
        description="Storage at creation, GiB (RDS: gp3 from 20 to 65536, of which autoscaling takes 10%).",
    )
    max_storage_gib: int = Field(
        default=200,
        ge=22,
        le=STORAGE_LIMIT_GIB,
        description="Ceiling of storage autoscaling, GiB; at least 10% above storageGib.",
    )
    multi_az: bool = Field(default=True, description="A standby in a second zone, with automatic failover.")
    backup_retention_days: int = Field(
        default=14,
        ge=0,
        le=35,
        description="Days of automated backups (RDS: 0 to 35; 0 turns backups off); 14 or more where "
        "durability is persistent.",
    )
    backup_window: DailyWindow = Field(
        default="02:00-03:00", description="Daily backup window, hh:mm-hh:mm in UTC."
    )
    maintenance_window: WeeklyWindow = Field(
        default="sun:03:30-sun:04:30",
        description="Weekly maintenance window in UTC; outside the backup window.",
    )
    apply_immediately: bool = Field(
        default=False,
        description="Apply changes at once, with a restart where needed, not in the next window.",
    )
    port: int = Field(default=5432, ge=1150, le=65535, description="TCP port (RDS: 1150 to 65535).")
    ca_bundle: str = Field(
        default="rds-ca-bundle.pem",
        min_length=1,
        pattern=PATH_PATTERN,
        description="PEM file with the certificate authorities of RDS, relative to the project's directory. "
        "The environment variable RDS_CA_BUNDLE takes its place. The certificate is always verified.",
    )
    ca_certificate: str = Field(
        default="rds-ca-rsa2048-g1",
        pattern=r"^rds-ca-[a-z0-9-]+$",
        description="Certificate authority that signs the instance's own certificate.",
    )
    performance_insights: bool = Field(
        default=True, description="Performance Insights, encrypted with the environment's key."
    )
    monitoring_interval_seconds: Annotated[Literal[0, 1, 5, 10, 15, 30, 60], NO_BOOLEAN] = Field(
        default=60, description="Enhanced monitoring, seconds between samples; 0 turns it off."
    )
    log_statements_over_milliseconds: int = Field(
        default=1000,
        ge=-1,
        # Postgres keeps it in 32 bits:
        # https://www.postgresql.org/docs/current/runtime-config-logging.html#GUC-LOG-MIN-DURATION-STATEMENT
        le=2**31 - 1,
        description="Log statements that take longer, in ms; -1 logs none.",
    )

    @model_validator(mode="after")
    def _supported(self) -> Self:
        mistakes: list[tuple[str, object, str]] = []
        if self.postgres_major not in versions.SUPPORTED_POSTGRES_MAJORS:
            allowed = ", ".join(map(str, versions.SUPPORTED_POSTGRES_MAJORS))
            mistakes.append(("postgresMajor", self.postgres_major, f"allowed: {allowed}"))
        # RDS refuses a ceiling closer than 10%:
        # https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_PIOPS.Autoscaling.html
        if self.max_storage_gib * 10 < self.storage_gib * 11:
            least = -(-self.storage_gib * 11 // 10)
            mistakes.append(
                ("maxStorageGib", self.max_storage_gib, f"allowed: {least} or more, 10% above storageGib")
            )
        mistakes += window_mistakes(self.backup_window, self.maintenance_window)
        if self.tenancy is Tenancy.SHARED and self.restore.wanted:
            mistakes.append(
                ("restore.snapshot", self.restore.snapshot, "a snapshot is a whole instance: use dedicated")
            )
        if mistakes:
            raise inconsistent(*mistakes)
        return self

    @property
    def shared(self) -> bool:
        """Whether the environment is a tenant of a host's instance."""
        return self.tenancy is Tenancy.SHARED


class LogsSettings(Model):
    """The S3 bucket of task logs, and the retention of AWS's own logs."""

    retention_days: int = Field(default=90, ge=1, le=3650, description="Days until a task log is removed.")
    noncurrent_retention_days: int = Field(
        default=7,
        ge=1,
        le=365,
        description="Days until an overwritten or deleted version of a log is removed.",
    )
    database_log_retention_days: LogRetentionDays = Field(
        default=90, description="Days that CloudWatch keeps the database's own logs."
    )
    abort_uploads_after_days: int = Field(
        default=3, ge=1, le=30, description="Days until an unfinished multipart upload is aborted."
    )
