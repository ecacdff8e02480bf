"""How a deployed environment ends, whole: what is left, and a new environment that takes up from it.

Not part of the cluster tier, since restoring deploys a second environment. `make matrix` runs it:

    ENDING_STACK=STACK ENDING_BEFORE=FILE [ENDING_RESTORES=1] pytest tests/cluster/ending.py

FILE is a listing (`residue.py FILE`) of before STACK was deployed; its cluster was there.
"""

from __future__ import annotations

import json
import os
import re
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import account_dump
import boto3
import pytest
import residue
import yaml
from witness import DOWN_SECONDS, ROOT, UP_SECONDS, parsed, stacks, succeed

pytestmark = pytest.mark.skipif("ENDING_STACK" not in os.environ, reason="run by `make matrix`")

STACK = os.environ.get("ENDING_STACK", "")
RESTORES = "ENDING_RESTORES" in os.environ
FILE = ROOT / f"Pulumi.{STACK}.yaml"
CONNECTION = "kept-by-the-recovery-set"
PASSWORD = f"planted/{secrets.token_urlsafe(16)}"

# Each object of the recovery set as it is in the account.
SNAPSHOT, SECRET, KEY = (
    re.compile(rf"^{part}\[(.*)\]$")
    for part in (r"rds/\S+ database_snapshots\._store", r"secretsmanager/\S+ secrets", r"kms/\S+ keys")
)

# Airflow's own model decrypts; the row itself is looked at without it.
_READ = """
import sys
from sqlalchemy import select, text
from airflow.models import Connection
from airflow.utils.session import create_session
name = sys.argv[1]
with create_session() as session:
    column = text("SELECT password FROM connection WHERE conn_id = :name")
    row = session.execute(column, {"name": name}).scalar_one()
    found = session.scalars(select(Connection).where(Connection.conn_id == name)).one()
    print("READ", found.host, found.password, row)
"""


@pytest.fixture(scope="module")
def before() -> residue.Listing:
    """What was there before the environment."""
    return residue.Listing.read(Path(os.environ["ENDING_BEFORE"]))


@pytest.fixture(scope="module")
def persistent() -> bool:
    """Whether the stack file promises to keep the data."""
    settings = yaml.safe_load(FILE.read_text(encoding="utf-8"))["config"]
    return bool(settings["airflow:durability"] == "persistent")


@pytest.fixture(scope="module")
def successor() -> Iterator[str]:
    """A stack name that is free; its file goes at the end."""
    name = f"{STACK}-again"
    file = ROOT / f"Pulumi.{name}.yaml"
    try:
        yield name
    finally:
        if name in stacks():
            succeed("airflow-env", "down", name, "--retire", seconds=DOWN_SECONDS)
        file.unlink(missing_ok=True)


def test_an_environment_ends_and_a_new_one_takes_up_its_data(
    before: residue.Listing, persistent: bool, successor: str
) -> None:
    if persistent:
        _write_connection(STACK)
    said = succeed("airflow-env", "down", STACK, "--retire", seconds=DOWN_SECONDS)
    after = residue.take()
    assert before.more_than(after) == {}
    left = after.more_than(before)
    if not persistent:
        assert left == {}
        return
    first = _recovery_set(left)
    if not RESTORES:
        return

    _write_successor(successor, said)
    succeed("airflow-env", "up", successor, seconds=UP_SECONDS)
    host, password, row = _read_connection(successor)
    assert (host, password) == ("warehouse.example", PASSWORD)
    # Encrypted in the database: what was read came out of a key, the old environment's.
    assert PASSWORD not in row
    canary = parsed("airflow-env", "canary", successor, "--json")
    assert [row["name"] for row in canary["rows"] if row["outcome"] != "passed"] == []
    succeed("airflow-env", "down", successor, "--retire", seconds=DOWN_SECONDS)
    both = _recovery_set(residue.take().more_than(before))
    assert first < both


def _write_connection(stack: str) -> None:
    _in_airflow(
        stack,
        "airflow",
        "connections",
        "add",
        CONNECTION,
        "--conn-json",
        json.dumps(
            {"conn_type": "postgres", "login": "reader", "password": PASSWORD, "host": "warehouse.example"}
        ),
    )


def _read_connection(stack: str) -> tuple[str, str, str]:
    """Host and password as Airflow reads them, and the password's column as it is stored."""
    said = _in_airflow(stack, "python", "-c", _READ, CONNECTION)
    (line,) = [line for line in said.splitlines() if line.startswith("READ ")]
    _, host, password, row = line.split(" ")
    return host, password, row


def _in_airflow(stack: str, *command: str) -> str:
    """Run a command where Airflow has its database and its keys."""
    outputs = parsed("pulumi", "stack", "output", "--json", "--stack", stack)
    pod = ("exec", "deployment/airflow-api-server", "--container", "api-server", "--")
    return succeed("kubectl", "--namespace", outputs["namespace"], *pod, *command, seconds=180)


def _write_successor(stack: str, said: str) -> None:
    """The old stack's file with the settings that `down` printed, as docs/restore.md says; smaller."""
    printed = re.search(r"^  airflow:database:\n(?: {4,}.*\n)+", said, re.MULTILINE)
    assert printed, said
    settings = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    settings["config"]["airflow:database"] |= yaml.safe_load(printed[0])["airflow:database"]
    # A small one takes up a large one's data as well.
    settings["config"]["airflow:airflow"]["size"] = "small"
    settings["config"]["airflow:pgbouncer"]["replicas"] = 1
    (ROOT / f"Pulumi.{stack}.yaml").write_text(yaml.safe_dump(settings, sort_keys=False), encoding="utf-8")


def _recovery_set(left: dict[str, list[str]]) -> set[str]:
    """The objects that are left, which have to be recovery sets, each with its tag; nothing else is left."""
    assert left.keys() == {"account"}, left
    objects = {account_dump.object_of(line) for line in left["account"]}
    snapshots, secrets_, keys = (_named(kind, objects) for kind in (SNAPSHOT, SECRET, KEY))
    assert len(snapshots) + len(secrets_) + len(keys) == len(objects), sorted(objects)
    tagged = [*map(_tags_of_snapshot, snapshots), *map(_tags_of_secret, secrets_), *map(_tags_of_key, keys)]
    assert all("recovery-set" in tags for tags in tagged), tagged
    final = [name for name in snapshots if "-final-" in name]
    assert len(final) == len(secrets_) == len(keys) > 0
    return objects


def _named(kind: re.Pattern[str], objects: set[str]) -> list[str]:
    return [found[1] for name in objects if (found := kind.match(name))]


def _tags_of_snapshot(name: str) -> set[str]:
    client: Any = boto3.client("rds")
    [found] = client.describe_db_snapshots(DBSnapshotIdentifier=name)["DBSnapshots"]
    return {tag["Key"] for tag in found["TagList"]}


def _tags_of_secret(name: str) -> set[str]:
    client: Any = boto3.client("secretsmanager")
    return {tag["Key"] for tag in client.describe_secret(SecretId=name)["Tags"]}


def _tags_of_key(name: str) -> set[str]:
    client: Any = boto3.client("kms")
    return {tag["TagKey"] for tag in client.list_resource_tags(KeyId=name)["Tags"]}
