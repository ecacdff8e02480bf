"""An API server with etcd and controllers on loopback ports: real rules for objects, and no node for pods."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

_START_SECONDS = 90
_TOKEN = "administrator-of-the-test"
_CONTROLLERS = ("namespace-controller", "garbage-collector-controller")
WORKLOAD_CONTROLLERS = (
    *_CONTROLLERS,
    *("deployment-controller", "replicaset-controller", "statefulset-controller", "job-controller"),
    *("serviceaccount-controller", "disruption-controller"),
)
"""Those that make pods of Deployments, StatefulSets and Jobs; nothing runs the pods."""


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as probes:
        found = [probes.enter_context(socket.socket()) for _ in range(count)]
        for probe in found:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in found]


def _service_account_key(path: Path) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    path.write_bytes(key.private_bytes(encoding, form, serialization.NoEncryption()))


def _commands(place: Path, ports: list[int], controllers: Sequence[str]) -> dict[str, list[str]]:
    client, peer, secure = ports
    etcd, key = f"http://127.0.0.1:{client}", str(place / "service-account.key")
    return {
        "etcd": [
            *("--data-dir", str(place / "etcd"), "--unsafe-no-fsync"),
            *("--listen-client-urls", etcd, "--advertise-client-urls", etcd),
            *("--listen-peer-urls", f"http://127.0.0.1:{peer}"),
            *("--initial-advertise-peer-urls", f"http://127.0.0.1:{peer}"),
            *("--initial-cluster", f"default=http://127.0.0.1:{peer}"),
        ],
        "kube-apiserver": [
            *("--etcd-servers", etcd, "--secure-port", str(secure), "--bind-address", "127.0.0.1"),
            *("--advertise-address", "127.0.0.1", "--endpoint-reconciler-type", "none"),
            *("--cert-dir", str(place / "certificates"), "--token-auth-file", str(place / "tokens.csv")),
            *("--authorization-mode", "RBAC", "--service-cluster-ip-range", "10.96.0.0/16"),
            *("--service-account-issuer", "https://kubernetes.default.svc"),
            *("--service-account-key-file", key, "--service-account-signing-key-file", key),
        ],
        "kube-controller-manager": [
            *("--kubeconfig", str(place / "kubeconfig"), "--secure-port", "0", "--leader-elect=false"),
            *("--controllers", ",".join(controllers)),
        ],
    }


def _kubeconfig(port: int) -> str:
    cluster = {"server": f"https://127.0.0.1:{port}", "insecure-skip-tls-verify": True}
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "bare",
            "contexts": [{"name": "bare", "context": {"cluster": "bare", "user": "administrator"}}],
            "clusters": [{"name": "bare", "cluster": cluster}],
            "users": [{"name": "administrator", "user": {"token": _TOKEN}}],
        }
    )


def _ask(port: int, path: str) -> httpx.Response:
    headers = {"Authorization": f"Bearer {_TOKEN}"}
    # The server makes its own certificate; whoever answers on this port is ours.
    return httpx.get(f"https://127.0.0.1:{port}{path}", headers=headers, verify=False)  # noqa: S501


def _wait_until_ready(port: int, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            if _ask(port, "/readyz").status_code == 200:
                return
        except httpx.HTTPError:
            pass
        if server.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"the API server did not start:\n{log.read_text()[-3000:]}")
        time.sleep(0.2)


@dataclass
class ControlPlane:
    """A running control plane, whose API server can be ended and started again."""

    place: Path
    kubeconfig: Path
    secure_port: int
    commands: dict[str, list[str]]
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def api_server(self) -> subprocess.Popen[bytes]:
        """Its process."""
        return self.running["kube-apiserver"]

    def start(self, name: str) -> None:
        """Start a part; the API server is waited for."""
        log = self.place / f"{name}.log"
        with log.open("ab") as file:
            command = [str(self.place / "bin" / name), *self.commands[name]]
            process = subprocess.Popen(command, stdout=file, stderr=file, start_new_session=True)
        self.running[name] = process
        if name == "kube-apiserver":
            _wait_until_ready(self.secure_port, process, log)

    def ask(self, path: str) -> httpx.Response:
        """GET as the administrator."""
        return _ask(self.secure_port, path)

    def kill_api_server(self) -> None:
        """By kill -9; its clients meet a closed port until it is started again."""
        self.api_server.kill()
        self.api_server.wait()

    def end(self) -> None:
        """End everything, the store last."""
        for process in reversed(self.running.values()):
            with contextlib.suppress(ProcessLookupError):
                # One that a test has stopped would not hear the other signal.
                os.kill(process.pid, signal.SIGCONT)
                os.kill(process.pid, signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@contextlib.contextmanager
def control_plane(
    kubernetes: Path, place: Path, controllers: Sequence[str] = _CONTROLLERS
) -> Iterator[ControlPlane]:
    """A running control plane; `kubernetes` is the binary with every daemon in it."""
    ports = _free_ports(3)
    programs = place / "bin"
    programs.mkdir(parents=True)
    _service_account_key(place / "service-account.key")
    (place / "tokens.csv").write_text(f'{_TOKEN},administrator,administrator,"system:masters"\n')
    kubeconfig = place / "kubeconfig"
    kubeconfig.write_text(_kubeconfig(ports[2]))
    kubeconfig.chmod(0o600)
    made = ControlPlane(place, kubeconfig, ports[2], _commands(place, ports, controllers))
    try:
        for name in made.commands:
            (programs / name).symlink_to(kubernetes)
            made.start(name)
        yield made
    finally:
        made.end()


@contextlib.contextmanager
def bare_control_plane(
    kubernetes: Path, place: Path, controllers: Sequence[str] = _CONTROLLERS
) -> Iterator[Path]:
    """The kubeconfig of a running control plane."""
    with control_plane(kubernetes, place, controllers) as made:
        yield made.kubeconfig
