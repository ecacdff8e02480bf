"""From the engine's type names to Kubernetes kinds, and what is known about the built-in ones."""

from dataclasses import dataclass

from embedded.plugins.common.errors import PluginError

HELM_RELEASE = "kubernetes:helm.sh/v3:Release"

_COMPONENT_GROUPS = ("yaml", "yaml/v2", "kustomize", "kustomize/v2", "helm.sh/v2", "helm.sh/v3", "helm.sh/v4")
"""Type groups that are no Kubernetes API but components or functions of the official plugin."""

_CLUSTER_SCOPED = frozenset(
    {
        "APIService",
        "CSIDriver",
        "CSINode",
        "CertificateSigningRequest",
        "ClusterRole",
        "ClusterRoleBinding",
        "ClusterTrustBundle",
        "ComponentStatus",
        "CustomResourceDefinition",
        "DeviceClass",
        "FlowSchema",
        "IPAddress",
        "IngressClass",
        "MutatingAdmissionPolicy",
        "MutatingAdmissionPolicyBinding",
        "MutatingWebhookConfiguration",
        "Namespace",
        "Node",
        "PersistentVolume",
        "PriorityClass",
        "PriorityLevelConfiguration",
        "RuntimeClass",
        "ServiceCIDR",
        "StorageClass",
        "ValidatingAdmissionPolicy",
        "ValidatingAdmissionPolicyBinding",
        "ValidatingWebhookConfiguration",
        "VolumeAttachment",
        "VolumeAttributesClass",
    }
)
"""Source: `kubectl api-resources --namespaced=false` of Kubernetes 1.34, review kinds left out."""

_BUILT_IN_GROUPS = frozenset({"", "apps", "autoscaling", "batch", "policy", "extensions"})


@dataclass(frozen=True)
class ObjectKind:
    """apiVersion and kind of an object, e.g. ("apps/v1", "Deployment")."""

    api_version: str
    kind: str

    @property
    def group(self) -> str:
        """The API group; empty for the core group."""
        return self.api_version.rpartition("/")[0]

    @property
    def version(self) -> str:
        """The version without its group."""
        return self.api_version.rpartition("/")[2]

    @property
    def is_namespaced(self) -> bool | None:
        """Whether objects live in a namespace; None when only the server can tell."""
        if self.group in _BUILT_IN_GROUPS or self.group.endswith(".k8s.io"):
            return self.kind not in _CLUSTER_SCOPED
        return None

    def __str__(self) -> str:
        return f"{self.api_version}/{self.kind}"


def kind_of(resource_type: str) -> ObjectKind:
    """The Kubernetes kind of a resource type like `kubernetes:apps/v1:Deployment`.

    Raises PluginError for types that are components or lists of the official plugin.
    """
    _, group_version, kind = resource_type.split(":", 2)
    if group_version in _COMPONENT_GROUPS:
        raise unsupported(resource_type)
    group, _, version = group_version.rpartition("/")
    found = ObjectKind(version if group == "core" else group_version, kind)
    # The SDK has a FooPatch and a FooList beside every built-in Foo; custom kinds may well be called so.
    if found.is_namespaced is not None and kind.endswith(("Patch", "List")):
        raise unsupported(resource_type)
    return found


def unsupported(resource_type: str) -> PluginError:
    """The error that names a type this plugin does not emulate."""
    return PluginError(
        f"{resource_type} is not supported by the kubernetes plugin of the embedded cloud; declare the "
        f"objects themselves (such as kubernetes:core/v1:ConfigMap), or a chart as {HELM_RELEASE}"
    )
