"""Physical names keep to the limits of AWS and Kubernetes, and never meet."""

from __future__ import annotations

import re

from hypothesis import assume, given
from hypothesis import strategies as st

from infra import naming

# What Pulumi allows in stack names.
STACK = st.text(alphabet="abcxyzABCXYZ0123456789-_.", min_size=1, max_size=100)
REGION = st.sampled_from(["eu-west-1", "ap-southeast-2", "us-gov-west-1", "ap-northeast-1"])
LABEL = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")


@given(stack=STACK, region=REGION)
def test_every_name_keeps_to_its_limit(stack: str, region: str) -> None:
    names = naming.names_of("airflow", stack, account_id="123456789012", region=region)
    accounts = naming.ServiceAccounts()
    roles = [names.role(getattr(accounts, field)) for field in accounts.__slots__]
    limits = {
        names.namespace: 63,
        names.logs_bucket: 63,
        names.database_instance: 63,
        names.parameter_group(17): 255,
        **dict.fromkeys([*roles, names.role("database-monitoring")], 64),
    }
    for name, limit in limits.items():
        assert 3 <= len(name) <= limit
        assert LABEL.fullmatch(name)
        # RDS refuses two hyphens in a row, and a digit at the start.
        assert "--" not in name
        assert name[0].isalpha()


@given(first=STACK, second=STACK)
def test_two_stacks_never_share_a_name(first: str, second: str) -> None:
    assume(first != second)

    def names(stack: str) -> naming.Names:
        return naming.names_of("airflow", stack, account_id="123456789012", region="eu-west-1")

    assert names(first).environment != names(second).environment
    assert naming.deployment_id("airflow", first) != naming.deployment_id("airflow", second)


def test_a_short_name_stays_readable() -> None:
    names = naming.names_of("airflow", "team-a", account_id="123456789012", region="eu-west-1")
    assert names.namespace == "airflow-team-a"
    assert names.logs_bucket == "airflow-team-a-123456789012-eu-west-1"
    assert names.database_instance == "airflow-team-a-metadata"
    assert names.role("airflow-worker") == "airflow-team-a-eu-west-1-worker"


def test_a_long_name_is_shortened_with_a_hash_of_the_whole() -> None:
    first = naming.slug("airflow-a-very-long-feature-branch-one", 24)
    second = naming.slug("airflow-a-very-long-feature-branch-two", 24)
    assert len(first) <= 24
    assert first.startswith("airflow-a-very")
    assert first != second
