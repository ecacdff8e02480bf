"""Dynamic resources: what the aws and kubernetes providers can't do.

The engine's state refers to the provider classes by module path and class name, so these are a contract: a
rename breaks every stack. Providers hold nothing; what they need arrives as properties, and credentials come
from the environment of the process at run time. They are serialised by reference, since this module can be
imported wherever the program runs, so a change of their code is no change of the resources.
"""

from __future__ import annotations

import secrets
import string
from enum import StrEnum
from typing import Any, Final

import pulumi
from pulumi.dynamic import CreateResult, DiffResult, ReadResult, Resource, ResourceProvider, UpdateResult

LOWER_CASE_AND_DIGITS: Final = string.ascii_lowercase + string.digits


class RandomKind(StrEnum):
    """Form of a random value."""

    FERNET = "fernet"
    """URL-safe base64 of 32 bytes, as `cryptography.fernet` and Airflow read it."""
    TOKEN = "token"  # noqa: S105 - the name of a form
    """URL-safe text of `length` random bytes."""
    SUFFIX = "suffix"
    """`length` lower-case letters and digits; for names, not secret."""


def random_value(kind: str, length: int) -> str:
    """Return a new value from the operating system's random source.

    Args:
        kind: a `RandomKind`.
        length: bytes of a token, characters of a suffix; a Fernet key has its own.
    """
    match RandomKind(kind):
        case RandomKind.FERNET:
            from cryptography.fernet import Fernet

            return Fernet.generate_key().decode()
        case RandomKind.TOKEN:
            return secrets.token_urlsafe(length)
        case RandomKind.SUFFIX:
            return "".join(secrets.choice(LOWER_CASE_AND_DIGITS) for _ in range(length))


class RandomValueProvider(ResourceProvider):
    """Makes a random value once; a change of any property makes another."""

    serialize_as_secret_always = False

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Make the value; it is kept in state, encrypted where the resource marks it secret."""
        value = random_value(str(props["kind"]), int(props["length"]))
        outputs = {"kind": props["kind"], "length": props["length"], "value": value}
        return CreateResult(f"random-{secrets.token_hex(8)}", outputs)

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """Return what state holds: there is nothing outside to look at."""
        return ReadResult(id_, props)

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        """Replace on any change of kind or length."""
        changed = [key for key in ("kind", "length") if _olds.get(key) != _news.get(key)]
        return DiffResult(changes=bool(changed), replaces=changed, delete_before_replace=False)


class RandomSecret(Resource, module="airflow", name="RandomSecret"):
    """A random value that is secret: encrypted in state, masked in output."""

    value: pulumi.Output[str]
    """The value; a secret."""

    def __init__(
        self, name: str, kind: RandomKind, *, length: int = 32, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        secret = pulumi.ResourceOptions(additional_secret_outputs=["value"])
        super().__init__(
            RandomValueProvider(),
            name,
            {"kind": kind.value, "length": length, "value": None},
            pulumi.ResourceOptions.merge(opts, secret),
        )


class RandomSuffix(Resource, module="airflow", name="RandomSuffix"):
    """A random part of a name, made once and kept in state."""

    value: pulumi.Output[str]
    """Lower-case letters and digits."""

    def __init__(self, name: str, *, length: int = 8, opts: pulumi.ResourceOptions | None = None) -> None:
        inputs = {"kind": RandomKind.SUFFIX.value, "length": length, "value": None}
        super().__init__(RandomValueProvider(), name, inputs, opts)


# A change of these means another role or database; of the next ones, that the Job has to run again.
TENANT_IDENTITY: Final = ("instanceResourceId", "database", "role")
TENANT_CONTENT: Final = ("passwordDigest",)


class DatabaseTenantProvider(ResourceProvider):
    """Makes and drops a role and its database by SQL that runs in a Job inside the cluster.

    The database is reachable from the cluster alone, so the deployer's machine sends no SQL itself.
    """

    serialize_as_secret_always = False

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Run the Job that makes role and database, or brings existing ones into shape."""
        _run_tenant_job("create", props)
        return CreateResult(f"{props['instanceResourceId']}/{props['database']}", dict(props))

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """Return what state holds; looking into the database needs a Job, which a refresh must not start."""
        return ReadResult(id_, props)

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        """Another identity replaces; other changes update the state, and changed content runs the Job."""
        changed = [key for key in _news if key != "__provider" and _news.get(key) != _olds.get(key)]
        replaces = [key for key in changed if key in TENANT_IDENTITY]
        return DiffResult(changes=bool(changed), replaces=replaces, delete_before_replace=False)

    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> UpdateResult:
        """Run the Job again if the password changed."""
        if any(_olds.get(key) != _news.get(key) for key in TENANT_CONTENT):
            _run_tenant_job("create", _news)
        return UpdateResult({key: value for key, value in _news.items() if key != "__provider"})

    def delete(self, _id: str, _props: dict[str, Any]) -> None:
        """Drop role and database, where the instance outlives them."""
        if _props["dropOnDelete"]:
            _run_tenant_job("drop", _props)


class DatabaseTenantResource(Resource, module="airflow", name="DatabaseTenant"):
    """A role and a database of its own on a Postgres instance; see components/database_tenant.py."""

    database: pulumi.Output[str]
    """Name of the database."""
    role: pulumi.Output[str]
    """Name of the role that owns it."""

    def __init__(
        self, name: str, properties: dict[str, Any], opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(DatabaseTenantProvider(), name, properties, opts)


def _run_tenant_job(action: str, props: dict[str, Any]) -> None:
    # Imported here: the program itself never needs the Kubernetes client.
    from infra import cluster_job

    cluster_job.run(
        kubeconfig=props["kubeconfig"],
        namespace=props["namespace"],
        name=f"{props['jobName']}-{action}",
        manifest=props["job"],
        arguments=[action],
        timeout_seconds=int(props["timeoutSeconds"]),
    )
