"""Simple Notification Service: topics, their policies and subscriptions."""

from typing import Any, Final

from embedded.plugins.aws.call import Call, key_value_tags
from embedded.plugins.aws.mapping import from_aws
from embedded.plugins.aws.operations import arn_tags, by_id, deletes
from embedded.plugins.aws.schema import Property, ResourceType, document, flag, names, text
from embedded.plugins.common.errors import PluginError
from embedded.plugins.common.values import Values

GONE: Final = ("NotFound", "NotFoundException")
ATTRIBUTES: Final = {
    "displayName": "DisplayName",
    "kmsMasterKeyId": "KmsMasterKeyId",
    "policy": "Policy",
    "deliveryPolicy": "DeliveryPolicy",
}


def _create(call: Call) -> str:
    # CreateTopic answers with the topic that has the name already; a program must not take it over.
    arn = call.session.arn("sns", call.values["name"], call.region)
    if any(topic["TopicArn"] == arn for topic in _topics(call)):
        raise PluginError(f"topic '{call.values['name']}' exists already; import it or choose another name")
    attributes = {aws: str(call.values[prop]) for prop, aws in ATTRIBUTES.items() if call.get(prop)}
    tags = {"Tags": key_value_tags(call.tags)} if call.tags else {}
    return str(call.client.create_topic(Name=call.values["name"], Attributes=attributes, **tags)["TopicArn"])


def _topics(call: Call) -> list[dict[str, Any]]:
    return [topic for page in call.client.get_paginator("list_topics").paginate() for topic in page["Topics"]]


def _attributes(call: Call, arn: str) -> dict[str, str]:
    return dict(call.client.get_topic_attributes(TopicArn=arn)["Attributes"])


def _read(call: Call) -> Values:
    found = _attributes(call, call.id)
    return {
        **from_aws(call.kind, found),
        "name": call.id.rsplit(":", 1)[-1],
        "arn": call.id,
    }


def _update(call: Call) -> None:
    for prop, aws in ATTRIBUTES.items():
        if prop in call.changed:
            value = str(call.get(prop, ""))
            call.client.set_topic_attributes(TopicArn=call.id, AttributeName=aws, AttributeValue=value)


_TOPIC: Final[dict[str, Property]] = {
    **names("name", 256, aws=None),
    "displayName": text(),
    "kmsMasterKeyId": text(),
    "policy": document(computed=True),
    "deliveryPolicy": document(),
}

TOPIC = ResourceType(
    token="aws:sns/topic:Topic",  # noqa: S106 - a type token
    page="sns_topic",
    service="sns",
    properties=_TOPIC,
    outputs={"arn": None, "owner": "Owner"},
    create=_create,
    read=_read,
    update=_update,
    delete=deletes("delete_topic", by_id("TopicArn")),
    tags=arn_tags(
        "list_tags_for_resource",
        "tag_resource",
        "untag_resource",
        "ResourceArn",
        "Tags",
        lambda call: call.id,
    ),
    gone=GONE,
    import_id="the topic's ARN",
)


def _put_policy(call: Call) -> str:
    arn = str(call.values["arn"])
    call.client.set_topic_attributes(
        TopicArn=arn, AttributeName="Policy", AttributeValue=call.values["policy"]
    )
    return arn


def _read_policy(call: Call) -> Values:
    found = _attributes(call, call.id)
    return {"arn": call.id, "policy": found.get("Policy"), "owner": found.get("Owner")}


def _default_policy(call: Call) -> None:
    """A topic always has a policy: taking ours away gives back the owner-only one that a new topic has."""
    import json

    account = call.session.account
    statement = {
        "Sid": "__default_statement_ID",
        "Effect": "Allow",
        "Principal": {"AWS": "*"},
        "Action": [
            "SNS:GetTopicAttributes",
            "SNS:SetTopicAttributes",
            "SNS:AddPermission",
            "SNS:RemovePermission",
            "SNS:DeleteTopic",
            "SNS:Subscribe",
            "SNS:ListSubscriptionsByTopic",
            "SNS:Publish",
        ],
        "Resource": call.id,
        "Condition": {"StringEquals": {"AWS:SourceOwner": account}},
    }
    document_text = json.dumps(
        {"Version": "2008-10-17", "Id": "__default_policy_ID", "Statement": [statement]}
    )
    call.client.set_topic_attributes(TopicArn=call.id, AttributeName="Policy", AttributeValue=document_text)


TOPIC_POLICY = ResourceType(
    token="aws:sns/topicPolicy:TopicPolicy",  # noqa: S106 - a type token
    page="sns_topic_policy",
    service="sns",
    properties={"arn": text(required=True, fixed=True), "policy": document(required=True)},
    outputs={"owner": None},
    create=_put_policy,
    read=_read_policy,
    update=_put_policy,
    delete=_default_policy,
    gone=GONE,
    import_id="the topic's ARN",
)


def _subscribe(call: Call) -> str:
    arguments = {
        "TopicArn": call.values["topic"],
        "Protocol": call.values["protocol"],
        "Endpoint": call.values["endpoint"],
    }
    raw = {"Attributes": {"RawMessageDelivery": "true"}} if call.get("rawMessageDelivery") else {}
    made = call.client.subscribe(**arguments, **raw, ReturnSubscriptionArn=True)
    return str(made["SubscriptionArn"])


def _read_subscription(call: Call) -> Values:
    found = call.client.get_subscription_attributes(SubscriptionArn=call.id)["Attributes"]
    return {
        "topic": found.get("TopicArn"),
        "protocol": found.get("Protocol"),
        "endpoint": found.get("Endpoint"),
        "rawMessageDelivery": found.get("RawMessageDelivery") == "true",
        "arn": call.id,
        "ownerId": found.get("Owner"),
        "pendingConfirmation": found.get("PendingConfirmation") == "true",
        "confirmationWasAuthenticated": found.get("ConfirmationWasAuthenticated") == "true",
    }


def _update_subscription(call: Call) -> None:
    value = "true" if call.get("rawMessageDelivery") else "false"
    call.client.set_subscription_attributes(
        SubscriptionArn=call.id, AttributeName="RawMessageDelivery", AttributeValue=value
    )


TOPIC_SUBSCRIPTION = ResourceType(
    token="aws:sns/topicSubscription:TopicSubscription",  # noqa: S106 - a type token
    page="sns_topic_subscription",
    service="sns",
    properties={
        "topic": text(required=True, fixed=True),
        "protocol": text(required=True, fixed=True),
        "endpoint": text(required=True, fixed=True),
        "rawMessageDelivery": flag(default=False),
    },
    outputs=dict.fromkeys(("arn", "ownerId", "pendingConfirmation", "confirmationWasAuthenticated")),
    create=_subscribe,
    read=_read_subscription,
    update=_update_subscription,
    delete=deletes("unsubscribe", by_id("SubscriptionArn")),
    gone=GONE,
    import_id="the subscription's ARN",
)

TYPES = (TOPIC, TOPIC_POLICY, TOPIC_SUBSCRIPTION)
