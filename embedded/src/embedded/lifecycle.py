"""A cloud's life: up, down, reset."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

from embedded import listing, network, preconditions
from embedded.certificates import ensure_authority
from embedded.commands import run
from embedded.errors import EmbeddedError
from embedded.identity import CloudIdentity
from embedded.locking import exclusive
from embedded.node import cgroups, containers, images
from embedded.node.configuration import write_configuration
from embedded.node.credentials import ensure_credentials
from embedded.node.kubernetes_api import KubernetesApi
from embedded.node.layout import NodeLayout
from embedded.node.machine_record import MachineRecord
from embedded.node.registration import register
from embedded.parts import CloudParts, cloud_parts
from embedded.processes import Part, Supervisor
from embedded.setup import Toolchain

Announce = Callable[[str], None]
"""Told what is waited for next."""

# Controllers that would react to dying pods go first, the store that they write to last.
_STOPPED_BEFORE_PODS = ("kubelet", "kube-proxy", "kube-scheduler", "kube-controller-manager")
_STOPPED_AFTER_PODS = ("containerd", "coredns", "kube-apiserver")


def up(identity: CloudIdentity, tools: Toolchain, announce: Announce) -> list[str]:
    """Start what is not running, in order; the names of the parts that were started.

    A first start that fails leaves nothing behind; a later one leaves what was running.

    Raises:
        EmbeddedError: the machine is not fit, or a part does not come up.
    """
    _check_root()
    with exclusive(identity, announce):
        fresh_state = not (identity.state_directory / "certificates").exists()
        was_up = network.is_up(identity)
        if not was_up:
            preconditions.check(identity)
        try:
            return _start(identity, tools, announce)
        except BaseException:
            if not was_up:
                announce("the start failed: taking back what was started")
                _stop(identity, announce)
                if fresh_state:
                    _remove_state_but_logs(identity)
            raise


def _start(identity: CloudIdentity, tools: Toolchain, announce: Announce) -> list[str]:
    layout = NodeLayout(identity)
    supervisor = Supervisor(identity)
    started: list[str] = []

    def start(part: Part) -> None:
        if supervisor.start(part):
            started.append(part.name)

    def wait(part: Part) -> None:
        announce(f"{part.name}: {part.address}" if part.address else part.name)
        supervisor.wait_ready(part)

    announce(f"network {identity.block}")
    network.up(identity)
    MachineRecord().remember(identity.name)
    announce("certificates and configuration")
    ensure_authority(identity)
    credentials = ensure_credentials(layout)
    write_configuration(layout, tools)
    parts = cloud_parts(identity, tools, credentials)
    if not supervisor.alive(parts.aws.name):
        preconditions.check_ports_free(identity)
    for early in (parts.aws, parts.etcd, parts.containerd):
        start(early)
    wait(parts.etcd)
    start(parts.apiserver)
    wait(parts.containerd)
    with _in_background(lambda: images.import_images(layout, tools.images)) as importing:
        _start_kubernetes(identity, parts, start, wait)
        if not importing.done():
            announce("container images")
        importing.result()
    return started


def _start_kubernetes(
    identity: CloudIdentity, parts: CloudParts, start: Callable[[Part], None], wait: Callable[[Part], None]
) -> None:
    wait(parts.apiserver)
    # Pods that an earlier run left behind are made again by the controllers: admission must be there first.
    wait(parts.aws)
    register(KubernetesApi(identity))
    cgroups.make(identity.name)
    later = (
        parts.controller_manager,
        parts.scheduler,
        parts.coredns,
        # Before the kubelet: no pod of an earlier run comes back unrestricted.
        parts.network_policies,
        parts.kubelet,
        parts.kube_proxy,
        parts.load_balancer,
    )
    for part in later:
        start(part)
    for part in later:
        wait(part)


@contextmanager
def _in_background(work: Callable[[], None]) -> Iterator[Future[None]]:
    """Images take longer than the control plane and need only the disk."""
    with ThreadPoolExecutor(max_workers=1) as pool:
        yield pool.submit(work)


def down(identity: CloudIdentity, announce: Announce) -> None:
    """Stop everything and take it off the machine; the state stays. Safe to repeat.

    Raises:
        EmbeddedError: something refuses to go; it is named.
    """
    _check_root()
    with exclusive(identity, announce):
        _stop(identity, announce)
        left = listing.residue(identity)
    if left:
        lines = "".join(f"\n  - {one}" for one in left)
        raise EmbeddedError(f"the cloud is not entirely gone:{lines}", "run `embedded down` again")


def _stop(identity: CloudIdentity, announce: Announce) -> None:
    layout = NodeLayout(identity)
    supervisor = Supervisor(identity)
    announce("node and controllers")
    supervisor.stop_all(_STOPPED_BEFORE_PODS)
    announce("pods")
    containers.end_containers(layout, supervisor)
    announce("container runtime, DNS and API server")
    supervisor.stop_all(_STOPPED_AFTER_PODS)
    announce("AWS API, databases and store")
    # The AWS API would start a database that ends under it again.
    supervisor.stop_all(["aws"])
    supervisor.stop_all(supervisor.names())
    announce("mounts, control groups, network and kernel settings")
    _kill_rest_of_node(identity)
    containers.clear(layout)
    network.down(identity)
    MachineRecord().restore(identity.name)


def _kill_rest_of_node(identity: CloudIdentity) -> None:
    """What has no pid file, or had it taken away, is found by the namespace it runs in or by what it is."""
    for pid in (*listing.processes_in_node(identity), *listing.strays(identity)):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def reset(identity: CloudIdentity, announce: Announce) -> None:
    """`down`, and the state with all databases, buckets and images of the cloud is deleted."""
    down(identity, announce)
    announce(f"state in {identity.state_directory}")
    with exclusive(identity, announce) as lock:
        _discard_state(identity)
        lock.unlink(missing_ok=True)


def _discard_state(identity: CloudIdentity) -> None:
    """Put the whole state out of the way at once, then delete it.

    A half deleted state would pass for a cloud: with new certificates, and an account and a store of before.
    """
    discarded = identity.state_directory.with_name(f"{identity.state_directory.name}.discarded")
    containers.unmount_below(identity.state_directory)
    # What an interrupted reset left.
    _delete(discarded)
    if identity.state_directory.exists():
        identity.state_directory.rename(discarded)
        _delete(discarded)


def _remove_state_but_logs(identity: CloudIdentity) -> None:
    """Logs of a failed first start are what its error message points to."""
    if not identity.state_directory.exists():
        return
    # Never delete through a mount: a volume may lead out of the state directory.
    containers.unmount_below(identity.state_directory)
    for entry in identity.state_directory.iterdir():
        if entry != identity.logs_directory:
            _delete(entry)
    with suppress(OSError):
        identity.state_directory.rmdir()


def _delete(path: Path) -> None:
    # rm, not shutil: file trees of images hold what Python's walk is slow at.
    run(["rm", "-rf", "--one-file-system", str(path)], timeout_seconds=300)


def _check_root() -> None:
    if os.geteuid() != 0:
        raise EmbeddedError("namespaces, mounts and control groups need root", "use `sudo`")
