"""A Kubernetes API server that is slow, or restarts under its clients."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from contextlib import suppress

from embedded.faults import live
from embedded.identity import CloudIdentity
from embedded.node.credentials import ensure_credentials
from embedded.node.layout import NodeLayout
from embedded.parts import cloud_parts
from embedded.processes import Supervisor
from embedded.setup import Toolchain

PART_NAME = "kube-apiserver"
_RUNNING_SECONDS = 0.05
"""Between two pauses: enough to answer what has come in meanwhile."""
_IDLE_SECONDS = 0.5

_log = logging.getLogger("embedded.faults")


def restart(identity: CloudIdentity, tools: Toolchain, away_seconds: float, *, kill: bool) -> None:
    """End the API server, leave its clients alone for a while, start it again and wait until it answers.

    Raises:
        EmbeddedError: it does not come up again.
    """
    supervisor = Supervisor(identity)
    pid = supervisor.status(PART_NAME).pid
    if kill and pid is not None:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    supervisor.stop(PART_NAME)
    time.sleep(away_seconds)
    part = cloud_parts(identity, tools, ensure_credentials(NodeLayout(identity))).apiserver
    supervisor.start(part)
    supervisor.wait_ready(part)


def is_known(identity: CloudIdentity) -> bool:
    """Whether the cloud has an API server, be it alive or not."""
    return PART_NAME in Supervisor(identity).names()


def release(identity: CloudIdentity) -> None:
    """Let an API server go on that something has left held."""
    pid = Supervisor(identity).status(PART_NAME).pid
    if pid is not None:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


class Brake:
    """Holds the API server's process for a while, again and again, as long as the settings say so.

    Holding the process needs nothing of the kernel that a machine may lack, and slows every client alike,
    through the Service, the node's address or the machine's.
    """

    def __init__(self, identity: CloudIdentity) -> None:
        self._identity = identity
        self._supervisor = Supervisor(identity)

    def start(self) -> None:
        """Watch the settings from now on."""
        # A process that was killed while it held the API server has left it held.
        release(self._identity)
        threading.Thread(target=self._run, name="api-server-brake", daemon=True).start()

    def _run(self) -> None:
        while True:
            seconds = live.settings().api_server_pause_seconds
            pid = self._supervisor.status(PART_NAME).pid if seconds else None
            if pid is None:
                time.sleep(_IDLE_SECONDS)
                continue
            hold(pid, seconds)
            time.sleep(_RUNNING_SECONDS)


def hold(pid: int, seconds: float) -> None:
    """Stop a process for so long."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGSTOP)
        try:
            time.sleep(seconds)
        finally:
            os.kill(pid, signal.SIGCONT)
