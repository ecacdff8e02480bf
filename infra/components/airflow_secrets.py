"""Airflow's keys and passwords: made once, kept encrypted in state, handed over as Kubernetes Secrets."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import pulumi
import pulumi_kubernetes as kubernetes

from infra import naming
from infra.chart_values import CONNECTION_ASYNC_KEY, CONNECTION_KEY, DATABASE_CA_FILE
from infra.dynamic import RandomKind, RandomSecret

# Keys within the Secrets; the first three are the chart's.
FERNET_KEY: Final = "fernet-key"
API_SECRET_KEY: Final = "api-secret-key"  # noqa: S105 - the name of a key
JWT_KEY: Final = "jwt-secret"
PASSWORD_KEY: Final = "password"  # noqa: S105 - the name of a key
USERNAME_KEY: Final = "username"

# Random bytes. Airflow signs tokens with HS512, which wants 64: RFC 7518, section 3.2.
JWT_BYTES: Final = 96
KEY_BYTES: Final = 32
PASSWORD_BYTES: Final = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class AirflowSecretsArgs:
    """What AirflowSecrets needs."""

    namespace: pulumi.Input[str]
    database_host: pulumi.Input[str]
    database_port: pulumi.Input[int]
    administrator: str
    protected: bool


class AirflowSecrets(pulumi.ComponentResource):
    """Fernet, API and JWT keys, the database's URL and the first administrator's password.

    The Fernet key encrypts Connections in the database; the loss of this resource is their loss.
    """

    TOKEN: Final = "airflowinfra:index:AirflowSecrets"  # noqa: S105 - a type token

    checksum: pulumi.Output[str]
    """Hash over all that Airflow's pods mount or read; another one rolls them. Not secret."""
    password_digest: pulumi.Output[str]
    """Hash of the database password; secret."""

    def __init__(
        self, name: str, args: AirflowSecretsArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(self.TOKEN, name, None, opts)
        self._name, self._namespace = name, args.namespace
        fernet = self._random("fernet-key", RandomKind.FERNET, 32, protect=args.protected)
        api = self._random("api-secret-key", RandomKind.TOKEN, KEY_BYTES)
        jwt = self._random("jwt", RandomKind.TOKEN, JWT_BYTES)
        password = self._random("database-password", RandomKind.TOKEN, PASSWORD_BYTES)
        administrator = self._random("administrator-password", RandomKind.TOKEN, PASSWORD_BYTES)
        urls = pulumi.Output.all(args.database_host, args.database_port, password).apply(
            lambda found: connection_urls(host=str(found[0]), port=int(found[1]), password=str(found[2]))
        )
        connection = {key: urls[key] for key in (CONNECTION_KEY, CONNECTION_ASYNC_KEY)}
        self._secret("fernet-key-secret", naming.FERNET_KEY_SECRET, {FERNET_KEY: fernet})
        self._secret("api-secret-key-secret", naming.API_SECRET_KEY_SECRET, {API_SECRET_KEY: api})
        self._secret("jwt-secret", naming.JWT_SECRET, {JWT_KEY: jwt})
        self._secret("metadata-secret", naming.METADATA_SECRET, {**connection, PASSWORD_KEY: password})
        self._secret(
            "administrator-secret",
            naming.ADMINISTRATOR_SECRET,
            {USERNAME_KEY: args.administrator, PASSWORD_KEY: administrator},
        )
        # A hash of keys of 256 random bits tells nothing about them, and has to stand in annotations.
        self.checksum = pulumi.Output.unsecret(
            pulumi.Output.all(fernet, api, jwt, urls).apply(lambda parts: digest(*parts))
        )
        self.password_digest = password.apply(digest)
        self.register_outputs({"checksum": self.checksum})

    def _random(
        self, role: str, kind: RandomKind, length: int, *, protect: bool = False
    ) -> pulumi.Output[str]:
        options = pulumi.ResourceOptions(parent=self, protect=protect)
        value = RandomSecret(f"{self._name}-{role}", kind, length=length, opts=options).value
        return pulumi.Output.secret(value)

    def _secret(self, role: str, secret: str, data: Mapping[str, pulumi.Input[str]]) -> None:
        kubernetes.core.v1.Secret(
            f"{self._name}-{role}",
            metadata={"name": secret, "namespace": self._namespace},
            type="Opaque",
            string_data=dict(data),
            opts=pulumi.ResourceOptions(parent=self),
        )


def connection_urls(*, host: str, port: int, password: str) -> dict[str, str]:
    """Return the database's URLs by key of the Secret: for psycopg2, and for asyncpg.

    Both verify certificate and host name. asyncpg takes the certificate authorities from PGSSLROOTCERT. The
    password is URL-safe text, so nothing is escaped (a `%` would need doubling in Airflow's configuration).
    """
    at = f"{naming.DATABASE_ROLE}:{password}@{host}:{port}/{naming.DATABASE}"
    return {
        CONNECTION_KEY: f"postgresql://{at}?sslmode=verify-full&sslrootcert={DATABASE_CA_FILE}",
        CONNECTION_ASYNC_KEY: f"postgresql+asyncpg://{at}?ssl=verify-full",
    }


def digest(*parts: object) -> str:
    """Return a SHA-256 over the parts, which are texts or mappings of text."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
