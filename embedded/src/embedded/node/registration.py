"""What a cluster gets before its first pod: roles of components, the admission webhook, kinds of EKS."""

from __future__ import annotations

import base64
from typing import Any

from embedded.aws_api.eks import policy_bindings
from embedded.identity import CloudIdentity
from embedded.node import auto_mode
from embedded.node.credentials import (
    APISERVER_KUBELET_CLIENT,
    COREDNS_USER,
    LOAD_BALANCER_USER,
    NETWORK_POLICIES_USER,
)
from embedded.node.kubernetes_api import KubernetesApi

_RBAC = "rbac.authorization.k8s.io"
_RBAC_PATH = f"/apis/{_RBAC}/v1"
_DEFINITIONS_PATH = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
_WEBHOOK_PATH = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations"
_WEBHOOK_NAME = "pod-identity-webhook"


def register(api: KubernetesApi) -> None:
    """Apply all of it; changes nothing when it is there."""
    for definition in auto_mode.manifests():
        api.apply(f"{_DEFINITIONS_PATH}/{definition['metadata']['name']}", definition)
    for manifest in (*_roles(), _kubelet_binding(), *policy_bindings.manifests()):
        plural = f"{manifest['kind'].lower()}s"
        api.apply(f"{_RBAC_PATH}/{plural}/{manifest['metadata']['name']}", manifest)
    api.apply(f"{_WEBHOOK_PATH}/{_WEBHOOK_NAME}", _webhook(api.identity))


def _roles() -> list[dict[str, Any]]:
    """What the cloud's own users of the API may do: lists and watches, where nothing else is said."""
    return [
        *_reader(
            COREDNS_USER,
            {"apiGroups": [""], "resources": ["services", "pods", "namespaces"]},
            {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"]},
        ),
        *_reader(
            NETWORK_POLICIES_USER,
            {"apiGroups": [""], "resources": ["pods", "namespaces"]},
            {"apiGroups": ["networking.k8s.io"], "resources": ["networkpolicies"]},
            {"apiGroups": [""], "resources": ["configmaps"], "resourceNames": ["amazon-vpc-cni"]},
        ),
        *_reader(
            LOAD_BALANCER_USER,
            {"apiGroups": [""], "resources": ["services"]},
            {"apiGroups": ["networking.k8s.io"], "resources": ["ingresses", "ingressclasses"]},
            {"apiGroups": ["eks.amazonaws.com"], "resources": ["ingressclassparams"]},
            {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"]},
            {
                "apiGroups": ["networking.k8s.io"],
                "resources": ["ingresses", "ingresses/status"],
                "verbs": ["patch"],
            },
            {"apiGroups": [""], "resources": ["events"], "verbs": ["create"]},
        ),
    ]


def _reader(user: str, *resources: dict[str, Any]) -> list[dict[str, Any]]:
    role = {
        "apiVersion": f"{_RBAC}/v1",
        "kind": "ClusterRole",
        "metadata": {"name": user},
        "rules": [{"verbs": ["list", "watch"], **one} for one in resources],
    }
    return [role, _binding(user, user, user)]


def _kubelet_binding() -> dict[str, Any]:
    """Logs, exec and port forwarding go from the API server to the kubelet."""
    return _binding("embedded:kubelet-api", "system:kubelet-api-admin", APISERVER_KUBELET_CLIENT)


def _binding(name: str, role: str, user: str) -> dict[str, Any]:
    return {
        "apiVersion": f"{_RBAC}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": name},
        "roleRef": {"apiGroup": _RBAC, "kind": "ClusterRole", "name": role},
        "subjects": [{"apiGroup": _RBAC, "kind": "User", "name": user}],
    }


def _webhook(identity: CloudIdentity) -> dict[str, Any]:
    """EKS's pod identity webhook lets pods pass when it is away; here a pod without what it injects would
    call the real AWS, so it must fail."""
    authority = base64.b64encode(identity.certificate_authority.read_bytes()).decode()
    outside_of_system = {
        "key": "kubernetes.io/metadata.name",
        "operator": "NotIn",
        "values": ["kube-system"],
    }
    webhook = {
        "name": "pod-identity.embedded.cloud",
        "clientConfig": {
            "url": f"https://{identity.host_address}:{identity.webhook_port}/mutate",
            "caBundle": authority,
        },
        "rules": [
            {
                "apiGroups": [""],
                "apiVersions": ["v1"],
                "operations": ["CREATE"],
                "resources": ["pods"],
                "scope": "Namespaced",
            }
        ],
        "namespaceSelector": {"matchExpressions": [outside_of_system]},
        "failurePolicy": "Fail",
        "matchPolicy": "Equivalent",
        "reinvocationPolicy": "IfNeeded",
        "sideEffects": "None",
        "timeoutSeconds": 10,
        "admissionReviewVersions": ["v1"],
    }
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingWebhookConfiguration",
        "metadata": {"name": _WEBHOOK_NAME},
        "webhooks": [webhook],
    }
