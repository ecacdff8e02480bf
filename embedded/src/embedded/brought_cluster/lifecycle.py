"""Up, down and reset of a cloud whose cluster was brought. Nothing of it needs root."""

from __future__ import annotations

import os
import pwd
from collections.abc import Callable

from embedded import preconditions
from embedded.aws_api.part import aws_api_part
from embedded.brought_cluster import access, registration, settings
from embedded.certificates import ensure_authority
from embedded.commands import run
from embedded.errors import EmbeddedError
from embedded.identity import CloudIdentity
from embedded.locking import exclusive
from embedded.plugins.common.errors import PluginError
from embedded.plugins.kubernetes.api_client import ApiClient
from embedded.processes import Supervisor
from embedded.setup import Toolchain

Announce = Callable[[str], None]


def identity_with(identity: CloudIdentity, advertise: str | None) -> CloudIdentity:
    """The identity of this checkout's cloud on the cluster that KUBECONFIG names; nothing is stored yet.

    Raises:
        EmbeddedError: the address does not do, or the cloud is another kind already.
    """
    if identity.brought is None and identity.certificate_authority.exists():
        raise EmbeddedError(
            f"{identity.name} has a node of its own, and its state is made for that one",
            "run `embedded reset`, then `embedded up --cluster kubeconfig`",
        )
    chosen = advertise or (identity.brought.advertise if identity.brought else None)
    address = settings.check_address(chosen or settings.address_towards(access.users_access().server))
    if identity.brought is not None and identity.brought.advertise != address:
        raise EmbeddedError(
            f"{identity.name} advertises {identity.brought.advertise}, which its clusters and databases name",
            f"run `embedded reset`, then `embedded up --cluster kubeconfig --advertise {address}`",
        )
    return identity.with_brought(settings.BroughtCluster(address))


def up(identity: CloudIdentity, tools: Toolchain, announce: Announce) -> list[str]:
    """Start what is not running and register it in the cluster; the names of the parts that were started.

    Raises:
        EmbeddedError: the cluster does not allow or reach what is needed, or a part does not come up.
    """
    if identity.brought is None:
        raise ValueError("an identity without a brought cluster has a node: see embedded.lifecycle")
    with exclusive(identity, announce):
        announce("the cluster that KUBECONFIG names")
        _check_user()
        client = ApiClient(access.users_access())
        access.check_permissions(client)
        supervisor, part = Supervisor(identity), aws_api_part(identity, tools)
        if not supervisor.alive(part.name):
            preconditions.check_brought_ports_free(identity)
        settings.save(identity.state_directory, identity.brought)
        access.take_kubeconfig(identity, tools)
        ensure_authority(identity)
        started = [part.name] if supervisor.start(part) else []
        try:
            announce(f"{part.name}: {part.address}")
            supervisor.wait_ready(part)
            announce(f"registration in {client.access.server}")
            _in_cluster(lambda: registration.register(client, identity))
            _in_cluster(lambda: registration.check_reach(client, identity))
        except BaseException:
            if started:
                announce("the start failed: taking back what was started")
                supervisor.stop_all(["aws"])
                supervisor.stop_all(supervisor.names())
                _in_cluster(lambda: registration.unregister(client, identity))
            raise
        return started


def down(identity: CloudIdentity, announce: Announce) -> None:
    """Stop everything and take the registration out of the cluster; the state stays. Safe to repeat.

    Raises:
        EmbeddedError: the cluster does not answer; everything on this machine is stopped then.
    """
    with exclusive(identity, announce):
        supervisor = Supervisor(identity)
        announce("AWS API and databases")
        # The AWS API would start a database that ends under it again.
        supervisor.stop_all(["aws"])
        supervisor.stop_all(supervisor.names())
        if identity.administrator_kubeconfig.exists():
            client = ApiClient(access.cloud_access(identity))
            announce(f"registration in {client.access.server}")
            _in_cluster(
                lambda: registration.unregister(client, identity),
                f"kubectl delete mutatingwebhookconfiguration {identity.name}; without that no environment's "
                "pod starts there",
            )


def reset(identity: CloudIdentity, announce: Announce) -> None:
    """`down`, and the state with all databases and buckets is deleted."""
    down(identity, announce)
    announce(f"state in {identity.state_directory}")
    with exclusive(identity, announce) as lock:
        run(["rm", "-rf", "--one-file-system", str(identity.state_directory)], timeout_seconds=300)
        lock.unlink(missing_ok=True)


def _check_user() -> None:
    """Postgres must find a user name for whom it runs as.

    Raises:
        EmbeddedError: the user has no name.
    """
    try:
        pwd.getpwuid(os.geteuid())
    except KeyError as error:
        raise EmbeddedError(
            f"user id {os.geteuid()} has no name on this machine, which Postgres needs",
            "use a user of /etc/passwd",
        ) from error


def _in_cluster(
    call: Callable[[], None], next_step: str = "look at the cluster, then run this again"
) -> None:
    try:
        call()
    except PluginError as error:
        raise EmbeddedError(f"the cluster refuses: {error}", next_step) from error
