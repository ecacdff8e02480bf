"""containerd, CoreDNS, kubelet and kube-proxy."""

from __future__ import annotations

import datetime as dt
import urllib.error
import urllib.request
from functools import partial

from embedded.commands import succeeds
from embedded.errors import NotReady
from embedded.identity import CloudIdentity
from embedded.node.configuration import COREDNS_READY_PORT, KUBE_PROXY_HEALTH_PORT
from embedded.node.control_plane import healthy
from embedded.node.kubernetes_api import KubernetesApi
from embedded.node.layout import NodeLayout
from embedded.processes import Part, bare_environment
from embedded.setup.catalogue import KUBERNETES_VERSION
from embedded.setup.toolchain import Toolchain

_KUBELET_PORT = 10250
_TIMEOUT_SECONDS = 5.0


def ctr(layout: NodeLayout, *arguments: str) -> list[str]:
    """containerd's own client, in the namespace that Kubernetes uses."""
    return ["ctr", f"--address={layout.containerd_socket}", "--namespace=k8s.io", *arguments]


def containerd(layout: NodeLayout, tools: Toolchain) -> Part:
    """The container runtime. Containers outlive it; so they do when it is started again."""

    def ready() -> None:
        if not succeeds(ctr(layout, "version")):
            raise NotReady(f"{layout.containerd_socket} does not answer")

    programs = {str(tools.containerd.parent), str(tools.runc.parent)}
    path = ":".join([*sorted(programs), bare_environment()["PATH"]])
    return Part(
        name="containerd",
        command=(str(tools.containerd), f"--config={layout.configuration / 'containerd.toml'}"),
        environment={"PATH": path},
        in_node_namespace=True,
        ready=ready,
        address=f"unix://{layout.containerd_socket}",
        ready_timeout_seconds=60.0,
    )


def coredns(layout: NodeLayout, tools: Toolchain) -> Part:
    """DNS of the cluster, of the databases, and of nothing else."""
    identity = layout.identity
    return Part(
        name="coredns",
        command=(str(tools.coredns), "-conf", str(layout.configuration / "Corefile")),
        environment={},
        in_node_namespace=True,
        ready=partial(_plain_health, identity, COREDNS_READY_PORT, "/ready"),
        address=f"{identity.node_address}:53",
        ready_timeout_seconds=60.0,
    )


def kubelet(layout: NodeLayout) -> Part:
    """The node's agent; ready means that the Node is."""
    identity = layout.identity

    def ready() -> None:
        healthy(identity, _KUBELET_PORT)
        node_ready(identity, since=_started(identity, "kubelet"))

    return Part(
        name="kubelet",
        command=(
            str(layout.programs / "kubelet"),
            f"--config={layout.configuration / 'kubelet.yaml'}",
            f"--kubeconfig={layout.kubeconfig('kubelet')}",
            f"--hostname-override={identity.node_name}",
            f"--node-ip={identity.node_address}",
            f"--root-dir={layout.kubelet_data}",
            f"--cert-dir={layout.kubelet_data / 'certificates'}",
        ),
        environment={},
        in_node_namespace=True,
        ready=ready,
        address=f"{identity.node_address}:{_KUBELET_PORT}",
        ready_timeout_seconds=120.0,
        version=f"v{KUBERNETES_VERSION}",
    )


def kube_proxy(layout: NodeLayout) -> Part:
    """Services, as iptables rules of the node's namespace."""
    identity = layout.identity
    return Part(
        name="kube-proxy",
        command=(
            str(layout.programs / "kube-proxy"),
            f"--config={layout.configuration / 'kube-proxy.yaml'}",
            f"--hostname-override={identity.node_name}",
        ),
        environment={},
        in_node_namespace=True,
        ready=partial(_plain_health, identity, KUBE_PROXY_HEALTH_PORT, "/healthz"),
        address=f"{identity.node_address}:{KUBE_PROXY_HEALTH_PORT}",
        ready_timeout_seconds=60.0,
        version=f"v{KUBERNETES_VERSION}",
    )


def node_ready(identity: CloudIdentity, since: dt.datetime) -> None:
    """Raises NotReady until the kubelet says, later than `since`, that the Node is Ready and open to pods.

    The store still holds what the kubelet of the last `up` said.
    """
    node = KubernetesApi(identity).get(f"/api/v1/nodes/{identity.node_name}")
    if node is None:
        raise NotReady(f"node {identity.node_name} has not registered")
    conditions = {one["type"]: one for one in node["status"].get("conditions", [])}
    ready = conditions.get("Ready", {})
    if ready.get("status") != "True":
        raise NotReady(f"node {identity.node_name} is not Ready: {ready.get('message', 'no condition yet')}")
    if dt.datetime.fromisoformat(ready["lastHeartbeatTime"]) < since:
        raise NotReady(f"node {identity.node_name} has not reported since its kubelet started")
    taints = [taint["key"] for taint in node["spec"].get("taints", [])]
    if taints:
        raise NotReady(f"node {identity.node_name} still carries {', '.join(taints)}")


def _started(identity: CloudIdentity, part: str) -> dt.datetime:
    """When the part was started, in the whole seconds of Kubernetes' times."""
    try:
        seconds = int((identity.run_directory / f"{part}.pid").stat().st_mtime)
    except FileNotFoundError as error:
        raise NotReady(f"{part} is not started") from error
    return dt.datetime.fromtimestamp(seconds, dt.UTC)


def _plain_health(identity: CloudIdentity, port: int, path: str) -> None:
    url = f"http://{identity.node_address}:{port}{path}"
    try:
        with urllib.request.urlopen(url, timeout=_TIMEOUT_SECONDS) as response:
            response.read()
    except (OSError, urllib.error.URLError) as error:
        raise NotReady(f"{url} does not answer: {error}") from error
