"""Physical names: what AWS, Kubernetes and Airflow call things, and how long they may be.

Logical names (Pulumi's) are fixed texts in the components and hold no environment; the names here are derived
from project and stack, so that two environments never collide in one account and leftovers can be found by
name.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Final

# The environment's short name is a prefix of all others; at this length every derived name keeps to its
# limit.
ENVIRONMENT_NAME_LIMIT: Final = 24
HASH_LENGTH: Final = 6

# The limits that it keeps to, of buckets, roles, database instances and namespaces:
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
# https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/CHAP_Limits.html
# https://kubernetes.io/docs/concepts/overview/working-with-objects/names/

# Names within an environment's namespace. They are alone there, so they hold no environment.
RELEASE: Final = "airflow"
FERNET_KEY_SECRET: Final = "airflow-fernet-key"  # noqa: S105 - a name
API_SECRET_KEY_SECRET: Final = "airflow-api-secret-key"  # noqa: S105 - a name
JWT_SECRET: Final = "airflow-jwt-secret"  # noqa: S105 - a name
DATABASE_LOGIN_SECRET: Final = "airflow-database-login"  # noqa: S105 - a name
METADATA_SECRET: Final = "airflow-metadata"  # noqa: S105 - a name
POOLED_METADATA_SECRET: Final = "airflow-metadata-pooled"  # noqa: S105 - a name
PGBOUNCER_SECRET: Final = "airflow-pgbouncer-config"  # noqa: S105 - a name
PGBOUNCER_STATISTICS_SECRET: Final = "airflow-pgbouncer-statistics"  # noqa: S105 - a name
ADMINISTRATOR_SECRET: Final = "airflow-administrator"  # noqa: S105 - a name
DATABASE_CA_CONFIG_MAP: Final = "rds-ca"
# Where the database's CA is in every pod that opens a session; the ConfigMap has this one key.
DATABASE_CA_DIRECTORY: Final = "/etc/rds-ca"
DATABASE_CA_KEY: Final = "ca.pem"
DATABASE_CA_FILE: Final = f"{DATABASE_CA_DIRECTORY}/{DATABASE_CA_KEY}"
CANARY_CONFIG_MAP: Final = "airflow-canary"
CANARY_USER_SECRET: Final = "airflow-canary-user"  # noqa: S105 - a name
JOB_SCRIPTS_CONFIG_MAP: Final = "airflow-job-scripts"
API_SERVER_SERVICE: Final = f"{RELEASE}-api-server"
# Service, Deployment and service account each; these accounts have no role in AWS.
PGBOUNCER: Final = f"{RELEASE}-pgbouncer"
STATSD: Final = f"{RELEASE}-statsd"
CLEANUP: Final = f"{RELEASE}-cleanup"
DATABASE_CLEANUP: Final = f"{RELEASE}-database-cleanup"

# What the environment's bucket holds; the rights of pods and the days of life differ.
TASK_LOGS_PREFIX: Final = "task-logs"
XCOM_PREFIX: Final = "xcom"

# Airflow's user that runs the canary, and its role in Airflow.
CANARY_USER: Final = "canary"
CANARY_ROLE: Final = "Canary"

# Tag of everything that stays when a persistent environment ends; its value is the deployment id.
RECOVERY_SET_TAG: Final = "recovery-set"

# Role and database of Airflow on its instance. The role owns everything and can't log in: two login roles
# act as it by turns, so that a new password is valid before the old one ends.
DATABASE: Final = "airflow"
DATABASE_ROLE: Final = "airflow"
LOGIN_SUFFIXES: Final = ("_a", "_b")
# The role that makes tenants on an instance that environments share.
TENANT_ADMINISTRATOR: Final = "tenant_admin"
# Name under which PgBouncer serves the database, and the user who reads its statistics.
POOLED_DATABASE: Final = f"{RELEASE}-metadata"
PGBOUNCER_PORT: Final = 6543  # the chart's
PGBOUNCER_STATISTICS_USER: Final = "pgbouncer_statistics"
# RDS refuses reserved words such as "admin"; a name of its own also meets FSBP RDS.25.
MASTER_USERNAME: Final = "airflow_master"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenant:
    """Database and role of an environment on its instance."""

    database: str = DATABASE
    role: str = DATABASE_ROLE


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceAccounts:
    """Service accounts of the environment's namespace; Pod Identity is bound to these names."""

    scheduler: str = "airflow-scheduler"
    api_server: str = "airflow-api-server"
    dag_processor: str = "airflow-dag-processor"
    triggerer: str = "airflow-triggerer"
    worker: str = "airflow-worker"
    database_administration: str = "airflow-database-administration"
    migration: str = "airflow-migration"


SERVICE_ACCOUNTS: Final = ServiceAccounts()


def pod_labels(component: str) -> dict[str, str]:
    """Return the labels by which the chart marks the pods of a component; `worker` is a task."""
    return {"tier": "airflow", "component": component, "release": RELEASE}


def login_roles(owner: str, generation: int) -> tuple[str, str]:
    """Return the login role of a password's generation, and the other one, which the next rotation takes.

    Args:
        owner: role that they act as.
        generation: how often the password was rotated.
    """
    turn = generation % len(LOGIN_SUFFIXES)
    return owner + LOGIN_SUFFIXES[turn], owner + LOGIN_SUFFIXES[1 - turn]


def short_hash(text: str, length: int = HASH_LENGTH) -> str:
    """Return the first `length` hexadecimal digits of the text's SHA-256."""
    return hashlib.sha256(text.encode()).hexdigest()[:length]


def slug(text: str, limit: int) -> str:
    """Return `text` as a DNS label (a-z, 0-9, single hyphens) of at most `limit` characters.

    A text that had to change gets a hash of the original, so that two texts never become one name. Text that
    is a label already, and short enough, stays as it is.
    """
    label = re.sub(r"-{2,}", "-", re.sub(r"[^a-z0-9-]", "-", text.lower())).strip("-")
    if label == text and len(label) <= limit and label[0].isalpha():
        return label
    suffix = short_hash(text)
    head = label[: limit - HASH_LENGTH - 1].strip("-")
    if not head or not head[0].isalpha():
        head = f"e-{head}"[: limit - HASH_LENGTH - 1].strip("-")
    return f"{head}-{suffix}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """Physical names of one environment."""

    environment: str
    account_id: str
    region: str

    @property
    def namespace(self) -> str:
        """Kubernetes namespace."""
        return self.environment

    @property
    def logs_bucket(self) -> str:
        """S3 bucket of remote logs; bucket names are global, so account and region are part of it."""
        return f"{self.environment}-{self.account_id}-{self.region}"

    @property
    def database_instance(self) -> str:
        """RDS instance identifier."""
        return f"{self.environment}-metadata"

    @property
    def shared_tenant(self) -> Tenant:
        """Database and role on an instance with other tenants: named after the environment."""
        return Tenant(database=self.environment, role=self.environment)

    @property
    def key_alias(self) -> str:
        """Alias of the KMS key."""
        return f"alias/{self.environment}"

    @property
    def secrets_prefix(self) -> str:
        """Prefix of the environment's secrets in AWS Secrets Manager, without a slash at the end."""
        return f"airflow/{self.environment}"

    def variable_secret(self, variable: str) -> str:
        """Secret that holds a Variable; Airflow's backend looks there."""
        return f"{self.secrets_prefix}/variables/{variable}"

    def connection_secret(self, connection: str) -> str:
        """Secret that holds a Connection; Airflow's backend looks there."""
        return f"{self.secrets_prefix}/connections/{connection}"

    @property
    def recovery_secret(self) -> str:
        """Beginning of the names of secrets with the Fernet keys that outlive the environment."""
        return f"{self.secrets_prefix}/recovery/fernet-keys"

    @property
    def migration_snapshot(self) -> str:
        """Beginning of the names of snapshots that precede a migration."""
        return f"{self.database_instance}-before"

    def alarm(self, name: str) -> str:
        """Topic, alarm, event subscription or dashboard of a name."""
        return f"{self.environment}-{name}"

    def role(self, purpose: str) -> str:
        """IAM role name for a purpose such as a service account."""
        return f"{self.environment}-{self.region}-{purpose.removeprefix('airflow-')}"

    def parameter_group(self, postgres_major: int) -> str:
        """RDS parameter group; the major is part of it, since a group never changes its family."""
        return f"{self.environment}-postgres{postgres_major}"

    def database_log_group(self, log: str) -> str:
        """Log group that RDS writes `log` (postgresql, upgrade) to; RDS decides this name."""
        return f"/aws/rds/instance/{self.database_instance}/{log}"


def names_of(project: str, stack: str, *, account_id: str, region: str) -> Names:
    """Return the physical names for a Pulumi project and stack.

    Args:
        project: Pulumi project name.
        stack: Pulumi stack name without organization; any length, letters, digits, `-`, `_` and `.`.
        account_id: twelve digits.
        region: AWS region.
    """
    return Names(
        environment=slug(f"{project}-{stack}", ENVIRONMENT_NAME_LIMIT), account_id=account_id, region=region
    )


def database_host(cluster: str) -> str:
    """Return the name of the instance for tenants that the project of a cluster makes."""
    return slug(f"{cluster}-host", ENVIRONMENT_NAME_LIMIT)


def deployment_id(project: str, stack: str, *, given: str | None = None) -> str:
    """Return the tag value by which a stack's resources are found, stable for life.

    Args:
        project: Pulumi project.
        stack: stack of it; both make the id, a name and a hash.
        given: id that the stack file gives in its place, if any.
    """
    return (
        given or f"{slug(f'{project}-{stack}', ENVIRONMENT_NAME_LIMIT)}-{short_hash(f'{project}/{stack}', 8)}"
    )
