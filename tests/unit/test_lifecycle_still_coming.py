"""What AWS is still making is taken into the state once it is there, with what it then tells of itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from infra.lifecycle import half_made, still_coming
from infra.lifecycle.errors import LifecycleError
from infra.lifecycle.half_made import PendingCreate, Surroundings

INSTANCE = PendingCreate("urn:pulumi:one::airflow::type::instance", "aws:rds/instance:Instance", {})
AROUND = Surroundings("eu-west-1", "airflow-one-1234", ())


@pytest.fixture
def rds(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stubber]:
    """Answers of RDS, in their order; each has to be asked for."""
    monkeypatch.setattr(still_coming, "PAUSE_SECONDS", 0)
    key = {"aws_access_key_id": "none", "aws_secret_access_key": "none"}
    client = boto3.client("rds", region_name=AROUND.region, **key)
    monkeypatch.setattr(half_made.boto3, "client", lambda *_, **__: client)
    with Stubber(client) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


def status(value: str) -> dict[str, Any]:
    return {"DBInstances": [{"DBInstanceStatus": value}]}


def test_an_instance_is_waited_for_until_it_can_be_used(rds: Stubber) -> None:
    for value in ("creating", "backing-up", "available"):
        rds.add_response("describe_db_instances", status(value), {"DBInstanceIdentifier": "one"})
    still_coming.wait(INSTANCE, "one", AROUND)


def test_what_is_not_there_is_not_waited_for(rds: Stubber) -> None:
    rds.add_client_error("describe_db_instances", "DBInstanceNotFound", http_status_code=404)
    still_coming.wait(INSTANCE, "one", AROUND)


def test_what_failed_is_not_waited_for(rds: Stubber) -> None:
    rds.add_response("describe_db_instances", status("failed"))
    still_coming.wait(INSTANCE, "one", AROUND)


def test_patience_ends_with_what_to_do(rds: Stubber, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(still_coming, "ATTEMPTS", 2)
    for _ in range(2):
        rds.add_response("describe_db_instances", status("creating"))
    with pytest.raises(LifecycleError, match=r"still making instance \(one\)"):
        still_coming.wait(INSTANCE, "one", AROUND)
