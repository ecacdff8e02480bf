"""CloudWatch: alarms and dashboards."""

from typing import Final

from embedded.plugins.aws.call import Call
from embedded.plugins.aws.mapping import from_aws
from embedded.plugins.aws.operations import arn_tags, by_ids, deletes
from embedded.plugins.aws.schema import (
    Property,
    ResourceType,
    block,
    blocks,
    document,
    flag,
    name,
    number,
    text,
    text_map,
    text_set,
)
from embedded.plugins.common.errors import PluginError
from embedded.plugins.common.values import Values

_METRIC: Final[dict[str, Property]] = {
    "metricName": text(required=True),
    "namespace": text(),
    "period": number(required=True),
    "stat": text(required=True),
    "unit": text(),
    "dimensions": text_map(aws=None),
}
_QUERY: Final[dict[str, Property]] = {
    "id": text(required=True),
    "accountId": text(),
    "expression": text(),
    "label": text(),
    "period": number(),
    "returnData": flag(),
    "metric": block(_METRIC, aws=None),
}


def _pairs(dimensions: dict[str, str]) -> list[dict[str, str]]:
    return [{"Name": key, "Value": value} for key, value in dimensions.items()]


def _metric_stat(metric: Values) -> dict[str, object]:
    identity = {"Namespace": metric.get("namespace"), "MetricName": metric["metricName"]}
    named = {key: value for key, value in identity.items() if value is not None}
    stat: dict[str, object] = {
        "Metric": {**named, "Dimensions": _pairs(metric.get("dimensions") or {})},
        "Period": metric["period"],
        "Stat": metric["stat"],
    }
    return {**stat, **({"Unit": metric["unit"]} if metric.get("unit") else {})}


def _metric(stat: dict[str, object]) -> Values:
    identity = stat["Metric"]
    if not isinstance(identity, dict):
        return {}
    values = {
        "metricName": identity.get("MetricName"),
        "namespace": identity.get("Namespace"),
        "period": stat.get("Period"),
        "stat": stat.get("Stat"),
        "unit": stat.get("Unit"),
        "dimensions": {pair["Name"]: pair["Value"] for pair in identity.get("Dimensions") or []} or None,
    }
    return {key: value for key, value in values.items() if value is not None}


def _put_alarm(call: Call) -> str:
    arguments = call.arguments()
    if call.get("dimensions"):
        arguments["Dimensions"] = _pairs(call.values["dimensions"])
    for query, said in zip(arguments.get("Metrics") or [], call.get("metricQueries", []), strict=True):
        if said.get("metric"):
            query["MetricStat"] = _metric_stat(said["metric"])
    call.client.put_metric_alarm(**arguments)
    return str(call.values["name"])


def _create_alarm(call: Call) -> str:
    # PutMetricAlarm overwrites; a program must not take over an alarm that it did not make.
    if call.client.describe_alarms(AlarmNames=[call.values["name"]])["MetricAlarms"]:
        raise PluginError(f"alarm '{call.values['name']}' exists already; import it or choose another name")
    return _put_alarm(call)


def _settle_alarm(call: Call) -> None:
    if call.tags and call.kind.tags is not None:
        call.kind.tags.add(call, call.tags)


def _read_alarm(call: Call) -> Values | None:
    found = call.client.describe_alarms(AlarmNames=[call.id])["MetricAlarms"]
    if not found:
        return None
    values = from_aws(call.kind, found[0])
    pairs = found[0].get("Dimensions") or []
    for query, said in zip(values.get("metricQueries") or [], found[0].get("Metrics") or [], strict=True):
        if said.get("MetricStat"):
            query["metric"] = _metric(said["MetricStat"])
    return {**values, "dimensions": {pair["Name"]: pair["Value"] for pair in pairs}}


METRIC_ALARM = ResourceType(
    token="aws:cloudwatch/metricAlarm:MetricAlarm",  # noqa: S106 - a type token
    page="cloudwatch_metric_alarm",
    service="cloudwatch",
    properties={
        "name": name(255, aws="AlarmName"),
        "actionsEnabled": flag(default=True),
        "alarmActions": text_set(),
        "okActions": text_set(aws="OKActions"),
        "insufficientDataActions": text_set(),
        "alarmDescription": text(),
        "comparisonOperator": text(required=True),
        "datapointsToAlarm": number(),
        "dimensions": text_map(aws=None),
        "evaluateLowSampleCountPercentiles": text(aws="EvaluateLowSampleCountPercentile", computed=True),
        "evaluationPeriods": number(required=True),
        "extendedStatistic": text(),
        "metricName": text(),
        "metricQueries": blocks(_QUERY, aws="Metrics"),
        "namespace": text(),
        "period": number(),
        "statistic": text(),
        "threshold": number(),
        "thresholdMetricId": text(),
        "treatMissingData": text(default="missing"),
        "unit": text(),
    },
    outputs={"arn": "AlarmArn"},
    create=_create_alarm,
    settled=_settle_alarm,
    read=_read_alarm,
    update=lambda call: _put_alarm(call) if call.changed - {"tags", "tagsAll"} else None,
    delete=deletes("delete_alarms", by_ids("AlarmNames")),
    tags=arn_tags(
        "list_tags_for_resource",
        "tag_resource",
        "untag_resource",
        "ResourceARN",
        "Tags",
        lambda call: call.session.arn("cloudwatch", f"alarm:{call.id}", call.region),
    ),
    gone=("ResourceNotFound", "ResourceNotFoundException"),
    import_id="the alarm's name",
)


def _put_dashboard(call: Call) -> str:
    call.client.put_dashboard(**call.arguments())
    return str(call.values["dashboardName"])


# PutDashboard makes or overwrites, as the page says of its name.
DASHBOARD = ResourceType(
    token="aws:cloudwatch/dashboard:Dashboard",  # noqa: S106 - a type token
    page="cloudwatch_dashboard",
    service="cloudwatch",
    properties={
        "dashboardName": text(required=True, fixed=True),
        "dashboardBody": document(required=True),
    },
    outputs={"dashboardArn": "DashboardArn"},
    create=_put_dashboard,
    read=lambda call: from_aws(call.kind, call.client.get_dashboard(DashboardName=call.id)),
    update=_put_dashboard,
    delete=deletes("delete_dashboards", by_ids("DashboardNames")),
    gone=("ResourceNotFound", "DashboardNotFoundError"),
    import_id="the dashboard's name",
)

TYPES = (METRIC_ALARM, DASHBOARD)
