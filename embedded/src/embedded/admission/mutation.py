"""Which JSON patch a pod gets. Pure: everything it depends on is an argument.

What EKS injects: https://docs.aws.amazon.com/eks/latest/userguide/pod-id-how-it-works.html
Applying the patch twice changes nothing more: what is there is never touched.
"""

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from embedded.admission.quantities import scaled_cpu

TOKEN_VOLUME = "eks-pod-identity-token"  # noqa: S105 - a volume's name
TOKEN_DIRECTORY = "/var/run/secrets/pods.eks.amazonaws.com/serviceaccount"  # noqa: S105 - a path
TOKEN_AUDIENCE = "pods.eks.amazonaws.com"  # noqa: S105 - an audience
CREDENTIALS_URL = "http://169.254.170.23/v1/credentials"

CA_VOLUME = "embedded-aws-ca"
CA_DIRECTORY = "/var/run/secrets/embedded-aws"
CA_CONFIG_MAP = "kube-root-ca.crt"

AUTHORITY_ANNOTATION = "embedded-cloud/certificate-authority"
"""Holds the cloud's authority where the cluster's own is another one: the pod carries what it mounts."""

SCALED_ANNOTATION = "embedded-cloud/original-cpu-requests"
"""Marks a pod whose CPU requests were scaled: a second pass must not scale them again."""

_CPU_FACTOR = Decimal("0.1")
_CPU_FLOOR_MILLIS = 1
_CPU_CEILING_MILLIS = 200


@dataclass(frozen=True)
class PodContext:
    """What is known about a pod besides its own text."""

    region: str
    aws_endpoint_url: str | None
    """None: the pod is outside of the account's reach (kube-system)."""
    has_pod_identity: bool
    authority: str | None = None
    """PEM of the cloud's authority, where the cluster's `kube-root-ca.crt` is another one."""
    web_identity_role: str | None = None
    """ARN of the associated role, where no Pod Identity agent answers and pods ask STS instead."""
    hosts: Mapping[str, str] = field(default_factory=dict)
    """Names that the cluster's DNS does not know, and their addresses."""


def patch(pod: dict[str, Any], context: PodContext) -> list[dict[str, Any]]:
    """The RFC 6902 operations that make `pod` what it must be; empty if it is already."""
    wanted = mutated(pod, context)
    operations = []
    for path in (
        ("metadata", "annotations"),
        ("spec", "volumes"),
        ("spec", "containers"),
        ("spec", "initContainers"),
        ("spec", "hostAliases"),
    ):
        before, after = pod.get(path[0], {}).get(path[1]), wanted.get(path[0], {}).get(path[1])
        if after != before:
            operation = "add" if before is None else "replace"
            operations.append({"op": operation, "path": "/" + "/".join(path), "value": after})
    return operations


def mutated(pod: dict[str, Any], context: PodContext) -> dict[str, Any]:
    """A copy of `pod` with everything injected."""
    result = copy.deepcopy(pod)
    spec = result.setdefault("spec", {})
    environment, mounts = _environment(context), _mounts(context)
    for container in [*spec.get("initContainers", []), *spec.get("containers", [])]:
        _add_environment(container, environment)
        _add_mounts(container, mounts)
    _add_volumes(spec, context)
    _add_authority(result, context)
    _add_hosts(spec, context)
    _scale_cpu(result)
    return result


def _environment(context: PodContext) -> dict[str, str]:
    values: dict[str, str] = {}
    if context.aws_endpoint_url:
        values["AWS_ENDPOINT_URL"] = context.aws_endpoint_url
        values["AWS_CA_BUNDLE"] = f"{CA_DIRECTORY}/ca.crt"
    if context.has_pod_identity:
        values["AWS_STS_REGIONAL_ENDPOINTS"] = "regional"
        values["AWS_DEFAULT_REGION"] = context.region
        values["AWS_REGION"] = context.region
        if context.web_identity_role:
            values["AWS_ROLE_ARN"] = context.web_identity_role
            values["AWS_WEB_IDENTITY_TOKEN_FILE"] = f"{TOKEN_DIRECTORY}/{TOKEN_VOLUME}"
        else:
            values["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = CREDENTIALS_URL
            values["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"] = f"{TOKEN_DIRECTORY}/{TOKEN_VOLUME}"
    return values


def _mounts(context: PodContext) -> list[dict[str, Any]]:
    mounts = []
    if context.aws_endpoint_url:
        mounts.append({"name": CA_VOLUME, "mountPath": CA_DIRECTORY, "readOnly": True})
    if context.has_pod_identity:
        mounts.append({"name": TOKEN_VOLUME, "mountPath": TOKEN_DIRECTORY, "readOnly": True})
    return mounts


def _add_environment(container: dict[str, Any], values: dict[str, str]) -> None:
    present = {entry["name"] for entry in container.get("env") or []}
    missing = [{"name": name, "value": value} for name, value in values.items() if name not in present]
    if missing:
        container["env"] = [*(container.get("env") or []), *missing]


def _add_mounts(container: dict[str, Any], mounts: list[dict[str, Any]]) -> None:
    present = {mount["mountPath"] for mount in container.get("volumeMounts") or []}
    missing = [mount for mount in mounts if mount["mountPath"] not in present]
    if missing:
        container["volumeMounts"] = [*(container.get("volumeMounts") or []), *missing]


def _add_volumes(spec: dict[str, Any], context: PodContext) -> None:
    wanted: list[dict[str, Any]] = []
    if context.aws_endpoint_url:
        source: dict[str, Any] = {
            "configMap": {"name": CA_CONFIG_MAP, "items": [{"key": "ca.crt", "path": "ca.crt"}]}
        }
        if context.authority:
            annotation = {"fieldPath": f"metadata.annotations['{AUTHORITY_ANNOTATION}']"}
            source = {"downwardAPI": {"items": [{"path": "ca.crt", "fieldRef": annotation}]}}
        wanted.append({"name": CA_VOLUME, "projected": {"defaultMode": 0o644, "sources": [source]}})
    if context.has_pod_identity:
        token = {"audience": TOKEN_AUDIENCE, "expirationSeconds": 86400, "path": TOKEN_VOLUME}
        projected = {"defaultMode": 0o644, "sources": [{"serviceAccountToken": token}]}
        wanted.append({"name": TOKEN_VOLUME, "projected": projected})
    present = {volume["name"] for volume in spec.get("volumes") or []}
    missing = [volume for volume in wanted if volume["name"] not in present]
    if missing:
        spec["volumes"] = [*(spec.get("volumes") or []), *missing]


def _add_authority(pod: dict[str, Any], context: PodContext) -> None:
    if context.aws_endpoint_url and context.authority:
        metadata = pod.setdefault("metadata", {})
        metadata["annotations"] = {
            AUTHORITY_ANNOTATION: context.authority,
            **(metadata.get("annotations") or {}),
        }


def _add_hosts(spec: dict[str, Any], context: PodContext) -> None:
    present = {name for alias in spec.get("hostAliases") or [] for name in alias.get("hostnames") or []}
    missing = [
        {"ip": address, "hostnames": [name]}
        for name, address in sorted(context.hosts.items())
        if name not in present
    ]
    if missing:
        spec["hostAliases"] = [*(spec.get("hostAliases") or []), *missing]


def _scale_cpu(pod: dict[str, Any]) -> None:
    """Scale CPU requests down; limits stay, since a request may always be below its limit."""
    annotations = pod.setdefault("metadata", {}).get("annotations") or {}
    if SCALED_ANNOTATION in annotations:
        return
    originals = []
    for container in [*pod["spec"].get("initContainers", []), *pod["spec"].get("containers", [])]:
        requests, limits = _resources(container)
        original = requests.get("cpu", limits.get("cpu"))
        if original is None:
            continue
        scaled = scaled_cpu(str(original), _CPU_FACTOR, _CPU_FLOOR_MILLIS, _CPU_CEILING_MILLIS)
        if scaled != str(original):
            # A limit alone counts as the request too, so the request is written out.
            container.setdefault("resources", {})["requests"] = {**requests, "cpu": scaled}
            originals.append(f"{container['name']}={original}")
    if originals:
        pod["metadata"]["annotations"] = {**annotations, SCALED_ANNOTATION: ",".join(originals)}


def _resources(container: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    resources = container.get("resources") or {}
    return resources.get("requests") or {}, resources.get("limits") or {}
