"""What is seen of one run of the canary DAG, before anybody judges it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from infra.lifecycle.airflow_api import TaskLog

Report = Mapping[str, Any]


@dataclass(frozen=True)
class TaskEvidence:
    """What is known of one task after the run."""

    state: str
    hostname: str = ""
    """The machine that Airflow saw the task on: its pod's name, told by the part that starts the task."""
    report: Report = field(default_factory=dict)
    """What the task returned; empty when it returned nothing."""
    api_log: TaskLog = field(default=TaskLog((), ""))
    object_text: str | None = None
    """Content of the object in S3 that the API named, read from S3 itself; None when there is none."""


@dataclass(frozen=True)
class Evidence:
    """What was seen of one run."""

    nonce: str
    run_id: str
    logs_bucket: str
    health: Mapping[str, str | None]
    run_state: str
    tasks: Mapping[str, TaskEvidence]
    scheduled_pods: frozenset[str]
    large_xcoms: tuple[str, ...]
    """Texts of the objects under this run's own key in S3, read from S3 itself."""
    connection_proof: str
    """The hash that only the password in Secrets Manager gives, or why it could not be read there."""
    database: Report
    """What the witness in a pod of Airflow saw (infra/jobs/database_witness.py); `error` when it failed."""
    answers_to_user: Mapping[str, int]
    """Path of Airflow's API -> HTTP status that the canary's user got."""

    def report(self, task: str) -> Report:
        """What a task returned in this very run; empty without one."""
        found = self.tasks.get(task)
        return found.report if found is not None and found.report.get("nonce") == self.nonce else {}

    def state(self, task: str) -> str:
        """How a task ended; "absent" when it never began."""
        return self.tasks[task].state if task in self.tasks else "absent"

    def pod(self, task: str) -> str:
        """The pod that Airflow saw a task in; "none" when it never began."""
        return (self.tasks[task].hostname if task in self.tasks else "") or "none"
