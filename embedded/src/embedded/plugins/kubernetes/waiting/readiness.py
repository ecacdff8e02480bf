"""When an object does its work, by kind, with the rules that users of the official plugin know.

Pure functions over the object, plus what they are given of other objects. A kind without a rule is ready as
soon as the server has stored it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from embedded.plugins.common.properties import value_at
from embedded.plugins.kubernetes.waiting.pods import condition, is_ready, trouble

JsonMap = dict[str, Any]


@dataclass(frozen=True)
class Readiness:
    """How far an object is: `waits_for` says what is missing, `failed` why waiting longer is in vain."""

    ready: bool
    waits_for: str = ""
    failed: str = ""

    @classmethod
    def when(cls, ready: bool, waits_for: str) -> "Readiness":
        """Ready, or waiting for that."""
        return cls(ready, "" if ready else waits_for)


READY = Readiness(True)


def _observed(item: JsonMap) -> bool:
    """Whether the controller has seen the object as it is now; before, its status is about the past."""
    generation = item["metadata"].get("generation", 0)
    return int(value_at(item, ("status", "observedGeneration")) or 0) >= int(generation)


def _wanted(item: JsonMap) -> int:
    replicas = value_at(item, ("spec", "replicas"))
    return 1 if replicas is None else int(replicas)


def _count(item: JsonMap, name: str) -> int:
    return int(value_at(item, ("status", name)) or 0)


def deployment(item: JsonMap) -> Readiness:
    """Rolled out: all replicas are of the current template, available, and the old ones are gone."""
    if not _observed(item):
        return Readiness(False, "the deployment controller")
    progressing = condition(item, "Progressing")
    if progressing.get("reason") == "ProgressDeadlineExceeded":
        return Readiness(False, failed=f"roll-out stopped: {progressing.get('message')}")
    wanted, updated = _wanted(item), _count(item, "updatedReplicas")
    available, total = _count(item, "availableReplicas"), _count(item, "replicas")
    if updated < wanted:
        return Readiness(False, f"replicas of the new template ({updated} of {wanted})")
    if total > updated:
        return Readiness(False, f"old replicas to end ({total - updated} left)")
    return Readiness.when(available >= wanted, f"replicas to be available ({available} of {wanted})")


def stateful_set(item: JsonMap) -> Readiness:
    """All replicas are ready and, with rolling updates, of the current revision."""
    if not _observed(item):
        return Readiness(False, "the stateful set controller")
    wanted, ready = _wanted(item), _count(item, "readyReplicas")
    if value_at(item, ("spec", "updateStrategy", "type")) == "OnDelete":
        return Readiness.when(ready >= wanted, f"replicas to be ready ({ready} of {wanted})")
    partition = value_at(item, ("spec", "updateStrategy", "rollingUpdate", "partition")) or 0
    current = value_at(item, ("status", "currentRevision")) == value_at(item, ("status", "updateRevision"))
    to_update = max(wanted - int(partition), 0)
    updated = wanted if current else _count(item, "updatedReplicas")
    if updated < to_update:
        return Readiness(False, f"replicas of the new revision ({updated} of {to_update})")
    return Readiness.when(ready >= wanted, f"replicas to be ready ({ready} of {wanted})")


def daemon_set(item: JsonMap) -> Readiness:
    """A pod of the current template is available on every node that should have one."""
    if not _observed(item):
        return Readiness(False, "the daemon set controller")
    wanted, available = _count(item, "desiredNumberScheduled"), _count(item, "numberAvailable")
    updated = _count(item, "updatedNumberScheduled")
    if value_at(item, ("spec", "updateStrategy", "type")) != "OnDelete" and updated < wanted:
        return Readiness(False, f"pods of the new template ({updated} of {wanted})")
    return Readiness.when(available >= wanted, f"pods to be available ({available} of {wanted})")


def job(item: JsonMap) -> Readiness:
    """Complete; a failed job is a failure at once."""
    failed = condition(item, "Failed")
    if failed.get("status") == "True":
        return Readiness(False, failed=f"job failed: {failed.get('reason')}: {failed.get('message')}")
    done, wanted = _count(item, "succeeded"), value_at(item, ("spec", "completions")) or 1
    finished = condition(item, "Complete").get("status") == "True"
    failures = _count(item, "failed")
    note = f", {failures} failed" if failures else ""
    return Readiness.when(finished, f"pods to complete ({done} of {wanted}{note})")


def pod(item: JsonMap) -> Readiness:
    """Serving, or done; a pod that failed for good is a failure at once."""
    if is_ready(item):
        return READY
    if value_at(item, ("status", "phase")) == "Failed":
        return Readiness(False, failed=trouble(item) or "the pod failed")
    return Readiness(False, "the pod to be ready")


def service_without_endpoints(item: JsonMap) -> Readiness:
    """The part of a service that its own object tells: an address from the load balancer."""
    if value_at(item, ("spec", "type")) != "LoadBalancer":
        return READY
    return Readiness.when(bool(value_at(item, ("status", "loadBalancer", "ingress"))), "the load balancer")


def needs_endpoints(item: JsonMap) -> bool:
    """Whether a service promises an address with something behind it."""
    spec = item.get("spec") or {}
    headless = spec.get("clusterIP") == "None"
    return bool(spec.get("selector")) and not headless and spec.get("type") != "ExternalName"


def ingress(item: JsonMap) -> Readiness:
    """A controller has given it an address."""
    return Readiness.when(
        bool(value_at(item, ("status", "loadBalancer", "ingress"))),
        f"an address from the controller of ingress class {value_at(item, ('spec', 'ingressClassName'))!r}",
    )


def namespace(item: JsonMap) -> Readiness:
    """Active."""
    phase = value_at(item, ("status", "phase"))
    return Readiness.when(phase == "Active", f"phase Active (it is {phase})")


def persistent_volume(item: JsonMap) -> Readiness:
    """Available, or taken."""
    phase = value_at(item, ("status", "phase"))
    return Readiness.when(phase in ("Available", "Bound"), f"phase Available (it is {phase})")


def persistent_volume_claim(item: JsonMap, binds_to_first_consumer: bool) -> Readiness:
    """Bound; one whose storage class waits for a pod cannot be, so pending is enough there."""
    phase = value_at(item, ("status", "phase"))
    if binds_to_first_consumer and phase == "Pending":
        return READY
    return Readiness.when(phase == "Bound", f"phase Bound (it is {phase})")


def custom_resource_definition(item: JsonMap) -> Readiness:
    """Established: objects of the kind can be made."""
    accepted = condition(item, "NamesAccepted")
    if accepted.get("status") == "False":
        return Readiness(False, failed=f"its names are taken: {accepted.get('message')}")
    return Readiness.when(condition(item, "Established").get("status") == "True", "condition Established")


RULES: dict[tuple[str, str], Callable[[JsonMap], Readiness]] = {
    ("apps", "Deployment"): deployment,
    ("apps", "StatefulSet"): stateful_set,
    ("apps", "DaemonSet"): daemon_set,
    ("batch", "Job"): job,
    ("", "Pod"): pod,
    ("", "Namespace"): namespace,
    ("", "PersistentVolume"): persistent_volume,
    ("networking.k8s.io", "Ingress"): ingress,
    ("apiextensions.k8s.io", "CustomResourceDefinition"): custom_resource_definition,
}
"""By (API group, kind). Services and claims need other objects too; see `observation`."""
