"""STS: parameters that are not emulated are refused, since leaving them out could allow more than on AWS."""

from embedded.aws_api.application import Refusal
from embedded.aws_api.operations import Operation
from embedded.aws_api.refusals.rules import Rules, rules


def _parameters(operation: Operation) -> None:
    for name in ("PolicyArns", "Tags", "TransitiveTagKeys", "SerialNumber", "SourceIdentity"):
        if operation.parameters.get(name):
            raise Refusal("NotImplemented", f"The embedded AWS does not emulate {name} of AssumeRole.", 501)


RULES: Rules = rules("sts", {"AssumeRole": _parameters})
