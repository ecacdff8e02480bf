"""The process: loads the account, starts its servers, and stays until it is told to stop."""

import logging
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any

from embedded.aws_api import DEFAULT_REGION, deployer, moto_settings, object_bodies, service_account_token
from embedded.certificates import CertificateFiles, issue
from embedded.errors import EmbeddedError
from embedded.identity import CloudIdentity
from embedded.node.layout import NodeLayout


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
    """Load the account and start all servers."""
    directory = identity.state_directory / "aws"
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.environ.setdefault("AWS_DEFAULT_REGION", DEFAULT_REGION)
    moto_settings.apply()

    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

    from embedded.admission.webhook import AdmissionApplication
    from embedded.aws_api import (
        ecr_pull_through,
        key_identifiers,
        paced_network,
        s3_defaults,
        security_group_rules,
        vpc_endpoint_routes,
        web_server,
    )
    from embedded.aws_api.application import AwsApplication
    from embedded.aws_api.authorization import Authorization, switch_off_motos_checks
    from embedded.aws_api.eks import responses as eks_responses
    from embedded.aws_api.persistence import AccountState
    from embedded.aws_api.pod_identity import PodIdentityApplication
    from embedded.aws_api.token_review import TokenReviewApplication
    from embedded.faults.api_server import Brake
    from embedded.faults.injection import Injector
    from embedded.faults.settings import settings_path
    from embedded.rds import installation as rds_installation

    bodies = object_bodies.install(directory / "objects")
    lock = threading.RLock()
    faults = Injector(settings_path(identity))
    state = AccountState(directory / "account.pickle", bodies)
    switch_off_motos_checks()
    for mend in (
        security_group_rules,
        vpc_endpoint_routes,
        ecr_pull_through,
        key_identifiers,
        s3_defaults,
        paced_network,
    ):
        mend.install()
    eks_responses.install(identity)
    rds = rds_installation.install(identity, postgres_directory, lock, state.save)
    state.load()
    with lock:
        if deployer.ensure_deployer(identity):
            state.save()
        rds.resume()
    rds.watch()
    Brake(identity).start()

    dispatcher = DomainDispatcherApplication(create_backend_app)
    tls = _certificate(identity)
    host = identity.host_address
    aws = AwsApplication(dispatcher, state, lock, Authorization(), faults)
    if identity.brought:
        from embedded.brought_cluster import serving

        return serving.start(identity, tls, lock, state.save, aws)
    public_key = NodeLayout(identity).service_account_public_key
    applications: list[tuple[str, int, Any, CertificateFiles | None, int]] = [
        ("aws", identity.aws_port, aws, tls, web_server.AWS_THREADS),
        # S3 listens without TLS too: that a bucket's policy refuses such requests can be seen only so.
        ("aws-plain", identity.aws_plain_port, aws, None, web_server.WEBHOOK_THREADS),
        (
            "token-review",
            identity.token_webhook_port,
            TokenReviewApplication(lock),
            tls,
            web_server.WEBHOOK_THREADS,
        ),
        (
            "admission",
            identity.webhook_port,
            AdmissionApplication(identity, lock),
            tls,
            web_server.WEBHOOK_THREADS,
        ),
        (
            "pod-identity",
            identity.pod_identity_port,
            PodIdentityApplication(
                lambda token, now: service_account_token.verify(token, public_key, now), lock, state.save
            ),
            None,
            web_server.WEBHOOK_THREADS,
        ),
    ]
    try:
        return [
            web_server.serve(name, (host, port), application, files, threads)
            for name, port, application, files, threads in applications
        ]
    except OSError as error:
        raise EmbeddedError(
            f"The AWS part cannot listen on {host}: {error}.", "Run `embedded status`, then `embedded up`."
        ) from error


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
