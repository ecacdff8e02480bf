"""Plays pods on a control plane that has no node: they start, serve or end after so many seconds."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import urllib3
from kubernetes import client, config

_INTERVAL_SECONDS = 0.1


@dataclass
class PodPlayer:
    """What kubelets would do with the pods of a cluster, without running anything."""

    kubeconfig: Path
    job_seconds: float
    """From a Job's pod being there to its success."""
    ready_seconds: float
    """From any other pod being there to its readiness."""
    _seen: dict[str, float] = field(default_factory=dict)
    _ended: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Self:
        # The control plane makes its certificate itself, and nobody knows its authority.
        urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
        settings = client.Configuration()
        config.load_kube_config(str(self.kubeconfig), client_configuration=settings)
        self._pods = client.CoreV1Api(client.ApiClient(settings))
        self._thread = threading.Thread(target=self._play, name="pod-player", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join(10)

    def _play(self) -> None:
        while not self._ended.wait(_INTERVAL_SECONDS):
            pods = self._pods.list_pod_for_all_namespaces(field_selector="status.phase=Pending")
            for pod in pods.items:
                # It may have changed or gone since; the next look tells.
                with suppress(client.ApiException):
                    self._advance(pod)

    def _advance(self, pod: Any) -> None:
        age = time.monotonic() - self._seen.setdefault(pod.metadata.uid, time.monotonic())
        of_job = any(owner.kind == "Job" for owner in pod.metadata.owner_references or ())
        if age < (self.job_seconds if of_job else self.ready_seconds):
            return
        status = {"phase": "Succeeded"} if of_job else {"phase": "Running", "conditions": [_ready()]}
        self._pods.patch_namespaced_pod_status(pod.metadata.name, pod.metadata.namespace, {"status": status})


def _ready() -> dict[str, str]:
    return {"type": "Ready", "status": "True", "lastTransitionTime": datetime.now(UTC).isoformat()}
