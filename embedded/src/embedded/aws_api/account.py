"""The AWS account in memory: moto with what it lacks mended, its saved state loaded, its databases resumed.

Imported only after `moto_settings.apply()`: this module imports moto's services.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

from embedded.aws_api import (
    certificate_keys,
    certificates_in_use,
    controller_sessions,
    deployer,
    ecr_pull_through,
    key_identifiers,
    load_balancer_names,
    object_bodies,
    paced_network,
    s3_defaults,
    security_group_rules,
    vpc_endpoint_routes,
)
from embedded.aws_api.application import AwsApplication
from embedded.aws_api.authorization import Authorization, switch_off_motos_checks
from embedded.aws_api.eks import responses as eks_responses
from embedded.aws_api.persistence import AccountState
from embedded.faults.injection import Injector
from embedded.faults.settings import settings_path
from embedded.identity import CloudIdentity
from embedded.rds import installation as rds_installation

# What moto does otherwise than AWS; each module says what.
_MENDED = (
    security_group_rules,
    vpc_endpoint_routes,
    ecr_pull_through,
    key_identifiers,
    s3_defaults,
    paced_network,
    load_balancer_names,
    certificates_in_use,
)


@dataclass(frozen=True, kw_only=True)
class ServedAccount:
    """The account, and what whoever changes it beside the AWS API needs."""

    application: AwsApplication
    lock: threading.RLock
    """Held while moto's models are read or changed."""
    save: Callable[[], None]
    """Writes the account to the disk; called with the lock held."""


def load(identity: CloudIdentity, directory: Path, postgres_directory: Path) -> ServedAccount:
    """Load the account that `directory` keeps, or make a new one.

    Raises:
        EmbeddedError: the saved state cannot be loaded.
    """
    bodies = object_bodies.install(directory / "objects")
    lock = threading.RLock()
    state = AccountState(directory / "account.pickle", bodies)
    switch_off_motos_checks()
    for module in _MENDED:
        module.install()
    certificate_keys.install(identity)
    controller_sessions.install(identity)
    eks_responses.install(identity)
    rds = rds_installation.install(identity, postgres_directory, lock, state.save)
    state.load()
    with lock:
        if deployer.ensure_deployer(identity):
            state.save()
        rds.resume()
    rds.watch()
    dispatcher = DomainDispatcherApplication(create_backend_app)
    faults = Injector(settings_path(identity))
    application = AwsApplication(dispatcher, state, lock, Authorization(), faults)
    return ServedAccount(application=application, lock=lock, save=state.save)
