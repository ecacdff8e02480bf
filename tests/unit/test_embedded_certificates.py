"""Certificates, judged by the openssl program and by a TLS handshake."""

from __future__ import annotations

import socket
import ssl
import subprocess
import threading
from pathlib import Path

import pytest
from embedded.certificates import CertificateFiles, ensure_authority, issue
from embedded.identity import CloudIdentity


@pytest.fixture
def identity(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CloudIdentity:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return CloudIdentity.of(tmp_path)


def _openssl(*arguments: str | Path) -> str:
    return subprocess.run(
        ["openssl", *map(str, arguments)], check=True, capture_output=True, text=True
    ).stdout


def test_openssl_verifies_the_chain_strictly(identity: CloudIdentity) -> None:
    files = issue(identity, "server", "server", ["group"], ["api.example"], ["10.0.0.1"])
    authority = identity.certificate_authority
    said = _openssl(
        "verify", "-x509_strict", "-purpose", "sslserver", "-CAfile", authority, files.certificate
    )
    assert said.strip().endswith(": OK")
    text = _openssl("x509", "-in", files.certificate, "-noout", "-text")
    assert "O = group, CN = server" in text
    assert "DNS:api.example, IP Address:10.0.0.1" in text
    assert "ASN1 OID: prime256v1" in text


def test_a_client_that_trusts_the_authority_accepts_the_address_and_no_other(identity: CloudIdentity) -> None:
    files = issue(identity, "server", "server", addresses=["127.0.0.1"])
    assert _handshake(identity, files, "127.0.0.1") is None
    refusal = _handshake(identity, files, "127.0.0.2")
    assert refusal is not None
    assert "IP address mismatch" in refusal


def _handshake(identity: CloudIdentity, files: CertificateFiles, name: str) -> str | None:
    """Connect as a strict client that expects `name`; what it complains about."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(files.certificate, files.key)
    client = ssl.create_default_context(cafile=str(identity.certificate_authority))
    client.verify_flags |= ssl.VERIFY_X509_STRICT
    ours, theirs = socket.socketpair()
    with ours, theirs:
        serving = threading.Thread(target=_serve, args=(server, theirs))
        serving.start()
        try:
            client.wrap_socket(ours, server_hostname=name).close()
            return None
        except ssl.SSLCertVerificationError as error:
            return str(error)
        finally:
            ours.close()
            serving.join()


def _serve(context: ssl.SSLContext, connection: socket.socket) -> None:
    try:
        context.wrap_socket(connection, server_side=True).close()
    except OSError:
        connection.close()


def test_asking_again_changes_no_file(identity: CloudIdentity) -> None:
    issue(identity, "server", "server", dns_names=["a.example"])
    directory = identity.certificate_authority.parent
    before = {path.name: (path.read_bytes(), path.stat().st_ino) for path in directory.iterdir()}
    ensure_authority(identity)
    issue(identity, "server", "server", dns_names=["a.example"])
    assert {path.name: (path.read_bytes(), path.stat().st_ino) for path in directory.iterdir()} == before


def test_another_name_makes_another_certificate(identity: CloudIdentity) -> None:
    first = issue(identity, "server", "server", dns_names=["a.example"]).certificate.read_bytes()
    second = issue(identity, "server", "server", dns_names=["b.example"])
    assert second.certificate.read_bytes() != first
    assert "DNS:b.example" in _openssl("x509", "-in", second.certificate, "-noout", "-ext", "subjectAltName")


@pytest.mark.parametrize("damage", ["key", "certificate", "authority"])
def test_damage_is_mended(identity: CloudIdentity, damage: str) -> None:
    files = issue(identity, "server", "server")
    other = issue(identity, "other", "other")
    match damage:
        case "key":
            files.key.write_bytes(other.key.read_bytes())
        case "certificate":
            files.certificate.write_text("cut sh")
        case "authority":
            identity.certificate_authority.unlink()
    files = issue(identity, "server", "server")
    _openssl("verify", "-CAfile", identity.certificate_authority, files.certificate)
    public = _openssl("x509", "-in", files.certificate, "-noout", "-pubkey")
    assert _openssl("pkey", "-in", files.key, "-pubout") == public


def test_keys_are_for_their_owner_alone(identity: CloudIdentity) -> None:
    files = issue(identity, "server", "server")
    authority = ensure_authority(identity)
    assert [path.stat().st_mode & 0o777 for path in (files.key, authority.key)] == [0o600, 0o600]
    assert identity.state_directory.stat().st_mode & 0o777 == 0o700


def test_processes_that_ask_at_once_get_one_authority(identity: CloudIdentity) -> None:
    threads = [threading.Thread(target=issue, args=(identity, f"s{n}", f"s{n}")) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number in range(6):
        certificate = identity.certificate_authority.parent / f"s{number}.crt"
        _openssl("verify", "-CAfile", identity.certificate_authority, certificate)
