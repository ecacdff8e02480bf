"""Dynamic resources: what the aws and kubernetes providers can't do.

The engine's state refers to the provider classes by module path and class name, so these are a contract: a
rename breaks every stack. Providers hold nothing; what they need arrives as properties, and credentials come
from the environment of the process at run time. They are serialised by reference, since this module can be
imported wherever the program runs, so a change of their code is no change of the resources.
"""

from __future__ import annotations

import secrets
import string
from collections.abc import Callable
from enum import StrEnum
from typing import Any, Final

import pulumi
from pulumi.dynamic import CreateResult, DiffResult, ReadResult, Resource, ResourceProvider, UpdateResult

from infra import key_ring, task_tokens
from infra.key_ring import RequestVerb, RingShape

LOWER_CASE_AND_DIGITS: Final = string.ascii_lowercase + string.digits


class RandomKind(StrEnum):
    """Form of a random value."""

    FERNET = "fernet"
    """URL-safe base64 of 32 bytes, as `cryptography.fernet` and Airflow read it."""
    TOKEN = "token"  # noqa: S105 - the name of a form
    """URL-safe text of `length` random bytes."""
    SIGNING = "signing"
    """Ed25519 key pair, as `infra/task_tokens.py` writes it."""
    SUFFIX = "suffix"
    """`length` lower-case letters and digits; for names, not secret."""


def random_value(kind: str, length: int) -> str:
    """Return a new value from the operating system's random source.

    Args:
        kind: a `RandomKind`.
        length: bytes of a token, characters of a suffix; Fernet and signing keys have their own.
    """
    match RandomKind(kind):
        case RandomKind.FERNET:
            from cryptography.fernet import Fernet

            return Fernet.generate_key().decode()
        case RandomKind.TOKEN:
            return secrets.token_urlsafe(length)
        case RandomKind.SIGNING:
            from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

            private = Ed25519PrivateKey.generate()
            return task_tokens.key_text(private.private_bytes_raw(), private.public_key().public_bytes_raw())
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


class KeyRingProvider(ResourceProvider):
    """Makes keys once, and rotates them when a request comes that it has not served yet.

    A request is `verb:nonce` (see `infra/key_ring.py`) and comes with one run of the program alone; an empty
    one, or one that was served, is no change, so the next run finds nothing to do.
    """

    serialize_as_secret_always = False

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Make the first ring; a request that comes with it is served by that."""
        ring = key_ring.first_ring(_shape(props), str(props.get("restored") or ""), _maker(props))
        outputs = {**_ring_inputs(props), "value": ring, "history": ring, "generation": 0}
        return CreateResult(f"ring-{secrets.token_hex(8)}", {**outputs, "served": props.get("request") or ""})

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """Return what state holds: there is nothing outside to look at."""
        return ReadResult(id_, props)

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        """A request that was not served is a change; another kind of key replaces the ring.

        The restored keys count at the beginning alone.
        """
        replaces = [key for key in ("kind", "length") if _olds.get(key) != _news.get(key)]
        reshaped = _shape(_olds) != _shape(_news)
        asked = _news.get("request") or ""
        rotates = asked not in ("", _olds.get("served"))
        return DiffResult(
            changes=bool(replaces) or reshaped or rotates, replaces=replaces, delete_before_replace=False
        )

    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> UpdateResult:
        """Serve the request."""
        shape, ring, generation = _shape(_news), str(_olds["value"]), int(_olds["generation"])
        asked, served = str(_news.get("request") or ""), str(_olds.get("served") or "")
        if asked and asked != served:
            verb, _ = key_ring.request_parts(asked)
            if verb is RequestVerb.ADVANCE:
                ring, generation = key_ring.advanced(ring, shape, _maker(_news)), generation + 1
            else:
                ring = key_ring.forgotten(ring, shape)
            served = asked
        outputs = {**_ring_inputs(_news), "value": ring, "generation": generation, "served": served}
        return UpdateResult({**outputs, "history": key_ring.united(ring, str(_olds["history"]))})


class KeyRing(Resource, module="airflow", name="KeyRing"):
    """Keys that are rotated by request; secret, and kept in state, encrypted."""

    value: pulumi.Output[str]
    """The keys that pods know, separated by commas, the one in use first; a secret."""
    history: pulumi.Output[str]
    """All keys that this ring ever held, the newest first: what old backups need; a secret."""
    generation: pulumi.Output[int]
    """How often the ring advanced."""

    def __init__(
        self,
        name: str,
        kind: RandomKind,
        shape: RingShape,
        *,
        length: int = 32,
        request: str = "",
        restored: pulumi.Input[str] | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Register a ring.

        Args:
            name: logical name.
            kind: form of its keys.
            shape: which keys it holds.
            length: bytes of a token; see `random_value`.
            request: `verb:nonce`, or empty.
            restored: ring of an earlier environment to begin with; a secret.
            opts: resource options.
        """
        inputs = {
            "kind": kind.value,
            "length": length,
            "standby": shape.standby,
            "previous": shape.previous,
            "request": request,
            "restored": restored if restored is None else pulumi.Output.secret(restored),
            "value": None,
            "history": None,
            "generation": None,
        }
        secret = pulumi.ResourceOptions(additional_secret_outputs=["value", "history"])
        super().__init__(KeyRingProvider(), name, inputs, pulumi.ResourceOptions.merge(opts, secret))


def _ring_inputs(props: dict[str, Any]) -> dict[str, Any]:
    return {key: props[key] for key in ("kind", "length", "standby", "previous")}


def _shape(props: dict[str, Any]) -> RingShape:
    return RingShape(standby=bool(props["standby"]), previous=int(props["previous"]))


def _maker(props: dict[str, Any]) -> Callable[[], str]:
    return lambda: random_value(str(props["kind"]), int(props["length"]))


# A change of these means another role or database; of the next ones, that the Job has to run again.
TENANT_IDENTITY: Final = ("instanceResourceId", "database", "role")
TENANT_CONTENT: Final = ("passwordDigest", "connectionLimit")


class DatabaseTenantProvider(ResourceProvider):
    """Makes and drops a role and its database by SQL that runs in a Job inside the cluster.

    The database is reachable from the cluster alone, so the deployer's machine sends no SQL itself.
    """

    serialize_as_secret_always = False

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Run the Job that makes role and database, or brings existing ones into shape.

        The id is this life's own: a database that is dropped and made again has the same names.
        """
        _run_tenant_job(str(props.get("createAction", "create")), props)
        life = secrets.token_hex(4)
        return CreateResult(f"{props['instanceResourceId']}/{props['database']}/{life}", dict(props))

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
            _run_tenant_job(str(_news.get("createAction", "create")), _news)
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
