"""etcd, API server, controller manager and scheduler."""

from __future__ import annotations

from functools import partial

from embedded.errors import NotReady
from embedded.identity import CloudIdentity
from embedded.node.credentials import (
    NodeCredentials,
    administrator_certificate,
    token_webhook_kubeconfig_name,
)
from embedded.node.kubernetes_api import KubernetesApi, ask
from embedded.node.layout import NodeLayout
from embedded.processes import Part
from embedded.setup.catalogue import KUBERNETES_VERSION

ETCD_PORT = 2379
CONTROLLER_MANAGER_PORT = 10257
SCHEDULER_PORT = 10259
_ETCD_PEER_PORT = 2380
# Go's collector at this setting trades a little processor time for a third of the memory.
_SMALL_MEMORY = {"GOGC": "50"}
SERVICE_ACCOUNT_ISSUER = "https://kubernetes.default.svc.cluster.local"


def healthy(identity: CloudIdentity, port: int, path: str = "/healthz") -> None:
    """Raises NotReady until the component on this port of the node says it is well."""
    answer = ask(identity, port, path, administrator_certificate(identity))
    if answer.status != 200:
        raise NotReady(f"{path} says {answer.status}: {answer.body.decode(errors='replace').strip()[:200]}")


def etcd(layout: NodeLayout, credentials: NodeCredentials) -> Part:
    """The store. Everything it holds can be made again, so it may skip waiting for the disk."""
    node = layout.identity.node_address
    files = credentials.etcd
    client = f"https://127.0.0.1:{ETCD_PORT}"
    peer = f"https://127.0.0.1:{_ETCD_PEER_PORT}"
    return _part(
        layout,
        "etcd",
        [
            f"--data-dir={layout.etcd_data}",
            # The second address is for health checks from outside of the namespace.
            f"--listen-client-urls={client},https://{node}:{ETCD_PORT}",
            f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=default={peer}",
            "--client-cert-auth",
            f"--trusted-ca-file={credentials.authority.certificate}",
            f"--cert-file={files.certificate}",
            f"--key-file={files.key}",
            "--peer-client-cert-auth",
            f"--peer-trusted-ca-file={credentials.authority.certificate}",
            f"--peer-cert-file={files.certificate}",
            f"--peer-key-file={files.key}",
            "--unsafe-no-fsync",
            "--auto-compaction-retention=1h",
            "--log-level=warn",
        ],
        port=ETCD_PORT,
        health_path="/health",
    )


def apiserver(layout: NodeLayout, credentials: NodeCredentials) -> Part:
    """The Kubernetes API, with the token webhook that stands for EKS's."""
    identity = layout.identity
    authority = credentials.authority.certificate
    kubelet_client = credentials.apiserver_kubelet_client
    return _part(
        layout,
        "kube-apiserver",
        [
            f"--etcd-servers=https://127.0.0.1:{ETCD_PORT}",
            f"--etcd-cafile={authority}",
            f"--etcd-certfile={credentials.etcd.certificate}",
            f"--etcd-keyfile={credentials.etcd.key}",
            f"--advertise-address={identity.node_address}",
            f"--secure-port={identity.kubernetes_port}",
            f"--tls-cert-file={credentials.apiserver.certificate}",
            f"--tls-private-key-file={credentials.apiserver.key}",
            f"--client-ca-file={authority}",
            f"--kubelet-certificate-authority={authority}",
            f"--kubelet-client-certificate={kubelet_client.certificate}",
            f"--kubelet-client-key={kubelet_client.key}",
            "--kubelet-preferred-address-types=InternalIP",
            f"--service-account-issuer={SERVICE_ACCOUNT_ISSUER}",
            f"--service-account-signing-key-file={layout.service_account_key}",
            f"--service-account-key-file={layout.service_account_public_key}",
            f"--service-cluster-ip-range={identity.service_cidr}",
            "--authorization-mode=Node,RBAC",
            "--enable-admission-plugins=NodeRestriction",
            "--allow-privileged",
            "--authentication-token-webhook-config-file="
            f"{layout.kubeconfig(token_webhook_kubeconfig_name())}",
            "--authentication-token-webhook-version=v1",
            # An access entry that is taken away must stop working within seconds.
            "--authentication-token-webhook-cache-ttl=5s",
            "--max-requests-inflight=200",
            "--max-mutating-requests-inflight=100",
            "--profiling=false",
        ],
        port=identity.kubernetes_port,
        health_path="/readyz",
        # Slow disks and full processors: a first start makes all built-in roles.
        timeout=120.0,
    )


def controller_manager(layout: NodeLayout, credentials: NodeCredentials) -> Part:
    """The controllers. Their root CA file is what every namespace gets as `kube-root-ca.crt`."""
    identity = layout.identity
    authority = credentials.authority
    files = credentials.controller_manager
    return _part(
        layout,
        "kube-controller-manager",
        [
            *_client_flags(layout, "kube-controller-manager"),
            f"--bind-address={identity.node_address}",
            f"--tls-cert-file={files.certificate}",
            f"--tls-private-key-file={files.key}",
            f"--service-account-private-key-file={layout.service_account_key}",
            f"--root-ca-file={authority.certificate}",
            "--use-service-account-credentials",
            "--allocate-node-cidrs",
            f"--cluster-cidr={identity.pod_cidr}",
            "--node-cidr-mask-size=24",
            f"--service-cluster-ip-range={identity.service_cidr}",
            f"--cluster-signing-cert-file={authority.certificate}",
            f"--cluster-signing-key-file={authority.key}",
            # The default is a directory of the machine, which would be made.
            f"--flex-volume-plugin-dir={layout.volume_plugins}",
            "--kube-api-qps=100",
            "--kube-api-burst=200",
            "--profiling=false",
        ],
        port=CONTROLLER_MANAGER_PORT,
    )


def scheduler(layout: NodeLayout, credentials: NodeCredentials) -> Part:
    """The scheduler."""
    files = credentials.scheduler
    return _part(
        layout,
        "kube-scheduler",
        [
            *_client_flags(layout, "kube-scheduler"),
            f"--bind-address={layout.identity.node_address}",
            f"--tls-cert-file={files.certificate}",
            f"--tls-private-key-file={files.key}",
            "--profiling=false",
        ],
        port=SCHEDULER_PORT,
    )


def _client_flags(layout: NodeLayout, user: str) -> list[str]:
    kubeconfig = layout.kubeconfig(user)
    return [
        f"--kubeconfig={kubeconfig}",
        f"--authentication-kubeconfig={kubeconfig}",
        f"--authorization-kubeconfig={kubeconfig}",
        # There is one of each; an election would only delay the start.
        "--leader-elect=false",
    ]


def _part(
    layout: NodeLayout,
    name: str,
    flags: list[str],
    port: int,
    health_path: str = "/healthz",
    timeout: float = 60.0,
) -> Part:
    identity = layout.identity
    ready = partial(healthy, identity, port, health_path)
    if name == "kube-apiserver":
        ready = partial(KubernetesApi.ready, KubernetesApi(identity))
    return Part(
        name=name,
        command=(str(layout.programs / name), *flags),
        environment=_SMALL_MEMORY,
        in_node_namespace=True,
        ready=ready,
        address=f"{identity.node_address}:{port}",
        ready_timeout_seconds=timeout,
        version=f"v{KUBERNETES_VERSION}" if name != "etcd" else "",
    )
