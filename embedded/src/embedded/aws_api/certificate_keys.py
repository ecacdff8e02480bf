"""Private keys of imported certificates, which AWS hands to its load balancers and to nobody else.

https://docs.aws.amazon.com/acm/latest/userguide/acm-concepts.html#concept-pk
"""

from pathlib import Path
from typing import Any

from embedded.files import write_private
from embedded.identity import CloudIdentity


def directory(identity: CloudIdentity) -> Path:
    """Where they are, with their certificates and chains: one PEM file each, mode 0600."""
    return identity.state_directory / "aws" / "certificates"


def file_of(identity: CloudIdentity, arn: str) -> Path:
    """The file of one certificate; it exists for imported ones."""
    return directory(identity) / f"{arn.rpartition('/')[2]}.pem"


def install(identity: CloudIdentity) -> None:
    """Let ACM keep these files beside what moto keeps, which no other process can read."""
    from moto.acm.models import AWSCertificateManagerBackend

    importing, deleting = (
        AWSCertificateManagerBackend.import_certificate,
        AWSCertificateManagerBackend.delete_certificate,
    )

    def import_certificate(
        backend: Any, certificate: bytes, private_key: bytes, chain: bytes | None, *others: Any, **named: Any
    ) -> str:
        arn = importing(backend, certificate, private_key, chain, *others, **named)
        directory(identity).mkdir(mode=0o700, parents=True, exist_ok=True)
        parts = (private_key, certificate, chain or b"")
        write_private(file_of(identity, arn), b"\n".join(part.strip() for part in parts) + b"\n")
        return arn

    def delete_certificate(backend: Any, arn: str) -> None:
        deleting(backend, arn)
        file_of(identity, arn).unlink(missing_ok=True)

    AWSCertificateManagerBackend.import_certificate = import_certificate  # type: ignore[method-assign, assignment]
    AWSCertificateManagerBackend.delete_certificate = delete_certificate  # type: ignore[method-assign, assignment]
