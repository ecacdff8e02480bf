"""Certificates and kubeconfigs of the node's components, one identity each."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from embedded.certificates import CertificateFiles, ensure_authority, issue
from embedded.files import write_if_changed, write_private
from embedded.identity import CloudIdentity
from embedded.node.layout import NodeLayout

APISERVER_KUBELET_CLIENT = "kube-apiserver-kubelet-client"
COREDNS_USER = "system:coredns"
NETWORK_POLICIES_USER = "system:network-policies"
LOAD_BALANCER_USER = "eks:load-balancing"


@dataclass(frozen=True)
class NodeCredentials:
    """The certificate files that command lines name; kubeconfigs are found through the layout."""

    authority: CertificateFiles
    etcd: CertificateFiles
    apiserver: CertificateFiles
    apiserver_kubelet_client: CertificateFiles
    controller_manager: CertificateFiles
    scheduler: CertificateFiles
    kubelet: CertificateFiles
    administrator: CertificateFiles


def administrator_certificate(identity: CloudIdentity) -> CertificateFiles:
    """The client certificate of the cloud's administrator: group system:masters, which RBAC lets do all."""
    return issue(identity, "administrator", "embedded-administrator", ["system:masters"])


def network_policies_certificate(identity: CloudIdentity) -> CertificateFiles:
    """The client certificate of what enforces network policies."""
    return issue(identity, "network-policies", NETWORK_POLICIES_USER)


def load_balancer_certificate(identity: CloudIdentity) -> CertificateFiles:
    """The client certificate of what makes load balancers."""
    return issue(identity, "load-balancer", LOAD_BALANCER_USER)


def ensure_credentials(layout: NodeLayout) -> NodeCredentials:
    """Make what is missing or about to expire; names follow the rules of the Node and RBAC authorizers."""
    identity = layout.identity
    node = identity.node_address
    local = ["127.0.0.1", node]
    credentials = NodeCredentials(
        authority=ensure_authority(identity),
        etcd=issue(identity, "etcd", "etcd", addresses=local, dns_names=["localhost"]),
        apiserver=issue(
            identity,
            "kube-apiserver",
            "kube-apiserver",
            dns_names=["localhost", *_service_names()],
            addresses=[*local, identity.kubernetes_service_address],
        ),
        apiserver_kubelet_client=issue(identity, APISERVER_KUBELET_CLIENT, APISERVER_KUBELET_CLIENT),
        controller_manager=issue(
            identity, "kube-controller-manager", "system:kube-controller-manager", addresses=local
        ),
        scheduler=issue(identity, "kube-scheduler", "system:kube-scheduler", addresses=local),
        kubelet=issue(
            identity,
            "kubelet",
            f"system:node:{identity.node_name}",
            ["system:nodes"],
            dns_names=[identity.node_name],
            addresses=local,
        ),
        administrator=administrator_certificate(identity),
    )
    proxy = issue(identity, "kube-proxy", "system:kube-proxy")
    coredns = issue(identity, "coredns", COREDNS_USER)
    _write_kubeconfig(layout, "kube-controller-manager", credentials.controller_manager)
    _write_kubeconfig(layout, "kube-scheduler", credentials.scheduler)
    _write_kubeconfig(layout, "kubelet", credentials.kubelet)
    _write_kubeconfig(layout, "kube-proxy", proxy)
    _write_kubeconfig(layout, "coredns", coredns)
    _write_administrator_kubeconfig(identity, credentials.administrator)
    _write_token_webhook_kubeconfig(layout)
    _ensure_service_account_key(layout)
    return credentials


def token_webhook_kubeconfig_name() -> str:
    """The name under which the layout finds the file that points the API server to the token webhook."""
    return "token-webhook"


def _service_names() -> list[str]:
    names = ["kubernetes", "default", "svc", "cluster", "local"]
    return [".".join(names[:length]) for length in (1, 2, 3, 5)]


def _write_kubeconfig(layout: NodeLayout, user: str, files: CertificateFiles) -> None:
    identity = layout.identity
    cluster = {
        "server": identity.kubernetes_endpoint,
        "certificate-authority": str(identity.certificate_authority),
    }
    client = {"client-certificate": str(files.certificate), "client-key": str(files.key)}
    write_if_changed(layout.kubeconfig(user), _kubeconfig(identity.name, cluster, user, client))


def _write_administrator_kubeconfig(identity: CloudIdentity, files: CertificateFiles) -> None:
    cluster = {
        "server": identity.kubernetes_endpoint,
        "certificate-authority-data": _encoded(identity.certificate_authority.read_bytes()),
    }
    client = {
        "client-certificate-data": _encoded(files.certificate.read_bytes()),
        "client-key-data": _encoded(files.key.read_bytes()),
    }
    content = _kubeconfig(identity.name, cluster, "administrator", client)
    write_if_changed(identity.administrator_kubeconfig, content)


def _write_token_webhook_kubeconfig(layout: NodeLayout) -> None:
    """In this file "cluster" is the webhook, by the API server's own convention."""
    identity = layout.identity
    webhook = {
        "server": f"https://{identity.host_address}:{identity.token_webhook_port}/authenticate",
        "certificate-authority": str(identity.certificate_authority),
    }
    name = token_webhook_kubeconfig_name()
    write_if_changed(layout.kubeconfig(name), _kubeconfig(name, webhook, "kube-apiserver", {}))


def _kubeconfig(cluster_name: str, cluster: dict[str, str], user: str, client: dict[str, str]) -> str:
    # JSON is YAML; what reads these files is not a person.
    document: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": cluster_name,
        "clusters": [{"name": cluster_name, "cluster": cluster}],
        "users": [{"name": user, "user": client}],
        "contexts": [{"name": cluster_name, "context": {"cluster": cluster_name, "user": user}}],
    }
    return json.dumps(document, indent=2) + "\n"


def _encoded(content: bytes) -> str:
    return base64.b64encode(content).decode()


def _ensure_service_account_key(layout: NodeLayout) -> None:
    """The key that signs service account tokens: a new one would cut off every running pod."""
    if layout.service_account_key.exists() and layout.service_account_public_key.exists():
        return
    key = ec.generate_private_key(ec.SECP256R1())
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    write_private(layout.service_account_key, private)
    write_private(layout.service_account_public_key, public)
