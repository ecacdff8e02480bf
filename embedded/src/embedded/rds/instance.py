"""moto's DB instance, with an address, identifiers and a master secret of its own."""

import hashlib
import secrets
import string
from datetime import datetime
from typing import Any

from moto.rds.exceptions import InvalidParameterCombination, InvalidParameterValue
from moto.rds.models import DBInstance, MasterUserSecret

from embedded.rds import instance_classes, passwords, roles, storage

MANAGED_MASTER_MESSAGE = (
    "You can't specify MasterUserPassword for an instance with ManageMasterUserPassword enabled."
)

_ID_ALPHABET = string.ascii_uppercase + string.digits
_HIDDEN_ENDPOINT = frozenset({"creating", "failed", "restoring"})


class EmbeddedMasterUserSecret(MasterUserSecret):
    """A secret with the real user name and a random password."""

    def _generate_secret_string(self) -> str:
        return passwords.secret_string(str(self.resource.master_username), passwords.generate())

    @property
    def password(self) -> str:
        """The password that is current."""
        version = self.secret.versions[str(self.secret.default_version_id)]
        return passwords.password_of(version["secret_string"])


class EmbeddedDbInstance(DBInstance):
    """An instance backed by a server. `status` follows that server."""

    def __init__(self, backend: Any, **options: Any) -> None:
        super().__init__(backend, **options)
        # moto gives every instance the same one.
        self.dbi_resource_id = "db-" + "".join(secrets.choice(_ID_ALPHABET) for _ in range(26))
        self.ca_certificate_identifier = "rds-ca-rsa2048-g1"
        self.license_model = "postgresql-license"
        self.address_index = 0
        self.pending_modified_values: dict[str, Any] = {}
        self.reboot_pending = False
        # What the server runs with; the group may say more, which then waits for a reboot.
        self.applied_parameters: dict[str, str] = {}
        # When the operation that goes on is done by AWS's pace; None: as soon as it is.
        self.busy_until: datetime | None = None
        self.restore_from: str | None = None
        self.final_snapshot: str | None = None
        # Whether its deletion leaves automated backups.
        self.keeps_backups = False
        if self.storage_encrypted and self.kms_key_id in (None, "default_kms_key_id"):
            self.kms_key_id = backend.kms.describe_key("alias/aws/rds").arn
        if self.storage_type == "gp3":
            iops, throughput = storage.baseline(int(self.allocated_storage or 0))
            self.iops = self.iops or str(iops)
            self.storage_throughput = self.storage_throughput or throughput
        # moto drops these at creation, and sets them by these names when the instance is modified.
        self.enable_performance_insights = bool(options.get("enable_performance_insights"))
        self.performance_insights_kms_key_id = options.get("performance_insights_kms_key_id")
        self.performance_insights_retention_period = options.get("performance_insights_retention_period")
        if self.enable_performance_insights:
            # https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBInstance.html
            self.performance_insights_kms_key_id = self.performance_insights_kms_key_id or self.kms_key_id
            self.performance_insights_retention_period = self.performance_insights_retention_period or 7

    def __setstate__(self, state: dict[str, Any]) -> None:
        # Accounts that were saved before these were there.
        self.__dict__.update({"applied_parameters": {}, "busy_until": None, "keeps_backups": False, **state})

    @property
    def performance_insights_enabled(self) -> bool:
        """What DescribeDBInstances calls the option that CreateDBInstance calls EnablePerformanceInsights."""
        return bool(self.enable_performance_insights)

    @property
    def address(self) -> str:
        """The hostname; its middle is the same for all instances of an account in a region, as on AWS."""
        digest = hashlib.sha256(f"{self.account_id}/{self.region}".encode()).hexdigest()[:11]
        return f"{self.db_instance_identifier}.c{digest}.{self.region}.rds.amazonaws.com"

    @property
    def endpoint(self) -> Any:
        """None until the instance was available once, as on AWS."""
        if self.status in _HIDDEN_ENDPOINT:
            return None
        return {"Address": self.address, "Port": self.port, "HostedZoneId": "Z29XKXDKYMONMX"}

    @property
    def master_password(self) -> str | None:
        """The master user's password, never shown by the API; None: the one in a snapshot's data."""
        if self.manage_master_user_password:
            return str(self.master_user_secret.password)  # type: ignore[attr-defined]
        return None if self._master_user_password is None else str(self._master_user_password)

    @property
    def db_parameter_group_status_list(self) -> Any:
        """The group, and whether a static parameter waits for a reboot."""
        groups = self.db_parameter_groups()
        for group in groups:
            group.ParameterApplyStatus = "pending-reboot" if self.reboot_pending else "in-sync"  # type: ignore[attr-defined]
        return groups

    @property
    def certificate_details(self) -> dict[str, Any]:
        """Which authority signed the server's certificate."""
        return {"CAIdentifier": self.ca_certificate_identifier}


def check_creation(options: Any) -> None:
    """Refuse what RDS refuses in CreateDBInstance and moto accepts.

    Raises:
        InvalidParameterValue, InvalidParameterCombination: naming the parameter.
    """
    if options["engine"] != "postgres":
        raise InvalidParameterValue(
            f"The embedded RDS emulates engine postgres only, not {options['engine']}"
        )
    instance_classes.memory_bytes(options["db_instance_class"])
    username = options.get("master_username") or ""
    if not username:
        raise InvalidParameterValue("The parameter MasterUsername must be provided and must not be blank.")
    if roles.is_reserved(username):
        message = f"MasterUsername {username} cannot be used as it is a reserved word used by the engine"
        raise InvalidParameterValue(message)
    if not options.get("restore_from"):
        _check_password(options)
    gib, kind = options.get("allocated_storage"), options.get("storage_type")
    if gib is None or not 20 <= int(gib) <= 65536:
        raise InvalidParameterValue(f"Invalid storage size for engine name postgres and storage type: {gib}")
    if not options.get("restore_from"):
        storage.check_performance(kind, int(gib), options.get("iops"), options.get("storage_throughput"))
    storage.check_windows(options.get("preferred_backup_window"), options.get("preferred_maintenance_window"))


def _check_password(options: Any) -> None:
    password, managed = options.get("master_user_password"), options.get("manage_master_user_password")
    if managed and password:
        raise InvalidParameterCombination(MANAGED_MASTER_MESSAGE)
    if not managed:
        check_password(password or "")


def check_password(password: str) -> None:
    """Refuse a password RDS refuses."""
    refused = "The parameter MasterUserPassword is not a valid password"
    if len(password) < 8:
        raise InvalidParameterValue(f"{refused} because it is shorter than 8 characters.")
    if len(password) > 128:
        raise InvalidParameterValue(f"{refused} because it is longer than 128 characters.")
    if set(password) & set('/@" '):
        raise InvalidParameterValue(
            f"{refused}. Only printable ASCII characters besides '/', '@', '\"', ' ' may be used."
        )
