"""What outlives a persistent environment, and what a restored one begins with."""

from __future__ import annotations

import json
from collections.abc import Callable

from edge_reasons import without_reason
from graph_recording import Graph
from graph_stacks import STACKS

GraphOf = Callable[..., Graph]

PERSISTENT = {"durability": "persistent", "database": "{}"}
DISPOSABLE = {"durability": "disposable", "database": "{}"}
RESTORED = json.dumps(
    {"restore": {"snapshot": "old-metadata-final-ab12cd34", "fernetKeysSecret": "airflow/old/recovery/x"}}
)
TAG = "recovery-set"


def test_the_recovery_set_is_kept_and_tagged_alike(graph_of: GraphOf) -> None:
    graph = graph_of(STACKS[0], **PERSISTENT)
    kept = {resource.name for resource in graph.resources if resource.retain_on_delete}
    assert kept == {"encryption-key", "recovery-set-fernet-keys", "recovery-set-fernet-keys-value"}
    provider = json.loads(graph.of("pulumi:providers:aws")[0].inputs["defaultTags"])["tags"]
    tags = {
        name: graph.one(name).inputs["tags"]
        for name in ("encryption-key", "recovery-set-fernet-keys", "metadata-database-instance")
    }
    assert all(found == {TAG: provider["deployment-id"]} for found in tags.values()), tags
    # RDS copies the instance's tags to the final snapshot.
    assert graph.one("metadata-database-instance").inputs["copyTagsToSnapshot"] is True


def test_snapshot_and_secret_of_one_life_have_the_same_end(graph_of: GraphOf) -> None:
    graph = graph_of(STACKS[0], **PERSISTENT)
    snapshot = graph.one("metadata-database-instance").inputs["finalSnapshotIdentifier"]
    secret = graph.one("recovery-set-fernet-keys").inputs["name"]
    assert snapshot.split("-final-", 1)[1] == secret.rsplit("/", 1)[1]


def test_the_kept_ring_is_the_one_that_pods_mount(graph_of: GraphOf) -> None:
    graph = graph_of(STACKS[0], **PERSISTENT)
    mounted = graph.one("secrets-fernet-key-secret").inputs["stringData"]["fernet-key"]
    kept = graph.one("recovery-set-fernet-keys-value")
    assert kept.inputs["secretString"] == mounted
    assert kept.secret_inputs == {"secretString"}
    # A key that is not kept must not encrypt anything.
    assert graph.reaches("airflow-release", "recovery-set-fernet-keys-value")


def test_a_disposable_environment_keeps_nothing(graph_of: GraphOf) -> None:
    graph = graph_of(STACKS[0], **DISPOSABLE)
    assert not any(resource.retain_on_delete for resource in graph.resources)
    assert not any(TAG in (resource.inputs.get("tags") or {}) for resource in graph.resources)


def test_retirement_lets_logs_go_and_keeps_the_recovery_set(graph_of: GraphOf) -> None:
    graph = graph_of(STACKS[0], **PERSISTENT, retire="true")
    assert graph.one("remote-logs-bucket").inputs["forceDestroy"] is True
    assert graph.one("metadata-database-instance").inputs["skipFinalSnapshot"] is False
    assert graph.one("recovery-set-fernet-keys").retain_on_delete


def test_a_restored_database_is_under_its_own_key(graph_of: GraphOf) -> None:
    graph = graph_of(STACKS[0], durability="persistent", database=RESTORED)
    copy = graph.one("metadata-database-origin").inputs
    instance = graph.one("metadata-database-instance")
    assert copy["sourceDbSnapshotIdentifier"] == "old-metadata-final-ab12cd34"
    assert copy["kmsKeyId"] == instance.inputs["kmsKeyId"] == "arn:aws:mock:::encryption-key"
    assert instance.inputs["snapshotIdentifier"] == copy["targetDbSnapshotIdentifier"]
    # Dropping the parameter later must not replace the database.
    assert "snapshotIdentifier" in instance.ignore_changes


def test_a_restored_ring_begins_with_the_old_keys_and_stays_secret(graph_of: GraphOf) -> None:
    graph = graph_of(STACKS[0], durability="persistent", database=RESTORED)
    ring = graph.one("secrets-fernet-key")
    assert ring.inputs["restored"] == "text-of-x"
    assert "restored" in ring.secret_inputs
    environment = graph.one("migration-job").inputs["spec"]["template"]["spec"]["containers"][0]["env"]
    assert {"name": "ADMINISTRATOR_RENEWED", "value": "true"} in environment


def test_every_named_edge_of_a_restored_environment_has_a_reason(graph_of: GraphOf) -> None:
    assert without_reason(graph_of(STACKS[0], durability="persistent", database=RESTORED)) == set()


def test_nothing_is_deleted_before_the_guard(graph_of: GraphOf) -> None:
    graph = graph_of(STACKS[0], **PERSISTENT)
    assert graph.one("guard").inputs["protected"] is True
    free = {
        resource.name
        for resource in graph.custom
        if resource.name != "guard"
        and not resource.type.startswith("pulumi:")
        and not graph.reaches("guard", resource.name)
        # A child waits with its component.
        and not graph.reaches("guard", resource.parent_name)
    }
    assert free == set()


def test_retirement_opens_the_guard_and_a_disposable_environment_has_none(graph_of: GraphOf) -> None:
    assert graph_of(STACKS[0], **PERSISTENT, retire="true").one("guard").inputs["protected"] is False
    assert "guard" not in {resource.name for resource in graph_of(STACKS[0], **DISPOSABLE).resources}
