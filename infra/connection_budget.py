"""How many connections an environment may open to its metadata database, and how many there are.

RDS refuses connections over its limit, so a rollout that doubles pods for a minute would take Airflow down.
The sum is made before anything is registered, from the same values that the release gets. Pure functions.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from infra.settings import EnvironmentSettings

# The rest is left to RDS's own sessions, to the connections reserved for administration, and to people.
SHARE: Final = 0.85
MIGRATION_CONNECTIONS: Final = 2
"""The migration Job holds a lock in a session of its own, and works in another."""
CLEANUP_CONNECTIONS: Final = 2
"""The Job that removes old rows; its pod does not go through the release's pools at once with others."""
# Deployments add one pod before they take one away (charts/values/base.yaml and the chart's own strategy).
SURGE: Final = 1

# Memory of size `large`, in GiB, by family without generation: https://aws.amazon.com/rds/instance-types/
_LARGE_GIB: Final[Mapping[str, float]] = {
    "t": 8,
    "m": 8,
    "r": 16,
    "c": 4,
    "x2g": 32,
    "x2idn": 32,
    "x2iedn": 64,
    "z": 16,
}
_SIZES: Final[Mapping[str, float]] = {
    "micro": 1 / 8,
    "small": 1 / 4,
    "medium": 1 / 2,
    "large": 1,
    "xlarge": 2,
}
_CLASS: Final = re.compile(r"^db\.(?P<family>[a-z]+)(?P<rest>[a-z0-9-]*)\.(?P<size>(?P<times>\d*)[a-z]+)$")


class ConnectionBudgetError(ValueError):
    """The environment would open more connections than its database can take."""


@dataclass(frozen=True, slots=True)
class Share:
    """One part of the sum: who, how many, and why so many."""

    who: str
    connections: int
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionBudget:
    """All connections at the worst moment, a rollout."""

    clients: tuple[Share, ...]
    """Connections that Airflow's processes open: to PgBouncer where there is one, else to the database."""
    database: tuple[Share, ...]
    """Connections to the database."""
    limit: int
    """Connections that the database accepts."""
    limit_is: str
    """Where the limit comes from."""

    @property
    def client_total(self) -> int:
        """Sum of the clients: each PgBouncer must be able to take all of them alone."""
        return sum(share.connections for share in self.clients)

    @property
    def total(self) -> int:
        """Sum of the connections to the database."""
        return sum(share.connections for share in self.database)

    @property
    def allowed(self) -> int:
        """Connections that may be used."""
        return int(self.limit * SHARE)

    def check(self) -> None:
        """Raise `ConnectionBudgetError` with the sum if it is over what is allowed."""
        if self.total <= self.allowed:
            return
        lines = [f"  {share.connections:>5}  {share.who}: {share.why}" for share in self.database]
        raise ConnectionBudgetError(
            "\n".join(
                [
                    f"connections to the metadata database: {self.total} in a rollout, allowed: "
                    f"{self.allowed} ({SHARE:.0%} of {self.limit}, {self.limit_is})",
                    *lines,
                    f"  {self.total:>5}  together. Take a bigger airflow:database.instanceClass, fewer "
                    "airflow:airflow.replicas, or a smaller airflow:pgbouncer.poolSize (with "
                    "airflow:pgbouncer.enabled true).",
                ]
            )
        )


def max_connections(instance_class: str) -> int:
    """Return RDS's limit for a class: LEAST({DBInstanceClassMemory/9531392}, 5000).

    https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/CHAP_Limits.html#RDS_Limits.MaxConnections
    DBInstanceClassMemory is what the operating system and RDS's own processes leave; AWS gives no
    figures, and 256 MiB and 6 % is more than what instances show.

    Raises:
        ConnectionBudgetError: the memory of the class is not known.
    """
    match = _CLASS.match(instance_class)
    family = match["family"] if match else ""
    whole = f"{family}{match['rest']}" if match else ""
    large = next((_LARGE_GIB[key] for key in (whole, family) if key in _LARGE_GIB), None)
    times = _SIZES.get(match["size"]) if match else None
    if times is None and match and match["times"]:
        times = 2.0 * int(match["times"])
    if large is None or times is None:
        families = ", ".join(sorted(_LARGE_GIB))
        raise ConnectionBudgetError(
            f"airflow:database.instanceClass: {instance_class}: its memory is not known, so its connections "
            f"can't be counted; families that are known: {families}"
        )
    mebibytes = large * times * 1024
    return min(int((mebibytes * 0.94 - 256) * 1024**2 // 9531392), 5000)


def connection_budget(
    settings: EnvironmentSettings,
    *,
    values: Mapping[str, Any],
    airflow_cfg: Mapping[str, Mapping[str, Any]],
) -> ConnectionBudget:
    """Return the budget of an environment.

    Args:
        settings: the environment.
        values: the chart's values, for the replicas.
        airflow_cfg: the configuration, for the sizes of the processes' own pools.

    Raises:
        ConnectionBudgetError: the memory of the instance class is not known.
    """
    database = settings.database
    if database.shared:
        limit, limit_is = database.tenant_connections, "airflow:database.tenantConnections"
    else:
        limit = max_connections(database.instance_class)
        limit_is = f"max_connections of {database.instance_class}"
    clients = _clients(values, airflow_cfg)
    direct = (
        _asynchronous(values, airflow_cfg),
        Share("migration", MIGRATION_CONNECTIONS, "a Job before the release, directly"),
    )
    if not settings.pgbouncer.enabled:
        return ConnectionBudget(clients=clients, database=(*clients, *direct), limit=limit, limit_is=limit_is)
    replicas, size = settings.pgbouncer.replicas, settings.pgbouncer.pool_size
    pooled = Share(
        "PgBouncer", (replicas + SURGE) * size, f"({replicas} + {SURGE} in a rollout) x poolSize {size}"
    )
    return ConnectionBudget(clients=clients, database=(pooled, *direct), limit=limit, limit_is=limit_is)


def _processes(airflow_cfg: Mapping[str, Mapping[str, Any]]) -> tuple[int, int]:
    """Processes of an API server, and connections of one process; Airflow's defaults for what is not set."""

    def option(section: str, name: str, default: int) -> int:
        return int(str(airflow_cfg.get(section, {}).get(name, default)))

    pool = option("database", "sql_alchemy_pool_size", 5) + option("database", "sql_alchemy_max_overflow", 10)
    return option("api", "workers", 1), pool


def _asynchronous(values: Mapping[str, Any], airflow_cfg: Mapping[str, Mapping[str, Any]]) -> Share:
    """Connections of the API servers' asynchronous engine, which never goes through PgBouncer."""
    workers, pool = _processes(airflow_cfg)
    replicas = int(values["apiServer"]["replicas"])
    why = f"({replicas} + {SURGE} in a rollout) x {workers} workers x pool of {pool}, directly"
    return Share("apiServer, asynchronous", (replicas + SURGE) * workers * pool, why)


def _clients(values: Mapping[str, Any], airflow_cfg: Mapping[str, Mapping[str, Any]]) -> tuple[Share, ...]:
    """Connections of Airflow's own processes, by component.

    Task pods have none: tasks talk to the API server. Of the scheduler, DAG processor and triggerer one
    process opens sessions; their children talk to it.
    """

    workers, pool = _processes(airflow_cfg)
    shares = []
    for component in ("scheduler", "apiServer", "dagProcessor", "triggerer"):
        replicas = int(values[component]["replicas"])
        if component == "apiServer":
            each, how = workers * pool, f"{workers} workers x pool of {pool}"
        else:
            each, how = pool + 1, f"(pool of {pool} + 1 of its probe)"
        pods = replicas + SURGE
        shares.append(Share(component, pods * each, f"({replicas} + {SURGE} in a rollout) x {how}"))
    if values.get("databaseCleanup", {}).get("enabled"):
        shares.append(Share("database cleanup", CLEANUP_CONNECTIONS, "a Job, once a week"))
    return tuple(shares)
