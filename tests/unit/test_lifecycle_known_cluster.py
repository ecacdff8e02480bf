"""Which cluster a stack file means: given, made here, or made by another project."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from infra import cluster_ref, config
from infra.lifecycle import checkout, known_cluster
from infra.lifecycle.known_cluster import KnownCluster
from infra.settings import EnvironmentSettings

# Prints what the tests lay down for the stack that it is asked for, as the CLI does.
PULUMI = """#!/bin/sh
[ "$2" = ls ] && { echo '[{"name": "shared"}]'; exit; }
for reference; do :; done
file=%s/$(echo "$reference" | tr / +)
[ -f "$file" ] && exec cat "$file"
[ "$reference" = acme/secret/live ] && { echo "error: [403] Forbidden" >&2; exit 255; }
echo "error: no stack named '$reference' found" >&2
exit 6
"""
OUTPUTS = {"clusterName": "platform", "privateSubnetIds": ["subnet-1", "subnet-2"], "endpoint": "https://x"}


@pytest.fixture
def answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where outputs of stacks lie; a slash in a name is a plus."""
    root, programs, found = tmp_path / "root", tmp_path / "bin", tmp_path / "answers"
    for directory in (root / "cluster", programs, found):
        directory.mkdir(parents=True)
    (root / "Pulumi.yaml").write_text("name: airflow\nruntime: python\n")
    (root / "cluster" / "Pulumi.yaml").write_text("name: airflow-cluster\nruntime: python\n")
    (programs / "pulumi").write_text(PULUMI % found)
    (programs / "pulumi").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    monkeypatch.setattr(checkout, "ROOT", root)
    return found


def chosen(**cluster: Any) -> EnvironmentSettings:
    account = {"region": "eu-west-1", "accountId": "123456789012", "owner": "data-platform"}
    return config.parse({**account, "durability": "disposable", "cluster": cluster})


def test_a_given_name_and_given_subnets_are_taken() -> None:
    ids = ("subnet-0aaaaaaaaaaaaaaaa", "subnet-0bbbbbbbbbbbbbbbb")
    found = known_cluster.find(chosen(name="brought", databaseSubnetIds=list(ids)))
    assert found == KnownCluster(name="brought", own=False, subnet_ids=ids)


def test_a_stack_of_another_project_is_read(answers: Path) -> None:
    (answers / "acme+platform+live").write_text(json.dumps(OUTPUTS))
    found = known_cluster.find(chosen(stack="acme/platform/live"))
    assert found == KnownCluster(name="platform", own=False, subnet_ids=("subnet-1", "subnet-2"))


def test_the_own_stack_is_told_from_others(answers: Path) -> None:
    (answers / "shared").write_text(json.dumps(OUTPUTS))
    assert known_cluster.find(chosen(stack="organization/airflow-cluster/shared")).own


@pytest.mark.usefixtures("answers")
def test_a_stack_that_nobody_made_is_missing() -> None:
    found = known_cluster.find(chosen(stack="acme/platform/live"))
    assert found.missing
    assert found.unreadable == ""


@pytest.mark.usefixtures("answers")
def test_a_stack_that_may_not_be_read_is_not_taken_for_a_missing_one() -> None:
    found = known_cluster.find(chosen(stack="acme/secret/live"))
    assert (found.name, found.missing) == (None, False)
    assert "acme/secret/live can't be read" in found.unreadable
    assert "[403] Forbidden" in found.unreadable


def test_outputs_are_read_by_the_names_that_the_program_reads() -> None:
    names = (known_cluster.NAME, known_cluster.SUBNETS)
    assert names == (cluster_ref.NAME, cluster_ref.PRIVATE_SUBNET_IDS)
