"""A release that a killed run left half made: helm refuses every further step while its record says so.

https://helm.sh/docs/helm/helm_list/ names the statuses; a record is the Secret
sh.helm.release.v1.NAME.vREVISION.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import yaml

from infra import naming
from infra.lifecycle import processes
from infra.lifecycle.cluster_access import ClusterAccess

UNINSTALLING = "uninstalling"
_UNINSTALL_SECONDS = 600.0
# What was claimed may hold data already; whoever wants it away says so.
_KEPT_KINDS = ("PersistentVolumeClaim",)


def is_half_gone(access: ClusterAccess) -> bool:
    """Whether an uninstallation was cut off: its objects are missing, which no state and no program knows."""
    releases = json.loads(_helm(access, "list", "--uninstalling", "--output", "json"))
    return any(release["name"] == naming.RELEASE for release in releases)


def settle(access: ClusterAccess, *, known: bool) -> str | None:
    """Clear the way for the next run, and say what was done; None when nothing was in it.

    What never was deployed is uninstalled, and what was half gone goes whole. Of an upgrade the record goes,
    and what it alone brought: the revision before stays as it is, for its pods may run, and going back would
    not undo a migration. A helm that had the time to end calls its revision failed, and would go on from
    there; but a refresh takes its values for deployed, and the next run would find nothing to do.

    Args:
        access: the environment's namespace.
        known: whether the state knows the release. One that it does not know was made by a run that died.
    """
    releases = json.loads(_helm(access, "list", "--all", "--output", "json"))
    for release in releases:
        if release["name"] != naming.RELEASE:
            continue
        if release["status"] == UNINSTALLING:
            _helm(access, "uninstall", naming.RELEASE, "--wait")
            return f"release {naming.RELEASE}: half gone, uninstalled"
        history = json.loads(_helm(access, "history", naming.RELEASE, "--output", "json"))
        statuses = {int(item["revision"]): str(item["status"]) for item in history}
        deployed = max((number for number, status in statuses.items() if status == "deployed"), default=0)
        cut_off = [number for number, status in statuses.items() if number > deployed and _is_cut_off(status)]
        if (cut_off and not deployed) or (max(statuses) == 1 and not known):
            _helm(access, "uninstall", naming.RELEASE, "--wait")
            return f"release {naming.RELEASE}: half made, uninstalled"
        if cut_off:
            removed = [_forget_revision(access, revision, deployed) for revision in sorted(cut_off)]
            return f"release {naming.RELEASE}: {'; '.join(removed)}"
    return None


def _is_cut_off(status: str) -> bool:
    return status == "failed" or status.startswith("pending-")


def _forget_revision(access: ClusterAccess, revision: int, deployed: int) -> str:
    """Remove the record of a revision, and the objects that the one deployed before had not."""
    before = _objects(access, deployed)
    alone = [item for key, item in _objects(access, revision).items() if key not in before]
    if alone:
        command = access.command("delete", "--ignore-not-found", "--wait=false", "--filename", "-")
        processes.output(command, stdin=yaml.safe_dump_all(alone))
    processes.output(access.command("delete", "secret", f"sh.helm.release.v1.{naming.RELEASE}.v{revision}"))
    names = ", ".join(f"{item['kind']} {item['metadata']['name']}" for item in alone)
    return f"revision {revision} was cut off, forgotten{f', with {names}' if alone else ''}"


def _objects(access: ClusterAccess, revision: int) -> dict[tuple[str, str], dict[str, Any]]:
    """The objects of a revision's manifest, by kind and name, without those that may hold data."""
    text = _helm(access, "get", "manifest", naming.RELEASE, "--revision", str(revision))
    items: Iterable[dict[str, Any]] = filter(None, yaml.safe_load_all(text))
    return {
        (item["kind"], item["metadata"]["name"]): item for item in items if item["kind"] not in _KEPT_KINDS
    }


def _helm(access: ClusterAccess, *arguments: str) -> str:
    target = ("--kubeconfig", str(access.kubeconfig), "--namespace", access.namespace)
    return processes.output(("helm", *target, *arguments), timeout_seconds=_UNINSTALL_SECONDS)
