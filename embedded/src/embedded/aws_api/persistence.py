"""The account's state on disk: everything moto holds, saved after each change, loaded at start.

One pickle of all backends at once, since they refer to each other (an RDS instance to its secret).
It is written to a new file and renamed, so a process that dies at any moment leaves the state of the
last answered request. Measured: some 10 ms for an account with a few hundred objects.
"""

import contextlib
import io
import os
import pickle
import platform
import threading
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from embedded.aws_api.object_bodies import BodyStore
from embedded.errors import EmbeddedError

_LOCK_TYPES = (type(threading.Lock()), type(threading.RLock()))
_PRIVATE_KEYS = (rsa.RSAPrivateKey, ec.EllipticCurvePrivateKey, ed25519.Ed25519PrivateKey)
_PUBLIC_KEYS = (rsa.RSAPublicKey, ec.EllipticCurvePublicKey, ed25519.Ed25519PublicKey)


def _load_private_key(data: bytes) -> Any:
    return serialization.load_der_private_key(data, password=None)


def _load_public_key(data: bytes) -> Any:
    return serialization.load_der_public_key(data)


def _load_certificate(data: bytes) -> Any:
    return x509.load_der_x509_certificate(data)


def _aws_managed_policy(account_id: str, arn: str) -> Any:
    from moto.iam.models import iam_backends

    # The backend that is being replaced by the loaded one: its copies of AWS's policies are kept.
    return iam_backends[account_id]["aws"].managed_policies[arn]


def _set_iam_state(backend: Any, state: dict[str, Any]) -> None:
    from moto.iam.models import iam_backends

    fresh = iam_backends[state["account_id"]]["aws"]
    backend.__dict__.update(state)
    backend.aws_managed_policies = fresh.aws_managed_policies
    backend.managed_policies = {p.arn: p for p in fresh.aws_managed_policies} | state["managed_policies"]


def _new(cls: Any) -> Any:
    return cls.__new__(cls)


class _StatePickler(pickle.Pickler):
    """Pickles moto's objects; what is of `cryptography`, locks and AWS's own policies need help."""

    def reducer_override(self, obj: Any) -> Any:
        if isinstance(obj, _LOCK_TYPES):
            return (threading.Lock if isinstance(obj, _LOCK_TYPES[0]) else threading.RLock), ()
        if isinstance(obj, _PRIVATE_KEYS):
            data = obj.private_bytes(
                serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
            return _load_private_key, (data,)
        if isinstance(obj, _PUBLIC_KEYS):
            encoding, form = serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
            return _load_public_key, (obj.public_bytes(encoding, form),)
        if isinstance(obj, x509.Certificate):
            return _load_certificate, (obj.public_bytes(serialization.Encoding.DER),)
        return self._reduce_iam(obj)

    def _reduce_iam(self, obj: Any) -> Any:
        from moto.iam.models import AWSManagedPolicy, IAMBackend

        # AWS's 1,300 policies are the same at every start; saving them would cost 4 MB a request.
        if isinstance(obj, AWSManagedPolicy):
            return _aws_managed_policy, (obj.account_id, obj.arn)
        if isinstance(obj, IAMBackend):
            own = {arn: p for arn, p in obj.managed_policies.items() if not isinstance(p, AWSManagedPolicy)}
            state = {**obj.__dict__, "aws_managed_policies": [], "managed_policies": own}
            return _new, (type(obj),), state, None, None, _set_iam_state
        return NotImplemented


def _format() -> dict[str, str]:
    from importlib.metadata import version

    return {"moto": version("moto"), "python": ".".join(platform.python_version_tuple()[:2])}


class AccountState:
    """Saves and loads all of moto's backends in `path`. The caller holds the dispatch lock."""

    def __init__(self, path: Path, bodies: BodyStore) -> None:
        self._path = path
        self._bodies = bodies
        self._backend_count = 0

    def load(self) -> bool:
        """Put the saved backends into moto; false when there is no saved state.

        Raises:
            EmbeddedError: the state was written with another moto or Python, or is damaged.
        """
        import moto.backends
        from moto.iam.models import iam_backends

        from embedded.aws_api import ACCOUNT_ID

        if not self._path.exists():
            return False
        iam_backends[ACCOUNT_ID]["aws"]  # AWS's policies exist before anything refers to them
        for service, account, region, backend in self._read():
            dict.__setitem__(moto.backends.get_backend(service)[account], region, backend)
        self._bodies.remove_unknown()
        self._backend_count = len(self._backends())
        return True

    def _read(self) -> Any:
        next_step = "Run `embedded reset` to begin with an empty account."
        try:
            with self._path.open("rb") as file:
                written = pickle.load(file)  # noqa: S301 - the cloud's own file, mode 0600
                if written != _format():
                    raise EmbeddedError(
                        f"{self._path} was written with {written}, not {_format()}.", next_step
                    )
                return pickle.load(file)  # noqa: S301
        except EmbeddedError:
            raise
        except Exception as error:  # a damaged file makes pickle fail in any way at all
            raise EmbeddedError(f"{self._path} cannot be read: {error}.", next_step) from error

    def save(self) -> None:
        """Write the state and then drop the S3 bodies nothing refers to any more."""
        backends = self._backends()
        buffer = io.BytesIO()
        pickle.dump(_format(), buffer)
        _StatePickler(buffer, protocol=pickle.HIGHEST_PROTOCOL).dump(backends)
        temporary = self._path.with_suffix(".new")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(buffer.getbuffer())
        temporary.replace(self._path)
        self._backend_count = len(backends)
        self._bodies.remove_unused()

    def has_new_backends(self) -> bool:
        """Whether a read made a backend, and with it a default VPC whose ids a client may have seen."""
        return len(self._backends()) != self._backend_count

    @staticmethod
    def _backends() -> list[tuple[str, str, str, Any]]:
        from moto.core.base_backend import BackendDict

        result = []
        for group in BackendDict._instances:  # type: ignore[misc]
            with contextlib.suppress(KeyError):
                result += [(group.service_name, a, r, backend) for a, r, backend in group.iter_backends()]
        return result
