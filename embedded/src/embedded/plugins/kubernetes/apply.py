"""Server-side apply of one object: ownership, dry runs, and retries while a prerequisite is being made."""

import hashlib
from dataclasses import dataclass
from typing import Any

from embedded.plugins.common.engine_log import StatusLine
from embedded.plugins.common.errors import PluginError
from embedded.plugins.common.properties import JsonMap, value_at
from embedded.plugins.kubernetes.api_client import APPLY
from embedded.plugins.kubernetes.api_errors import ApiError
from embedded.plugins.kubernetes.cluster import Cluster
from embedded.plugins.kubernetes.discovery import ApiResource, UnknownKindError
from embedded.plugins.kubernetes.kinds import ObjectKind
from embedded.plugins.kubernetes.waiting.patience import Patience

PATCH_FORCE_ANNOTATION = "pulumi.com/patchForce"

# A namespace or a definition made in the same run is there within seconds, or not at all.
_PREREQUISITE_SECONDS = 30.0


def field_manager(urn: str) -> str:
    """The name under which the server notes which fields this resource owns.

    It follows from the resource's URN, so that a run that was cut off before its state was saved is
    recognised by the next one.
    """
    return f"pulumi-kubernetes-{hashlib.sha256(urn.encode()).hexdigest()[:8]}"


@dataclass(frozen=True)
class Target:
    """One object in its cluster: kind, address, and who applies."""

    kind: ObjectKind
    namespace: str | None
    name: str
    manager: str

    @property
    def resource_id(self) -> str:
        """`namespace/name`, or the name alone for objects of the whole cluster."""
        return f"{self.namespace}/{self.name}" if self.namespace else self.name

    def __str__(self) -> str:
        return f"{self.kind.kind} {self.resource_id}"


class Applier:
    """Applies objects to one cluster."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    def live(self, resource: ApiResource, target: Target) -> JsonMap | None:
        """The object as it is, or None. Raises ApiError for other refusals."""
        try:
            return self._cluster.client.get(resource.path(target.namespace, target.name))
        except ApiError as error:
            if error.is_not_found:
                return None
            raise

    def resource(self, target: Target, status: StatusLine, patience: Patience) -> ApiResource:
        """How to address the kind; waits a while for one whose definition is just being made.

        Raises UnknownKindError when it does not appear.
        """
        limit = Patience(min(_PREREQUISITE_SECONDS, patience.seconds), patience.cancelled)
        while True:
            try:
                return self._cluster.discovery.resource(target.kind)
            except UnknownKindError:
                if limit.is_over:
                    raise
                status.show(f"waiting for the API server to know {target.kind}")
                limit.pause()

    def apply(
        self,
        resource: ApiResource,
        target: Target,
        item: JsonMap,
        *,
        force: bool,
        dry_run: bool = False,
    ) -> JsonMap:
        """Apply the object and return it as stored (or as it would be).

        Raises ApiError with the server's words, and PluginError for fields that others own.
        """
        query = {
            "fieldManager": target.manager,
            "force": str(force).lower(),
            "fieldValidation": "Strict",
        }
        if dry_run:
            query["dryRun"] = "All"
        path = resource.path(target.namespace, target.name)
        try:
            return self._cluster.client.request("PATCH", path, query, item, APPLY)
        except ApiError as error:
            if error.is_conflict:
                raise ConflictError(target, error) from None
            raise

    def apply_when_possible(
        self,
        resource: ApiResource,
        target: Target,
        item: JsonMap,
        force: bool,
        status: StatusLine,
        patience: Patience,
    ) -> JsonMap:
        """Apply, and try again while the object's namespace is only just being made."""
        limit = Patience(min(_PREREQUISITE_SECONDS, patience.seconds), patience.cancelled)
        while True:
            try:
                return self.apply(resource, target, item, force=force)
            except ApiError as error:
                if not error.is_missing_namespace or limit.is_over:
                    raise
                status.show(f"waiting for namespace {target.namespace}")
                limit.pause()

    def is_forced(self, item: JsonMap) -> bool:
        """Whether fields that other managers own are to be taken over."""
        wish = value_at(item, ("metadata", "annotations", PATCH_FORCE_ANNOTATION))
        return self._cluster.settings.patch_force if wish is None else wish == "true"


class ConflictError(PluginError):
    """Fields that the program sets are owned by other managers, with other values."""

    def __init__(self, target: Target, error: ApiError) -> None:
        fields = "; ".join(f"{cause.get('field')} ({cause.get('message')})" for cause in error.causes)
        super().__init__(
            f"{target}: others have set fields that the program sets too: {fields}. Take their values over "
            f'into the program, or set the annotation {PATCH_FORCE_ANNOTATION}: "true" to take them over'
        )


def is_owned(live: JsonMap, manager: str) -> bool:
    """Whether that manager has applied this object before."""
    entries: list[dict[str, Any]] = value_at(live, ("metadata", "managedFields")) or []
    return any(one.get("manager") == manager and one.get("operation") == "Apply" for one in entries)
