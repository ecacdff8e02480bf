"""Settings of a `kubernetes:Provider`: which exist, and when a change means another cluster."""

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from embedded.plugins.common.errors import PluginError
from embedded.plugins.common.operations import SettingsDifference
from embedded.plugins.common.properties import UNKNOWN, JsonMap, Properties
from embedded.plugins.kubernetes import kubeconfig as kubeconfigs

_CLUSTER_KEYS = ("kubeconfig", "context", "cluster")
_NOT_EMULATED = {
    "renderYamlToDirectory": "it renders manifests instead of deploying them",
    "alwaysRender": "it belongs to renderYamlToDirectory",
}
_BOOLEANS = frozenset(
    {
        "enableServerSideApply",
        "enableConfigMapMutable",
        "enableSecretMutable",
        "enablePatchForce",
        "upsertExistingObjects",
        "deleteUnreachable",
        "skipUpdateUnreachable",
        "suppressDeprecationWarnings",
        "suppressHelmHookWarnings",
        "strictMode",
    }
)
_TEXTS = frozenset({*_CLUSTER_KEYS, "namespace", "clusterIdentifier"})
_STRUCTURES = frozenset({"helmReleaseSettings", "kubeClientSettings"})
# `version` and `pluginDownloadURL` are the engine's own.
_KNOWN = _BOOLEANS | _TEXTS | _STRUCTURES | frozenset(_NOT_EMULATED) | {"version", "pluginDownloadURL"}


@dataclass(frozen=True)
class Settings:
    """The provider's settings with the official plugin's defaults."""

    kubeconfig: str = field(default="", repr=False)
    context: str | None = None
    cluster: str | None = None
    namespace: str | None = None
    config_map_mutable: bool = False
    secret_mutable: bool = False
    patch_force: bool = False
    upsert_existing_objects: bool = False
    delete_unreachable: bool = False
    skip_update_unreachable: bool = False
    helm_driver: str | None = None
    helm_paths: Mapping[str, str] = field(default_factory=dict)

    def access(self) -> kubeconfigs.Access:
        """The connection these settings describe. Raises PluginError for an unusable kubeconfig."""
        text = self.kubeconfig or kubeconfigs.default_kubeconfig()
        return kubeconfigs.access(kubeconfigs.load(text), self.context, self.cluster)


def check(properties: Properties) -> list[tuple[str, str]]:
    """All mistakes in a provider's inputs, as (property, reason)."""
    failures = [
        (name, f"{name} is not emulated: {_NOT_EMULATED[name]}")
        for name in _NOT_EMULATED
        if _boolean_or_text(properties.values.get(name))
    ]
    if _decoded(properties.values.get("enableServerSideApply")) is False:
        failures.append(("enableServerSideApply", "only server-side apply is emulated; remove this setting"))
    for name in sorted(set(properties.values) - _KNOWN):
        failures.append((name, f"there is no setting {name}; known are: {', '.join(sorted(_KNOWN))}"))
    for name in sorted(_BOOLEANS & set(properties.values)):
        value = _decoded(properties.values[name])
        if value is not UNKNOWN and not isinstance(value, bool):
            failures.append((name, f"{name} is true or false, not {value!r}"))
    return failures


def _boolean_or_text(value: Any) -> bool:
    return bool(_decoded(value))


def _decoded(value: Any) -> Any:
    """SDKs send a provider's booleans and structures as JSON text."""
    if isinstance(value, str):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value


def read(properties: Properties, environment: Mapping[str, str] = os.environ) -> Settings:
    """The settings from checked inputs; the environment variables of the official plugin fill gaps."""
    values = properties.values

    def flag(name: str, variable: str) -> bool:
        if name in values:
            return _decoded(values[name]) is True
        return environment.get(variable, "").lower() == "true"

    helm = _decoded(values.get("helmReleaseSettings")) or {}
    return Settings(
        kubeconfig=_text(values.get("kubeconfig")),
        context=values.get("context"),
        cluster=values.get("cluster"),
        namespace=values.get("namespace"),
        config_map_mutable=flag("enableConfigMapMutable", "PULUMI_K8S_ENABLE_CONFIGMAP_MUTABLE"),
        secret_mutable=flag("enableSecretMutable", "PULUMI_K8S_ENABLE_SECRET_MUTABLE"),
        patch_force=flag("enablePatchForce", "PULUMI_K8S_ENABLE_PATCH_FORCE"),
        upsert_existing_objects=flag("upsertExistingObjects", "PULUMI_K8S_UPSERT_EXISTING_OBJECTS"),
        delete_unreachable=flag("deleteUnreachable", "PULUMI_K8S_DELETE_UNREACHABLE"),
        skip_update_unreachable=flag("skipUpdateUnreachable", "PULUMI_K8S_SKIP_UPDATE_UNREACHABLE"),
        helm_driver=helm.get("driver"),
        helm_paths={name: path for name, path in helm.items() if isinstance(path, str) and name != "driver"},
    )


def _text(value: Any) -> str:
    # A kubeconfig given as JSON text may have been read as a structure on its way here.
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value)


def difference(old: Properties, new: Properties) -> SettingsDifference:
    """Compare two providers' settings.

    A kubeconfig may be rewritten at will as long as the active cluster's entry stays; with a
    `clusterIdentifier` on both sides only that one decides.
    """
    changed = sorted(
        name for name in {*old.values, *new.values} if old.values.get(name) != new.values.get(name)
    )
    identifiers = old.values.get("clusterIdentifier"), new.values.get("clusterIdentifier")
    if all(identifiers):
        replaced = "clusterIdentifier" in changed
        return SettingsDifference(changed, ["clusterIdentifier"] if replaced else [])
    unknown = [name for name in _CLUSTER_KEYS if new.values.get(name) is UNKNOWN]
    if unknown:
        # It may be another cluster; a preview that promised less would lie.
        return SettingsDifference(changed, unknown)
    before, after = _guarded(_active_cluster, old), _guarded(_active_cluster, new)
    moved = bool(before) and bool(after) and before != after
    return SettingsDifference(changed, [name for name in _CLUSTER_KEYS if moved and name in changed])


def _active_cluster(properties: Properties) -> JsonMap:
    values = properties.values
    config = kubeconfigs.load(_text(values.get("kubeconfig")) or kubeconfigs.default_kubeconfig())
    return kubeconfigs.active_cluster(config, values.get("context"), values.get("cluster"))


def _guarded(read_cluster: Callable[[Properties], JsonMap], properties: Properties) -> JsonMap:
    try:
        return read_cluster(properties)
    except PluginError:
        # An unreadable kubeconfig is told of when it is used; here there is merely nothing to compare.
        return {}
