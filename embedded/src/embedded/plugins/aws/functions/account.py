"""Who and where: identity, region, partition, availability zones."""

from collections.abc import Mapping
from typing import Final

from embedded.plugins.aws.functions import Function, refuse_unknown, region_of
from embedded.plugins.aws.session import Session
from embedded.plugins.common.values import Values


def _caller(session: Session, arguments: Values) -> Values:
    refuse_unknown(arguments)
    identity = session.identity
    return {
        "accountId": identity["Account"],
        "arn": identity["Arn"],
        "id": identity["Account"],
        "userId": identity["UserId"],
    }


def _region(session: Session, arguments: Values) -> Values:
    refuse_unknown(arguments, "name", "id")
    region = str(arguments.get("name") or region_of(session, arguments))
    endpoint = f"ec2.{region}.{session.dns_suffix}"
    return {"id": region, "name": region, "region": region, "endpoint": endpoint, "description": region}


def _partition(session: Session, arguments: Values) -> Values:
    refuse_unknown(arguments, "id")
    reverse = ".".join(reversed(session.dns_suffix.split(".")))
    return {
        "id": session.partition,
        "partition": session.partition,
        "dnsSuffix": session.dns_suffix,
        "reverseDnsPrefix": reverse,
    }


def _zones(session: Session, arguments: Values) -> Values:
    refuse_unknown(arguments, "state", "filters", "excludeNames", "excludeZoneIds")
    region = region_of(session, arguments)
    filters = [{"Name": item["name"], "Values": item["values"]} for item in arguments.get("filters") or []]
    if arguments.get("state"):
        filters.append({"Name": "state", "Values": [arguments["state"]]})
    more = {"Filters": filters} if filters else {}
    found = session.client("ec2", region).describe_availability_zones(**more)["AvailabilityZones"]
    kept = [
        zone
        for zone in sorted(found, key=lambda zone: str(zone["ZoneName"]))
        if zone["ZoneName"] not in (arguments.get("excludeNames") or [])
        and zone["ZoneId"] not in (arguments.get("excludeZoneIds") or [])
    ]
    return {
        "id": region,
        "region": region,
        "names": [zone["ZoneName"] for zone in kept],
        "zoneIds": [zone["ZoneId"] for zone in kept],
        "groupNames": sorted({zone.get("GroupName") or region for zone in kept}),
    }


FUNCTIONS: Final[Mapping[str, Function]] = {
    "aws:index/getCallerIdentity:getCallerIdentity": _caller,
    "aws:index/getRegion:getRegion": _region,
    "aws:index/getPartition:getPartition": _partition,
    "aws:index/getAvailabilityZones:getAvailabilityZones": _zones,
}
