"""Elastic Kubernetes Service: add-ons of a cluster."""

from typing import Any, Final

from embedded.plugins.aws.call import Call
from embedded.plugins.aws.errors import code_of
from embedded.plugins.aws.mapping import from_aws
from embedded.plugins.aws.operations import mapped_tags, split_id, with_mapped_tags
from embedded.plugins.aws.schema import ResourceType, document, flag, text
from embedded.plugins.common.errors import PluginError
from embedded.plugins.common.values import Values

ADDON_SECONDS: Final = 1200.0
"""eks_addon, "Timeouts": 20 minutes each."""
GONE: Final = ("ResourceNotFoundException",)


def _addon(call: Call) -> dict[str, Any]:
    cluster, addon = split_id(call)
    return dict(call.client.describe_addon(clusterName=cluster, addonName=addon)["addon"])


def _create_addon(call: Call) -> str:
    arguments = with_mapped_tags(call)
    if call.get("resolveConflictsOnCreate"):
        arguments["resolveConflicts"] = call.values["resolveConflictsOnCreate"]
    call.client.create_addon(**arguments)
    return f"{call.values['clusterName']}:{call.values['addonName']}"


def _addon_active(call: Call) -> None:
    def active() -> bool:
        found = _addon(call)
        if found["status"] in ("CREATE_FAILED", "UPDATE_FAILED"):
            raise PluginError(f"add-on '{call.id}' is in status {found['status']}: {found.get('health')}")
        return bool(found["status"] in ("ACTIVE", "DEGRADED"))

    call.wait(f"add-on '{call.id}' becoming active", active, ADDON_SECONDS)


def _read_addon(call: Call) -> Values | None:
    found = _addon(call)
    if found.get("status") == "DELETING":
        return None
    return {**from_aws(call.kind, found), "tagsAll": found.get("tags") or {}}


def _update_addon(call: Call) -> None:
    names = call.changed & {"addonVersion", "configurationValues", "serviceAccountRoleArn"}
    if not names:
        return
    cluster, addon = split_id(call)
    arguments = call.arguments(names)
    if call.get("resolveConflictsOnUpdate"):
        arguments["resolveConflicts"] = call.values["resolveConflictsOnUpdate"]
    call.client.update_addon(clusterName=cluster, addonName=addon, **arguments)
    _addon_active(call)


def _delete_addon(call: Call) -> None:
    cluster, addon = split_id(call)
    call.client.delete_addon(clusterName=cluster, addonName=addon, preserve=bool(call.get("preserve")))

    def gone() -> bool:
        try:
            _addon(call)
        except Exception as error:
            if code_of(error) in GONE:
                return True
            raise
        return False

    call.wait(f"add-on '{call.id}' being deleted", gone, ADDON_SECONDS)


ADDON = ResourceType(
    token="aws:eks/addon:Addon",  # noqa: S106 - a type token
    page="eks_addon",
    service="eks",
    style="camel",
    properties={
        "clusterName": text(required=True, fixed=True),
        "addonName": text(required=True, fixed=True),
        "addonVersion": text(computed=True),
        "configurationValues": document(computed=True),
        "preserve": flag(aws=None, write_only=True),
        "resolveConflictsOnCreate": text(aws=None, write_only=True, allowed=("NONE", "OVERWRITE")),
        "resolveConflictsOnUpdate": text(
            aws=None, write_only=True, allowed=("NONE", "OVERWRITE", "PRESERVE")
        ),
        "serviceAccountRoleArn": text(),
    },
    outputs={"arn": "addonArn", "createdAt": "createdAt", "modifiedAt": "modifiedAt"},
    volatile=("modifiedAt",),
    create=_create_addon,
    settled=_addon_active,
    read=_read_addon,
    update=_update_addon,
    delete=_delete_addon,
    tags=mapped_tags(lambda call: str(_addon(call)["addonArn"])),
    gone=GONE,
    import_id="CLUSTER:ADDON",
)

TYPES = (ADDON,)
