"""Resources that exist, in the form and the order in which an engine's state takes them. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from infra.lifecycle.half_made import UNDONE


def imported(resource: Mapping[str, Any], id_: str) -> dict[str, Any]:
    """Return a resource as a state holds it before its first refresh.

    Its outputs are its inputs: what a service takes at creation and never tells again (of an EKS cluster
    `bootstrapSelfManagedAddons`) would read as unset otherwise, and the next run would replace the resource.
    Without what may not be done, which the next run then does.
    """
    undone = UNDONE.get(str(resource.get("type")), frozenset())
    outputs = {key: value for key, value in resource.get("inputs", {}).items() if key not in undone}
    return {**resource, "id": id_, "outputs": outputs}


def with_added(
    resources: Sequence[Mapping[str, Any]], added: Sequence[Mapping[str, Any]]
) -> list[Mapping[str, Any]]:
    """Return a state's resources and more: at the end, or where the resource is that it was to replace.

    The engine takes a second resource of one URN only behind the first, and marked for deletion.
    https://github.com/pulumi/pulumi/blob/master/pkg/resource/deploy/snapshot.go (VerifyIntegrity)
    """
    found = list(resources)
    for item in added:
        namesakes = (n for n, there in enumerate(found) if there["urn"] == item["urn"])
        place = next(namesakes, len(found))
        found[place : place + 1] = [item, *({**old, "delete": True} for old in found[place : place + 1])]
    return found
