"""`open`: an address under which Airflow answers here, by its ingress or through a forwarded port."""

from __future__ import annotations

import errno
import socket
import time
from collections.abc import Callable
from urllib.parse import urlsplit

import httpx

from infra.lifecycle import environments
from infra.lifecycle.canary_run import login_of
from infra.lifecycle.cluster_access import ClusterAccess, cluster_access, port_forward
from infra.lifecycle.environments import Exports
from infra.lifecycle.errors import LifecycleError
from infra.lifecycle.ingress_route import Resolve, ingress_state, obstacles, resolve

# A pod of the API server is replaced within minutes; each attempt asks the Service for a pod that is ready.
_PAUSE_SECONDS = 2.0
_PATIENCE_SECONDS = 300.0
# Where Airflow takes people back from the provider that airflow_config/webserver_config.py calls `oidc`.
RETURN_PATH = "/auth/oauth-authorized/oidc"


def open_airflow(
    stack: str,
    exports: Exports,
    port: int,
    say: Callable[[str], None],
    transport: httpx.BaseTransport | None = None,
    resolve: Resolve = resolve,
) -> None:
    """Say where Airflow answers; without an ingress that this machine reaches, forward until Ctrl-C.

    Args:
        stack: name of the environment's stack.
        exports: its exports.
        port: port on this machine's loopback; 0 for a free one.
        say: prints a line.
        transport: for the look at the ingress.
        resolve: finds addresses of names.

    Raises:
        LifecycleError: the port is in use, or there is no ready pod for minutes.
    """
    with cluster_access(exports.cluster_name, exports.region, exports.namespace) as access:
        login = _login(stack, access, exports)
        if exports.airflow_url.startswith("https://"):
            host = urlsplit(exports.airflow_url).hostname or ""
            found = obstacles(exports.airflow_url, ingress_state(access, host), resolve, transport)
            if not found:
                say(f"Airflow of {stack}: {exports.airflow_url}")
                say(login)
                return
            say(f"{exports.airflow_url} does not answer from here; a forwarded port does.")
            for sentence in found:
                say(f"  - {sentence.replace('STACK', stack)}")
        refuse_busy(port)
        if not exports.admin_secret_name:
            login += (
                f" It has to know this address with {RETURN_PATH} behind it; else it sends nobody back here."
            )
        _forward(stack, access, exports.api_server_service, port, say, login)


def _login(stack: str, access: ClusterAccess, exports: Exports) -> str:
    """How to log in; the password itself is not in it."""
    if not exports.admin_secret_name:
        return environments.sign_on(stack)
    username, _ = login_of(access.secret(exports.admin_secret_name), exports.admin_secret_name)
    return f"Log in as {username}; the password: airflow-env password {stack}"


def refuse_busy(port: int) -> None:
    """Stop when something listens on the port, or this user may not.

    Raises:
        LifecycleError: it is in use, or can't be taken.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            why = "is in use" if error.errno == errno.EADDRINUSE else f"can't be taken: {error.strerror}"
            raise LifecycleError(
                f"Port {port} of this machine {why}.",
                "Give another by --port, or --port 0 for a free one.",
            ) from error


def _forward(
    stack: str, access: ClusterAccess, service: str, port: int, say: Callable[[str], None], login: str
) -> None:
    """Forward, and again when the pod behind it goes: kubectl stays with the pod that it chose."""
    told, since = "", time.monotonic()
    while True:
        try:
            with port_forward(access, service, port) as forward:
                # The address stays the same when the pod is another one.
                port = int(forward.url.rsplit(":", 1)[1])
                say("Connected again." if told else f"Airflow of {stack}: {forward.url}")
                if not told:
                    say(login)
                    say("Ctrl-C ends it.")
                told = forward.url
                if forward.wait():
                    return
                say("The pod behind it has gone; connecting to another one.")
                since = time.monotonic()
        except LifecycleError:
            if not told or time.monotonic() - since > _PATIENCE_SECONDS:
                raise
        time.sleep(_PAUSE_SECONDS)
