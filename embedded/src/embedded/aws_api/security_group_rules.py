"""A mend of moto's security group rules: the description of a rule that names another group."""

from moto.ec2.models.security_groups import SecurityGroupRule


def install() -> None:
    """Let DescribeSecurityGroupRules tell the description of every rule, as AWS does.

    moto looks for it beside the address range only; a rule for a group keeps it beside the group.
    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_SecurityGroupRule.html
    """
    SecurityGroupRule.description = property(_description)  # type: ignore[assignment, method-assign]


def _description(rule: SecurityGroupRule) -> str | None:
    return rule.ip_range.get("Description") or rule.source_group.get("Description")
