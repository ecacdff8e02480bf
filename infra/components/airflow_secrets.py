"""Airflow's keys and passwords: made once, kept encrypted in state, handed over as Kubernetes Secrets.

A rotation (`airflow-env rotate`) comes as a request for one run; see `infra/key_ring.py`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import pulumi
import pulumi_kubernetes as kubernetes

from infra import naming, task_tokens
from infra.chart_values import CONNECTION_ASYNC_KEY, CONNECTION_KEY
from infra.dynamic import KeyRing, RandomKind, RandomSecret
from infra.key_ring import RingShape, RotatedKey, generations_text, keys_of
from infra.task_tokens import KEY_SET_FILE, PRIVATE_KEY_FILE

# Keys within the Secrets; the first two are the chart's.
FERNET_KEY: Final = "fernet-key"
API_SECRET_KEY: Final = "api-secret-key"  # noqa: S105 - the name of a key
PASSWORD_KEY: Final = "password"  # noqa: S105 - the name of a key
USERNAME_KEY: Final = "username"

# What pods of both ages write and read while they are replaced has a standby; all else changes at once.
OVERLAPPING: Final = RingShape(standby=True, previous=1)
SINGLE: Final = RingShape(standby=False, previous=0)
# The previous password belongs to the other login role, which is closed when nobody uses it any more.
ALTERNATING: Final = RingShape(standby=False, previous=1)

# Key -> end of its ring's logical name.
RING_ROLES: Final[Mapping[RotatedKey, str]] = {
    RotatedKey.FERNET: "fernet-key",
    RotatedKey.API: "api-secret-key",
    RotatedKey.JWT: "jwt",
    RotatedKey.DATABASE: "database-password",
}

# Random bytes.
KEY_BYTES: Final = 32
PASSWORD_BYTES: Final = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class AirflowSecretsArgs:
    """What AirflowSecrets needs."""

    namespace: pulumi.Input[str]
    database_host: pulumi.Input[str]
    database_port: pulumi.Input[int]
    administrator: str | None
    """Name of the first administrator, or None for none."""
    canary: bool
    """Make a password for the canary's user too."""
    protected: bool
    restored_fernet_keys: pulumi.Input[str] | None = None
    """Fernet keys of the environment whose database is restored, separated by commas; a secret."""
    requests: Mapping[RotatedKey, str] = field(default_factory=dict)
    """What this run rotates: key -> `verb:nonce`."""
    tenant: naming.Tenant = field(default_factory=naming.Tenant)
    """Database that the URLs name, and the role that owns it."""


class AirflowSecrets(pulumi.ComponentResource):
    """Fernet, API and JWT keys, the database's URL and the first administrator's password.

    The Fernet key encrypts Connections in the database; the loss of this resource is their loss.
    """

    TOKEN: Final = "airflowinfra:index:AirflowSecrets"  # noqa: S105 - a type token

    checksum: pulumi.Output[str]
    """Hash over all that Airflow's pods mount or read; another one rolls them. Not secret."""
    fernet_keys: pulumi.Output[str]
    """All Fernet keys that there ever were, the newest first, separated by commas: what reads old backups.
    A key is among them before the first value is encrypted with it. Secret."""
    password_digest: pulumi.Output[str]
    """Hash of the database passwords; secret."""
    database_login: pulumi.Output[str]
    """Role that Airflow logs in as; it acts as the database's owner."""
    connection: pulumi.Output[dict[str, str]]
    """The database's URLs by key of their Secret; secret. Valid once the database knows the login role."""
    database_users: pulumi.Output[dict[str, str]]
    """Password by login role: the one in use, first, and the previous one while pods may still use it.
    Secret."""
    closed_database_login: pulumi.Output[str]
    """The other login role while nobody uses it; empty while pods that use it may still run."""
    key_generations: pulumi.Output[str]
    """How often each ring advanced; see `key_ring.generations_text`."""

    def __init__(
        self, name: str, args: AirflowSecretsArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(self.TOKEN, name, None, opts)
        self._name, self._args = name, args
        self._generations: dict[str, pulumi.Output[int]] = {}
        fernet = self._ring(
            RotatedKey.FERNET,
            RandomKind.FERNET,
            OVERLAPPING,
            protect=args.protected,
            restored=args.restored_fernet_keys,
        )
        api = self._ring(RotatedKey.API, RandomKind.TOKEN, SINGLE)
        jwt = self._ring(RotatedKey.JWT, RandomKind.SIGNING, OVERLAPPING)
        tokens = _secret_of(jwt, _token_files)
        password = self._database_password()
        self.fernet_keys = pulumi.Output.secret(fernet.history)
        self._secret("fernet-key-secret", naming.FERNET_KEY_SECRET, {FERNET_KEY: _secret_of(fernet)})
        self._secret("api-secret-key-secret", naming.API_SECRET_KEY_SECRET, {API_SECRET_KEY: _secret_of(api)})
        files = {file: tokens[file] for file in (PRIVATE_KEY_FILE, KEY_SET_FILE)}
        self._secret("jwt-secret", naming.JWT_SECRET, files)
        self._secret("database-login-secret", naming.DATABASE_LOGIN_SECRET, {PASSWORD_KEY: password})
        if args.administrator is not None:
            self._secret(
                "administrator-secret",
                naming.ADMINISTRATOR_SECRET,
                {USERNAME_KEY: args.administrator, PASSWORD_KEY: self._password("administrator-password")},
            )
        if args.canary:
            self._secret(
                "canary-user-secret",
                naming.CANARY_USER_SECRET,
                {USERNAME_KEY: naming.CANARY_USER, PASSWORD_KEY: self._password("canary-user-password")},
            )
        self.key_generations = pulumi.Output.all(**self._generations).apply(
            lambda found: generations_text({RotatedKey(key): int(number) for key, number in found.items()})
        )
        # A hash of keys of 256 random bits tells nothing about them, and has to stand in annotations.
        self.checksum = pulumi.Output.unsecret(
            pulumi.Output.all(fernet.value, api.value, tokens, self.connection).apply(
                lambda parts: digest(*parts)
            )
        )
        self.register_outputs({"checksum": self.checksum})

    def _database_password(self) -> pulumi.Output[str]:
        """The password of the login role in use; sets what else there is to say of the roles."""
        ring = self._ring(RotatedKey.DATABASE, RandomKind.TOKEN, ALTERNATING)
        owner = self._args.tenant.role
        roles = ring.generation.apply(lambda number: naming.login_roles(owner, int(number)))
        self.database_login = roles.apply(lambda found: found[0])
        self.closed_database_login = pulumi.Output.unsecret(
            pulumi.Output.all(roles, ring.value).apply(
                lambda found: found[0][1] if len(keys_of(str(found[1]))) == 1 else ""
            )
        )
        self.database_users = pulumi.Output.secret(
            pulumi.Output.all(roles, ring.value).apply(
                lambda found: dict(zip(found[0], keys_of(str(found[1])), strict=False))
            )
        )
        self.password_digest = _secret_of(ring, digest)
        password = _secret_of(ring, lambda value: keys_of(value)[0])
        args = self._args
        self.connection = pulumi.Output.all(
            args.database_host, args.database_port, self.database_login, password
        ).apply(
            lambda found: connection_urls(
                host=str(found[0]),
                port=int(found[1]),
                role=str(found[2]),
                password=str(found[3]),
                database=args.tenant.database,
            )
        )
        return password

    def _ring(
        self,
        key: RotatedKey,
        kind: RandomKind,
        shape: RingShape,
        *,
        protect: bool = False,
        restored: pulumi.Input[str] | None = None,
    ) -> KeyRing:
        ring = KeyRing(
            f"{self._name}-{RING_ROLES[key]}",
            kind,
            shape,
            length=PASSWORD_BYTES if key is RotatedKey.DATABASE else KEY_BYTES,
            request=self._args.requests.get(key, ""),
            restored=restored,
            opts=pulumi.ResourceOptions(parent=self, protect=protect),
        )
        self._generations[key.value] = ring.generation
        return ring

    def _password(self, role: str) -> pulumi.Output[str]:
        options = pulumi.ResourceOptions(parent=self)
        name = f"{self._name}-{role}"
        value = RandomSecret(name, RandomKind.TOKEN, length=PASSWORD_BYTES, opts=options).value
        return pulumi.Output.secret(value)

    def _secret(self, role: str, secret: str, data: Mapping[str, pulumi.Input[str]]) -> None:
        kubernetes.core.v1.Secret(
            f"{self._name}-{role}",
            metadata={"name": secret, "namespace": self._args.namespace},
            type="Opaque",
            string_data=dict(data),
            opts=pulumi.ResourceOptions(parent=self),
        )


def _secret_of(ring: KeyRing, part: Callable[[str], Any] = str) -> pulumi.Output[Any]:
    """A part of a ring; secret as the ring is."""
    return pulumi.Output.secret(ring.value.apply(lambda value: part(str(value))))


def _token_files(ring: str) -> dict[str, str]:
    """Files by which Airflow signs and checks tokens: it signs with the key in use, and trusts all."""
    keys = keys_of(ring)
    return {PRIVATE_KEY_FILE: task_tokens.private_key_pem(keys[0]), KEY_SET_FILE: task_tokens.key_set(keys)}


def connection_urls(
    *, host: str, port: int, role: str, password: str, database: str = naming.DATABASE
) -> dict[str, str]:
    """Return the database's URLs by key of the Secret: for psycopg2, and for asyncpg.

    Both verify certificate and host name. asyncpg takes the certificate authorities from PGSSLROOTCERT. The
    password is URL-safe text, so nothing is escaped (a `%` would need doubling in Airflow's configuration).
    """
    at = f"{role}:{password}@{host}:{port}/{database}"
    return {
        CONNECTION_KEY: f"postgresql://{at}?sslmode=verify-full&sslrootcert={naming.DATABASE_CA_FILE}",
        CONNECTION_ASYNC_KEY: f"postgresql+asyncpg://{at}?ssl=verify-full",
    }


def digest(*parts: object) -> str:
    """Return a SHA-256 over the parts, which are texts or mappings of text."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
