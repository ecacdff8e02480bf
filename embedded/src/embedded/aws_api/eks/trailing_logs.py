"""What the control plane of a deleted cluster still logs: its log group comes back after its deletion.

EKS writes what it had in hand by its service-linked role, which makes the group anew: without key, retention
or tags, and in the way of the next cluster of that name. Here once; with the logs off before, never.
https://github.com/terraform-aws-modules/terraform-aws-eks/issues/2446
"""

from typing import Any

from moto.logs.models import LogsBackend

_delete = LogsBackend.delete_log_group


def group_of(cluster: str) -> str:
    """The log group that EKS writes to."""
    return f"/aws/eks/{cluster}/cluster"


def is_on(logging: Any) -> bool:
    """Whether a cluster's `logging` turns any kind of log on."""
    return any(setup.get("enabled") for setup in (logging or {}).get("clusterLogging") or [])


def _delete_log_group(backend: LogsBackend, log_group_name: str) -> None:
    from moto.eks.models import eks_backends

    _delete(backend, log_group_name)
    trailing: set[str] = eks_backends[backend.account_id][backend.region_name].__dict__.get("trailing", set())
    if log_group_name in trailing:
        trailing.remove(log_group_name)
        backend.create_log_group(log_group_name, {})


LogsBackend.delete_log_group = _delete_log_group  # type: ignore[method-assign, assignment]
