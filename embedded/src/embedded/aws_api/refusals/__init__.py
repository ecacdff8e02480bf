"""What AWS refuses and moto would let pass: each rule is checked before moto serves the request.

A rule reads the account and raises AWS's own error; it changes nothing. Every rule names the page it
comes from, and docs/aws-contract.md lists the behaviours with the tests that hold them.
"""

from embedded.aws_api.application import Refusal
from embedded.aws_api.operations import Operation
from embedded.aws_api.refusals import (
    acm,
    ec2,
    eks,
    iam,
    key_users,
    kms,
    names,
    rds,
    s3,
    secretsmanager,
    sns,
    sts,
)
from embedded.aws_api.refusals.rules import Rules

_RULES: Rules = {}
# Names first: AWS validates a request before it looks at what is there.
for _module in (names, acm, ec2, eks, iam, kms, rds, s3, secretsmanager, sns, sts, key_users):
    for _operation, _rules in _module.RULES.items():
        _RULES.setdefault(_operation, ())
        _RULES[_operation] += _rules


def find(operation: Operation) -> Refusal | None:
    """The error with which AWS would refuse an authorized request, if it would."""
    try:
        for rule in _RULES.get((operation.service, operation.name), ()):
            rule(operation)
    except Refusal as refusal:
        return refusal
    return None
