"""Alarms of the metadata database: CloudWatch alarms, RDS events, and the topic that carries them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import pulumi
import pulumi_aws as aws

from infra import database_alarms, policies
from infra.database_alarms import Alarm
from infra.naming import Names
from infra.settings import AlarmSettings

# What RDS tells of: FSBP RDS.20, RDS.21 and RDS.22 ask for the first three; snapshots are the way back.
# https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_Events.Messages.html
EVENTS: Final[dict[str, tuple[str, ...]]] = {
    "db-instance": (
        "availability",
        "configuration change",
        "failover",
        "failure",
        "low storage",
        "maintenance",
        "recovery",
    ),
    "db-parameter-group": ("configuration change",),
    "db-security-group": ("configuration change", "failure"),
    "db-snapshot": ("deletion",),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmsArgs:
    """What Alarms needs."""

    names: Names
    settings: AlarmSettings
    key_arn: pulumi.Input[str]
    instance: pulumi.Input[str]
    """Identifier of the database instance."""
    parameter_group: str
    alarms: Sequence[Alarm]
    """What to watch; see `infra/database_alarms.py`."""


class Alarms(pulumi.ComponentResource):
    """An encrypted topic that takes messages by TLS alone, its subscribers, alarms, events, a dashboard.

    A subscriber by e-mail confirms by a link that AWS sends; until then it gets nothing.
    """

    TOKEN: Final = "airflowinfra:index:Alarms"  # noqa: S105 - a type token

    topic_arn: pulumi.Output[str]
    """ARN of the topic."""

    def __init__(self, name: str, args: AlarmsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(self.TOKEN, name, None, opts)
        self._name, self._args = name, args
        self._child = pulumi.ResourceOptions(parent=self)
        topic = aws.sns.Topic(
            f"{name}-topic",
            name=args.names.alarm("alarms"),
            kms_master_key_id=args.key_arn,
            opts=self._child,
        )
        document = policies.publish_alarms(topic_arn=topic.arn, account_id=args.names.account_id)
        policy = aws.sns.TopicPolicy(
            f"{name}-topic-policy", arn=topic.arn, policy=policies.as_json(document), opts=self._child
        )
        self._subscribers(topic)
        for alarm in args.alarms:
            self._alarm(alarm, topic)
        # RDS tries the topic when the subscription is made.
        self._events(topic, pulumi.ResourceOptions(parent=self, depends_on=[policy]))
        if args.settings.dashboard:
            self._dashboard()
        self.topic_arn = topic.arn
        self.register_outputs({"topicArn": self.topic_arn})

    def _subscribers(self, topic: aws.sns.Topic) -> None:
        settings = self._args.settings
        for protocol, endpoints in (("email", settings.emails), ("https", settings.https_endpoints)):
            for endpoint in endpoints:
                # By what it is, so that another one in the stack file moves none.
                aws.sns.TopicSubscription(
                    f"{self._name}-{database_alarms.subscriber_name(protocol, endpoint)}",
                    topic=topic.arn,
                    protocol=protocol,
                    endpoint=endpoint,
                    opts=self._child,
                )

    def _alarm(self, alarm: Alarm, topic: aws.sns.Topic) -> None:
        aws.cloudwatch.MetricAlarm(
            f"{self._name}-{alarm.name}",
            name=self._args.names.alarm(alarm.name),
            alarm_description=alarm.description,
            namespace=database_alarms.NAMESPACE,
            metric_name=alarm.metric,
            dimensions={"DBInstanceIdentifier": self._args.instance},
            statistic=alarm.statistic,
            period=alarm.period_seconds,
            evaluation_periods=alarm.periods,
            datapoints_to_alarm=alarm.periods,
            comparison_operator=alarm.operator,
            threshold=alarm.threshold,
            # An instance that reports nothing is an instance that is away.
            treat_missing_data="breaching" if alarm.missing_is_trouble else "notBreaching",
            alarm_actions=[topic.arn],
            ok_actions=[topic.arn],
            opts=self._child,
        )

    def _events(self, topic: aws.sns.Topic, options: pulumi.ResourceOptions) -> None:
        sources: dict[str, pulumi.Input[str]] = {
            "db-instance": self._args.instance,
            "db-parameter-group": self._args.parameter_group,
        }
        for kind, categories in EVENTS.items():
            aws.rds.EventSubscription(
                f"{self._name}-events-{kind.removeprefix('db-')}",
                name=self._args.names.alarm(f"events-{kind.removeprefix('db-')}"),
                sns_topic=topic.arn,
                source_type=kind,
                # Security groups and snapshots come and go: all of the account's.
                source_ids=[sources[kind]] if kind in sources else None,
                event_categories=list(categories),
                opts=options,
            )

    def _dashboard(self) -> None:
        args = self._args
        body = pulumi.Output.from_input(args.instance).apply(
            lambda instance: database_alarms.dashboard_body(
                args.alarms, instance=instance, region=args.names.region
            )
        )
        aws.cloudwatch.Dashboard(
            f"{self._name}-dashboard",
            dashboard_name=args.names.alarm("database"),
            dashboard_body=body,
            opts=self._child,
        )
