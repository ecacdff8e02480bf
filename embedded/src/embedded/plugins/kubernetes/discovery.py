"""Which kinds of objects an API server knows, and under which addresses."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from embedded.plugins.common.errors import PluginError
from embedded.plugins.kubernetes.api_client import ApiClient
from embedded.plugins.kubernetes.api_errors import ApiError
from embedded.plugins.kubernetes.kinds import ObjectKind


@dataclass(frozen=True)
class ApiResource:
    """One kind as the server offers it; `plural` is its name in addresses."""

    api_version: str
    kind: str
    plural: str
    namespaced: bool
    verbs: frozenset[str]

    def path(self, namespace: str | None, name: str | None = None) -> str:
        """Address of one object, or of the collection without a name."""
        root = f"/apis/{self.api_version}" if "/" in self.api_version else f"/api/{self.api_version}"
        scope = f"/namespaces/{namespace}" if self.namespaced and namespace else ""
        return f"{root}{scope}/{self.plural}" + (f"/{name}" if name else "")


class UnknownKindError(PluginError):
    """The API server has no such kind; with custom resources, their definition is missing."""

    def __init__(self, kind: ObjectKind) -> None:
        super().__init__(
            f"the API server does not know {kind.kind} in {kind.api_version}; if it is a custom resource, "
            "its CustomResourceDefinition must be there first (depends_on it)"
        )


class Discovery:
    """What the server offers, asked once per API group version and remembered when found."""

    def __init__(self, client: ApiClient) -> None:
        self._client = client
        self._lock = threading.Lock()
        self._known: dict[str, dict[str, ApiResource]] = {}

    def resource(self, kind: ObjectKind) -> ApiResource:
        """How to address that kind.

        Raises UnknownKindError when the server does not have it now; the next call asks again.
        """
        with self._lock:
            found = self._known.get(kind.api_version, {}).get(kind.kind)
            if found is None:
                self._known[kind.api_version] = self._ask(kind.api_version)
                found = self._known[kind.api_version].get(kind.kind)
        if found is None:
            raise UnknownKindError(kind)
        return found

    def _ask(self, api_version: str) -> dict[str, ApiResource]:
        root = f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"
        try:
            answer = self._client.get(root)
        except ApiError as error:
            if error.is_not_found:
                return {}
            raise
        return {item["kind"]: _resource(api_version, item) for item in _main_resources(answer)}

    def namespaced_resources(self) -> list[ApiResource]:
        """Every kind that lives in namespaces and can be listed, each in its group's preferred version."""
        found: list[ApiResource] = []
        versions = ["v1"]
        for group in self._client.get("/apis").get("groups") or []:
            versions.append(group["preferredVersion"]["groupVersion"])
        for api_version in versions:
            found += [
                one for one in self._ask(api_version).values() if one.namespaced and "list" in one.verbs
            ]
        return found


def _main_resources(answer: dict[str, Any]) -> Iterator[dict[str, Any]]:
    # Names with a slash are sub-resources, such as deployments/scale, under the kind of their body.
    return (item for item in answer.get("resources") or [] if "/" not in item["name"])


def _resource(api_version: str, item: dict[str, Any]) -> ApiResource:
    return ApiResource(
        api_version=api_version,
        kind=item["kind"],
        plural=item["name"],
        namespaced=bool(item["namespaced"]),
        verbs=frozenset(item.get("verbs") or ()),
    )
