"""Connections are counted before they are opened. Oracles: RDS's formula, and sums made by hand."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra import chart_values
from infra.connection_budget import (
    SHARE,
    ConnectionBudget,
    ConnectionBudgetError,
    connection_budget,
    max_connections,
)
from infra.settings import EnvironmentSettings

CFG = {"database": {"sql_alchemy_pool_size": "5", "sql_alchemy_max_overflow": "5"}}


def settings(**extra: Any) -> EnvironmentSettings:
    given = {"region": "eu-west-1", "accountId": "123456789012", "owner": "x", "cluster": {"stack": "a/b/c"}}
    return EnvironmentSettings.model_validate_json(json.dumps({**given, **extra}))


def budget(cfg: dict[str, Any] | None = None, **extra: Any) -> ConnectionBudget:
    environment, cfg = settings(**extra), cfg or CFG
    values = chart_values.build_values(environment, airflow_cfg=cfg, wiring=chart_values.ChartWiring())
    return connection_budget(environment, values=values, airflow_cfg=cfg)


@pytest.mark.parametrize(
    ("instance_class", "nominal_gib"),
    [
        ("db.t4g.micro", 1),
        ("db.t4g.medium", 4),
        ("db.m7g.large", 8),
        ("db.r6g.large", 16),
        ("db.m6gd.2xlarge", 32),
    ],
)
def test_the_limit_is_below_what_the_nominal_memory_gives(instance_class: str, nominal_gib: int) -> None:
    """RDS's formula over all of the memory is what an instance never reaches; half of it, what it exceeds."""
    formula = nominal_gib * 2**30 // 9531392
    assert formula * 0.5 < max_connections(instance_class) < formula


def test_the_limit_has_rdss_ceiling() -> None:
    assert max_connections("db.r7g.16xlarge") == 5000


def test_a_class_of_unknown_memory_is_no_guess() -> None:
    with pytest.raises(ConnectionBudgetError, match=r"db\.q9\.large.*families that are known: .*\bm\b"):
        max_connections("db.q9.large")


def test_the_sum_of_direct_connections_is_that_of_all_processes() -> None:
    found = budget(airflow={"size": "small"}, pgbouncer={"enabled": False}, cleanup={"database": False})
    # One of each and one more in a rollout: a pool of ten and a probe each, two pools in the API server.
    assert {share.who: share.connections for share in found.database} == {
        "scheduler": 2 * 11,
        "apiServer": 2 * 10,
        "apiServer, asynchronous": 2 * 10,
        "dagProcessor": 2 * 11,
        "triggerer": 2 * 11,
        "migration": 2,
    }
    assert found.total == 108


def test_with_pgbouncer_the_database_sees_pools_and_each_pool_takes_all_clients() -> None:
    found = budget(airflow={"size": "small"}, pgbouncer={"replicas": 3, "poolSize": 9})
    assert found.total == (3 + 1) * 9 + 2 + 2 * 10
    direct = budget(airflow={"size": "small"}, pgbouncer={"enabled": False})
    assert found.client_total == direct.total - 2 - 2 * 10


def test_processes_of_the_api_server_count() -> None:
    more = budget({**CFG, "api": {"workers": "4"}}, airflow={"size": "small"}, pgbouncer={"enabled": False})
    one = budget(airflow={"size": "small"}, pgbouncer={"enabled": False})
    assert more.total - one.total == 2 * 3 * 20


def test_over_the_limit_the_message_shows_the_sum() -> None:
    found = budget(
        airflow={"size": "large"}, database={"instanceClass": "db.t4g.micro"}, pgbouncer={"enabled": False}
    )
    with pytest.raises(ConnectionBudgetError) as raised:
        found.check()
    text = str(raised.value)
    assert "85% of" in text
    assert "max_connections of db.t4g.micro" in text
    for part in (
        "scheduler",
        "apiServer",
        "dagProcessor",
        "triggerer",
        "migration",
        f"{found.total}  together",
    ):
        assert part in text
    assert "airflow:pgbouncer.poolSize" in text


def test_a_tenant_is_held_to_its_own_limit() -> None:
    shared = {"tenancy": "shared", "tenantConnections": 30}
    found = budget(
        durability="disposable", database=shared, alarms={"enabled": False}, pgbouncer={"poolSize": 14}
    )
    assert found.limit == 30
    with pytest.raises(ConnectionBudgetError, match=r"airflow:database\.tenantConnections"):
        found.check()


@given(limit=st.integers(1, 5000), total=st.integers(0, 5000))
def test_the_line_is_at_85_per_cent(limit: int, total: int) -> None:
    from infra.connection_budget import Share

    found = ConnectionBudget(clients=(), database=(Share("x", total, "y"),), limit=limit, limit_is="z")
    try:
        found.check()
    except ConnectionBudgetError:
        assert total > int(limit * SHARE)
    else:
        assert total <= limit * 0.85
