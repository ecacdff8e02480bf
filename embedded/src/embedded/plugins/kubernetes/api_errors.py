"""What the API server, or the way to it, answers instead of an object."""

import json
from typing import Any

from embedded.plugins.common.errors import PluginError


class UnreachableError(PluginError):
    """The API server cannot be asked: there is no usable kubeconfig, no credential, or no answer."""

    is_transient = False


class NoAnswerError(UnreachableError):
    """No answer from the API server: wrong address, no route, it restarts, or it is gone."""

    is_transient = True

    def __init__(self, server: str, cause: str) -> None:
        super().__init__(
            f"the Kubernetes API server at {server} does not answer: {cause}; check that the cluster runs "
            "and that the kubeconfig's server address is reachable from here"
        )


class ApiError(PluginError):
    """A refusal by the API server: its HTTP status, reason and message (a `Status` object)."""

    def __init__(self, code: int, body: str, request: str) -> None:
        status = _status(body)
        self.code = code
        self.reason = str(status.get("reason") or "")
        self.details: dict[str, Any] = status.get("details") or {}
        text = str(status.get("message") or body.strip() or f"HTTP status {code}")
        super().__init__(text if status else f"{request}: {text}")

    @property
    def causes(self) -> list[dict[str, Any]]:
        """The single mistakes or conflicts: reason, message, field."""
        return list(self.details.get("causes") or [])

    @property
    def is_not_found(self) -> bool:
        """There is no such object, or no such kind of object."""
        return self.code == 404

    @property
    def is_conflict(self) -> bool:
        """Another manager owns a field, or the object changed in between."""
        return self.code == 409 and any(
            cause.get("reason") == "FieldManagerConflict" for cause in self.causes
        )

    @property
    def is_missing_namespace(self) -> bool:
        """The object's namespace does not exist (yet)."""
        return self.is_not_found and self.details.get("kind") == "namespaces"

    @property
    def is_retryable(self) -> bool:
        """The server was busy, starting or changing its leader."""
        return self.code in (429, 502, 503, 504) or (
            self.code == 500 and self.reason in ("InternalError", "Timeout")
        )


def _status(body: str) -> dict[str, Any]:
    try:
        status = json.loads(body)
    except ValueError:
        return {}
    return status if isinstance(status, dict) and status.get("kind") == "Status" else {}
