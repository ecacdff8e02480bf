"""What the witnesses of this tier see and leave out. Nothing is started, so it runs with the unit tests."""

from __future__ import annotations

import base64
import pickle
import urllib.parse
from collections import Counter
from pathlib import Path
from typing import Any

import account_dump
import planted
import pytest
import residue


class Thing:
    """As moto's models are: fields, of which some are shown by no API."""

    def __init__(self, name: str, **fields: Any) -> None:
        self.name = name
        self.__dict__.update(fields)


class Shelf(dict[str, Thing]):
    """A mapping of a class of its own, with a field beside its entries."""


class ThingBackend:
    """As moto's backends are."""

    def __init__(self, **fields: Any) -> None:
        self.__dict__.update(fields)


def _lines(path: Path, **fields: Any) -> Counter[str]:
    """The dump of an account with one backend; classes of this module are read without it."""
    backends = [("things", "123456789012", "eu-west-1", ThingBackend(**fields))]
    path.write_bytes(pickle.dumps({"moto": "any"}) + pickle.dumps(backends, protocol=5))
    return account_dump.dump(path)


def test_every_value_is_a_line(tmp_path: Path) -> None:
    shelf = Shelf(one=Thing("one", _hidden="left"))
    shelf.label = "shelf"  # type: ignore[attr-defined]
    assert _lines(tmp_path / "account", shelf=shelf, rules=[Thing("a", port=1)]) == Counter(
        {
            "things/eu-west-1 shelf[one].name = 'one'": 1,
            "things/eu-west-1 shelf[one]._hidden = 'left'": 1,
            "things/eu-west-1 shelf.label = 'shelf'": 1,
            "things/eu-west-1 rules[a].name = 'a'": 1,
            "things/eu-west-1 rules[a].port = 1": 1,
        }
    )


def test_things_that_refer_to_each_other_end(tmp_path: Path) -> None:
    first, second = Thing("first"), Thing("second")
    first.other, second.other = second, first  # type: ignore[attr-defined]
    lines = _lines(tmp_path / "account", things={"first": first}, backend=ThingBackend(own="line"))
    assert "things/eu-west-1 things[first].other.name = 'second'" in lines
    assert not any("own" in line for line in lines)


def test_one_more_of_the_same_shows(tmp_path: Path) -> None:
    before = _lines(tmp_path / "before", rules=[Thing("a")])
    after = _lines(tmp_path / "after", rules=[Thing("a"), Thing("a")])
    assert list((after - before).elements()) == ["things/eu-west-1 rules[a].name = 'a'"]


KEY = "kms/eu-west-1 keys[1234]"
SECRET = "secretsmanager/eu-west-1 secrets[team/one]"


def test_what_has_a_date_to_go_does_not_count() -> None:
    waiting = [
        f"{KEY}.key_state = 'PendingDeletion'",
        f"{KEY}.deletion_date = datetime.datetime(2026, 1, 8, 0, 0)",
        f"{SECRET}.deleted_date = 1795374447.0",
    ]
    staying = [
        "kms/eu-west-1 keys[5678].key_state = 'Enabled'",
        "secretsmanager/eu-west-1 secrets[team/two].deleted_date = None",
    ]
    assert residue.kept([*waiting, *staying]) == staying


def test_a_key_without_a_date_is_a_mistake() -> None:
    with pytest.raises(AssertionError, match="PendingDeletion"):
        residue.kept([f"{KEY}.key_state = 'PendingDeletion'", f"{KEY}.deletion_date = None"])


def test_of_networks_only_what_is_deleted_or_has_none_is_gone() -> None:
    lines = [
        "ec2/eu-west-1 vpcs[vpc-1].id = 'vpc-1'",
        "ec2/eu-west-1 default_vpc.id = 'vpc-0'",
        "ec2/eu-west-1 enis[eni-1].subnet.vpc_id = 'vpc-1'",
        "ec2/eu-west-1 enis[eni-2].subnet.vpc_id = 'vpc-2'",
        "ec2/eu-west-1 network_acls[acl-0].vpc_id = 'vpc-0'",
        "ec2/eu-west-1 nat_gateways[nat-1].state = 'available'",
        "ec2/eu-west-1 nat_gateways[nat-2].state = 'deleted'",
        "ec2/eu-west-1 groups[vpc-2][sg-2].vpc_id = 'vpc-2'",
    ]
    assert residue._gone(lines) == {"ec2/eu-west-1 enis[eni-2]", "ec2/eu-west-1 nat_gateways[nat-2]"}


def test_listings_are_compared_in_every_place_and_survive_a_file(tmp_path: Path) -> None:
    before = residue.Listing(Counter(a=1), Counter(), Counter({"db role one": 1}))
    after = residue.Listing(Counter(a=2), Counter({"Job x/y 12": 1}), Counter())
    after.write(tmp_path / "listing")
    assert residue.Listing.read(tmp_path / "listing") == after
    assert after.more_than(before) == {"account": ["a"], "kubernetes": ["Job x/y 12"]}
    assert before.more_than(after) == {"databases": ["db role one"]}


def test_the_search_for_secrets_finds_every_form() -> None:
    """The other half of a search that finds nothing."""
    value, around = "kept/secret+of=16 signs", "text before {} and after"
    twice = base64.b64encode(planted.packed(f"deep {value}").encode()).decode()
    forms = (
        value,
        urllib.parse.quote(value, safe=""),
        *(base64.b64encode(f"{'x' * shift}{value}y".encode()).decode() for shift in range(3)),
        planted.packed(f"inner {value} inner"),
        planted.packed(planted.packed(value)),
        twice,
    )
    for form in forms:
        assert planted.found({"key": value}, {"place": around.format(form)}) == ["key in place"], form
    assert planted.found({"key": value}, {"place": around.format(planted.packed("another"))}) == []
