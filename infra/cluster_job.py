"""Runs a Kubernetes Job from a dynamic resource: start, wait, report, remove.

Used at deployment time only, by infra/dynamic.py. Credentials come from the kubeconfig's own command.
"""

from __future__ import annotations

import copy
import json
import secrets
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

import tenacity

POLL_SECONDS: Final = 1.0
# A Job that is being removed takes its pods with it; kubelet grants them 30 s by default.
REMOVAL_SECONDS: Final = 120
NOT_FOUND: Final = 404
CONFLICT: Final = 409
# An API server that restarts or is throttled, or whose check of tokens is away for a moment, answers so.
PASSING: Final = frozenset({401, 429, 500, 502, 503, 504})
PATIENCE_SECONDS: Final = 60
# Whose Job it is: a request whose answer was lost may have made it, or another run has.
RUN_ANNOTATION: Final = "airflow-environments/run"


class JobError(Exception):
    """A Job failed or took too long; the text holds the end of its output."""


def run(
    *,
    kubeconfig: str,
    namespace: str,
    name: str,
    manifest: str,
    arguments: Sequence[str],
    timeout_seconds: int,
) -> None:
    """Run a Job to its end and remove it when it succeeded; a failed one stays for a look at it.

    Args:
        kubeconfig: JSON text, with a command that yields the token.
        namespace: where to run.
        name: name of the Job; one that is left from a killed run is replaced.
        manifest: spec of the Job as JSON text.
        arguments: arguments of its only container.
        timeout_seconds: limit of the whole run, in s.

    Raises:
        JobError: with what the pod said last, or why the API server can't be asked.
    """
    from kubernetes import client, config
    from kubernetes.client import ApiException
    from urllib3.exceptions import HTTPError

    api_client = config.new_client_from_config_dict(json.loads(kubeconfig))  # type: ignore[no-untyped-call]
    with api_client:
        jobs: Any = client.BatchV1Api(api_client)
        pods: Any = client.CoreV1Api(api_client)
        body = job_body(name, json.loads(manifest), arguments, timeout_seconds)
        try:
            _remove(jobs, namespace, name)
            run_ = _create(jobs, namespace, body)
            _wait(jobs, pods, namespace, name, run_, timeout_seconds)
            _remove(jobs, namespace, name)
        except ApiException as error:
            said = f"{error.status} {error.reason}"
            raise JobError(f"The API server refuses Job {namespace}/{name}: {said}: {error.body}") from error
        except HTTPError as error:
            raise JobError(f"The API server can't be asked of Job {namespace}/{name}: {error}") from error


def _create(jobs: Any, namespace: str, body: dict[str, Any]) -> str:
    """Make a Job, and return what marks it; one that a request made whose answer was lost is this run's own.

    Raises:
        JobError: another run has made one of this name meanwhile.
    """
    from kubernetes.client import ApiException

    name, run_ = body["metadata"]["name"], secrets.token_hex(8)
    marked = {**body, "metadata": {"name": name, "annotations": {RUN_ANNOTATION: run_}}}
    try:
        _patiently(lambda: jobs.create_namespaced_job(namespace, marked))
    except ApiException as error:
        if error.status != CONFLICT:
            raise
        found = _patiently(lambda: jobs.read_namespaced_job_status(name, namespace))
        if not _is_of(found, run_):
            raise JobError(f"Job {namespace}/{name} was made by another run; wait for its end") from error
    return run_


def _is_of(job: Any, run_: str) -> bool:
    return bool((job.metadata.annotations or {}).get(RUN_ANNOTATION) == run_)


def job_body(name: str, spec: dict[str, Any], arguments: Sequence[str], deadline: int) -> dict[str, Any]:
    """Return the whole manifest of a Job from its spec, with arguments and deadline put in."""
    spec = copy.deepcopy(spec)
    spec["activeDeadlineSeconds"] = deadline
    spec["template"]["spec"]["containers"][0]["args"] = list(arguments)
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name}, "spec": spec}


def _wait(jobs: Any, pods: Any, namespace: str, name: str, run_: str, timeout_seconds: int) -> None:
    from kubernetes.client import ApiException

    end = time.monotonic() + timeout_seconds
    while time.monotonic() < end:
        try:
            found = _patiently(lambda: jobs.read_namespaced_job_status(name, namespace))
        except ApiException as error:
            if error.status != NOT_FOUND:
                raise
            raise JobError(
                f"Job {namespace}/{name} was removed before its end, by another run or by hand"
            ) from error
        if not _is_of(found, run_):
            # This process outlived its run, which was killed: the next one is at work.
            raise JobError(f"Job {namespace}/{name} was replaced by another run's; look at that run")
        for condition in found.status.conditions or []:
            if condition.type == "Complete" and condition.status == "True":
                return
            if condition.type == "Failed" and condition.status == "True":
                said = _last_words(pods, namespace, name)
                raise JobError(f"Job {namespace}/{name} failed ({condition.reason}): {said}")
        time.sleep(POLL_SECONDS)
    said = _last_words(pods, namespace, name)
    raise JobError(f"Job {namespace}/{name} did not end within {timeout_seconds} s: {said}")


def _patiently(ask: Callable[[], Any]) -> Any:
    """Ask again while the API server has a passing fault; a Job that runs goes on meanwhile."""
    from kubernetes.client import ApiException
    from urllib3.exceptions import HTTPError

    def passing(error: BaseException) -> bool:
        refused = isinstance(error, ApiException) and error.status in PASSING
        return refused or isinstance(error, HTTPError)

    return tenacity.Retrying(
        retry=tenacity.retry_if_exception(passing),
        stop=tenacity.stop_after_delay(PATIENCE_SECONDS),
        wait=tenacity.wait_fixed(POLL_SECONDS),
        reraise=True,
    )(ask)


def _last_words(pods: Any, namespace: str, name: str) -> str:
    """Return the message of the Job's newest pod: the end of its log, or why it did not start."""
    found = _patiently(lambda: pods.list_namespaced_pod(namespace, label_selector=f"job-name={name}")).items
    if not found:
        return f"it has no pod; see kubectl describe job {name} --namespace {namespace}"
    newest = max(found, key=lambda pod: pod.metadata.creation_timestamp)
    for container in newest.status.container_statuses or []:
        for state in (container.state.terminated, container.state.waiting):
            if state is not None and (state.message or state.reason):
                return str(state.message or state.reason).strip()
    conditions = [condition.message for condition in newest.status.conditions or [] if condition.message]
    return conditions[-1] if conditions else f"pod {newest.metadata.name} is {newest.status.phase}"


def _remove(jobs: Any, namespace: str, name: str) -> None:
    """Remove a Job and wait until it is gone; nothing happens when there is none."""
    from kubernetes.client import ApiException

    end = time.monotonic() + REMOVAL_SECONDS
    while time.monotonic() < end:
        try:
            _patiently(lambda: jobs.delete_namespaced_job(name, namespace, propagation_policy="Foreground"))
        except ApiException as error:
            if error.status == NOT_FOUND:
                return
            if error.status != CONFLICT:
                raise
        time.sleep(POLL_SECONDS)
    raise JobError(f"Job {namespace}/{name} from an earlier run is not going away; remove it and try again")
