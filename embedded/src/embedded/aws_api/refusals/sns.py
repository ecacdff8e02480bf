"""SNS: a topic that exists is returned, unless it was made otherwise."""

from embedded.aws_api import ACCOUNT_ID
from embedded.aws_api.application import Refusal
from embedded.aws_api.operations import Operation
from embedded.aws_api.refusals.rules import Rules, rules
from embedded.aws_api.resource_tags import pairs


def _creation(operation: Operation) -> None:
    """https://docs.aws.amazon.com/sns/latest/api/API_CreateTopic.html"""
    from moto.core.utils import camelcase_to_underscores
    from moto.sns.models import sns_backends

    arn = f"arn:aws:sns:{operation.region}:{ACCOUNT_ID}:{operation.text('Name')}"
    topic = sns_backends[ACCOUNT_ID][operation.region].topics.get(arn)
    if topic is None:
        return
    for name, value in (operation.parameters.get("Attributes") or {}).items():
        if str(getattr(topic, camelcase_to_underscores(name), "")) != str(value):
            message = "Invalid parameter: Attributes Reason: Topic already exists with different attributes"
            raise Refusal("InvalidParameter", message, 400)
    if "Tags" in operation.parameters and pairs(operation.parameters["Tags"]) != pairs(topic._tags):
        message = "Invalid parameter: Tags Reason: Topic already exists with different tags"
        raise Refusal("InvalidParameter", message, 400)


RULES: Rules = rules("sns", {"CreateTopic": _creation})
