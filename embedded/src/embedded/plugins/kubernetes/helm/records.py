"""What helm has recorded of a release: as outputs, and as a reason to take a leftover over or to refuse."""

from dataclasses import dataclass
from enum import Enum
from typing import Any

import yaml

from embedded.plugins.common.errors import PluginError
from embedded.plugins.common.properties import JsonMap, value_at
from embedded.plugins.kubernetes.helm.binary import Helm
from embedded.plugins.kubernetes.helm.release import Release

_PENDING = frozenset({"pending-install", "pending-upgrade", "pending-rollback"})


@dataclass(frozen=True)
class Record:
    """A release as helm has it now."""

    status: JsonMap
    metadata: JsonMap

    @property
    def state(self) -> str:
        """helm's status word: deployed, failed, pending-install, uninstalling, ..."""
        return str(value_at(self.status, ("info", "status")))

    @property
    def revision(self) -> int:
        """Counts the deployments of this release, from 1."""
        return int(self.status.get("version") or 0)

    @property
    def is_pending(self) -> bool:
        """Whether a deployment began and has not ended."""
        return self.state in _PENDING

    @property
    def values(self) -> JsonMap:
        """The values it was deployed with."""
        return self.status.get("config") or {}

    @property
    def manifest(self) -> str:
        """The objects as YAML documents, hooks left out."""
        return str(self.status.get("manifest") or "")

    def outputs(self) -> JsonMap:
        """`status` and `resourceNames` as the official plugin gives them."""
        return {
            "status": {
                "appVersion": self.metadata.get("appVersion"),
                "chart": self.metadata.get("chart"),
                "name": self.status.get("name"),
                "namespace": self.status.get("namespace"),
                "revision": self.revision,
                "status": self.state,
                "version": self.metadata.get("version"),
            },
            "resourceNames": resource_names(self.manifest),
        }


def read(helm: Helm, name: str, namespace: str) -> Record | None:
    """helm's record of the release, or None when there is none or only its history."""
    status = helm.status(name, namespace)
    if status is None or value_at(status, ("info", "status")) == "uninstalled":
        return None
    return Record(status, helm.metadata(name, namespace) or {})


def objects(manifest: str) -> list[JsonMap]:
    """The objects of a manifest."""
    return [item for item in yaml.safe_load_all(manifest) if isinstance(item, dict) and item.get("kind")]


def resource_names(manifest: str) -> JsonMap:
    """Names of the objects by `Kind.group/apiVersion`, as the official plugin spells it."""
    names: dict[str, set[str]] = {}
    for item in objects(manifest):
        api_version, kind = str(item.get("apiVersion")), str(item["kind"])
        group = api_version.rpartition("/")[0]
        key = f"{kind}.{group}/{api_version}" if group else f"{kind}/{api_version}"
        metadata: dict[str, Any] = item.get("metadata") or {}
        namespace = metadata.get("namespace")
        name = f"{namespace}/{metadata.get('name')}" if namespace else str(metadata.get("name"))
        names.setdefault(key, set()).add(name)
    return {key: sorted(values) for key, values in sorted(names.items())}


class Way(Enum):
    """How a release that should be new comes about."""

    INSTALL = "it is installed"
    UPGRADE = "it is taken over and upgraded"
    REINSTALL = "what a run left that was cut off is removed, then it is installed"


def way_to_create(release: Release, record: Record | None) -> Way:
    """What to do with a release of that name which the engine's state does not know.

    A failed or unfinished first deployment is what a run leaves that was stopped; nobody can be using it.
    Raises PluginError for a deployed release, which somebody may be using.
    """
    if record is None:
        return Way.INSTALL
    if record.state == "failed":
        return Way.UPGRADE
    if record.state == "uninstalling" or (record.is_pending and record.revision == 1):
        return Way.REINSTALL
    if release.is_set("replace"):
        return Way.UPGRADE
    raise PluginError(
        f"{release}: cannot re-use a name that is still in use: helm has a release of this name with status "
        f"{record.state}, revision {record.revision}, which is not in this stack's state. Import it "
        f"(import_='{release.namespace}/{release.name}'), uninstall it, choose another name, or set replace"
    )
