"""The `kubernetes` plugin: its settings, and who manages which types."""

import threading

from embedded.plugins.common.errors import PluginError
from embedded.plugins.common.operations import Failures, Operations, SettingsDifference
from embedded.plugins.common.properties import Properties
from embedded.plugins.kubernetes import settings
from embedded.plugins.kubernetes.cluster import Cluster
from embedded.plugins.kubernetes.kinds import HELM_RELEASE, unsupported


class KubernetesPlugin:
    """Implements `Plugin` over one cluster."""

    name = "kubernetes"
    autonaming = True

    def __init__(self) -> None:
        self._objects: Operations | None = None
        self._releases: Operations | None = None

    def check_settings(self, inputs: Properties) -> Failures:
        """Judge a provider's settings."""
        return settings.check(inputs)

    def compare_settings(self, old: Properties, new: Properties) -> SettingsDifference:
        """Whether changed settings mean another cluster."""
        return settings.difference(old, new)

    def configure(self, inputs: Properties, cancelled: threading.Event) -> None:  # noqa: ARG002 - a context has it
        """Take the settings; the cluster is asked only when an operation needs it."""
        from embedded.plugins.kubernetes.helm.provider import ReleaseOperations
        from embedded.plugins.kubernetes.object_provider import ObjectOperations

        cluster = Cluster(settings.read(inputs))
        self._objects, self._releases = ObjectOperations(cluster), ReleaseOperations(cluster)

    def operations(self, resource_type: str) -> Operations:
        """Releases are helm's work, everything else the API server's."""
        found = self._releases if resource_type == HELM_RELEASE else self._objects
        if found is None:
            raise PluginError("the provider was not configured before its first use")
        return found

    def invoke(self, token: str, arguments: Properties) -> Properties:  # noqa: ARG002
        """Refuse functions by their name."""
        raise unsupported(token)
