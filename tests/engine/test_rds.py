"""RDS's ways with changes: what takes effect now, what waits, what a restore brings. psycopg tells."""

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from aws_api_server import Account, postgres_directory, running_account
from botocore.exceptions import ClientError
from embedded.cli import app
from typer.testing import CliRunner

pytestmark = [
    pytest.mark.engine,
    pytest.mark.skipif(postgres_directory() is None, reason="no Postgres in /usr/lib/postgresql"),
]

# LEAST({DBInstanceClassMemory/9531392}, 5000) with 1, 2 and 4 GiB:
# https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/CHAP_Limits.html
MICRO, SMALL, MEDIUM = "112", "225", "450"


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    with running_account(tmp_path_factory.mktemp("aws")) as account:
        yield account


@pytest.fixture(scope="module")
def database(account: Account) -> str:
    account.create_database("changing", PreferredMaintenanceWindow=_window(timedelta(days=3)))
    account.instance("changing")
    return "changing"


def modify(account: Account, identifier: str, **changes: Any) -> dict[str, Any]:
    answer = account.client("rds").modify_db_instance(DBInstanceIdentifier=identifier, **changes)
    found: dict[str, Any] = answer["DBInstance"]
    return found


def reboot(account: Account, identifier: str) -> None:
    account.client("rds").reboot_db_instance(DBInstanceIdentifier=identifier)
    account.instance(identifier)


def shown(account: Account, identifier: str, *names: str) -> list[str]:
    """Settings as the server itself tells them."""
    with account.connect(identifier) as connection:
        rows = [connection.execute(f"SHOW {name}").fetchone() for name in names]
    return [str(row[0]) for row in rows if row is not None]


def eventually(account: Account, identifier: str, name: str, value: str) -> None:
    deadline = time.monotonic() + 60
    while shown(account, identifier, name) != [value]:
        assert time.monotonic() < deadline, account.log()[-2000:]
        time.sleep(0.2)


def login(account: Account, identifier: str) -> dict[str, str]:
    arn = account.instance(identifier)["MasterUserSecret"]["SecretArn"]
    secret = account.client("secretsmanager").get_secret_value(SecretId=arn)["SecretString"]
    found = json.loads(secret)
    return {"user": found["username"], "password": found["password"]}


def _window(ahead: timedelta) -> str:
    """A maintenance window of 40 minutes that begins so much later than now."""
    begin = datetime.now(UTC) + ahead
    return f"{begin:%a:%H:%M}-{begin + timedelta(minutes=40):%a:%H:%M}".lower()


# --- modifications that wait ---


def test_a_change_without_apply_immediately_waits_for_the_reboot(account: Account, database: str) -> None:
    assert shown(account, database, "max_connections") == [MICRO]
    told = modify(account, database, DBInstanceClass="db.t4g.small")
    assert told["DBInstanceClass"] == "db.t4g.micro"
    assert told["PendingModifiedValues"] == {"DBInstanceClass": "db.t4g.small"}
    assert shown(account, database, "max_connections") == [MICRO]
    reboot(account, database)
    found = account.instance(database)
    assert (found["DBInstanceClass"], found["PendingModifiedValues"]) == ("db.t4g.small", {})
    assert shown(account, database, "max_connections") == [SMALL]


def test_a_later_change_that_is_immediate_takes_what_waits_with_it(account: Account, database: str) -> None:
    modify(account, database, DBInstanceClass="db.t4g.medium")
    modify(account, database, AllocatedStorage=30, ApplyImmediately=True)
    found = account.instance(database)
    assert (found["DBInstanceClass"], found["AllocatedStorage"]) == ("db.t4g.medium", 30)
    assert shown(account, database, "max_connections") == [MEDIUM]


def test_a_change_that_is_taken_back_no_longer_waits(account: Account, database: str) -> None:
    modify(account, database, DBInstanceClass="db.t4g.micro")
    told = modify(account, database, DBInstanceClass="db.t4g.medium")
    assert told["PendingModifiedValues"] == {}


def test_what_waits_is_applied_in_the_maintenance_window(account: Account, database: str) -> None:
    modify(account, database, DBInstanceClass="db.t4g.small")
    assert account.instance(database)["PendingModifiedValues"]
    modify(account, database, PreferredMaintenanceWindow=_window(timedelta(minutes=-5)))
    deadline = time.monotonic() + 60
    while account.instance(database)["PendingModifiedValues"]:
        assert time.monotonic() < deadline, account.log()[-2000:]
        time.sleep(0.5)
    assert account.instance(database)["DBInstanceClass"] == "db.t4g.small"
    assert shown(account, database, "max_connections") == [SMALL]
    modify(account, database, PreferredMaintenanceWindow=_window(timedelta(days=3)))


# --- parameter groups ---


def test_parameters_take_effect_as_their_kind_and_method_say(account: Account, database: str) -> None:
    rds = account.client("rds")
    version = rds.describe_db_engine_versions(Engine="postgres")["DBEngineVersions"][0]
    family = version["DBParameterGroupFamily"]
    rds.create_db_parameter_group(DBParameterGroupName="own", DBParameterGroupFamily=family, Description="d")

    def change(**parameters: tuple[str, str]) -> None:
        rds.modify_db_parameter_group(
            DBParameterGroupName="own",
            Parameters=[
                {"ParameterName": name, "ParameterValue": value, "ApplyMethod": method}
                for name, (value, method) in parameters.items()
            ],
        )

    def status() -> str:
        return str(account.instance(database)["DBParameterGroups"][0]["ParameterApplyStatus"])

    # A group that is newly associated waits as a whole ...
    before = shown(account, database, "work_mem", "max_locks_per_transaction", "deadlock_timeout")
    change(work_mem=("5MB", "immediate"))
    modify(account, database, DBParameterGroupName="own", ApplyImmediately=True)
    assert status() == "pending-reboot"
    assert shown(account, database, "work_mem") == before[:1]
    # ... but what is changed in it afterwards is applied, if it can be.
    change(deadlock_timeout=("3s", "immediate"))
    eventually(account, database, "deadlock_timeout", "3s")
    assert shown(account, database, "work_mem") == before[:1]
    reboot(account, database)
    assert (status(), shown(account, database, "work_mem")) == ("in-sync", ["5MB"])
    # Static ones wait, and so do dynamic ones if they are told to.
    with pytest.raises(ClientError, match="static"):
        change(max_locks_per_transaction=("128", "immediate"))
    change(max_locks_per_transaction=("128", "pending-reboot"), work_mem=("6MB", "pending-reboot"))
    change(deadlock_timeout=("4s", "immediate"))
    eventually(account, database, "deadlock_timeout", "4s")
    assert status() == "pending-reboot"
    assert shown(account, database, "work_mem", "max_locks_per_transaction") == ["5MB", before[1]]
    reboot(account, database)
    assert shown(account, database, "work_mem", "max_locks_per_transaction") == ["6MB", "128"]
    assert status() == "in-sync"
    # Back to the defaults.
    reset = [{"ParameterName": "deadlock_timeout", "ApplyMethod": "immediate"}]
    rds.reset_db_parameter_group(DBParameterGroupName="own", Parameters=reset)
    eventually(account, database, "deadlock_timeout", before[2])


# --- the master's password ---


def test_a_modification_rotates_the_managed_secret(account: Account, database: str) -> None:
    before = login(account, database)
    with pytest.raises(ClientError, match="apply immediately"):
        modify(account, database, RotateMasterUserPassword=True)
    modify(account, database, RotateMasterUserPassword=True, ApplyImmediately=True)
    assert login(account, database)["password"] != before["password"]
    account.connect(database).close()
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        account.connect_as(database, **before)


def test_a_restore_of_a_final_snapshot_brings_data_and_the_old_password(account: Account) -> None:
    rds = account.client("rds")
    account.create_database("gone", DeletionProtection=False, DBName="airflow")
    account.instance("gone")
    old = login(account, "gone")
    with account.connect("gone", dbname="airflow") as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS x")
    rds.delete_db_instance(DBInstanceIdentifier="gone", FinalDBSnapshotIdentifier="last")
    rds.get_waiter("db_instance_deleted").wait(
        DBInstanceIdentifier="gone", WaiterConfig={"Delay": 1, "MaxAttempts": 60}
    )
    backups = rds.describe_db_instance_automated_backups(DBInstanceIdentifier="gone")
    assert backups["DBInstanceAutomatedBackups"] == []
    restore = {"DBInstanceIdentifier": "back", "DBSnapshotIdentifier": "last"}
    with pytest.raises(ClientError, match="ManageMasterUserPassword"):
        rds.restore_db_instance_from_db_snapshot(**restore, ManageMasterUserPassword=True)
    rds.restore_db_instance_from_db_snapshot(**restore)
    assert "MasterUserSecret" not in account.instance("back")
    with account.connect_as("back", dbname="airflow", **old) as connection:
        assert connection.execute("SELECT x FROM kept").fetchone() == (42,)
    modify(account, "back", ManageMasterUserPassword=True, ApplyImmediately=True)
    deadline = time.monotonic() + 60
    while True:
        try:
            account.connect("back").close()
            break
        except psycopg.OperationalError:
            assert time.monotonic() < deadline, account.log()[-2000:]
            time.sleep(0.2)
    assert login(account, "back")["password"] != old["password"]
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        account.connect_as("back", **old)
    with pytest.raises(ClientError, match="MasterUserPassword"):
        modify(account, "back", ManageMasterUserPassword=False, ApplyImmediately=True)
    rds.delete_db_instance(DBInstanceIdentifier="back", SkipFinalSnapshot=True)


# --- AWS's pace ---


def test_at_awss_pace_an_instance_is_creating_for_long_and_a_kill_does_not_shorten_it(
    account: Account,
) -> None:
    """At half of AWS's pace no instance is there within a test; at once means that it is."""

    def durations(scale: str) -> None:
        words = ["--checkout", str(account.identity.checkout), "faults", "durations", scale]
        ended = CliRunner().invoke(app, words, catch_exceptions=False)
        assert ended.exit_code == 0, ended.output

    def status(identifier: str) -> str:
        found = account.client("rds").describe_db_instances(DBInstanceIdentifier=identifier)
        return str(found["DBInstances"][0]["DBInstanceStatus"])

    durations("1/2")
    account.create_database("slow")
    durations("1/1000")
    account.create_database("quick")
    durations("0")
    account.instance("quick")
    account.kill()
    account.start()
    assert (status("slow"), status("quick")) == ("creating", "available")
    assert (
        "Endpoint"
        not in account.client("rds").describe_db_instances(DBInstanceIdentifier="slow")["DBInstances"][0]
    )


@pytest.mark.contract(
    "rds",
    "gp3 of Postgres: no IOPS below 400 GiB, 12000 or more from there on, and both together in an increase: "
    "InvalidParameterCombination, HTTP 400",
    "https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/CHAP_Storage.html#gp3-storage",
)
def test_storage_that_grows_over_the_threshold_names_its_iops(account: Account) -> None:
    rds, said = account.client("rds"), []
    with pytest.raises(ClientError, match="storage size less than 400"):
        account.create_database("slow", StorageType="gp3", Iops=3000)
    account.create_database("growing", StorageType="gp3", MaxAllocatedStorage=500)
    found = account.instance("growing")
    assert (found["Iops"], found["StorageThroughput"]) == (3000, 125)
    for iops in ({}, {"Iops": 3000}):
        with pytest.raises(ClientError) as refused:
            modify(account, "growing", AllocatedStorage=400, ApplyImmediately=True, **iops)
        said.append(refused.value.response["Error"]["Message"])
    assert "both the storage size and iops" in said[0]
    assert "Invalid iops value" in said[1]
    modify(account, "growing", AllocatedStorage=400, Iops=12000, ApplyImmediately=True)
    found = account.instance("growing")
    assert (found["AllocatedStorage"], found["Iops"], found["StorageThroughput"]) == (400, 12000, 500)
    with pytest.raises(ClientError, match="can't be reduced"):
        modify(account, "growing", AllocatedStorage=100, ApplyImmediately=True)
    rds.delete_db_instance(DBInstanceIdentifier="growing", SkipFinalSnapshot=True)


@pytest.mark.contract(
    "rds",
    "Windows of backup and maintenance that overlap or are short: InvalidParameterValue, HTTP 400",
    "https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBInstance.html",
)
def test_windows_are_long_enough_and_apart(account: Account, database: str) -> None:
    with pytest.raises(ClientError, match="must not overlap"):
        account.create_database(
            "busy",
            PreferredBackupWindow="02:00-03:00",
            PreferredMaintenanceWindow="sun:02:30-sun:03:30",
        )
    with pytest.raises(ClientError, match="at least 30 minutes"):
        modify(account, database, PreferredBackupWindow="02:00-02:10")
