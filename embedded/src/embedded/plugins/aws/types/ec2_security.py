"""EC2 security groups, with rules of their own inside."""

from typing import Any, Final

from embedded.plugins.aws.call import Call
from embedded.plugins.aws.mapping import from_aws
from embedded.plugins.aws.operations import nothing
from embedded.plugins.aws.schema import (
    Property,
    ResourceType,
    block_set,
    flag,
    names,
    number,
    text,
    text_set,
)
from embedded.plugins.aws.types.ec2_tags import TAGS, make
from embedded.plugins.common.values import Values

ALL: Final = "-1"
"""AWS's protocol "all", which has no ports."""

_INLINE_RULE: Final[dict[str, Property]] = {
    "protocol": text(required=True),
    "fromPort": number(required=True),
    "toPort": number(required=True),
    "cidrBlocks": text_set(),
    "ipv6CidrBlocks": text_set(),
    "prefixListIds": text_set(),
    "securityGroups": text_set(),
    "self": flag(),
    "description": text(),
}
INLINE: Final = block_set(_INLINE_RULE, aws=None, computed=True)


def _permission(rule: Values, group: str) -> dict[str, Any]:
    """One inline rule as the AWS API writes it."""
    said = {"Description": rule["description"]} if rule.get("description") else {}
    peers = [*rule.get("securityGroups", []), *([group] if rule.get("self") else [])]
    permission: dict[str, Any] = {"IpProtocol": rule["protocol"]}
    if rule["protocol"] != ALL:
        permission |= {"FromPort": rule["fromPort"], "ToPort": rule["toPort"]}
    for key, member, items in (
        ("IpRanges", "CidrIp", rule.get("cidrBlocks")),
        ("Ipv6Ranges", "CidrIpv6", rule.get("ipv6CidrBlocks")),
        ("PrefixListIds", "PrefixListId", rule.get("prefixListIds")),
        ("UserIdGroupPairs", "GroupId", peers),
    ):
        if items:
            permission[key] = [{member: item, **said} for item in items]
    return permission


def _inline(permission: dict[str, Any], group: str) -> list[Values]:
    """AWS's permission as inline rules: one for each description in it, as the provider groups them."""
    rules: dict[str, Values] = {}
    for key, member, prop in (
        ("IpRanges", "CidrIp", "cidrBlocks"),
        ("Ipv6Ranges", "CidrIpv6", "ipv6CidrBlocks"),
        ("PrefixListIds", "PrefixListId", "prefixListIds"),
        ("UserIdGroupPairs", "GroupId", "securityGroups"),
    ):
        for item in permission.get(key) or []:
            said = item.get("Description", "")
            rule = rules.setdefault(said, {"description": said} if said else {})
            if item[member] == group:
                rule["self"] = True
            else:
                rule.setdefault(prop, []).append(item[member])
    ports = {"fromPort": permission.get("FromPort", 0), "toPort": permission.get("ToPort", 0)}
    if permission["IpProtocol"] == ALL:
        ports = {"fromPort": 0, "toPort": 0}
    return [{**rule, **ports, "protocol": permission["IpProtocol"]} for rule in rules.values()]


def _describe(call: Call) -> dict[str, Any]:
    return dict(call.client.describe_security_groups(GroupIds=[call.id])["SecurityGroups"][0])


def _replace_rules(call: Call, direction: str) -> None:
    """Make the rules of one direction exactly those of the program."""
    client = call.client
    key = "IpPermissions" if direction == "ingress" else "IpPermissionsEgress"
    present = _describe(call)[key]
    wanted = [_permission(rule, call.id) for rule in call.get(direction, [])]
    if present:
        getattr(client, f"revoke_security_group_{direction}")(GroupId=call.id, IpPermissions=present)
    if wanted:
        getattr(client, f"authorize_security_group_{direction}")(GroupId=call.id, IpPermissions=wanted)


def _settled(call: Call) -> None:
    # AWS opens all egress of a new group; the provider closes it, and only the program's rules hold
    # (security_group, note on default egress).
    _replace_rules(call, "egress")
    if call.get("ingress"):
        _replace_rules(call, "ingress")


def _update(call: Call) -> None:
    for direction in ("ingress", "egress"):
        if direction in call.changed:
            _replace_rules(call, direction)


def _read(call: Call) -> Values:
    found = _describe(call)
    return {
        **from_aws(call.kind, found),
        "name": found["GroupName"],
        "description": found["Description"],
        "ingress": [rule for item in found["IpPermissions"] for rule in _inline(item, call.id)],
        "egress": [rule for item in found["IpPermissionsEgress"] for rule in _inline(item, call.id)],
        "arn": call.session.arn("ec2", f"security-group/{call.id}", call.region),
    }


def _delete(call: Call) -> None:
    if call.get("revokeRulesOnDelete"):
        for direction in ("ingress", "egress"):
            key = "IpPermissions" if direction == "ingress" else "IpPermissionsEgress"
            present = _describe(call)[key]
            if present:
                revoke = getattr(call.client, f"revoke_security_group_{direction}")
                revoke(GroupId=call.id, IpPermissions=present)
    call.client.delete_security_group(GroupId=call.id)


NO_GROUP: Final = ("InvalidGroup.NotFound", "InvalidGroupId.Malformed")

SECURITY_GROUP = ResourceType(
    token="aws:ec2/securityGroup:SecurityGroup",  # noqa: S106 - a type token
    page="security_group",
    service="ec2",
    properties={
        **names("name", 255, aws="GroupName"),
        "description": text(fixed=True, default="Managed by Pulumi"),
        "vpcId": text(fixed=True, computed=True),
        "ingress": INLINE,
        "egress": INLINE,
        "revokeRulesOnDelete": flag(aws=None, default=False, write_only=True),
    },
    outputs={"arn": None, "ownerId": "OwnerId"},
    create=lambda call: make(call, "create_security_group", "security-group", "GroupId"),
    settled=_settled,
    read=_read,
    update=_update,
    delete=_delete,
    tags=TAGS,
    gone=NO_GROUP,
    import_id="sg-...",
)


def _adopt(call: Call) -> str:
    filters = [{"Name": "group-name", "Values": ["default"]}]
    if call.get("vpcId"):
        filters.append({"Name": "vpc-id", "Values": [call.values["vpcId"]]})
    return str(call.client.describe_security_groups(Filters=filters)["SecurityGroups"][0]["GroupId"])


def _settle_default(call: Call) -> None:
    # Tags come first, as with the provider: rights may depend on them.
    if call.tags:
        TAGS.add(call, call.tags)
    for direction in ("ingress", "egress"):
        _replace_rules(call, direction)


# It is adopted, not made; its rules become the program's; it cannot be deleted.
DEFAULT_SECURITY_GROUP = ResourceType(
    token="aws:ec2/defaultSecurityGroup:DefaultSecurityGroup",  # noqa: S106 - a type token
    page="default_security_group",
    service="ec2",
    properties={
        "vpcId": text(fixed=True, computed=True),
        "ingress": block_set(_INLINE_RULE, aws=None),
        "egress": block_set(_INLINE_RULE, aws=None),
        "revokeRulesOnDelete": flag(aws=None, default=False, write_only=True),
    },
    outputs={"arn": None, "ownerId": "OwnerId", "name": "GroupName", "description": "Description"},
    create=_adopt,
    settled=_settle_default,
    read=_read,
    update=_update,
    delete=nothing,
    tags=TAGS,
    gone=NO_GROUP,
    import_id="sg-...",
)

TYPES = (SECURITY_GROUP, DEFAULT_SECURITY_GROUP)
