"""The process: loads the account, starts its servers, and stays until it is told to stop."""

import logging
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any

from embedded.aws_api import DEFAULT_REGION, moto_settings
from embedded.certificates import CertificateFiles, issue
from embedded.identity import CloudIdentity


def run(identity: CloudIdentity, postgres_directory: Path) -> None:
    """Serve until SIGTERM or SIGINT.

    Raises:
        EmbeddedError: the saved state cannot be loaded, or an address is not there.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s", stream=sys.stdout)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    servers = start(identity, postgres_directory)
    logging.getLogger("embedded.aws_api").info("serving %s", identity.aws_endpoint_url)
    stop.wait()
    for server in servers:
        server.stop()
    # Requests are saved before they are answered: nothing is left to write, and nobody to wait for.
    os._exit(0)


def start(identity: CloudIdentity, postgres_directory: Path) -> list[Any]:
    """Load the account and start all servers.

    Raises:
        EmbeddedError: the saved state cannot be loaded, or an address is not there.
    """
    directory = identity.state_directory / "aws"
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.environ.setdefault("AWS_DEFAULT_REGION", DEFAULT_REGION)
    moto_settings.apply()

    # These import moto, which reads those settings when it is first imported.
    from embedded.aws_api import account, web_server
    from embedded.aws_api.node_listeners import node_listeners
    from embedded.faults.api_server import Brake

    served = account.load(identity, directory, postgres_directory)
    Brake(identity).start()
    tls = _certificate(identity)
    if identity.brought:
        from embedded.brought_cluster import serving

        return serving.start(identity, tls, served)
    return web_server.listen(identity.host_address, node_listeners(identity, served, tls))


def _certificate(identity: CloudIdentity) -> CertificateFiles:
    """One certificate for all TLS servers; clients name them by address."""
    region = DEFAULT_REGION
    names = [f"*.{region}.amazonaws.com", "*.amazonaws.com", f"*.s3.{region}.amazonaws.com"]
    return issue(
        identity,
        "aws",
        "embedded AWS API",
        dns_names=[*names, "localhost"],
        addresses=[identity.host_address],
    )
