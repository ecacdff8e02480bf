"""A Job that deployments run: passing faults of the API server are waited out, others are one sentence."""

from __future__ import annotations

import time
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import kubernetes
import pytest
from kubernetes.client import ApiException
from urllib3.exceptions import MaxRetryError, NewConnectionError

from infra import cluster_job

MANIFEST = '{"template": {"spec": {"containers": [{}]}}}'
REFUSED = MaxRetryError(None, "/", NewConnectionError(None, "connection refused"))  # type: ignore[arg-type]


class Jobs:
    """The API of Jobs: one that is made is complete when it is read, and gone when it is deleted."""

    def __init__(self) -> None:
        self.made: list[dict[str, Any]] = []
        self.there: dict[str, Any] | None = None
        # What goes wrong: the verb, before or after its effect, and how; each once, or for ever.
        self.faults: list[tuple[str, str, Exception]] = []
        self.for_ever = False

    def _fail(self, verb: str, moment: str) -> None:
        for fault in self.faults:
            if fault[:2] == (verb, moment):
                if not self.for_ever:
                    self.faults.remove(fault)
                raise fault[2]

    def _found(self) -> dict[str, Any]:
        if self.there is None:
            raise ApiException(404, "Not Found")
        return self.there

    def create_namespaced_job(self, _namespace: str, body: dict[str, Any]) -> None:
        """Make one."""
        self._fail("create", "before")
        if self.there is not None:
            raise ApiException(409, "AlreadyExists")
        self.there = body
        self.made.append(body)
        self._fail("create", "after")

    def read_namespaced_job_status(self, _name: str, _namespace: str) -> Any:
        """Say that it is complete."""
        self._fail("read", "before")
        metadata = SimpleNamespace(annotations=self._found()["metadata"].get("annotations"))
        complete = SimpleNamespace(type="Complete", status="True", reason=None)
        return SimpleNamespace(metadata=metadata, status=SimpleNamespace(conditions=[complete]))

    def delete_namespaced_job(self, _name: str, _namespace: str, **_: object) -> None:
        """Take it away."""
        self._fail("delete", "before")
        self._found()
        self.there = None
        self._fail("delete", "after")


@pytest.fixture
def jobs(monkeypatch: pytest.MonkeyPatch) -> Jobs:
    """The API that the kubeconfig leads to; nobody waits."""
    found = Jobs()
    monkeypatch.setattr(kubernetes.config, "new_client_from_config_dict", lambda _: nullcontext())
    monkeypatch.setattr(kubernetes.client, "BatchV1Api", lambda _: found)
    monkeypatch.setattr(kubernetes.client, "CoreV1Api", lambda _: None)
    monkeypatch.setattr(time, "sleep", lambda _: None)
    return found


def run() -> None:
    """Run the Job as a rotation does."""
    cluster_job.run(
        kubeconfig="{}", namespace="a", name="b", manifest=MANIFEST, arguments=[], timeout_seconds=9
    )


@pytest.mark.parametrize(
    ("verb", "moment"),
    [
        ("create", "before"),
        ("create", "after"),
        ("read", "before"),
        ("delete", "before"),
        ("delete", "after"),
    ],
)
@pytest.mark.parametrize(
    "error",
    [ApiException(401), ApiException(429), ApiException(503), REFUSED],
    ids=["401", "429", "503", "refused"],
)
def test_a_passing_fault_is_waited_out_and_the_job_runs_once(
    jobs: Jobs, verb: str, moment: str, error: Exception
) -> None:
    """Also where the API server did what it was asked and its answer was lost."""
    jobs.faults = [(verb, moment, error)]
    run()
    assert (len(jobs.made), jobs.there) == (1, None)


@pytest.mark.parametrize("verb", ["create", "read", "delete"])
@pytest.mark.parametrize(
    ("error", "named"),
    [(ApiException(403, "Forbidden"), "403 Forbidden"), (REFUSED, "connection refused")],
    ids=["403", "refused"],
)
def test_a_fault_that_stays_is_the_jobs_failure(
    jobs: Jobs, monkeypatch: pytest.MonkeyPatch, verb: str, error: Exception, named: str
) -> None:
    monkeypatch.setattr(cluster_job, "PATIENCE_SECONDS", 0)
    jobs.faults, jobs.for_ever = [(verb, "before", error)], True
    with pytest.raises(cluster_job.JobError, match=f"Job a/b.*{named}"):
        run()


def test_a_job_that_another_run_removed_is_told(jobs: Jobs) -> None:
    jobs.faults = [("read", "before", ApiException(404, "Not Found"))]
    with pytest.raises(cluster_job.JobError, match="a/b was removed before its end"):
        run()


def test_a_job_that_another_run_made_meanwhile_is_not_taken_for_ours(jobs: Jobs) -> None:
    """It may have other arguments."""

    def gone(*_: object, **__: object) -> None:
        jobs.there = {"metadata": {"name": "b", "annotations": {cluster_job.RUN_ANNOTATION: "other"}}}
        raise ApiException(404, "Not Found")

    jobs.delete_namespaced_job = gone  # type: ignore[method-assign]
    with pytest.raises(cluster_job.JobError, match="made by another run"):
        run()


def test_a_job_that_another_run_put_in_its_place_is_neither_taken_for_ours_nor_removed(jobs: Jobs) -> None:
    """What started it may have outlived its killed run, and the run after that makes one of the same name."""
    other = {"metadata": {"name": "b", "annotations": {cluster_job.RUN_ANNOTATION: "other"}}}
    make = jobs.create_namespaced_job

    def made_and_replaced(namespace: str, body: dict[str, Any]) -> None:
        make(namespace, body)
        jobs.there = other

    jobs.create_namespaced_job = made_and_replaced  # type: ignore[method-assign]
    with pytest.raises(cluster_job.JobError, match="a/b was replaced by another run"):
        run()
    assert jobs.there is other
