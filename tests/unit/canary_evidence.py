"""What the canary's witnesses see of a run in which everything is right."""

from __future__ import annotations

import json
from typing import Any

from infra.lifecycle.airflow_api import TaskLog
from infra.lifecycle.canary_evidence import Evidence, TaskEvidence

BUCKET = "logs-of-this-environment"
NONCE = "5eed"
RUN = f"canary-{NONCE}"
PODS = {"write": "canary-write-a1", "read": "canary-read-b2"}
PROOF = "0f" * 32

REPORTS: dict[str, dict[str, Any]] = {
    "write": {"nonce": NONCE, "pod": PODS["write"], "large_xcom": {"bytes": 9}, "variable": "stored"},
    "read": {
        "nonce": NONCE,
        "pod": PODS["read"],
        "received": {"nonce": NONCE, "pod": PODS["write"]},
        "large_xcom": {"nonce": NONCE, "bytes": 9},
        "variable": f"plain-{NONCE}",
        "connection": PROOF,
        "foreign_secret": "AccessDeniedException",
        "credentials": [],
        "database": {"network": "open", "session": "refused"},
    },
}
DATABASE = {
    "sslmode": "verify-full",
    "async_ssl": "verify-full",
    "wrong_authority": "certificate verify failed",
    "wrong_name": "does not match host name",
    "tls": "TLSv1.3",
    "sessions": 7,
    "sessions_without_tls": 0,
    "variable": {"state": "encrypted"},
}
POOLER = {"server_tls_sslmode": "verify-full", "server_tls_ca_file": "/etc/rds-ca/ca.pem"}
POOLED_DATABASE = {
    "poolers": {"airflow-pgbouncer-c3": POOLER, "airflow-pgbouncer-d4": POOLER},
    **{key: DATABASE[key] for key in ("async_ssl", "tls", "sessions", "sessions_without_tls", "variable")},
}
LARGE_XCOM = json.dumps({"nonce": NONCE, "filler": "xxxxxxxxx"})


def marker(task: str) -> str:
    return f"canary-marker task={task} nonce={NONCE} pod={PODS[task]}"


def source(task: str) -> str:
    return f"s3://{BUCKET}/task-logs/dag_id=canary/run_id={RUN}/task_id={task}/attempt=1.log"


def task_evidence(task: str) -> TaskEvidence:
    # The object holds one JSON document a line, the API gives the event alone.
    stored = f'{{"timestamp":"2026-01-01T00:00:00Z","level":"info","event":"{marker(task)}"}}\n'
    return TaskEvidence(
        "success", PODS[task], REPORTS[task], TaskLog((source(task),), f"start\n{marker(task)}\nend"), stored
    )


def good_evidence() -> Evidence:
    return Evidence(
        nonce=NONCE,
        run_id=RUN,
        logs_bucket=BUCKET,
        health=dict.fromkeys(("metadatabase", "scheduler", "dag_processor", "triggerer"), "healthy"),
        run_state="success",
        tasks={task: task_evidence(task) for task in PODS},
        scheduled_pods=frozenset({*PODS.values(), "airflow-scheduler-0"}),
        large_xcoms=(LARGE_XCOM,),
        connection_proof=PROOF,
        database=DATABASE,
        answers_to_user={"/api/v2/connections": 403, "/api/v2/variables": 403},
    )
