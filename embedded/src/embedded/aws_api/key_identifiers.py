"""A mend of moto's KMS: operations that change a key take its ARN as well as its id, as on AWS."""

import functools
from typing import Any

_METHODS = (
    "disable_key",
    "enable_key",
    "cancel_key_deletion",
    "schedule_key_deletion",
    "enable_key_rotation",
    "disable_key_rotation",
    "get_key_rotation_status",
    "update_key_description",
)


def install() -> None:
    """Resolve the key's identifier before each of these operations.

    https://docs.aws.amazon.com/kms/latest/developerguide/concepts.html#key-id
    """
    from moto.kms.models import KmsBackend

    for name in _METHODS:
        setattr(KmsBackend, name, _resolving(getattr(KmsBackend, name)))


def _resolving(method: Any) -> Any:
    @functools.wraps(method)
    def with_key_id(backend: Any, key_id: str, *arguments: Any, **named: Any) -> Any:
        return method(backend, backend.any_id_to_key_id(key_id), *arguments, **named)

    return with_key_id
