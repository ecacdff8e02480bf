"""Identities of clouds: derived from the path alone, and apart from each other."""

from __future__ import annotations

import string
from ipaddress import IPv4Network, ip_address
from pathlib import Path

import pytest
from embedded.identity import MAXIMUM_DATABASES, CloudIdentity
from hypothesis import given
from hypothesis import strategies as st

_PARTS = st.text(string.ascii_lowercase + string.digits + "_-", min_size=1, max_size=12)
_PATHS = st.lists(_PARTS, min_size=1, max_size=5).map(lambda parts: Path("/", *parts))
# <linux/if.h>: IFNAMSIZ is 16 with the closing zero.
_LONGEST_LINK_NAME = 15


def test_a_link_to_the_checkout_is_the_same_cloud(tmp_path: Path) -> None:
    (tmp_path / "checkout").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "checkout")
    assert CloudIdentity.of(tmp_path / "link") == CloudIdentity.of(tmp_path / "checkout")


@given(_PATHS)
def test_addresses_are_private_and_do_not_meet(path: Path) -> None:
    identity = CloudIdentity.of(path)
    networks = [identity.link_network, IPv4Network(identity.pod_cidr), IPv4Network(identity.service_cidr)]
    assert all(network.is_private and network.subnet_of(identity.block) for network in networks)
    assert not any(one.overlaps(other) for one in networks for other in networks if one is not other)
    singles = [identity.host_address, identity.node_address]
    singles += [identity.database_address(index) for index in range(MAXIMUM_DATABASES)]
    assert len(set(singles)) == len(singles)
    hosts = set(identity.link_network.hosts())
    assert all(ip_address(single) in hosts for single in singles)


@given(_PATHS)
def test_link_names_fit_the_kernel_and_differ(path: Path) -> None:
    identity = CloudIdentity.of(path)
    assert len(identity.host_link) <= _LONGEST_LINK_NAME
    assert len(identity.node_link) <= _LONGEST_LINK_NAME
    assert identity.host_link != identity.node_link


@given(st.sets(_PATHS, min_size=2, max_size=4))
def test_two_checkouts_share_neither_names_nor_state(paths: set[Path]) -> None:
    identities = [CloudIdentity.of(path) for path in paths]
    for attribute in ("name", "host_link", "node_link", "state_directory", "network_namespace"):
        assert len({getattr(identity, attribute) for identity in identities}) == len(identities)


@pytest.mark.parametrize("index", [-1, MAXIMUM_DATABASES])
def test_a_database_beyond_the_range_is_refused(index: int) -> None:
    with pytest.raises(ValueError, match="0 to 127"):
        CloudIdentity.of(Path("/checkout")).database_address(index)


@pytest.mark.parametrize(
    ("configured", "expected"),
    [("/srv/state", "/srv/state/airflow-iac"), ("relative", "/home/me/.local/state/airflow-iac")],
)
def test_state_follows_the_base_directory_specification(
    monkeypatch: pytest.MonkeyPatch, configured: str, expected: str
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", configured)
    monkeypatch.setenv("HOME", "/home/me")
    assert str(CloudIdentity.of(Path("/checkout")).state_directory.parent) == expected
