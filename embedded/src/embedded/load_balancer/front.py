"""One load balancer on this machine: its address, its listeners, the health of its targets."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from embedded.aws_api import certificate_keys
from embedded.certificates import issue
from embedded.files import write_private
from embedded.identity import CloudIdentity
from embedded.load_balancer.health import Health
from embedded.load_balancer.planning import Certificate, LoadBalancer
from embedded.load_balancer.serving import Listener, Routing, Targets
from embedded.rds.network import ensure_address, remove_address

TlsFiles = Sequence[tuple[Path, tuple[str, ...]]]
"""PEM files with key and certificate, and the names that each is for; the first one is the default."""


def tls_files(identity: CloudIdentity, arns: Sequence[str], certificates: Sequence[Certificate]) -> TlsFiles:
    """The certificates of a load balancer: the imported ones, and for those that ACM issued, the cloud's own.

    No authority that anybody trusts would sign for this machine, so the cloud's stands for Amazon's.
    """
    names = {one.arn: one.names for one in certificates}
    found = []
    for arn in arns:
        file = certificate_keys.file_of(identity, arn)
        if not file.exists():
            name = f"load-balancer-{arn.rpartition('/')[2]}"
            files = issue(identity, name, names[arn][0][:64], dns_names=names[arn])
            file = files.key.with_suffix(".pem")
            write_private(file, files.key.read_bytes() + files.certificate.read_bytes())
        found.append((file, names[arn]))
    return found


class Front:
    """Serves until it is stopped."""

    def __init__(self, identity: CloudIdentity, address: str) -> None:
        """Raises EmbeddedError when the cloud's link is not there."""
        ensure_address(identity, address)
        self._identity, self.address = identity, address
        self._health = Health(address)
        self._listeners: dict[tuple[int, str], Listener] = {}

    def use(self, wanted: LoadBalancer, files: TlsFiles, targets: Targets) -> None:
        """Serve this from now on.

        Raises:
            OSError: the address is not there, or a certificate cannot be used.
        """
        self._health.watch(targets)
        for key in [key for key in self._listeners if wanted.listeners.get(key[0]) != key[1]]:
            self._listeners.pop(key).stop()
        for port, protocol in wanted.listeners.items():
            secured = files if protocol == "HTTPS" else ()
            listener = self._listeners.get((port, protocol))
            if listener is None:
                listener = Listener(self.address, port, secured, self._health)
                self._listeners[port, protocol] = listener
            listener.use(secured, Routing(wanted.rules[port], targets))

    def stop(self) -> None:
        """Stop serving, and give the address back."""
        self._health.stop()
        for listener in self._listeners.values():
            listener.stop()
        remove_address(self._identity, self.address)
