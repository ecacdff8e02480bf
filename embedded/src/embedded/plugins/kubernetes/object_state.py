"""Between what a program writes, what a server stores, and what the engine's state keeps of it.

Pure functions over JSON objects.
"""

import base64
from typing import Any

from embedded.plugins.common.properties import UNKNOWN, JsonMap, Properties, value_at
from embedded.plugins.kubernetes.kinds import ObjectKind

FIELD_MANAGER = "__fieldManager"
INITIAL_API_VERSION = "__initialApiVersion"
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"

# They change with every write of whoever, or repeat the whole object; in a state they would be noise.
_VOLATILE_METADATA = ("managedFields", "resourceVersion")
_SERVER_METADATA = (*_VOLATILE_METADATA, "creationTimestamp", "generation", "selfLink", "uid")
# Made up anew by the server in each dry run, so a preview must not promise them.
_ALLOCATED_SERVICE_FIELDS = ("clusterIP", "clusterIPs", "healthCheckNodePort")


def to_server(kind: ObjectKind, inputs: JsonMap) -> JsonMap:
    """The object to apply: without nulls, and with `x-kubernetes-...` keys as the API spells them."""
    spelled = _respelled(inputs, "x_kubernetes_", "x-kubernetes-") if _is_definition(kind) else inputs
    item = without_nulls(spelled)
    item["apiVersion"], item["kind"] = kind.api_version, kind.kind
    return dict(item)


def outputs(kind: ObjectKind, live: JsonMap, inputs: Properties, field_manager: str) -> Properties:
    """The state to keep of a live object; what was secret in the inputs is secret in it."""
    kept = _from_server(kind, live)
    kept["metadata"] = _without(kept.get("metadata") or {}, _VOLATILE_METADATA)
    kept[FIELD_MANAGER] = field_manager
    kept[INITIAL_API_VERSION] = inputs.values.get("apiVersion") or kind.api_version
    return _with_secret_data(kind, inputs.with_values(kept))


def preview_outputs(kind: ObjectKind, dry_run: JsonMap, inputs: Properties, field_manager: str) -> Properties:
    """What a dry run foretells; what the server would only then decide is unknown or left out."""
    kept = outputs(kind, dry_run, inputs, field_manager)
    values = {name: value for name, value in kept.values.items() if name != "status"}
    values["metadata"] = _without(values["metadata"], _SERVER_METADATA)
    if (kind.group, kind.kind) == ("", "Service"):
        given = inputs.values.get("spec") or {}
        made_up = {name: UNKNOWN for name in _ALLOCATED_SERVICE_FIELDS if name not in given}
        values["spec"] = {**(values.get("spec") or {}), **made_up}
    return Properties(values, kept.secrets)


def imported_inputs(kind: ObjectKind, live: JsonMap) -> Properties:
    """Inputs that would describe a live object which no program has described yet."""
    values = {name: value for name, value in _from_server(kind, live).items() if name != "status"}
    values["metadata"] = _without(values.get("metadata") or {}, _SERVER_METADATA)
    return _with_secret_data(kind, Properties(values))


def refreshed_inputs(kind: ObjectKind, inputs: Properties, recorded: JsonMap, live: JsonMap) -> Properties:
    """The program's inputs with those values changed that differ in the cluster from what was recorded."""
    now, before = _from_server(kind, live), recorded
    if (kind.group, kind.kind) == ("", "Secret") and inputs.values.get("stringData"):
        now, before = _with_string_data(now, inputs), _with_string_data(before, inputs)
    values = _drifted(inputs.values, before, now)
    for name in ("apiVersion", "kind"):
        # The server may answer in another version of the same kind.
        if name in inputs.values:
            values[name] = inputs.values[name]
    same_shape = values == inputs.values
    refreshed = inputs if same_shape else inputs.with_values(values)
    return _with_secret_data(kind, refreshed)


def _drifted(given: Any, recorded: Any, live: Any) -> Any:
    if live == recorded and live is not None:
        # Unchanged since it was stored; the program may have spelled it otherwise (cpu "1000m", kept as "1").
        return given
    if isinstance(given, dict) and isinstance(live, dict):
        before = recorded if isinstance(recorded, dict) else {}
        found = {name: _drifted(value, before.get(name), live.get(name)) for name, value in given.items()}
        return {name: value for name, value in found.items() if value is not None}
    if isinstance(given, list) and isinstance(live, list):
        return _drifted_list(given, recorded if isinstance(recorded, list) else [], live)
    if live is None and recorded is None:
        # Never stored under this path: the server drops empty values and write-only fields.
        return given
    return live


def _drifted_list(given: list[Any], recorded: list[Any], live: list[Any]) -> list[Any]:
    names, live_names = _names(given), _names(live)
    if names and live_names:
        before = _names(recorded) or {}
        found = [_drifted(item, before.get(name), live_names.get(name)) for name, item in names.items()]
        return [item for item in found if item is not None]
    if len(given) == len(live):
        before_items = recorded if len(recorded) == len(live) else [None] * len(live)
        return [_drifted(*each) for each in zip(given, before_items, live, strict=True)]
    return live


def _names(items: list[Any]) -> dict[str, Any] | None:
    """Items by their `name`, the merge key of containers, variables, volumes and most other lists."""
    if items and all(isinstance(item, dict) and isinstance(item.get("name"), str) for item in items):
        by_name = {item["name"]: item for item in items}
        return by_name if len(by_name) == len(items) else None
    return None


def _with_string_data(item: JsonMap, inputs: Properties) -> JsonMap:
    data = item.get("data") or {}
    wanted = inputs.values.get("stringData") or {}
    decoded = {name: _decoded(data[name]) for name in wanted if isinstance(data.get(name), str)}
    return {**item, "stringData": decoded}


def _decoded(text: str) -> str:
    try:
        return base64.b64decode(text).decode()
    except ValueError:
        return text


def _with_secret_data(kind: ObjectKind, properties: Properties) -> Properties:
    """Data of a Secret is secret, however the program came by it."""
    if (kind.group, kind.kind) != ("", "Secret"):
        return properties
    return properties.marked(("data",), ("stringData",))


def _from_server(kind: ObjectKind, live: JsonMap) -> JsonMap:
    spelled = _respelled(live, "x-kubernetes-", "x_kubernetes_") if _is_definition(kind) else live
    item = dict(spelled)
    annotations = value_at(item, ("metadata", "annotations")) or {}
    if LAST_APPLIED in annotations:
        # kubectl's copy of the whole object, secrets included.
        rest = {name: value for name, value in annotations.items() if name != LAST_APPLIED}
        item["metadata"] = {**item["metadata"], "annotations": rest}
    return item


def _is_definition(kind: ObjectKind) -> bool:
    return kind.kind == "CustomResourceDefinition"


def _without(item: JsonMap, names: tuple[str, ...]) -> JsonMap:
    return {name: value for name, value in item.items() if name not in names}


def without_nulls(value: Any) -> Any:
    """The value without nulls in objects, which mean "not given" for everything but chart values."""
    if isinstance(value, dict):
        return {name: without_nulls(item) for name, item in value.items() if item is not None}
    if isinstance(value, list):
        return [without_nulls(item) for item in value]
    return value


def _respelled(value: Any, old: str, new: str) -> Any:
    """Keys with that prefix get the other one; languages cannot spell the dashes of `x-kubernetes-...`."""
    if isinstance(value, dict):
        return {_respelled_key(name, old, new): _respelled(item, old, new) for name, item in value.items()}
    if isinstance(value, list):
        return [_respelled(item, old, new) for item in value]
    return value


def _respelled_key(name: str, old: str, new: str) -> str:
    if not name.startswith(old):
        return name
    rest = name[len(old) :]
    return new + (rest.replace("_", "-") if new.endswith("-") else rest.replace("-", "_"))
