"""The canary on a living environment: green when all is right, and red by exactly the row of what is broken.

The file's name puts it before the tests that end the environment.
"""

from __future__ import annotations

import re

import boto3
import pytest
from canary_breaks import Breaks
from environment_access import airflow_as_canary, bucket_keys
from witness import STACK, Environment

from infra.lifecycle import canary_gather, canary_run, environments, report

pytestmark = pytest.mark.cluster


def test_the_deployment_was_proved_by_a_canary_whose_logs_are_in_the_bucket(
    environment: Environment,
) -> None:
    """S3 itself has the logs of the one run by which `airflow-env up` found all rows green."""
    s3, bucket = boto3.client("s3"), environment.outputs["logsBucket"]
    proofs = [key for key in bucket_keys(bucket) if "dag_id=canary/run_id=canary-" in key]
    tasks = sorted(match[1] for key in proofs if (match := re.search(r"/task_id=(\w+)/attempt=1\.log$", key)))
    assert tasks == ["read", "write"]
    pods = set()
    for key in proofs:
        text = s3.get_object(Bucket=bucket, Key=key)["Body"].read().decode()
        pods |= set(re.findall(r"canary-marker task=\w+ nonce=\w+ pod=([a-z0-9-]+)", text))
    assert len(pods) == 2


def test_the_canarys_user_starts_the_canary_and_nothing_else(environment: Environment) -> None:
    """Before the rights are changed: Airflow keeps those of a user for half a minute."""
    with airflow_as_canary(environment) as airflow:
        answers = {
            path: airflow.status(f"/api/v2/{path}")
            for path in ("dags/canary", "connections", "variables", "pools", "config", "dags/other")
        }
    assert answers["dags/canary"] == 200
    assert {status for path, status in answers.items() if path != "dags/canary"} == {403}


# In which of the runs each thing is broken: see `_tells_apart`. What takes long to break or mend stays broken
# for two runs that follow each other.
BROKEN_IN = {
    "two tasks in two pods": {0, 1},
    "verify-full to the database: unverified session": {1, 2},
    "verify-full to the database: session without TLS": {2, 3},
    "all parts healthy": {3, 4},
    # To the end: Airflow keeps a user's rights for a while.
    "rights of the canary's user": {4, 5},
    "Connection from Secrets Manager": {0, 2},
    "logs read back from S3": {0, 3},
    "large XCom over S3": {1, 4},
    "Fernet round trip": {1, 5},
    "task pod without database access": {2, 4},
    "no secret of another environment": {2, 5},
    "XCom from pod to pod": {3, 5},
}
REFUSED_LOG_SECONDS = 10.0
TOLD_WITHOUT_TASKS = {"all parts healthy", "verify-full to the database", "rights of the canary's user"}


def _row(broken: str) -> str:
    return broken.partition(":")[0]


def _red_in() -> dict[str, set[int]]:
    """Each row, and the runs in which it has to be red."""
    rows = {_row(name) for name in BROKEN_IN}
    return {
        row: set().union(*(runs for name, runs in BROKEN_IN.items() if _row(name) == row)) for row in rows
    }


def _tells_apart(name: str) -> bool:
    """Whether the runs show that a thing reddens its own row, and no other.

    Another row that it reddened as well would pass unseen if it were red anyway in all of these runs; and the
    row's other things must not be broken in all of them.
    """
    others = {other: runs for other, runs in BROKEN_IN.items() if other != name and _row(other) == _row(name)}
    always_red = [row for row, runs in _red_in().items() if BROKEN_IN[name] <= runs]
    return always_red == [_row(name)] and not BROKEN_IN[name] <= set().union(*others.values())


def test_a_run_whose_tasks_cannot_start_turns_its_own_row_red_and_leaves_what_they_tell_open(
    environment: Environment,
) -> None:
    """The one row that can't be red while all others are green: without tasks, nobody reports."""
    with Breaks(environment).no_task_pods():
        rows = canary_run.run_canary(environments.Exports.of(STACK, environment.outputs), print)
    outcomes = {row.name: row.outcome for row in rows}
    assert outcomes == {
        "DAG run succeeds": report.Outcome.FAILED,
        **dict.fromkeys(TOLD_WITHOUT_TASKS, report.Outcome.PASSED),
        **dict.fromkeys(_red_in().keys() - TOLD_WITHOUT_TASKS, report.Outcome.NOT_JUDGED),
    }, rows


def test_each_broken_thing_turns_exactly_its_row_red(
    environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    breaks = Breaks(environment)
    assert set(BROKEN_IN) == set(breaks.all())
    assert [name for name in BROKEN_IN if not _tells_apart(name)] == []
    exports = environments.Exports.of(STACK, environment.outputs)
    with breaks.changing() as break_only:
        for run_number in sorted(set().union(*BROKEN_IN.values())):
            broken = [name for name, runs in BROKEN_IN.items() if run_number in runs]
            # A log that is refused never comes; waiting for it shows nothing more.
            if "logs read back from S3" in broken:
                monkeypatch.setattr(canary_gather, "LOG_SECONDS", REFUSED_LOG_SECONDS)
            else:
                monkeypatch.undo()
            break_only(broken)
            rows = canary_run.run_canary(exports, print)
            assert {row.name for row in report.failed(rows)} == {_row(name) for name in broken}, rows
            assert {row.outcome for row in rows} <= {report.Outcome.PASSED, report.Outcome.FAILED}, rows
