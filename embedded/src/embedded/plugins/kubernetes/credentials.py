"""Who the plugin is to the API server: tokens and client certificates, renewed before they expire."""

import base64
import json
import os
import subprocess
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from embedded.plugins.kubernetes.api_errors import UnreachableError
from embedded.plugins.kubernetes.kubeconfig import Access, ExecPlugin

_EXEC_TIMEOUT_SECONDS = 60
# `aws eks get-token` gives tokens of 14 minutes; a request that starts now may queue for a while.
_RENEW_BEFORE_EXPIRY = timedelta(minutes=1)


@dataclass(frozen=True)
class Credential:
    """What goes with a request; all fields None means anonymous."""

    token: str | None = field(default=None, repr=False)
    client_certificate: str | None = None
    client_key: str | None = field(default=None, repr=False)
    expires: datetime | None = None

    def is_fresh(self, now: datetime) -> bool:
        """Whether a request that starts now would still be accepted."""
        return self.expires is None or now < self.expires - _RENEW_BEFORE_EXPIRY


class CredentialSource:
    """Hands out the credential of one kubeconfig user; an exec command runs once per credential."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._lock = threading.Lock()
        self._cached: Credential | None = None

    def current(self) -> Credential:
        """The credential to use now.

        Raises UnreachableError when the exec command fails.
        """
        with self._lock:
            if self._cached is None or not self._cached.is_fresh(datetime.now(UTC)):
                self._cached = self._obtain()
            return self._cached

    def reject(self, credential: Credential) -> bool:
        """Drop a credential that the server refused; false when a new one cannot be had that way."""
        if self._access.exec_plugin is None and self._access.token_file is None:
            return False
        with self._lock:
            if self._cached is credential:
                self._cached = None
        return True

    def _obtain(self) -> Credential:
        if self._access.exec_plugin is not None:
            return run_exec_plugin(self._access.exec_plugin, self._access)
        token, expires = self._access.token, None
        if self._access.token_file is not None:
            token = self._access.token_file.read_text().strip()
            # Mounted tokens are renewed in place, with no word of it; once a minute is what client-go does.
            expires = datetime.now(UTC) + timedelta(minutes=2)
        return Credential(token, self._access.client_certificate, self._access.client_key, expires)


def run_exec_plugin(plugin: ExecPlugin, access: Access) -> Credential:
    """Run the command of a kubeconfig and read the ExecCredential that it prints.

    Raises UnreachableError with the command's own words when it fails.
    """
    line = " ".join([plugin.command, *plugin.arguments])
    environment = {**os.environ, **plugin.environment, "KUBERNETES_EXEC_INFO": _exec_info(plugin, access)}
    try:
        done = subprocess.run(
            [plugin.command, *plugin.arguments],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_EXEC_TIMEOUT_SECONDS,
            check=False,
        )
    except FileNotFoundError:
        hint = f"; {plugin.install_hint.strip()}" if plugin.install_hint else ""
        raise UnreachableError(f"the kubeconfig's command {plugin.command!r} is not on PATH{hint}") from None
    except subprocess.TimeoutExpired:
        raise UnreachableError(f"`{line}` gave no credential within {_EXEC_TIMEOUT_SECONDS} s") from None
    if done.returncode != 0:
        raise UnreachableError(f"`{line}` ended with status {done.returncode}: {done.stderr.strip()}")
    return _parse(done.stdout, line)


def _exec_info(plugin: ExecPlugin, access: Access) -> str:
    spec: dict[str, object] = {"interactive": False}
    if plugin.provide_cluster_info:
        cluster: dict[str, object] = {"server": access.server, "insecure-skip-tls-verify": not access.verify}
        if access.authority:
            cluster["certificate-authority-data"] = base64.b64encode(access.authority.encode()).decode()
        spec["cluster"] = cluster
    return json.dumps({"apiVersion": plugin.api_version, "kind": "ExecCredential", "spec": spec})


def _parse(text: str, line: str) -> Credential:
    try:
        status = json.loads(text)["status"]
    except (ValueError, KeyError, TypeError):
        raise UnreachableError(f"`{line}` did not print an ExecCredential with a status") from None
    expires = status.get("expirationTimestamp")
    return Credential(
        token=status.get("token"),
        client_certificate=status.get("clientCertificateData"),
        client_key=status.get("clientKeyData"),
        expires=datetime.fromisoformat(expires.replace("Z", "+00:00")) if expires else None,
    )
