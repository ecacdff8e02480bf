"""EC2 security groups and their rules."""

from collections.abc import Callable
from typing import Any, Final

from embedded.plugins.aws.call import Call
from embedded.plugins.aws.mapping import from_aws
from embedded.plugins.aws.operations import nothing
from embedded.plugins.aws.schema import (
    Property,
    ResourceType,
    block_set,
    flag,
    name,
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

# security_group
SECURITY_GROUP = ResourceType(
    token="aws:ec2/securityGroup:SecurityGroup",  # noqa: S106 - a type token
    service="ec2",
    properties={
        "name": name(255, aws="GroupName"),
        "namePrefix": text(aws=None, fixed=True, write_only=True),
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
    for direction in ("ingress", "egress"):
        _replace_rules(call, direction)
    if call.tags:
        TAGS.add(call, call.tags)


# default_security_group: it is adopted, not made; its rules become the program's; it cannot be deleted.
DEFAULT_SECURITY_GROUP = ResourceType(
    token="aws:ec2/defaultSecurityGroup:DefaultSecurityGroup",  # noqa: S106 - a type token
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

_RULE: Final[dict[str, Property]] = {
    "securityGroupId": text(aws=None, required=True, fixed=True),
    "ipProtocol": text(required=True, equal=lambda left, right: _protocol(left) == _protocol(right)),
    "fromPort": number(),
    "toPort": number(),
    "cidrIpv4": text(),
    "cidrIpv6": text(),
    "prefixListId": text(),
    "referencedSecurityGroupId": text(),
    "description": text(),
}
_TARGETS: Final = ("cidrIpv4", "cidrIpv6", "prefixListId", "referencedSecurityGroupId")


def _protocol(value: Any) -> str:
    return {"6": "tcp", "17": "udp", "1": "icmp", "58": "icmpv6", "all": ALL}.get(
        str(value).lower(), str(value)
    )


def _rule_permission(call: Call) -> dict[str, Any]:
    said = {"Description": call.values["description"]} if call.get("description") else {}
    permission: dict[str, Any] = {"IpProtocol": call.values["ipProtocol"]}
    for prop, key in (("fromPort", "FromPort"), ("toPort", "ToPort")):
        if call.get(prop) is not None:
            permission[key] = call.values[prop]
    for prop, key, member in (
        ("cidrIpv4", "IpRanges", "CidrIp"),
        ("cidrIpv6", "Ipv6Ranges", "CidrIpv6"),
        ("prefixListId", "PrefixListIds", "PrefixListId"),
        ("referencedSecurityGroupId", "UserIdGroupPairs", "GroupId"),
    ):
        if call.get(prop):
            permission[key] = [{member: call.values[prop], **said}]
    return permission


def _create_rule(direction: str) -> Callable[[Call], str]:
    def create(call: Call) -> str:
        authorize = getattr(call.client, f"authorize_security_group_{direction}")
        made = authorize(GroupId=call.values["securityGroupId"], IpPermissions=[_rule_permission(call)])
        return str(made["SecurityGroupRules"][0]["SecurityGroupRuleId"])

    return create


def _settle_rule(call: Call) -> None:
    if call.tags:
        TAGS.add(call, call.tags)


def _read_rule(call: Call) -> Values | None:
    rules = call.client.describe_security_group_rules(SecurityGroupRuleIds=[call.id])["SecurityGroupRules"]
    if not rules:
        return None
    found = rules[0]
    everything = found["IpProtocol"] == ALL
    return {
        "securityGroupId": found["GroupId"],
        "securityGroupRuleId": call.id,
        "ipProtocol": found["IpProtocol"],
        "fromPort": None if everything else found.get("FromPort"),
        "toPort": None if everything else found.get("ToPort"),
        "cidrIpv4": found.get("CidrIpv4"),
        "cidrIpv6": found.get("CidrIpv6"),
        "prefixListId": found.get("PrefixListId"),
        "referencedSecurityGroupId": (found.get("ReferencedGroupInfo") or {}).get("GroupId"),
        "description": found.get("Description"),
        "arn": call.session.arn("ec2", f"security-group-rule/{call.id}", call.region),
    }


def _update_rule(call: Call) -> None:
    if not call.changed - {"tags", "tagsAll"}:
        return
    names = {"referencedSecurityGroupId": "ReferencedGroupId"}
    rule = {
        names.get(prop, call.kind.aws_name(prop, declared)): call.values[prop]
        for prop, declared in _RULE.items()
        if prop != "securityGroupId" and call.get(prop) is not None
    }
    call.client.modify_security_group_rules(
        GroupId=call.values["securityGroupId"],
        SecurityGroupRules=[{"SecurityGroupRuleId": call.id, "SecurityGroupRule": rule}],
    )


def _delete_rule(direction: str) -> Callable[[Call], None]:
    def delete(call: Call) -> None:
        revoke = getattr(call.client, f"revoke_security_group_{direction}")
        revoke(GroupId=call.values["securityGroupId"], SecurityGroupRuleIds=[call.id])

    return delete


def _check_rule(values: Values) -> list[tuple[str, str]]:
    given = [prop for prop in _TARGETS if values.get(prop) is not None]
    if len(given) == 1:
        return []
    said = f"given: {', '.join(given)}" if given else "none is given"
    return [("cidrIpv4", f"exactly one of {', '.join(_TARGETS)} names the peer; {said}")]


def _rule(direction: str, token: str) -> ResourceType:
    return ResourceType(
        token=token,
        service="ec2",
        properties=_RULE,
        outputs=dict.fromkeys(("arn", "securityGroupRuleId")),
        create=_create_rule(direction),
        settled=_settle_rule,
        read=_read_rule,
        update=_update_rule,
        delete=_delete_rule(direction),
        tags=TAGS,
        gone=("InvalidSecurityGroupRuleId.NotFound", "InvalidGroup.NotFound", "InvalidPermission.NotFound"),
        validate=_check_rule,
        import_id="sgr-...",
    )


# vpc_security_group_ingress_rule, vpc_security_group_egress_rule
INGRESS_RULE = _rule("ingress", "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule")
EGRESS_RULE = _rule("egress", "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule")

TYPES = (SECURITY_GROUP, DEFAULT_SECURITY_GROUP, INGRESS_RULE, EGRESS_RULE)
