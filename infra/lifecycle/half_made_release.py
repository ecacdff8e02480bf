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

    A first installation is uninstalled, and what was half gone goes whole. Of an upgrade the record goes, and
    what it alone brought: the revision before stays as it is, for its pods may run, and going back would not
    undo a migration.

    Args:
        access: the environment's namespace.
        known: whether the state knows the release. One that it does not know was made by a run that died.
    """
    releases = json.loads(_helm(access, "list", "--all", "--output", "json"))
    for release in releases:
        if release["name"] != naming.RELEASE:
            continue
        revision, pending = int(release["revision"]), str(release["status"]).startswith("pending-")
        if release["status"] == UNINSTALLING:
            _helm(access, "uninstall", naming.RELEASE, "--wait")
            return f"release {naming.RELEASE}: half gone, uninstalled"
        if revision == 1 and (pending or not known):
            _helm(access, "uninstall", naming.RELEASE, "--wait")
            return f"release {naming.RELEASE}: half made, uninstalled"
        if pending:
            removed = _forget_revision(access, revision)
            return f"release {naming.RELEASE}: revision {revision} was cut off, forgotten{removed}"
    return None


def _forget_revision(access: ClusterAccess, revision: int) -> str:
    """Remove the record of a revision, and the objects that no revision before it had."""
    history = json.loads(_helm(access, "history", naming.RELEASE, "--output", "json"))
    deployed = [int(item["revision"]) for item in history if item["status"] == "deployed"]
    before = _objects(access, max(deployed)) if deployed else {}
    alone = [item for key, item in _objects(access, revision).items() if deployed and key not in before]
    if alone:
        command = access.command("delete", "--ignore-not-found", "--wait=false", "--filename", "-")
        processes.output(command, stdin=yaml.safe_dump_all(alone))
    processes.output(access.command("delete", "secret", f"sh.helm.release.v1.{naming.RELEASE}.v{revision}"))
    names = ", ".join(f"{item['kind']} {item['metadata']['name']}" for item in alone)
    return f", with {names}" if alone else ""


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
