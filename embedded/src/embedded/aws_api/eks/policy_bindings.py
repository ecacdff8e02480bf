"""The Kubernetes objects behind EKS's access policies other than cluster administrator."""

from typing import Any

_API = "rbac.authorization.k8s.io"


def manifests() -> list[dict[str, Any]]:
    """ClusterRoleBindings from the policies' groups (`access.POLICY_GROUPS`) to Kubernetes' own roles."""
    return [
        {
            "apiVersion": f"{_API}/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": f"embedded-eks-{role}"},
            "roleRef": {"apiGroup": _API, "kind": "ClusterRole", "name": role},
            "subjects": [{"apiGroup": _API, "kind": "Group", "name": f"embedded-eks:{role}"}],
        }
        for role in ("admin", "edit", "view")
    ]
