"""The cloud's one certificate authority, and the certificates it signs.

Kubernetes, the AWS API and the databases share the authority on purpose: its certificate is what the
controller manager publishes as ConfigMap `kube-root-ca.crt` in every namespace, so that each pod has a
trust bundle for all of them without a host path.
"""

from __future__ import annotations

import datetime as dt
import fcntl
import ipaddress
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from embedded.files import write_private
from embedded.identity import CloudIdentity

_AUTHORITY_LIFETIME = dt.timedelta(days=3650)
_LIFETIME = dt.timedelta(days=397)
# A certificate is made anew when it has less than this left: longer than any start stays up.
_RENEW_BEFORE = dt.timedelta(days=60)
# Clocks of containers may run a little behind.
_BACKDATE = dt.timedelta(minutes=5)


@dataclass(frozen=True)
class CertificateFiles:
    """A certificate and its private key (mode 0600), both PEM."""

    certificate: Path
    key: Path


def ensure_authority(identity: CloudIdentity) -> CertificateFiles:
    """Make the authority unless it is there; its files."""
    files = _files(identity, "ca")
    with _locked(identity):
        _load_or_make_authority(identity, files)
    return files


def issue(
    identity: CloudIdentity,
    name: str,
    common_name: str,
    organizations: Sequence[str] = (),
    dns_names: Sequence[str] = (),
    addresses: Sequence[str] = (),
) -> CertificateFiles:
    """A certificate for servers and clients, signed by the authority: `<name>.crt` and `<name>.key`.

    An existing one is kept while it says the same, is signed by the present authority and is not about
    to expire; so calling this at every start is cheap and changes nothing.

    Raises:
        ValueError: an address is not an IP address.
    """
    files = _files(identity, name)
    subject = _subject(common_name, organizations)
    alternatives: list[x509.GeneralName] = [x509.DNSName(dns) for dns in dns_names]
    alternatives += [x509.IPAddress(ipaddress.ip_address(address)) for address in addresses]
    with _locked(identity):
        authority, authority_key = _load_or_make_authority(identity, _files(identity, "ca"))
        if not _still_good(files, subject, alternatives, authority):
            key = ec.generate_private_key(ec.SECP256R1())
            certificate = _sign(subject, alternatives, key, authority, authority_key)
            _store(files, certificate, key)
    return files


def _files(identity: CloudIdentity, name: str) -> CertificateFiles:
    directory = identity.certificate_authority.parent
    return CertificateFiles(directory / f"{name}.crt", directory / f"{name}.key")


@contextmanager
def _locked(identity: CloudIdentity) -> Iterator[None]:
    """Several processes of a cloud ask for certificates at once; the authority must be made by one."""
    identity.state_directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    directory = identity.certificate_authority.parent
    directory.mkdir(mode=0o700, exist_ok=True)
    with (directory / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _load_or_make_authority(
    identity: CloudIdentity, files: CertificateFiles
) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    loaded = _load(files)
    if loaded is not None:
        return loaded
    key = ec.generate_private_key(ec.SECP256R1())
    subject = _subject(f"{identity.name} certificate authority", [])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        _builder(subject, subject, key, now, _AUTHORITY_LIFETIME)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(authority=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    _store(files, certificate, key)
    return certificate, key


def _sign(
    subject: x509.Name,
    alternatives: Sequence[x509.GeneralName],
    key: ec.EllipticCurvePrivateKey,
    authority: x509.Certificate,
    authority_key: ec.EllipticCurvePrivateKey,
) -> x509.Certificate:
    now = dt.datetime.now(dt.UTC)
    builder = (
        _builder(subject, authority.subject, key, now, _LIFETIME)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(authority=False), critical=True)
        .add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]),
            critical=False,
        )
        # Strict verifiers (Python 3.13's default) want the authority named by its key.
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()), critical=False
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    if alternatives:
        builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
    return builder.sign(authority_key, hashes.SHA256())


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    now: dt.datetime,
    lifetime: dt.timedelta,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BACKDATE)
        .not_valid_after(now + lifetime)
    )


def _subject(common_name: str, organizations: Sequence[str]) -> x509.Name:
    """Kubernetes reads the common name as the user and each organization as a group."""
    attributes = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, name) for name in organizations]
    return x509.Name([*attributes, x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _key_usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=authority,
        crl_sign=authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _still_good(
    files: CertificateFiles,
    subject: x509.Name,
    alternatives: Sequence[x509.GeneralName],
    authority: x509.Certificate,
) -> bool:
    loaded = _load(files)
    if loaded is None:
        return False
    certificate, _ = loaded
    try:
        certificate.verify_directly_issued_by(authority)
    except Exception:  # noqa: BLE001 -- whatever does not verify is made anew
        return False
    remaining = certificate.not_valid_after_utc - dt.datetime.now(dt.UTC)
    if certificate.subject != subject or remaining < _RENEW_BEFORE:
        return False
    try:
        present = set(certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value)
    except x509.ExtensionNotFound:
        present = set()
    return present == set(alternatives)


def _load(files: CertificateFiles) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey] | None:
    """The pair, or None if a file is missing, damaged or belongs to another pair (a write was cut short)."""
    try:
        certificate = x509.load_pem_x509_certificate(files.certificate.read_bytes())
        key = serialization.load_pem_private_key(files.key.read_bytes(), password=None)
    except (OSError, ValueError):
        return None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != certificate.public_key():
        return None
    return certificate, key


def _store(files: CertificateFiles, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
    write_private(
        files.key,
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ),
    )
    write_private(files.certificate, certificate.public_bytes(serialization.Encoding.PEM), mode=0o644)
