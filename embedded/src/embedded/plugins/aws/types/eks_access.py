"""EKS: who may do what in a cluster (access entries), and what its pods may do in AWS (Pod Identity)."""

from typing import Any, Final

from embedded.plugins.aws.call import Call
from embedded.plugins.aws.mapping import from_aws
from embedded.plugins.aws.operations import mapped_tags, split_id, with_mapped_tags
from embedded.plugins.aws.schema import ResourceType, block, flag, text, text_set
from embedded.plugins.common.errors import PluginError
from embedded.plugins.common.values import Values

GONE: Final = ("ResourceNotFoundException", "NotFoundException")


def _association_key(call: Call) -> dict[str, str]:
    # An import names the cluster too: CLUSTER,ASSOCIATION. The id itself is the association's alone.
    if "," in call.id:
        cluster, association = split_id(call, ",")
        return {"clusterName": cluster, "associationId": association}
    if not call.get("clusterName"):
        raise PluginError(f"import it as CLUSTER,ASSOCIATION_ID, not as '{call.id}'")
    return {"clusterName": call.values["clusterName"], "associationId": call.id}


def _create_association(call: Call) -> str:
    made = call.client.create_pod_identity_association(**with_mapped_tags(call))
    return str(made["association"]["associationId"])


def _read_association(call: Call) -> Values | None:
    found = call.client.describe_pod_identity_association(**_association_key(call))["association"]
    return {**from_aws(call.kind, found), "tagsAll": found.get("tags") or {}}


def _update_association(call: Call) -> None:
    names = call.changed & {"roleArn", "targetRoleArn", "disableSessionTags", "policy"}
    if names:
        call.client.update_pod_identity_association(**_association_key(call), **call.arguments(names))


POD_IDENTITY_ASSOCIATION = ResourceType(
    token="aws:eks/podIdentityAssociation:PodIdentityAssociation",  # noqa: S106 - a type token
    page="eks_pod_identity_association",
    service="eks",
    style="camel",
    properties={
        "clusterName": text(required=True, fixed=True),
        "namespace": text(required=True, fixed=True),
        "serviceAccount": text(required=True, fixed=True),
        "roleArn": text(required=True),
        "targetRoleArn": text(),
        "disableSessionTags": flag(computed=True),
    },
    outputs={
        "associationArn": "associationArn",
        "associationId": "associationId",
        "externalId": "externalId",
    },
    create=_create_association,
    read=_read_association,
    update=_update_association,
    delete=lambda call: call.client.delete_pod_identity_association(**_association_key(call)),
    tags=mapped_tags(
        lambda call: str(
            call.old.get("associationArn")
            or call.client.describe_pod_identity_association(**_association_key(call))["association"][
                "associationArn"
            ]
        )
    ),
    gone=GONE,
    import_id="CLUSTER,ASSOCIATION_ID",
)


def _entry_key(call: Call) -> dict[str, str]:
    cluster, principal = split_id(call)
    return {"clusterName": cluster, "principalArn": principal}


def _entry(call: Call) -> dict[str, Any]:
    return dict(call.client.describe_access_entry(**_entry_key(call))["accessEntry"])


def _create_entry(call: Call) -> str:
    call.client.create_access_entry(**with_mapped_tags(call))
    return f"{call.values['clusterName']}:{call.values['principalArn']}"


def _read_entry(call: Call) -> Values | None:
    found = _entry(call)
    return {
        **from_aws(call.kind, found),
        "userName": found.get("username"),
        "tagsAll": found.get("tags") or {},
    }


def _update_entry(call: Call) -> None:
    arguments: dict[str, Any] = {}
    if "kubernetesGroups" in call.changed:
        arguments["kubernetesGroups"] = call.get("kubernetesGroups", [])
    if "userName" in call.changed:
        arguments["username"] = call.values["userName"]
    if arguments:
        call.client.update_access_entry(**_entry_key(call), **arguments)


ACCESS_ENTRY = ResourceType(
    token="aws:eks/accessEntry:AccessEntry",  # noqa: S106 - a type token
    page="eks_access_entry",
    service="eks",
    style="camel",
    properties={
        "clusterName": text(required=True, fixed=True),
        "principalArn": text(required=True, fixed=True),
        "kubernetesGroups": text_set(computed=True),
        "type": text(fixed=True, default="STANDARD"),
        "userName": text(aws="username", computed=True),
    },
    outputs={"accessEntryArn": "accessEntryArn", "createdAt": "createdAt", "modifiedAt": "modifiedAt"},
    volatile=("modifiedAt",),
    create=_create_entry,
    read=_read_entry,
    update=_update_entry,
    delete=lambda call: call.client.delete_access_entry(**_entry_key(call)),
    tags=mapped_tags(lambda call: str(_entry(call)["accessEntryArn"])),
    gone=GONE,
    import_id="CLUSTER:PRINCIPAL_ARN",
)


def _policy_key(call: Call) -> tuple[str, str, str]:
    cluster, principal, policy = call.id.split("#", 2)
    return cluster, principal, policy


def _associate(call: Call) -> str:
    call.client.associate_access_policy(**call.arguments())
    return "#".join(str(call.values[prop]) for prop in ("clusterName", "principalArn", "policyArn"))


def _read_policy(call: Call) -> Values | None:
    cluster, principal, policy = _policy_key(call)
    pages = call.client.get_paginator("list_associated_access_policies").paginate(
        clusterName=cluster, principalArn=principal
    )
    for page in pages:
        for item in page["associatedAccessPolicies"]:
            if item["policyArn"] == policy:
                return {**from_aws(call.kind, item), "clusterName": cluster, "principalArn": principal}
    return None


def _dissociate(call: Call) -> None:
    cluster, principal, policy = _policy_key(call)
    call.client.disassociate_access_policy(clusterName=cluster, principalArn=principal, policyArn=policy)


# The page says that another scope means replacement.
ACCESS_POLICY_ASSOCIATION = ResourceType(
    token="aws:eks/accessPolicyAssociation:AccessPolicyAssociation",  # noqa: S106 - a type token
    page="eks_access_policy_association",
    service="eks",
    style="camel",
    properties={
        "clusterName": text(required=True, fixed=True),
        "principalArn": text(required=True, fixed=True),
        "policyArn": text(required=True, fixed=True),
        "accessScope": block(
            {"type": text(required=True, allowed=("cluster", "namespace")), "namespaces": text_set()},
            required=True,
            fixed=True,
        ),
    },
    outputs={"associatedAt": "associatedAt", "modifiedAt": "modifiedAt"},
    create=_associate,
    read=_read_policy,
    delete=_dissociate,
    gone=GONE,
    import_id="CLUSTER#PRINCIPAL_ARN#POLICY_ARN",
)

TYPES = (POD_IDENTITY_ASSOCIATION, ACCESS_ENTRY, ACCESS_POLICY_ASSOCIATION)
