"""Subnets of a brought cluster that a database would get: private, in its VPC, in two zones."""

from __future__ import annotations

from typing import Any

import pytest

from infra.lifecycle.preflight_subnets import mistakes

GATEWAY = [
    {"DestinationCidrBlock": "10.0.0.0/16", "GatewayId": "local"},
    {"DestinationCidrBlock": "0.0.0.0/0", "GatewayId": "igw-1"},
]
# A NAT gateway, a gateway endpoint, and the way out for IPv6 that lets nobody in.
INSIDE = [
    {"DestinationCidrBlock": "0.0.0.0/0", "NatGatewayId": "nat-1"},
    {"DestinationPrefixListId": "pl-1", "GatewayId": "vpce-1"},
    {"DestinationIpv6CidrBlock": "::/0", "EgressOnlyInternetGatewayId": "eigw-1"},
]


def subnet(name: str, zone: str, vpc: str = "vpc-own") -> dict[str, Any]:
    return {"SubnetId": name, "AvailabilityZone": zone, "VpcId": vpc}


def table(routes: list[dict[str, str]], *subnets: str, main: bool = False) -> dict[str, Any]:
    associations: list[dict[str, Any]] = [{"SubnetId": name, "Main": False} for name in subnets]
    return {"Routes": routes, "Associations": [*associations, *([{"Main": True}] if main else [])]}


A, B, C = subnet("subnet-a", "eu-west-1a"), subnet("subnet-b", "eu-west-1b"), subnet("subnet-c", "eu-west-1a")


def judge(subnets: list[dict[str, Any]], tables: list[dict[str, Any]], *wanted: str) -> str:
    names = wanted or [one["SubnetId"] for one in subnets]
    return "; ".join(mistakes(list(names), vpc_id="vpc-own", subnets=subnets, tables=tables))


@pytest.mark.parametrize(
    "tables",
    [
        [table(INSIDE, "subnet-a", "subnet-b"), table(GATEWAY, main=True)],
        [table(INSIDE, main=True), table(GATEWAY, "subnet-elsewhere")],
        [table([], main=True)],
    ],
    ids=["by tables of their own", "by the main table", "without any way out"],
)
def test_private_subnets_in_two_zones_are_right(tables: list[dict[str, Any]]) -> None:
    assert judge([A, B], tables) == ""


@pytest.mark.parametrize(
    "tables",
    [
        [table(GATEWAY, "subnet-a"), table(INSIDE, main=True)],
        [table(INSIDE, "subnet-b"), table(GATEWAY, main=True)],
    ],
    ids=["by a table of its own", "by the main table"],
)
def test_a_public_subnet_is_named_beside_the_private_ones(tables: list[dict[str, Any]]) -> None:
    said = judge([A, B], tables)
    assert "internet gateway: subnet-a" in said
    assert "private: subnet-b" in said


def test_one_zone_is_too_few() -> None:
    assert "2 availability zones; these are in eu-west-1a" in judge([A, C], [table(INSIDE, main=True)])


def test_subnets_of_another_network_do_not_count() -> None:
    other = subnet("subnet-b", "eu-west-1b", vpc="vpc-other")
    said = judge([A, other], [table(INSIDE, main=True)])
    assert "not in the cluster's vpc-own: subnet-b" in said
    assert "these are in eu-west-1a" in said


def test_a_subnet_that_is_not_there_is_named() -> None:
    said = judge([A, B], [table(INSIDE, main=True)], "subnet-a", "subnet-b", "subnet-gone")
    assert said == "there is no subnet-gone"
