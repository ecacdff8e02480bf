"""The end of every process of a cloud by kill -9, and the wait for its return."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

from embedded.identity import CloudIdentity
from embedded.processes import Supervisor
from witness import Environment, run

from embedded import listing, process_table

PART_SECONDS = 180
POD_SECONDS = 420


def kill_everything(identity: CloudIdentity) -> set[int]:
    """Kill parts, databases, containers and what holds them, until none is left; what was killed."""
    supervisor, seen = Supervisor(identity), set[int]()

    def living() -> set[int]:
        parts = {status.pid for status in supervisor.statuses() if status.pid is not None}
        found = parts | listing.processes(identity)
        seen.update(found)
        return found

    process_table.kill_until_gone(living, "processes", seconds=30)
    return seen


def await_parts() -> None:
    """Wait until `embedded status` finds every part well, databases included."""
    _await(lambda: "" if (ended := run("embedded", "status")).returncode == 0 else ended.stdout, PART_SECONDS)


def await_pods(environment: Environment, since: float) -> None:
    """Wait until every pod that runs for ever is ready, in containers that were started since then.

    The kubelet takes a while to see what was killed; until then it calls dead pods ready.
    """
    begun = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(since))

    def missing() -> str:
        ended = run("kubectl", "--namespace", environment.namespace, "get", "pods", "--output", "json")
        if ended.returncode != 0:
            return ended.stderr
        pods = json.loads(ended.stdout)["items"]
        lasting = [pod for pod in pods if pod["spec"].get("restartPolicy") == "Always"]
        late = [pod["metadata"]["name"] for pod in lasting if not _is_back(pod, begun)]
        return "no pods" if not lasting else ", ".join(late)

    _await(missing, POD_SECONDS)


def _is_back(pod: dict[str, Any], begun: str) -> bool:
    statuses = pod["status"].get("containerStatuses", [])
    started = [one["state"].get("running", {}).get("startedAt", "") for one in statuses if one["ready"]]
    return len(started) == len(statuses) > 0 and min(started) >= begun


def _await(missing: Callable[[], str], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while said := missing():
        assert time.monotonic() < deadline, said
        time.sleep(2)
