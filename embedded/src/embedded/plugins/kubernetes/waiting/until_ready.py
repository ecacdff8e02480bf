"""Wait until an object is ready, telling what is missing; explain in full when it does not become so."""

from collections.abc import Sequence
from typing import Any

from embedded.plugins.common.engine_log import StatusLine
from embedded.plugins.common.errors import PluginError
from embedded.plugins.kubernetes.api_client import ApiClient
from embedded.plugins.kubernetes.discovery import ApiResource
from embedded.plugins.kubernetes.kinds import ObjectKind
from embedded.plugins.kubernetes.waiting import wait_for
from embedded.plugins.kubernetes.waiting.observation import Observation
from embedded.plugins.kubernetes.waiting.patience import Patience
from embedded.plugins.kubernetes.waiting.pods import is_ready, summary, trouble
from embedded.plugins.kubernetes.waiting.readiness import Readiness
from embedded.plugins.kubernetes.waiting.wait_for import Criterion

JsonMap = dict[str, Any]

SKIP_AWAIT_ANNOTATION = "pulumi.com/skipAwait"
_PODS_IN_EXPLANATION = 5


class NotReadyError(PluginError):
    """The object is stored, and does not do its work; `live` is how it was last seen."""

    def __init__(self, message: str, live: JsonMap) -> None:
        super().__init__(message)
        self.live = live


class ReadinessWait:
    """Waits for objects of one cluster."""

    def __init__(self, client: ApiClient) -> None:
        self._client = client
        self._observation = Observation(client)

    def until_ready(
        self,
        kind: ObjectKind,
        resource: ApiResource,
        item: JsonMap,
        patience: Patience,
        status: StatusLine,
        criteria: Sequence[Criterion] = (),
    ) -> JsonMap:
        """The object once it is ready: by its kind's rule, or by criteria that take the rule's place.

        Raises NotReadyError when the time is over or waiting is in vain, CancelledError when cancelled.
        """
        metadata = item["metadata"]
        path = resource.path(metadata.get("namespace"), metadata["name"])
        while True:
            readiness = (
                wait_for.readiness(criteria, item) if criteria else self._observation.readiness(kind, item)
            )
            if readiness.ready:
                status.show("")
                return item
            if readiness.failed:
                raise NotReadyError(self.explanation(kind, item, readiness.failed), item)
            if patience.is_over:
                reason = f"not ready after {patience.seconds:.0f} s, waiting for {readiness.waits_for}"
                raise NotReadyError(self.explanation(kind, item, reason), item)
            status.show(self._status_text(kind, item, readiness))
            patience.pause()
            item = self._client.get(path)

    def _status_text(self, kind: ObjectKind, item: JsonMap, readiness: Readiness) -> str:
        pods = self._observation.pods(kind, item)
        if not pods:
            return f"waiting for {readiness.waits_for}"
        waiting = [pod for pod in pods if not is_ready(pod)]
        if not waiting:
            return f"[{len(pods)}/{len(pods)}] waiting for {readiness.waits_for}"
        # A pod in trouble says more than one that merely starts.
        worst = next((pod for pod in waiting if trouble(pod)), waiting[0])
        return f"[{len(pods) - len(waiting)}/{len(pods)}] waiting for {summary(worst)}"

    def explanation(self, kind: ObjectKind, item: JsonMap, reason: str) -> str:
        """The reason with conditions, pods, events and logs below it, one a line."""
        metadata = item["metadata"]
        namespace = metadata.get("namespace")
        title = f"{kind.kind} {namespace + '/' if namespace else ''}{metadata['name']}: {reason}"
        lines = [title, *_conditions(item)]
        try:
            pods = self._observation.pods(kind, item)
            unwell = [pod for pod in pods if not is_ready(pod)]
            lines += [f"  {summary(pod)}" for pod in unwell[:_PODS_IN_EXPLANATION]]
            names = {metadata["name"], *(pod["metadata"]["name"] for pod in pods)}
            lines += [f"  event: {text}" for text in self._observation.events_about(namespace, names)]
            lines += [f"  {text}" for text in self._observation.failing_logs(unwell)]
        except PluginError as error:
            # The reason is worth more than its illustration.
            lines.append(f"  (no more can be told: {error})")
        return "\n".join(lines)


def _conditions(item: JsonMap) -> list[str]:
    conditions = (item.get("status") or {}).get("conditions") or []
    return [
        f"  condition {one.get('type')}={one.get('status')}: {one.get('reason', '')}: {one['message']}"
        for one in conditions
        if one.get("message")
    ]
