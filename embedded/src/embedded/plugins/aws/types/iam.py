"""Identity and Access Management: roles, their inline policies, managed policies and attachments."""

from typing import Any, Final
from urllib.parse import unquote

from embedded.plugins.aws.call import Call, key_value_tags, tags_from_pairs
from embedded.plugins.aws.mapping import from_aws
from embedded.plugins.aws.operations import creates
from embedded.plugins.aws.schema import ResourceType, Tags, document, flag, names, number, text
from embedded.plugins.common.errors import PluginError
from embedded.plugins.common.values import Values

GONE: Final = ("NoSuchEntity", "NoSuchEntityException")
POLICY_VERSIONS: Final = 5
"""A managed policy keeps at most so many. https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html"""


def _tags(kind: str, key: str) -> Tags:
    """Tags of a kind of IAM resource, whose id is the value of the key."""

    def ask(call: Call, method: str, **more: Any) -> Any:
        return getattr(call.client, method)(**{key: call.id}, **more)

    return Tags(
        read=lambda call: tags_from_pairs(ask(call, f"list_{kind}_tags")["Tags"]),
        add=lambda call, tags: ask(call, f"tag_{kind}", Tags=key_value_tags(tags)),
        remove=lambda call, names: ask(call, f"untag_{kind}", TagKeys=names),
    )


def _text(policy: object) -> str:
    # boto3 decodes IAM's URL-encoded documents to objects when they are valid JSON, else leaves the text.
    import json

    return json.dumps(policy) if isinstance(policy, dict) else unquote(str(policy))


def _read_role(call: Call) -> Values:
    found = call.client.get_role(RoleName=call.id)["Role"]
    boundary = found.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn")
    return {
        **from_aws(call.kind, found),
        "assumeRolePolicy": _text(found["AssumeRolePolicyDocument"]),
        "permissionsBoundary": boundary,
    }


def _update_role(call: Call) -> None:
    client = call.client
    if "assumeRolePolicy" in call.changed:
        client.update_assume_role_policy(RoleName=call.id, PolicyDocument=call.values["assumeRolePolicy"])
    if call.changed & {"description", "maxSessionDuration"}:
        client.update_role(
            RoleName=call.id,
            Description=call.get("description", ""),
            MaxSessionDuration=call.get("maxSessionDuration", 3600),
        )
    if "permissionsBoundary" in call.changed:
        boundary = call.get("permissionsBoundary")
        if boundary:
            client.put_role_permissions_boundary(RoleName=call.id, PermissionsBoundary=boundary)
        else:
            client.delete_role_permissions_boundary(RoleName=call.id)


def _delete_role(call: Call) -> None:
    client, role = call.client, call.id
    inline = client.list_role_policies(RoleName=role)["PolicyNames"]
    attached = client.list_attached_role_policies(RoleName=role)["AttachedPolicies"]
    if call.get("forceDetachPolicies"):
        for policy in inline:
            client.delete_role_policy(RoleName=role, PolicyName=policy)
        for policy in attached:
            client.detach_role_policy(RoleName=role, PolicyArn=policy["PolicyArn"])
    elif inline or attached:
        # https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeleteRole.html
        raise PluginError(
            f"DeleteConflict: Cannot delete entity, must detach all policies first (DeleteRole): "
            f"{', '.join([*inline, *(policy['PolicyArn'] for policy in attached)])}"
        )
    client.delete_role(RoleName=role)


ROLE = ResourceType(
    token="aws:iam/role:Role",  # noqa: S106 - a type token
    page="iam_role",
    service="iam",
    regional=False,
    properties={
        **names("name", 64, aws="RoleName"),
        "assumeRolePolicy": document(required=True, aws="AssumeRolePolicyDocument"),
        "description": text(),
        "path": text(fixed=True, default="/"),
        "maxSessionDuration": number(default=3600),
        "permissionsBoundary": text(),
        "forceDetachPolicies": flag(aws=None, default=False, write_only=True),
    },
    outputs={"arn": "Arn", "createDate": "CreateDate", "uniqueId": "RoleId"},
    create=creates("create_role", "Role.RoleName"),
    read=_read_role,
    update=_update_role,
    delete=_delete_role,
    tags=_tags("role", "RoleName"),
    gone=GONE,
    import_id="the role's name",
)


def _put_role_policy(call: Call) -> str:
    role, policy = call.values["role"], call.values["name"]
    call.client.put_role_policy(RoleName=role, PolicyName=policy, PolicyDocument=call.values["policy"])
    return f"{role}:{policy}"


def _read_role_policy(call: Call) -> Values:
    role, _, policy = call.id.partition(":")
    found = call.client.get_role_policy(RoleName=role, PolicyName=policy)
    return {"role": role, "name": policy, "policy": _text(found["PolicyDocument"])}


def _delete_role_policy(call: Call) -> None:
    role, _, policy = call.id.partition(":")
    call.client.delete_role_policy(RoleName=role, PolicyName=policy)


ROLE_POLICY = ResourceType(
    token="aws:iam/rolePolicy:RolePolicy",  # noqa: S106 - a type token
    page="iam_role_policy",
    service="iam",
    regional=False,
    properties={
        **names("name", 128),
        "role": text(required=True, fixed=True),
        "policy": document(required=True),
    },
    create=_put_role_policy,
    read=_read_role_policy,
    update=_put_role_policy,
    delete=_delete_role_policy,
    gone=GONE,
    import_id="ROLE:POLICY",
)


def _read_policy(call: Call) -> Values:
    found = call.client.get_policy(PolicyArn=call.id)["Policy"]
    version = call.client.get_policy_version(PolicyArn=call.id, VersionId=found["DefaultVersionId"])
    return {**from_aws(call.kind, found), "policy": _text(version["PolicyVersion"]["Document"])}


def _update_policy(call: Call) -> None:
    if "policy" not in call.changed:
        return
    versions = call.client.list_policy_versions(PolicyArn=call.id)["Versions"]
    if len(versions) >= POLICY_VERSIONS:
        others = [version for version in versions if not version["IsDefaultVersion"]]
        oldest = min(others, key=lambda version: version["CreateDate"])
        call.client.delete_policy_version(PolicyArn=call.id, VersionId=oldest["VersionId"])
    call.client.create_policy_version(
        PolicyArn=call.id, PolicyDocument=call.values["policy"], SetAsDefault=True
    )


def _delete_policy(call: Call) -> None:
    users = call.client.list_entities_for_policy(PolicyArn=call.id)
    attached = [role["RoleName"] for role in users.get("PolicyRoles", [])]
    if attached:
        # https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeletePolicy.html
        raise PluginError(
            "DeleteConflict: Cannot delete a policy attached to entities (DeletePolicy): "
            f"'{call.id}' is attached to {', '.join(attached)}"
        )
    for version in call.client.list_policy_versions(PolicyArn=call.id)["Versions"]:
        if not version["IsDefaultVersion"]:
            call.client.delete_policy_version(PolicyArn=call.id, VersionId=version["VersionId"])
    call.client.delete_policy(PolicyArn=call.id)


POLICY = ResourceType(
    token="aws:iam/policy:Policy",  # noqa: S106 - a type token
    page="iam_policy",
    service="iam",
    regional=False,
    properties={
        **names("name", 128, aws="PolicyName"),
        "policy": document(required=True, aws="PolicyDocument"),
        "description": text(fixed=True),
        "path": text(fixed=True, default="/"),
    },
    outputs={"arn": "Arn", "attachmentCount": "AttachmentCount", "policyId": "PolicyId"},
    create=creates("create_policy", "Policy.Arn"),
    read=_read_policy,
    update=_update_policy,
    delete=_delete_policy,
    tags=_tags("policy", "PolicyArn"),
    gone=GONE,
    import_id="the policy's ARN",
)


def _attach(call: Call) -> str:
    role, policy = call.values["role"], call.values["policyArn"]
    call.client.attach_role_policy(RoleName=role, PolicyArn=policy)
    return f"{role}/{policy}"


def _read_attachment(call: Call) -> Values | None:
    role, _, policy = call.id.partition("/")
    pages = call.client.get_paginator("list_attached_role_policies").paginate(RoleName=role)
    attached = {item["PolicyArn"] for page in pages for item in page["AttachedPolicies"]}
    return {"role": role, "policyArn": policy} if policy in attached else None


def _detach(call: Call) -> None:
    role, _, policy = call.id.partition("/")
    call.client.detach_role_policy(RoleName=role, PolicyArn=policy)


ROLE_POLICY_ATTACHMENT = ResourceType(
    token="aws:iam/rolePolicyAttachment:RolePolicyAttachment",  # noqa: S106 - a type token
    page="iam_role_policy_attachment",
    service="iam",
    regional=False,
    properties={"role": text(required=True, fixed=True), "policyArn": text(required=True, fixed=True)},
    create=_attach,
    read=_read_attachment,
    delete=_detach,
    gone=GONE,
    import_id="ROLE/POLICY_ARN",
)


def _set_role(call: Call) -> None:
    """Bring the one role of a profile to the program's."""
    before, after = call.old.get("role"), call.get("role")
    if before and before != after:
        call.client.remove_role_from_instance_profile(InstanceProfileName=call.id, RoleName=before)
    if after and before != after:
        call.client.add_role_to_instance_profile(InstanceProfileName=call.id, RoleName=after)


def _read_profile(call: Call) -> Values:
    found = call.client.get_instance_profile(InstanceProfileName=call.id)["InstanceProfile"]
    roles = found.get("Roles") or [{}]
    tags = tags_from_pairs(found.get("Tags"))
    return {**from_aws(call.kind, found), "role": roles[0].get("RoleName"), "tagsAll": tags}


def _delete_profile(call: Call) -> None:
    for role in call.client.get_instance_profile(InstanceProfileName=call.id)["InstanceProfile"]["Roles"]:
        call.client.remove_role_from_instance_profile(InstanceProfileName=call.id, RoleName=role["RoleName"])
    call.client.delete_instance_profile(InstanceProfileName=call.id)


INSTANCE_PROFILE = ResourceType(
    token="aws:iam/instanceProfile:InstanceProfile",  # noqa: S106 - a type token
    page="iam_instance_profile",
    service="iam",
    regional=False,
    properties={
        **names("name", 128, aws="InstanceProfileName"),
        "path": text(fixed=True, default="/"),
        "role": text(aws=None),
    },
    outputs={"arn": "Arn", "createDate": "CreateDate", "uniqueId": "InstanceProfileId"},
    create=creates("create_instance_profile", "InstanceProfile.InstanceProfileName"),
    settled=_set_role,
    read=_read_profile,
    update=_set_role,
    delete=_delete_profile,
    tags=_tags("instance_profile", "InstanceProfileName"),
    gone=GONE,
    import_id="the profile's name",
)

TYPES = (ROLE, ROLE_POLICY, POLICY, ROLE_POLICY_ATTACHMENT, INSTANCE_PROFILE)
