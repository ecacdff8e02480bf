"""Manifests of the environment's own Jobs: pods of the Airflow image that run one of our scripts.

Pure functions. The pods fit the namespace's restricted pod security, mount the database's certificate
authorities, and get secrets as files or by reference; nothing secret is part of a manifest or an argument.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pulumi

from infra import naming

SCRIPT_DIRECTORY: Final = "/opt/airflow-jobs"
SECRET_DIRECTORY: Final = "/var/run/airflow-secrets"  # noqa: S105 - a path

# User and group of the official image: https://airflow.apache.org/docs/docker-stack/
AIRFLOW_USER: Final = 50000
AIRFLOW_GROUP: Final = 0

# Autoscalers move a pod by ending it; a migration or a change of roles would be cut in two. The first is
# Karpenter's and EKS Auto Mode's: https://karpenter.sh/docs/concepts/disruption/#pod-level-controls
STAYS_WHERE_IT_IS: Final = {
    "karpenter.sh/do-not-disrupt": "true",
    "cluster-autoscaler.kubernetes.io/safe-to-evict": "false",
}
SCRIPTS: Final = ("airflow_users.py", "database_migration.py", "database_tenant.py", "fernet_rotation.py")


def scripts() -> dict[str, str]:
    """Return the source of every Job script, file name -> text."""
    directory = Path(__file__).resolve().parent / "jobs"
    return {name: (directory / name).read_text(encoding="utf-8") for name in SCRIPTS}


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretFile:
    """One key of a Secret, mounted as SECRET_DIRECTORY/<secret>/<key>."""

    secret: str
    key: str

    @property
    def path(self) -> str:
        """Path of the file in the container."""
        return f"{SECRET_DIRECTORY}/{self.secret}/{self.key}"


@dataclass(frozen=True, slots=True, kw_only=True)
class JobPod:
    """What one Job's pod runs."""

    script: str
    image: str
    service_account: str
    environment: Mapping[str, pulumi.Input[str]]
    secret_environment: Mapping[str, tuple[str, str]]
    """Variable -> (Secret, key)."""
    secret_files: Sequence[SecretFile]
    memory: str = "512Mi"
    memory_limit: str = "1Gi"


def job_spec(pod: JobPod, *, deadline_seconds: int, retries: int) -> dict[str, Any]:
    """Return the spec of a Job for `pod`; leaves of its environment may be Outputs.

    There is no time to live: a finished Job is the record that it ran.

    Args:
        pod: what to run.
        deadline_seconds: the Job fails after this time, in s.
        retries: how often a failed pod is tried again.
    """
    return {
        "backoffLimit": retries,
        "activeDeadlineSeconds": deadline_seconds,
        "template": {
            "metadata": {
                "labels": {"tier": "airflow", "component": "environment-job"},
                "annotations": dict(STAYS_WHERE_IT_IS),
            },
            "spec": {
                "restartPolicy": "Never",
                "serviceAccountName": pod.service_account,
                "automountServiceAccountToken": False,
                "enableServiceLinks": False,
                "securityContext": {
                    "runAsUser": AIRFLOW_USER,
                    "runAsGroup": AIRFLOW_GROUP,
                    "fsGroup": AIRFLOW_GROUP,
                    "runAsNonRoot": True,
                    "seccompProfile": {"type": "RuntimeDefault"},
                },
                "containers": [_container(pod)],
                "volumes": _volumes(pod),
            },
        },
    }


def _container(pod: JobPod) -> dict[str, Any]:
    plain = {"PGSSLROOTCERT": naming.DATABASE_CA_FILE, **pod.environment}
    references = [
        {"name": name, "valueFrom": {"secretKeyRef": {"name": secret, "key": key}}}
        for name, (secret, key) in pod.secret_environment.items()
    ]
    mounts = [
        {"name": "scripts", "mountPath": SCRIPT_DIRECTORY, "readOnly": True},
        {"name": "rds-ca", "mountPath": naming.DATABASE_CA_DIRECTORY, "readOnly": True},
        *(
            {"name": secret, "mountPath": f"{SECRET_DIRECTORY}/{secret}", "readOnly": True}
            for secret in _secrets(pod)
        ),
    ]
    return {
        "name": "job",
        "image": pod.image,
        "command": ["python", f"{SCRIPT_DIRECTORY}/{pod.script}"],
        "env": [*({"name": name, "value": value} for name, value in plain.items()), *references],
        "volumeMounts": mounts,
        "resources": {
            "requests": {"cpu": "250m", "memory": pod.memory},
            "limits": {"memory": pod.memory_limit},
        },
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        # The end of the output becomes the pod's message, which the failing deployment shows.
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }


def _volumes(pod: JobPod) -> list[dict[str, Any]]:
    by_secret = {
        secret: [{"key": file.key, "path": file.key} for file in pod.secret_files if file.secret == secret]
        for secret in _secrets(pod)
    }
    return [
        {"name": "scripts", "configMap": {"name": naming.JOB_SCRIPTS_CONFIG_MAP}},
        {"name": "rds-ca", "configMap": {"name": naming.DATABASE_CA_CONFIG_MAP}},
        *(
            # 0440: the group is the image's own, by fsGroup.
            {"name": secret, "secret": {"secretName": secret, "items": items, "defaultMode": 0o440}}
            for secret, items in by_secret.items()
        ),
    ]


def _secrets(pod: JobPod) -> list[str]:
    return sorted({file.secret for file in pod.secret_files})
