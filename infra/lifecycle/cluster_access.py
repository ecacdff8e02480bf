"""Access to an environment's cluster: a temporary kubeconfig from EKS, kubectl, and port forwarding."""

from __future__ import annotations

import base64
import json
import re
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from infra.lifecycle import processes
from infra.lifecycle.errors import LifecycleError

_FORWARDING = re.compile(r"^Forwarding from 127\.0\.0\.1:(\d+) ->")
# A forward starts in about a second; on a loaded machine kubectl's token plugin alone takes several.
_FORWARD_SECONDS = 60.0


@dataclass(frozen=True)
class Forward:
    """A running port forward."""

    url: str
    process: subprocess.Popen[str]

    def wait(self) -> bool:
        """Wait until kubectl ends, as it does when its pod goes, or until Ctrl-C; whether that came."""
        try:
            self.process.wait()
        except KeyboardInterrupt:
            return True
        return False


@dataclass(frozen=True)
class ClusterAccess:
    """kubectl with the kubeconfig that EKS gave."""

    kubeconfig: Path
    namespace: str

    def command(self, *arguments: str) -> list[str]:
        """The command line of kubectl in the environment's namespace."""
        return ["kubectl", "--kubeconfig", str(self.kubeconfig), "--namespace", self.namespace, *arguments]

    def json(self, *arguments: str) -> dict[str, Any]:
        """Run kubectl and parse its JSON."""
        value = json.loads(processes.output(self.command(*arguments, "--output", "json")))
        return value if isinstance(value, dict) else {}

    def secret(self, name: str) -> dict[str, str]:
        """The decoded entries of a Kubernetes Secret. They must not be printed or logged.

        Raises:
            LifecycleError: the Secret is not there.
        """
        data = self.json("get", "secret", name).get("data") or {}
        return {key: base64.b64decode(value).decode() for key, value in data.items()}

    def scheduled_pods(self) -> set[str]:
        """Names of pods that the cluster placed on a node lately, also of those that are gone.

        The scheduler writes an event for each, which the API server keeps for an hour.
        """
        selector = "involvedObject.kind=Pod,reason=Scheduled"
        found = self.json("get", "events", "--field-selector", selector)
        return {str(item["involvedObject"]["name"]) for item in found.get("items", [])}


@contextmanager
def cluster_access(cluster_name: str, region: str, namespace: str) -> Iterator[ClusterAccess]:
    """Ask EKS for a kubeconfig, which is removed at the end.

    Raises:
        LifecycleError: EKS knows no such cluster, or the credentials may not ask.
    """
    with tempfile.TemporaryDirectory(prefix="airflow-env-") as directory:
        kubeconfig = Path(directory) / "kubeconfig"
        target = ("--kubeconfig", str(kubeconfig))
        processes.output(
            ("aws", "eks", "update-kubeconfig", "--name", cluster_name, "--region", region, *target)
        )
        kubeconfig.chmod(0o600)
        yield ClusterAccess(kubeconfig, namespace)


@contextmanager
def port_forward(access: ClusterAccess, service: str, local_port: int = 0) -> Iterator[Forward]:
    """Forward a port of this machine's loopback to `service`.

    Args:
        access: the cluster.
        service: name of the Service; its first port is taken.
        local_port: the port here; 0 for a free one.

    Raises:
        LifecycleError: kubectl ended or gave no port in time; its own words are in the message.
    """
    ports = access.json("get", "service", service)["spec"]["ports"]
    command = access.command("port-forward", f"service/{service}", f"{local_port or ''}:{ports[0]['port']}")
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    lines: list[str] = []
    try:
        yield Forward(f"http://127.0.0.1:{_forwarded_port(process, lines)}", process)
    finally:
        process.terminate()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()


def _forwarded_port(process: subprocess.Popen[str], lines: list[str]) -> int:
    """Read kubectl's output until it names the port; a thread keeps reading, so that kubectl never blocks."""
    if process.stdout is None:
        raise LifecycleError("kubectl gave no output to read.", "Run the command again.")
    reader = threading.Thread(target=_collect, args=(process.stdout, lines), daemon=True)
    reader.start()
    deadline = time.monotonic() + _FORWARD_SECONDS
    while time.monotonic() < deadline:
        for line in list(lines):
            match = _FORWARDING.match(line)
            if match:
                return int(match.group(1))
        if process.poll() is not None:
            # What it said last may still be on its way.
            reader.join(timeout=5)
            break
        time.sleep(0.05)
    raise LifecycleError(
        f"kubectl port-forward did not start: {' '.join(lines) or 'it said nothing'}",
        "Look at the pods with `airflow-env logs STACK api-server`; the port may also be in use.",
    )


def _collect(stream: IO[str], lines: list[str]) -> None:
    try:
        for line in stream:
            lines.append(line.strip())
    except ValueError:  # the stream was closed by the end of the forward
        return
