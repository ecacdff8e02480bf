"""Rules of EC2 security groups, each a resource."""

from collections.abc import Callable
from typing import Any, Final

from embedded.plugins.aws.call import Call
from embedded.plugins.aws.schema import Property, ResourceType, number, text
from embedded.plugins.aws.types.ec2_security import ALL
from embedded.plugins.aws.types.ec2_tags import TAGS
from embedded.plugins.common.values import Values

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
        page=f"vpc_security_group_{direction}_rule",
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


INGRESS_RULE = _rule("ingress", "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule")
EGRESS_RULE = _rule("egress", "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule")

TYPES = (INGRESS_RULE, EGRESS_RULE)
