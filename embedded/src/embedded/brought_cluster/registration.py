"""What the cloud leaves in the cluster that was brought, and takes away again on `down`."""

from __future__ import annotations

import base64
from typing import Any
from urllib.parse import urlencode

from embedded.aws_api.eks import policy_bindings
from embedded.errors import EmbeddedError
from embedded.identity import CloudIdentity
from embedded.plugins.kubernetes.api_client import APPLY, ApiClient
from embedded.plugins.kubernetes.api_errors import ApiError

_WEBHOOKS = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations"
_BINDINGS = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings"
_MANAGER = "embedded-cloud"
#: The label of every environment's namespace. Other namespaces of somebody's cluster are none of the cloud's
#: business: a webhook that fails must not keep their pods from starting.
NAMESPACE_LABEL = {"app.kubernetes.io/part-of": "airflow-environments"}
PROBE_LABEL = "embedded-cloud/probe"


def register(client: ApiClient, identity: CloudIdentity) -> None:
    """Apply the webhook and the bindings of EKS's access policies; changes nothing when they are there."""
    for path, manifest in _objects(identity):
        query = {"fieldManager": _MANAGER, "force": "true"}
        client.request("PATCH", path, query, manifest, APPLY)


def unregister(client: ApiClient, identity: CloudIdentity) -> None:
    """Delete what `register` made; safe to repeat."""
    for path, _ in _objects(identity):
        try:
            client.request("DELETE", path)
        except ApiError as error:
            if not error.is_not_found:
                raise


def check_registered(client: ApiClient, identity: CloudIdentity) -> None:
    """Raises EmbeddedError when the webhook is not there."""
    try:
        client.get(f"{_WEBHOOKS}/{identity.name}")
    except ApiError as error:
        if not error.is_not_found:
            raise
        raise EmbeddedError(f"webhook {identity.name} is not registered", "run `embedded up`") from error


def check_reach(client: ApiClient, identity: CloudIdentity) -> None:
    """Have the API server call the webhook, by a dry run of a pod.

    Raises:
        EmbeddedError: it cannot; the server's own words are in the message.
    """
    path = "/api/v1/namespaces/default/pods?" + urlencode({"dryRun": "All"})
    try:
        client.request("POST", path, body=_probe_pod(identity))
    except ApiError as error:
        # Any other refusal is the cluster's own policy, met after the webhook.
        if "failed calling webhook" in str(error):
            raise EmbeddedError(
                f"the cluster's API server does not reach {_webhook_url(identity)}: {error}",
                "give --advertise an address of this machine that the cluster reaches, and let its ports "
                f"{identity.aws_port} to {identity.aws_plain_port} and the databases' through the firewall",
            ) from error


def _objects(identity: CloudIdentity) -> list[tuple[str, dict[str, Any]]]:
    found = [(f"{_WEBHOOKS}/{identity.name}", _webhook_configuration(identity))]
    for manifest in policy_bindings.manifests():
        # Named after the cloud: another one may be registered in the same cluster.
        name = f"{identity.name}-{manifest['roleRef']['name']}"
        found.append((f"{_BINDINGS}/{name}", {**manifest, "metadata": {"name": name}}))
    return found


def _webhook_url(identity: CloudIdentity) -> str:
    return f"https://{identity.host_address}:{identity.webhook_port}/mutate"


def _webhook_configuration(identity: CloudIdentity) -> dict[str, Any]:
    environments = _webhook(identity, "pod-identity")
    environments["namespaceSelector"] = {"matchLabels": NAMESPACE_LABEL}
    probe = _webhook(identity, "probe")
    probe["objectSelector"] = {"matchLabels": {PROBE_LABEL: identity.name}}
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingWebhookConfiguration",
        "metadata": {"name": identity.name},
        "webhooks": [environments, probe],
    }


def _webhook(identity: CloudIdentity, name: str) -> dict[str, Any]:
    """A pod of an environment without what is injected would call the real AWS, so it must fail."""
    authority = base64.b64encode(identity.certificate_authority.read_bytes()).decode()
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}
    return {
        "name": f"{name}.embedded.cloud",
        "clientConfig": {"url": _webhook_url(identity), "caBundle": authority},
        "rules": [{**rule, "scope": "Namespaced"}],
        "failurePolicy": "Fail",
        "matchPolicy": "Equivalent",
        "reinvocationPolicy": "IfNeeded",
        "sideEffects": "None",
        "timeoutSeconds": 10,
        "admissionReviewVersions": ["v1"],
    }


def _probe_pod(identity: CloudIdentity) -> dict[str, Any]:
    container = {
        "name": "probe",
        "image": "probe",
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": f"{identity.name}-probe", "labels": {PROBE_LABEL: identity.name}},
        "spec": {
            "containers": [container],
            "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        },
    }
