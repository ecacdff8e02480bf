"""PgBouncer's configuration, its users and the URL through it, as Kubernetes Secrets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import pulumi
import pulumi_kubernetes as kubernetes

from infra import naming
from infra.chart_values import CONNECTION_KEY
from infra.components.airflow_secrets import PASSWORD_BYTES, digest
from infra.dynamic import RandomKind, RandomSecret
from infra.pgbouncer_config import (
    CONFIG_KEY,
    USERS_KEY,
    PgbouncerPool,
    pgbouncer_ini,
    pgbouncer_users,
    pooled_connection_url,
    statistics_url,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PgbouncerSecretsArgs:
    """What PgbouncerSecrets needs."""

    namespace: pulumi.Input[str]
    pool: PgbouncerPool | None
    """Sizes of one PgBouncer, or None where Airflow's processes connect to the database themselves."""
    database_host: pulumi.Input[str]
    database_port: pulumi.Input[int]
    users: pulumi.Input[Mapping[str, str]]
    """Password by login role of the database, the one in use first; a secret."""


class PgbouncerSecrets(pulumi.ComponentResource):
    """What PgBouncer and its clients mount; nothing where there is no PgBouncer.

    Both login roles of a rotation are users of it, so pods of both ages are served.
    """

    TOKEN: Final = "airflowinfra:index:PgbouncerSecrets"  # noqa: S105 - a type token

    checksum: pulumi.Output[str]
    """Hash over configuration and users; another one rolls PgBouncer's pods. Not secret."""

    def __init__(
        self, name: str, args: PgbouncerSecretsArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(self.TOKEN, name, None, opts)
        self._name, self._namespace = name, args.namespace
        self.checksum = pulumi.Output.from_input("")
        if args.pool is not None:
            self.checksum = self._register(args, args.pool)
        self.register_outputs({"checksum": self.checksum})

    def _register(self, args: PgbouncerSecretsArgs, pool: PgbouncerPool) -> pulumi.Output[str]:
        # The exporter's user reads statistics; it is no user of the database.
        random = RandomSecret(
            f"{self._name}-statistics-password",
            RandomKind.TOKEN,
            length=PASSWORD_BYTES,
            opts=pulumi.ResourceOptions(parent=self),
        )
        statistics: pulumi.Output[str] = pulumi.Output.secret(random.value)
        users = pulumi.Output.secret(args.users)
        config = pulumi.Output.all(args.database_host, args.database_port).apply(
            lambda found: pgbouncer_ini(pool, host=str(found[0]), port=int(found[1]))
        )
        table = pulumi.Output.all(users, statistics).apply(
            lambda found: pgbouncer_users({**found[0], naming.PGBOUNCER_STATISTICS_USER: found[1]})
        )
        pooled = {CONNECTION_KEY: users.apply(_url)}
        self._secret("pooled-metadata-secret", naming.POOLED_METADATA_SECRET, pooled)
        self._secret("config-secret", naming.PGBOUNCER_SECRET, {CONFIG_KEY: config, USERS_KEY: table})
        url = statistics.apply(lambda found: statistics_url(password=found))
        self._secret("statistics-secret", naming.PGBOUNCER_STATISTICS_SECRET, {CONNECTION_KEY: url})
        # A hash of passwords of 192 random bits tells nothing about them, and has to stand in annotations.
        return pulumi.Output.unsecret(
            pulumi.Output.all(config, table).apply(lambda parts: str(digest(*parts)))
        )

    def _secret(self, role: str, secret: str, data: Mapping[str, pulumi.Input[str]]) -> None:
        kubernetes.core.v1.Secret(
            f"{self._name}-{role}",
            metadata={"name": secret, "namespace": self._namespace},
            type="Opaque",
            string_data=dict(data),
            opts=pulumi.ResourceOptions(parent=self),
        )


def _url(users: Mapping[str, str]) -> str:
    """The URL of the login role in use."""
    role, password = next(iter(users.items()))
    return pooled_connection_url(role=role, password=password)
