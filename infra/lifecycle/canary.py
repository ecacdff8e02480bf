"""The canary's judgement: what was seen of one run of the canary DAG becomes rows, one for each promise.

`judge` is a pure function, so that each row can be shown to fail when its thing is broken; what it judges is
collected by `infra/lifecycle/canary_gather.py`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

from infra.lifecycle.airflow_api import TaskLog
from infra.lifecycle.canary_evidence import Evidence
from infra.lifecycle.report import Outcome, Row
from infra.naming import DATABASE_CA_FILE

DAG_ID = "canary"
TASKS = ("write", "read")
# Parts whose health the API reports and that every environment runs.
HEALTH_PARTS = ("metadatabase", "scheduler", "dag_processor", "triggerer")
# What Secrets Manager answers to a role that may not read: before it looks whether there is such a secret.
DENIED = "AccessDeniedException"
FORBIDDEN = 403

# What the witness must see of a session that a pod of Airflow opens itself, and of each PgBouncer.
_DIRECT = {
    "sslmode": "verify-full",
    "wrong_authority": "certificate verify failed",
    "wrong_name": "does not match host name",
}
_POOLED = {"server_tls_sslmode": "verify-full", "server_tls_ca_file": DATABASE_CA_FILE}


def judge(evidence: Evidence) -> list[Row]:
    """One row per promise."""
    return [_judged(row(evidence), evidence, tasks) for row, tasks in _ROWS]


def _judged(row: Row, evidence: Evidence, tasks: tuple[str, ...]) -> Row:
    """The row, unless a task that it needs ended without a report: then nothing is known of its promise.

    The row of the run is red then, and says why; a red row for each of its consequences would hide that.
    """
    silent = [task for task in tasks if evidence.state(task) != "success" and not evidence.report(task)]
    if not silent:
        return row
    seen = ", ".join(f"{task} {evidence.state(task)}" for task in silent)
    return Row(row.name, Outcome.NOT_JUDGED, f"no report of: {seen}")


def _health_row(evidence: Evidence) -> Row:
    states = {part: evidence.health.get(part) for part in HEALTH_PARTS}
    healthy = all(state == "healthy" for state in states.values())
    seen = ", ".join(f"{part} {state}" for part, state in states.items())
    return Row.judged("all parts healthy", healthy, seen, "`airflow-env logs STACK` of the part named here.")


def _run_row(evidence: Evidence) -> Row:
    states = {task: evidence.state(task) for task in TASKS}
    passed = evidence.run_state == "success" and all(state == "success" for state in states.values())
    seen = ", ".join(f"{task} {state}" for task, state in states.items())
    return Row.judged(
        "DAG run succeeds",
        passed,
        f"run {evidence.run_state}: {seen}",
        "`airflow-env logs STACK scheduler` says what became of the task's pod.",
    )


def _logs_row(evidence: Evidence) -> Row:
    """Airflow must show each log from the environment's own bucket, and S3 itself must have it."""
    found = {task: _log_problem(evidence, task) for task in TASKS}
    seen = "; ".join(f"{task}: {problem}" for task, problem in found.items() if problem)
    read = sum(len(evidence.tasks[task].object_text or "") for task in TASKS if task in evidence.tasks)
    return Row.judged(
        "logs read back from S3",
        not seen,
        seen or f"{len(TASKS)} logs, {read} characters, in {evidence.logs_bucket}",
        "The roles of worker (writes) and API server (reads) need the bucket's task-logs/ and its key.",
    )


def _log_problem(evidence: Evidence, task: str) -> str:
    found = evidence.tasks.get(task)
    if found is None:
        return "the task did not run"
    source = s3_source(found.api_log)
    if source is None:
        return f"not from S3, but {', '.join(found.api_log.sources) or 'no source'}"
    if not source.startswith(f"s3://{evidence.logs_bucket}/"):
        return f"from another bucket: {source}"
    if f"dag_id={DAG_ID}/run_id={evidence.run_id}/task_id={task}/" not in source:
        return f"of another task or run: {source}"
    marker = f"canary-marker task={task} nonce={evidence.nonce} pod="
    if marker not in found.api_log.text:
        return f"no marker of this run in {source}, as Airflow shows it"
    if found.object_text is None:
        return f"S3 has no object {source}"
    return "" if marker in found.object_text else f"no marker of this run in the object {source}"


def _pods_row(evidence: Evidence) -> Row:
    """The tasks' pods must be two, and the cluster must have placed each of them on a node."""
    pods = [evidence.pod(task) for task in TASKS]
    unknown = [pod for pod in pods if pod not in evidence.scheduled_pods]
    seen = f"the cluster placed no pod {', '.join(unknown)}" if unknown else ", ".join(pods)
    return Row.judged(
        "two tasks in two pods",
        not unknown and len(set(pods)) == len(TASKS),
        seen,
        "`airflow-env config STACK` shows [core] executor; it is KubernetesExecutor.",
    )


def _xcom_row(evidence: Evidence) -> Row:
    """The second task must have received what only the first one knew: its pod's name with the nonce.

    What Airflow shows of the first one's report is the same XCom, so it is no witness of what was written.
    """
    expected = {"nonce": evidence.nonce, "pod": evidence.pod("write")}
    received = evidence.report("read").get("received")
    return Row.judged(
        "XCom from pod to pod",
        received == expected,
        f"received {received}, expected {expected}",
        "`airflow-env logs STACK api-server` shows the execution API that tasks talk to.",
    )


def _large_xcom_row(evidence: Evidence) -> Row:
    """A value over the threshold must reach the second task, and lie in S3 under this run's key."""
    received = evidence.report("read").get("large_xcom") or {}
    in_s3 = [text for text in evidence.large_xcoms if _nonce_of(text) == evidence.nonce]
    pushed = evidence.report("write").get("large_xcom") or {}
    arrived = received.get("nonce") == evidence.nonce and received.get("bytes") == pushed.get("bytes")
    problems = [
        *([f"written: {pushed['error']}"] if "error" in pushed else []),
        *([f"read: {received.get('error', received)}"] if not arrived else []),
        *([f"{len(evidence.large_xcoms)} objects under this run's key, none of it"] if not in_s3 else []),
    ]
    return Row.judged(
        "large XCom over S3",
        not problems,
        "; ".join(problems) or f"{received.get('bytes')} bytes, {len(in_s3)} object under this run's key",
        "The worker's role needs the bucket's xcom/; see [common.io] in `airflow-env config STACK`.",
    )


def _nonce_of(text: str) -> object:
    try:
        value = json.loads(text)
    except ValueError:
        return None
    return value.get("nonce") if isinstance(value, dict) else None


def _connection_row(evidence: Evidence) -> Row:
    """Only who has the password of the Connection in Secrets Manager can make this run's proof."""
    proof, expected = evidence.report("read").get("connection"), evidence.connection_proof
    if expected.startswith("error"):
        seen = f"Secrets Manager gave no password: {expected}"
    elif isinstance(proof, str):
        seen = "the task has its password" if proof == expected else "the task has another password"
    else:
        seen = f"the task found none: {(proof or {}).get('error', 'no report')}"
    return Row.judged(
        "Connection from Secrets Manager",
        proof == expected,
        seen,
        "The worker's role needs the secrets under the environment's prefix, and its key; "
        "`airflow-env up STACK` makes a lost secret again.",
    )


def _fernet_row(evidence: Evidence) -> Row:
    """A Variable must come back as it was written, and must not lie in the database as it was written."""
    stored = (evidence.database.get("variable") or {}).get("state") or evidence.database.get("error")
    back = evidence.report("read").get("variable")
    came_back = back == f"plain-{evidence.nonce}"
    shown = "the task read back what was written" if came_back else f"the task read {back or 'nothing'}"
    return Row.judged(
        "Fernet round trip",
        came_back and stored == "encrypted",
        f"{shown}; in the database: {stored or 'unknown'}",
        "All pods of Airflow need the same Fernet keys; "
        "`airflow-env logs STACK api-server` names what can't be decrypted.",
    )


def _tls_row(evidence: Evidence) -> Row:
    """All of Airflow's sessions are encrypted, and a server without the right certificate gets none."""
    seen = evidence.database
    poolers = seen.get("poolers")
    wanted = {
        **(_DIRECT if poolers is None else {}),
        "async_ssl": "verify-full",
        "sessions_without_tls": 0,
    }
    wrong = {key: seen.get(key) for key, value in wanted.items() if seen.get(key) != value}
    if "tls" not in seen or seen["tls"] == "none":
        wrong["tls"] = seen.get("tls")
    if poolers is not None:
        wrong |= _pooler_faults(poolers)
    how = "another authority or host name is refused" if poolers is None else f"by {len(poolers)} PgBouncer"
    good = f"{seen.get('tls')}, {seen.get('sessions')} sessions; {how}"
    bad = ", ".join(f"{key} is {value}" for key, value in wrong.items())
    return Row.judged(
        "verify-full to the database",
        not wrong,
        str(seen["error"]) if "error" in seen else bad or good,
        "`airflow-env up STACK` writes the database's URL again; `database.caBundle` names the authorities.",
    )


def _pooler_faults(poolers: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """What PgBouncers, by their pods, run with that they may not."""
    faults = {} if poolers else {"number of PgBouncers that serve": "0"}
    for pod, options in poolers.items():
        if "error" in options:
            faults[f"answer of {pod}"] = options["error"]
            continue
        found = {key: options.get(key, "absent") for key in _POOLED}
        faults |= {f"{key} of {pod}": value for key, value in found.items() if value != _POOLED[key]}
    return faults


def _database_row(evidence: Evidence) -> Row:
    """A task pod must hold nothing that opens the database, and must get no session without it."""
    report = evidence.report("read")
    found, attempt = report.get("credentials"), report.get("database") or {}
    network = str(attempt.get("network", "unknown"))
    told = "open, as to every pod of the cluster" if network == "open" else network
    if isinstance(found, list):
        held = ", ".join(found) or "none"
    else:
        held = f"unknown ({(found or {}).get('error', 'no report')})"
    session = attempt.get("session") or attempt.get("error") or "unknown"
    return Row.judged(
        "task pod without database access",
        found == [] and session in ("refused", "none"),
        f"credentials: {held}; session: {session}; network: {told}",
        "Remove what charts/values/task_pod.yaml.tpl or airflow.cfg gives to task pods.",
    )


def _foreign_secret_row(evidence: Evidence) -> Row:
    """The task's role must be refused, not merely find nothing."""
    answer = evidence.report("read").get("foreign_secret")
    return Row.judged(
        "no secret of another environment",
        answer == DENIED,
        f"GetSecretValue outside the environment's prefix: {answer}",
        "Look for policies that somebody attached to the worker's role; the program gives it one, `worker`.",
    )


def _user_row(evidence: Evidence) -> Row:
    """What the canary's user does not need, Airflow must refuse."""
    wrong = {path: status for path, status in evidence.answers_to_user.items() if status != FORBIDDEN}
    asked = ", ".join(f"{path} {status}" for path, status in evidence.answers_to_user.items())
    return Row.judged(
        "rights of the canary's user",
        bool(evidence.answers_to_user) and not wrong,
        asked,
        "Airflow's role Canary has more rights than it was made with: Airflow's UI, Security, List Roles.",
    )


# Each promise, and the tasks whose report it is judged by.
_ROWS: tuple[tuple[Callable[[Evidence], Row], tuple[str, ...]], ...] = (
    (_health_row, ()),
    (_run_row, ()),
    (_logs_row, TASKS),
    (_pods_row, TASKS),
    (_xcom_row, TASKS),
    (_large_xcom_row, TASKS),
    (_connection_row, ("read",)),
    (_fernet_row, TASKS),
    (_tls_row, ()),
    (_database_row, ("read",)),
    (_foreign_secret_row, ("read",)),
    (_user_row, ()),
)


def s3_source(log: TaskLog) -> str | None:
    """The object in S3 that Airflow read a log from."""
    return next((source for source in log.sources if source.startswith("s3://")), None)
