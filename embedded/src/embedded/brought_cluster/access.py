"""The cluster that KUBECONFIG names, as its user."""

from __future__ import annotations

import os

from embedded.commands import run
from embedded.errors import EmbeddedError
from embedded.files import write_private
from embedded.identity import CloudIdentity
from embedded.plugins.common.errors import PluginError
from embedded.plugins.kubernetes import kubeconfig
from embedded.plugins.kubernetes.api_client import ApiClient
from embedded.plugins.kubernetes.api_errors import ApiError, UnreachableError
from embedded.setup import Toolchain

# What the cloud does there, in the order in which it needs it.
_NEEDED = (
    ("impersonate", "", "users", "to act as the user that an EKS token stands for"),
    ("impersonate", "", "groups", "to act as the user that an EKS token stands for"),
    ("create", "authentication.k8s.io", "tokenreviews", "to tell whose pod asks for credentials"),
    ("patch", "admissionregistration.k8s.io", "mutatingwebhookconfigurations", "to inject into pods"),
    ("patch", "rbac.authorization.k8s.io", "clusterrolebindings", "for EKS's access policies"),
)


def take_kubeconfig(identity: CloudIdentity, tools: Toolchain) -> None:
    """Copy the current context of the user's kubeconfig into the cloud's state, certificates inline.

    Raises:
        EmbeddedError: there is none, or it names no cluster.
    """
    source = kubeconfig.default_kubeconfig()
    view = [str(tools.kubectl), "config", "view", "--raw", "--flatten", "--minify"]
    text = run(["env", f"KUBECONFIG={source}", *view])
    identity.state_directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_private(identity.administrator_kubeconfig, text.encode())


def users_access() -> kubeconfig.Access:
    """The connection that the user's own kubeconfig describes.

    Raises:
        EmbeddedError: it describes none that the cloud can use.
    """
    return _access(kubeconfig.default_kubeconfig())


def cloud_access(identity: CloudIdentity) -> kubeconfig.Access:
    """The connection of the kubeconfig in the cloud's state."""
    return _access(str(identity.administrator_kubeconfig))


def _access(source: str) -> kubeconfig.Access:
    try:
        access = kubeconfig.access(kubeconfig.load(source))
    except PluginError as error:
        raise EmbeddedError(
            str(error), "let KUBECONFIG name the cluster, then `embedded up` again"
        ) from error
    if access.proxy_url:
        raise EmbeddedError(
            f"the kubeconfig reaches {access.server} through a proxy, which the cloud does not pass on",
            "use a kubeconfig that reaches the API server directly",
        )
    return access


def check_permissions(client: ApiClient) -> None:
    """Ask the cluster whether its user may do what the cloud needs.

    Raises:
        EmbeddedError: naming everything that is not allowed, or why the cluster does not answer.
    """
    path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    missing = []
    for verb, group, resource, purpose in _NEEDED:
        attributes = {"verb": verb, "group": group, "resource": resource}
        body = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": attributes},
        }
        try:
            allowed = client.request("POST", path, body=body)["status"].get("allowed")
        except (ApiError, UnreachableError) as error:
            raise EmbeddedError(
                f"the cluster that KUBECONFIG names does not answer: {error}",
                f"try `kubectl get --raw /readyz` with KUBECONFIG={os.environ.get('KUBECONFIG', '')}",
            ) from error
        if not allowed:
            missing.append(f"{verb} {f'{resource}.{group}' if group else resource} ({purpose})")
    if missing:
        lines = "".join(f"\n  - {one}" for one in missing)
        raise EmbeddedError(
            f"the user of the kubeconfig may not, at {client.access.server}:{lines}",
            "use a kubeconfig of a cluster administrator",
        )
