"""ACM: what a load balancer uses is not deleted."""

from embedded.aws_api import ACCOUNT_ID
from embedded.aws_api.application import Refusal
from embedded.aws_api.certificates_in_use import users_of
from embedded.aws_api.operations import Operation
from embedded.aws_api.refusals.rules import Rules, rules


def _certificate(operation: Operation) -> None:
    """https://docs.aws.amazon.com/acm/latest/APIReference/API_DeleteCertificate.html"""
    arn = operation.text("CertificateArn")
    if arn.count(":") == 5 and users_of(arn):
        message = f"Certificate {arn} in account {ACCOUNT_ID} is in use."
        raise Refusal("ResourceInUseException", message, 400)


RULES: Rules = rules("acm", {"DeleteCertificate": _certificate})
