"""Preflight of versions that must fit each other: helm, kubectl, and the Kubernetes of the cluster."""

from __future__ import annotations

import json
import re
from typing import Final

from infra import versions
from infra.lifecycle import processes
from infra.lifecycle.errors import LifecycleError
from infra.lifecycle.report import Outcome, Row

# kubectl is supported one minor version from the API server's:
# https://kubernetes.io/releases/version-skew-policy/#kubectl
KUBECTL_SKEW: Final = 1

_VERSION = re.compile(r"v?(\d+)\.(\d+)(?:\.(\d+))?")


def helm() -> Row:
    """The helm on PATH.

    Raises:
        LifecycleError: there is none, or it does not answer.
    """
    said = processes.output(("helm", "version", "--template", "{{.Version}}")).strip()
    return Row.judged(
        "helm", numbers(said)[0] >= 3, f"{said}; allowed: 3 or newer", "Install helm 3 or newer."
    )


def kubectl(kubernetes: str | None) -> Row:
    """The kubectl on PATH, beside the cluster's Kubernetes.

    Args:
        kubernetes: version of the cluster's, such as 1.34; None where it can't be told.

    Raises:
        LifecycleError: there is no kubectl, or it does not answer.
    """
    answer = json.loads(processes.output(("kubectl", "version", "--client", "--output", "json")))
    said = str(answer["clientVersion"]["gitVersion"])
    if kubernetes is None:
        unknown = "the version of the cluster's Kubernetes can't be told"
        return Row("kubectl", Outcome.NOT_JUDGED, f"{said}; {unknown}")
    skew = abs(numbers(said)[1] - numbers(kubernetes)[1])
    allowed = f"within {KUBECTL_SKEW} minor of the cluster's Kubernetes {kubernetes}"
    install = f"Install kubectl {kubernetes}."
    return Row.judged("kubectl", skew <= KUBECTL_SKEW, f"{said}; allowed: {allowed}", install)


def kubernetes_row(kubernetes: str) -> Row:
    """Whether chart and Airflow take the cluster's Kubernetes; a newer one than was tried is not judged.

    EKS raises a cluster's version by itself when its support ends, so that a newer one must not stop
    deployments: https://docs.aws.amazon.com/eks/latest/userguide/kubernetes-versions.html
    """
    name, oldest, newest = "Kubernetes", versions.OLDEST_KUBERNETES, versions.NEWEST_TESTED_KUBERNETES
    tested = f"Airflow {versions.AIRFLOW} is tested with {oldest} to {newest}"
    if numbers(kubernetes) > numbers(newest):
        return Row(name, Outcome.NOT_JUDGED, f"{kubernetes}; {tested}")
    step = f"Upgrade the cluster, one minor at a time; the chart takes {oldest} or newer."
    return Row.judged(name, numbers(kubernetes) >= numbers(oldest), f"{kubernetes}; {tested}", step)


def numbers(text: str) -> tuple[int, int, int]:
    """Major, minor and patch of a version; a patch that is not said is 0.

    Raises:
        LifecycleError: it is no version.
    """
    match = _VERSION.search(text)
    if match is None:
        raise LifecycleError(f"`{text}` is no version.", "Install an official release of the tool.")
    return int(match[1]), int(match[2]), int(match[3] or 0)
