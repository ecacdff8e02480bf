"""`rotate`: new keys and passwords while Airflow runs.

A rotation is a run of the program with one variable set (see `infra/key_ring.py`). Stack files stay as they
are, and the next ordinary `up` finds nothing to do. A rotation that was killed is run again: each step may be
repeated, and a key is dropped only when nothing needs it any more. Rings hold one key from before, so a ring
moves only when all pods have come to where it is: what was cut off in between is brought to its end instead.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import yaml

from infra import cluster_job, naming
from infra.chart_values import CONNECTION_ASYNC_KEY, CONNECTION_KEY
from infra.components.airflow_secrets import FERNET_KEY, RING_ROLES
from infra.components.database_tenant import CLOSED_LOGIN_VARIABLE
from infra.job_pod import JobPod, job_spec, scripts
from infra.key_ring import ROTATION_VARIABLE, RequestVerb, RotatedKey, generations_of
from infra.lifecycle import deployment, environments
from infra.lifecycle.cluster_access import ClusterAccess, cluster_access
from infra.lifecycle.errors import LifecycleError
from infra.lifecycle.report import Timings, console

# What the user has to know, once it is done.
AFTERWARDS = {
    RotatedKey.FERNET: "Connections, Variables and triggers are encrypted with the new key. The one before "
    "stays readable until the next rotation, and backups keep all. After a leak, rotate twice.",
    RotatedKey.API: "Sessions in browsers have ended; people log in again. Tasks do not notice.",
    RotatedKey.JWT: "Tokens are signed by the new key. The one before is trusted until the next rotation, so "
    "that running tasks go on. After a leak, rotate again in ten minutes, when they have renewed theirs.",
    RotatedKey.DATABASE: "Airflow logs in as the other role with a new password; the one before is closed, "
    "and its sessions are ended.",
}
# A large installation has some thousands of Connections; a value takes milliseconds.
JOB_SECONDS = 1800
# Logical name of the component that holds the rings.
RING_COMPONENT = "secrets"
SCRIPT = "fernet_rotation.py"
TENANT_TYPE = "airflow:DatabaseTenant"


def rotate(key: RotatedKey, stack: str) -> None:
    """Rotate one key of a deployed environment.

    Raises:
        LifecycleError: the environment is not deployed, or a step failed; the same command goes on then.
    """
    exports = environments.exports(stack)
    timings = Timings()
    with timings.step("preflight"):
        deployment.check(stack)
    project = environments.project()
    resources = project.resources(stack)
    behind = behind_their_rings(exports.key_generations, resources)
    if behind:
        with timings.step(f"rotation that was cut off ({', '.join(sorted(behind))}), pods replaced"):
            project.up(stack, deployment.progress())
    # Pods have come to the new login, and the run that closes the one before was cut off.
    begun = key in unfinished(exports.key_generations, resources)
    re_encrypt = key is RotatedKey.FERNET
    if re_encrypt and not begun:
        # The previous key is dropped by what follows: nothing may need it.
        with timings.step("every value is encrypted with the key in use"):
            _encrypt_anew(exports, stack)
    if not begun:
        with timings.step(f"new {key.value} key, pods replaced"):
            _request(stack, key, RequestVerb.ADVANCE)
    if re_encrypt:
        with timings.step("every value is encrypted with the new key"):
            _encrypt_anew(exports, stack)
    if key is RotatedKey.DATABASE:
        with timings.step("login role from before is closed"):
            _request(stack, key, RequestVerb.FORGET)
    timings.print()
    console.print(AFTERWARDS[key], markup=False)


def behind_their_rings(reached: str, resources: Iterable[Mapping[str, Any]]) -> set[RotatedKey]:
    """Return the keys of rotations that were cut off: their rings moved, and no deployment reached its end.

    Args:
        reached: how often each key was rotated, as the last deployment exported that reached its end; empty
            for one of a version that did not say it, where nothing tells that a rotation was cut off.
        resources: of the stack's state.
    """
    known, found = generations_of(reached), set()
    for key, role in RING_ROLES.items():
        rings = [item for item in resources if str(item["urn"]).endswith(f"KeyRing::{RING_COMPONENT}-{role}")]
        if any(int(item["outputs"]["generation"]) > known[key] for item in rings if key in known):
            found.add(key)
    return found


def unfinished(reached: str, resources: Sequence[Mapping[str, Any]]) -> list[RotatedKey]:
    """Return the keys of rotations that `rotate` has to bring to their ends; arguments as above.

    Of `fernet`, values that are still to be encrypted anew do not show: the next rotation does it first.
    """
    found = behind_their_rings(reached, resources)
    return sorted(found | ({RotatedKey.DATABASE} if login_left_open(resources) else set()))


def login_left_open(resources: Iterable[Mapping[str, Any]]) -> bool:
    """Whether the login role of the last rotation is open still, by what its Job was told last.

    Args:
        resources: of the stack's state.
    """
    open_still = {"name": CLOSED_LOGIN_VARIABLE, "value": ""}
    jobs = [item["outputs"]["job"] for item in resources if str(item.get("type")).endswith(TENANT_TYPE)]
    pods = [json.loads(job)["template"]["spec"] for job in jobs]
    return any(open_still in container["env"] for pod in pods for container in pod["containers"])


def _request(stack: str, key: RotatedKey, verb: RequestVerb) -> None:
    request = f"{key.value}={verb.value}:{secrets.token_hex(8)}"
    environments.project().up(stack, deployment.progress(), variables={ROTATION_VARIABLE: request})


def _encrypt_anew(exports: environments.Exports, stack: str) -> None:
    """Run Airflow's own command in a Job of the image that runs, which knows the database as it is."""
    with cluster_access(exports.cluster_name, exports.region, exports.namespace) as access:
        refuse_another_script(access.json("get", "configmap", naming.JOB_SCRIPTS_CONFIG_MAP), stack)
        pod = encryption_pod(_running_image(access, exports.release_name))
        spec = job_spec(pod, deadline_seconds=JOB_SECONDS, retries=1)
        kubeconfig = json.dumps(yaml.safe_load(access.kubeconfig.read_text(encoding="utf-8")))
        _guarded(
            lambda: cluster_job.run(
                kubeconfig=kubeconfig,
                namespace=exports.namespace,
                name="airflow-fernet-rotation",
                manifest=json.dumps(spec),
                arguments=[],
                timeout_seconds=JOB_SECONDS,
            ),
            stack,
        )


def refuse_another_script(config_map: Mapping[str, Any], stack: str) -> None:
    """Stop when the Job would run another script than this checkout's: the cluster has that of the last `up`.

    Raises:
        LifecycleError: it is another one, or there is none.
    """
    if (config_map.get("data") or {}).get(SCRIPT) != scripts()[SCRIPT]:
        raise LifecycleError(
            f"The script {SCRIPT} in the cluster is not the one of this checkout: another version deployed "
            f"{stack}. No key was changed.",
            f"Run `airflow-env up {stack}`, which brings it there, then `airflow-env rotate fernet {stack}`.",
        )


def encryption_pod(image: str) -> JobPod:
    """The pod that encrypts anew, with Airflow's connection and ring of keys."""
    return JobPod(
        script=SCRIPT,
        image=image,
        service_account=naming.SERVICE_ACCOUNTS.migration,
        environment={},
        secret_environment={
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": (naming.METADATA_SECRET, CONNECTION_KEY),
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC": (naming.METADATA_SECRET, CONNECTION_ASYNC_KEY),
            "AIRFLOW__CORE__FERNET_KEY": (naming.FERNET_KEY_SECRET, FERNET_KEY),
        },
        secret_files=[],
        memory="768Mi",
        memory_limit="2Gi",
    )


def _running_image(access: ClusterAccess, release: str) -> str:
    """The image of the schedulers: a changed stack file may name another one."""
    found = access.json("get", "deployment", f"{release}-scheduler")
    return str(found["spec"]["template"]["spec"]["containers"][0]["image"])


def _guarded(run: Callable[[], None], stack: str) -> None:
    try:
        run()
    except cluster_job.JobError as error:
        raise LifecycleError(
            f"Encrypting anew failed; every value is readable as before. {error}",
            f"Mend what the message names, then run `airflow-env rotate fernet {stack}` again.",
        ) from error
