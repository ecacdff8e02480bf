"""The cluster that a provider's settings lead to; nothing is sent to it before something is asked of it."""

import threading

from embedded.plugins.common.errors import PluginError
from embedded.plugins.kubernetes.api_client import ApiClient
from embedded.plugins.kubernetes.api_errors import UnreachableError
from embedded.plugins.kubernetes.discovery import Discovery
from embedded.plugins.kubernetes.kubeconfig import Access
from embedded.plugins.kubernetes.settings import Settings
from embedded.plugins.kubernetes.waiting.until_gone import DeletionWait
from embedded.plugins.kubernetes.waiting.until_ready import ReadinessWait


class Cluster:
    """One API server. An unusable kubeconfig shows at first use, as an UnreachableError."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._lock = threading.Lock()
        self._client: ApiClient | None = None
        self._access: Access | None = None
        self._discovery: Discovery | None = None

    @property
    def access(self) -> Access:
        """The connection. Raises UnreachableError when the kubeconfig is unusable."""
        with self._lock:
            if self._access is None:
                try:
                    self._access = self.settings.access()
                except PluginError as error:
                    raise UnreachableError(str(error)) from None
            return self._access

    @property
    def client(self) -> ApiClient:
        """The client of the API server. Raises UnreachableError when the kubeconfig is unusable."""
        access = self.access
        with self._lock:
            if self._client is None:
                self._client = ApiClient(access)
            return self._client

    @property
    def discovery(self) -> Discovery:
        """The server's kinds."""
        client = self.client
        with self._lock:
            if self._discovery is None:
                self._discovery = Discovery(client)
            return self._discovery

    @property
    def readiness(self) -> ReadinessWait:
        """Waits for objects to do their work."""
        return ReadinessWait(self.client)

    @property
    def deletion(self) -> DeletionWait:
        """Waits for objects to be gone."""
        return DeletionWait(self.client, self.discovery)

    @property
    def default_namespace(self) -> str:
        """Where objects without a namespace go: the provider's, the kubeconfig's, or `default`."""
        if self.settings.namespace:
            return self.settings.namespace
        try:
            return self.access.namespace or "default"
        except UnreachableError:
            return "default"

    def check_reachable(self) -> None:
        """Raise UnreachableError unless the API server answers."""
        self.client.get("/version")
