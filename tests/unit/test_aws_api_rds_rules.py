"""RDS's tables and texts that need no server. moto takes two seconds to import: where it refuses alone."""

from typing import Any

import pytest
from embedded.rds.configuration import ServerConfiguration, pg_hba_conf, postgresql_conf
from embedded.rds.instance_classes import max_connections, memory_bytes
from embedded.rds.passwords import generate, password_of, secret_string
from embedded.rds.storage import baseline, check_performance, check_windows


@pytest.mark.parametrize(
    ("instance_class", "gib"),
    # https://aws.amazon.com/rds/instance-types/
    [
        ("db.t4g.micro", 1),
        ("db.t3.medium", 4),
        ("db.t4g.2xlarge", 32),
        ("db.m6g.large", 8),
        ("db.m7i.4xlarge", 64),
        ("db.r6g.large", 16),
        ("db.r7g.16xlarge", 512),
    ],
)
def test_memory_of_instance_classes(instance_class: str, gib: int) -> None:
    assert memory_bytes(instance_class) == gib * 1024**3


@pytest.mark.parametrize("instance_class", ["db.m6g.micro", "db.t4g.nano", "t4g.micro", "db.x", ""])
def test_classes_rds_does_not_have_are_refused(instance_class: str) -> None:
    from moto.rds.exceptions import InvalidParameterValue

    with pytest.raises(InvalidParameterValue, match="Invalid DB Instance class"):
        memory_bytes(instance_class)


@pytest.mark.parametrize(("instance_class", "limit"), [("db.t4g.micro", 112), ("db.r7g.16xlarge", 5000)])
def test_max_connections_follow_the_documented_formula(instance_class: str, limit: int) -> None:
    assert max_connections(instance_class) == limit


def configuration(force_ssl: bool, **settings: str) -> ServerConfiguration:
    return ServerConfiguration("/mnt", "d", "10.0.0.1", 5432, 50, force_ssl, settings, ("root",))


def test_without_force_ssl_both_kinds_of_connection_are_matched() -> None:
    assert pg_hba_conf(configuration(True)).splitlines()[-1].split()[0] == "hostssl"
    assert pg_hba_conf(configuration(False)).splitlines()[-1].split()[0] == "host"


def test_no_rule_lets_anyone_in_without_a_password_over_the_network() -> None:
    for line in pg_hba_conf(configuration(False)).splitlines():
        if not line.startswith("local"):
            assert line.split()[-1] in ("scram-sha-256", "reject")


def test_a_setting_cannot_break_out_of_its_line_nor_move_the_server() -> None:
    text = postgresql_conf(configuration(True, log_line_prefix="x'\nport = 1", listen_addresses="*"))
    settings = dict(line.split(" = ", 1) for line in text.splitlines())
    assert settings["listen_addresses"] == "'10.0.0.1'"
    assert settings["port"] == "'5432'"
    assert settings["log_line_prefix"] == "'x'' port = 1'"


def test_generated_passwords_need_no_quoting_in_urls_or_shells_quotes_and_differ() -> None:
    passwords = {generate() for _ in range(50)}
    assert len(passwords) == 50
    assert not set("".join(passwords)) & set("/'\"@ ")


def test_a_master_secret_is_read_back() -> None:
    assert password_of(secret_string("u", 'p"\\x')) == 'p"\\x'


@pytest.mark.parametrize(
    ("gib", "iops", "throughput", "said"),
    [
        (399, 3000, None, "less than 400"),
        (20, None, 125, "less than 400"),
        (400, 3000, None, "Invalid iops value"),
        (400, 12000, 400, "Invalid storage throughput value"),
    ],
)
def test_speeds_that_a_volume_can_not_have(gib: int, iops: Any, throughput: Any, said: str) -> None:
    from moto.rds.exceptions import InvalidParameterCombination

    with pytest.raises(InvalidParameterCombination, match=said):
        check_performance("gp3", gib, iops, throughput)


def test_speeds_that_a_volume_can_have() -> None:
    check_performance("gp3", 399, None, None)
    check_performance("gp3", 400, *baseline(400))
    check_performance("gp2", 100, 3000, None)
    assert baseline(399) == (3000, 125)


@pytest.mark.parametrize(
    ("backup", "maintenance", "said"),
    [
        ("02:00-02:29", None, "at least 30"),
        ("02:00-03:00", "sun:02:59-sun:03:59", "overlap"),
        ("23:30-00:30", "SUN:23:45-mon:00:15", "overlap"),
        ("00:00-00:30", "mon:22:00-tue:00:01", "overlap"),
    ],
)
def test_windows_that_are_refused(backup: str, maintenance: str | None, said: str) -> None:
    from moto.rds.exceptions import InvalidParameterValue

    with pytest.raises(InvalidParameterValue, match=said):
        check_windows(backup, maintenance)


def test_windows_side_by_side() -> None:
    check_windows("02:00-03:00", "sun:03:00-sun:04:00")
    check_windows("23:30-00:30", "mon:00:30-mon:01:00")
