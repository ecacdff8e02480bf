"""What is wrong with a pod, in one line. Pure functions over pod objects."""

from collections.abc import Iterator
from typing import Any

# States that every pod passes through; they become worth a word only when nothing else explains a delay.
_ORDINARY_WAITS = frozenset({"ContainerCreating", "PodInitializing"})


def is_ready(pod: dict[str, Any]) -> bool:
    """Whether the pod serves, or has done its work."""
    status = pod.get("status") or {}
    if status.get("phase") == "Succeeded":
        return True
    return condition(pod, "Ready").get("status") == "True"


def condition(item: dict[str, Any], kind: str) -> dict[str, Any]:
    """The object's condition of that type; empty when it has none."""
    for one in (item.get("status") or {}).get("conditions") or []:
        if one.get("type") == kind:
            found: dict[str, Any] = one
            return found
    return {}


def container_statuses(pod: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Status of every container, init containers first, as they run."""
    status = pod.get("status") or {}
    yield from status.get("initContainerStatuses") or []
    yield from status.get("containerStatuses") or []


def trouble(pod: dict[str, Any]) -> str | None:
    """Why the pod does not run, or None when it runs, is done, or is merely starting."""
    name = pod["metadata"]["name"]
    for one in container_statuses(pod):
        text = _container_trouble(one)
        if text:
            return f"pod {name}: {text}"
    scheduled = condition(pod, "PodScheduled")
    if scheduled.get("status") == "False":
        return f"pod {name}: {scheduled.get('reason')}: {scheduled.get('message', '')}".rstrip(": ")
    status = pod.get("status") or {}
    if status.get("phase") == "Failed":
        return f"pod {name}: {status.get('reason') or 'Failed'}: {status.get('message', '')}".rstrip(": ")
    return None


def summary(pod: dict[str, Any]) -> str:
    """The trouble, or else how far the pod has come."""
    name = pod["metadata"]["name"]
    return trouble(pod) or f"pod {name}: {_progress(pod)}"


def _progress(pod: dict[str, Any]) -> str:
    if pod["metadata"].get("deletionTimestamp"):
        return "is being deleted"
    for one in container_statuses(pod):
        waiting = (one.get("state") or {}).get("waiting")
        if waiting:
            return f"container {one['name']}: {waiting.get('reason')}"
        if "running" in (one.get("state") or {}) and not one.get("ready"):
            return f"container {one['name']} runs, and is not ready yet"
    return str((pod.get("status") or {}).get("phase") or "Pending")


def _container_trouble(status: dict[str, Any]) -> str | None:
    state = status.get("state") or {}
    waiting, ended = state.get("waiting"), state.get("terminated")
    if waiting and waiting.get("reason") not in _ORDINARY_WAITS:
        last = (status.get("lastState") or {}).get("terminated")
        # Of a crash loop the message tells only the pause; how the last run ended is what matters.
        message = "" if last else waiting.get("message") or ""
        text = f"{waiting.get('reason')}: {message}".rstrip(": ")
        return f"container {status['name']}: {text}" + (f" (last run {_ending(last)})" if last else "")
    if ended and ended.get("exitCode"):
        return f"container {status['name']} {_ending(ended)}"
    return None


def _ending(terminated: dict[str, Any]) -> str:
    reason = terminated.get("reason") or "Error"
    text = f"ended with exit code {terminated.get('exitCode')} ({reason})"
    message = (terminated.get("message") or "").strip()
    return f"{text}: {message}" if message else text


def failing_containers(pod: dict[str, Any]) -> Iterator[tuple[str, bool]]:
    """(container, whether to read the log of its previous run), for those that fail or are not ready."""
    for one in container_statuses(pod):
        state = one.get("state") or {}
        ended = state.get("terminated")
        if ended and ended.get("exitCode"):
            yield one["name"], False
        elif "waiting" in state and (one.get("lastState") or {}).get("terminated"):
            yield one["name"], True
        elif "running" in state and not one.get("ready"):
            yield one["name"], False
