"""Wait until an object is really gone, and say what holds it."""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from embedded.plugins.common.engine_log import StatusLine
from embedded.plugins.common.errors import PluginError
from embedded.plugins.kubernetes.api_client import ApiClient
from embedded.plugins.kubernetes.api_errors import ApiError
from embedded.plugins.kubernetes.discovery import ApiResource, Discovery
from embedded.plugins.kubernetes.kinds import ObjectKind
from embedded.plugins.kubernetes.waiting.observation import Observation
from embedded.plugins.kubernetes.waiting.patience import Patience

JsonMap = dict[str, Any]

# Listing every kind of a namespace is some fifty requests: worth it only for a deletion that drags on.
_CONTENTS_EVERY_SECONDS = 15.0
_CONTENTS_SHOWN = 10
# Events are made by the deletions themselves and go with the namespace.
_IGNORED_CONTENTS = frozenset({"events"})
_NAMESPACE_CONDITIONS = (
    "NamespaceDeletionDiscoveryFailure",
    "NamespaceDeletionGroupVersionParsingFailure",
    "NamespaceDeletionContentFailure",
    "NamespaceContentRemaining",
    "NamespaceFinalizersRemaining",
)


class NotGoneError(PluginError):
    """The deletion was accepted, and the object is still there."""


class DeletionWait:
    """Waits for deletions in one cluster."""

    def __init__(self, client: ApiClient, discovery: Discovery) -> None:
        self._client = client
        self._discovery = discovery
        self._observation = Observation(client)

    def until_gone(
        self, kind: ObjectKind, resource: ApiResource, item: JsonMap, patience: Patience, status: StatusLine
    ) -> None:
        """Return when the object is gone, or another one has its name.

        Raises NotGoneError, which names what holds it, when the time is over.
        """
        metadata = item["metadata"]
        path = resource.path(metadata.get("namespace"), metadata["name"])
        contents, listed_at = "", time.monotonic()
        while True:
            live = self._current(path)
            if live is None or live["metadata"].get("uid") != metadata.get("uid"):
                status.show("")
                return
            overdue = patience.is_over
            if kind.kind == "Namespace" and (
                overdue or time.monotonic() - listed_at > _CONTENTS_EVERY_SECONDS
            ):
                contents, listed_at = self.contents(metadata["name"]), time.monotonic()
            held_by = self._held_by(kind, live, contents)
            if overdue:
                waited = f"{patience.seconds:.0f} s after its deletion"
                hint = _finalizer_hint(kind, live, contents)
                raise NotGoneError(f"{kind.kind} {metadata['name']} is still there {waited}: {held_by}{hint}")
            status.show(f"waiting for its deletion: {held_by}")
            patience.pause()

    def _current(self, path: str) -> JsonMap | None:
        try:
            return self._client.get(path)
        except ApiError as error:
            if error.is_not_found:
                return None
            raise

    def _held_by(self, kind: ObjectKind, live: JsonMap, contents: str) -> str:
        reasons = []
        finalizers = [str(one) for one in live["metadata"].get("finalizers") or []]
        finalizers += [
            str(one) for one in (live.get("spec") or {}).get("finalizers") or [] if kind.kind == "Namespace"
        ]
        if finalizers:
            reasons.append(f"finalizers {', '.join(finalizers)}")
        if kind.kind == "Namespace":
            reasons += _namespace_conditions(live)
            reasons += [contents] if contents else []
        else:
            pods = [
                pod["metadata"]["name"] for pod in self._observation.pods(kind, live) if kind.kind != "Pod"
            ]
            if pods:
                reasons.append(f"pods {', '.join(sorted(pods)[:_CONTENTS_SHOWN])}")
        return "; ".join(reasons) or "the server has not removed it yet"

    def contents(self, namespace: str) -> str:
        """What is left in a namespace: kinds, names and their finalizers; empty when nothing is."""
        resources = [
            one for one in self._discovery.namespaced_resources() if one.plural not in _IGNORED_CONTENTS
        ]
        with ThreadPoolExecutor(max_workers=8) as threads:
            listed = threads.map(lambda one: self._listed(one, namespace), resources)
            found = [text for texts in listed for text in texts]
        if not found:
            return ""
        more = f" and {len(found) - _CONTENTS_SHOWN} more" if len(found) > _CONTENTS_SHOWN else ""
        return f"left in it: {', '.join(found[:_CONTENTS_SHOWN])}{more}"

    def _listed(self, resource: ApiResource, namespace: str) -> list[str]:
        try:
            items = self._client.get(resource.path(namespace)).get("items") or []
        except ApiError:
            # One kind whose server fails must not hide the others; the namespace's conditions name it.
            return []
        return [_content(resource, one) for one in items]


def _finalizer_hint(kind: ObjectKind, live: JsonMap, contents: str) -> str:
    """What to do about finalizers: whoever put one there must take it away, unless that one is gone."""
    metadata = live["metadata"]
    if metadata.get("finalizers"):
        namespace = f" --namespace {metadata['namespace']}" if metadata.get("namespace") else ""
        target = f"{kind.kind.lower()} {metadata['name']}{namespace}"
    elif "(finalizers" in contents:
        target = f"KIND NAME --namespace {metadata['name']}"
    else:
        return ""
    patch = '{"metadata":{"finalizers":null}}'
    return (
        ". The controller that set a finalizer removes it once it has cleaned up: see that it runs. Only "
        f"when it is gone for good: kubectl patch {target} --type=merge --patch '{patch}'"
    )


def _content(resource: ApiResource, item: JsonMap) -> str:
    name = f"{resource.plural}/{item['metadata']['name']}"
    finalizers = item["metadata"].get("finalizers") or []
    return f"{name} (finalizers {', '.join(finalizers)})" if finalizers else name


def _namespace_conditions(live: JsonMap) -> list[str]:
    conditions = (live.get("status") or {}).get("conditions") or []
    by_type = {one.get("type"): one for one in conditions if one.get("status") == "True"}
    return [str(by_type[name].get("message")) for name in _NAMESPACE_CONDITIONS if name in by_type]
