"""The canary on a living environment: green when all is right, and red by exactly the row of what is broken.

The file's name puts it before the tests that end the environment.
"""

from __future__ import annotations

import json
import re

import boto3
import pytest
from canary_breaks import Breaks
from environment_access import airflow_as_canary, bucket_keys
from witness import STACK, Environment, succeed

from infra.lifecycle import canary_gather, canary_run, environments, report

pytestmark = pytest.mark.cluster


def test_the_canary_passes_and_its_logs_are_in_the_bucket(environment: Environment) -> None:
    """The rows are green, and S3 itself has the logs of a run that was not there before."""
    s3, bucket = boto3.client("s3"), environment.outputs["logsBucket"]
    before = bucket_keys(bucket)
    answer = json.loads(succeed("airflow-env", "canary", STACK, "--json", seconds=900))
    assert [row for row in answer["rows"] if row["outcome"] != "passed"] == []
    fresh = [key for key in bucket_keys(bucket) - before if "dag_id=canary/" in key]
    tasks = sorted(match[1] for key in fresh if (match := re.search(r"/task_id=(\w+)/attempt=1\.log$", key)))
    assert tasks == ["read", "write"]
    pods = set()
    for key in fresh:
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


# In which of the runs each thing is broken, a bit for each. All differ: a row that is red in other runs than
# its thing is broken in would be another thing's.
BROKEN_IN = {
    "logs read back from S3": 0b0001,
    "two tasks in two pods": 0b0010,
    "large XCom over S3": 0b0011,
    "verify-full to the database": 0b0100,
    "no secret of another environment": 0b0101,
    "Connection from Secrets Manager": 0b0110,
    "Fernet round trip": 0b0111,
    # To the end, once they are broken: a part comes back slowly, and a user's rights are kept for a while.
    "all parts healthy": 0b1000,
    "rights of the canary's user": 0b1100,
    "task pod without database access": 0b1001,
    "XCom from pod to pod": 0b1010,
}
CANARY_RUNS = 4
TOLD_WITHOUT_TASKS = ("all parts healthy", "verify-full to the database", "rights of the canary's user")


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
        **{row: report.Outcome.NOT_JUDGED for row in BROKEN_IN if row not in TOLD_WITHOUT_TASKS},
    }, rows


def test_each_broken_thing_turns_exactly_its_row_red(
    environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    breaks = Breaks(environment)
    assert set(BROKEN_IN) == set(breaks.all())
    assert len(set(BROKEN_IN.values())) == len(BROKEN_IN)
    # A log that is refused never comes; waiting for it shows nothing more.
    monkeypatch.setattr(canary_gather, "LOG_SECONDS", 15.0)
    exports = environments.Exports.of(STACK, environment.outputs)
    for run_number in range(CANARY_RUNS):
        broken = [row for row, number in BROKEN_IN.items() if number >> run_number & 1]
        with breaks.together(broken):
            rows = canary_run.run_canary(exports, print)
        assert sorted(row.name for row in report.failed(rows)) == sorted(broken), rows
