"""The annotation pulumi.com/waitFor, in the forms of the official plugin's documentation."""

from __future__ import annotations

from typing import Any

import pytest
from embedded.plugins.kubernetes.waiting.wait_for import parse, readiness

ITEM: dict[str, Any] = {
    "metadata": {"name": "x", "generation": 2, "labels": {"a.b/c": "d"}},
    "status": {
        "observedGeneration": 2,
        "phase": "Running",
        "replicas": 3,
        "ready": True,
        "conditions": [{"type": "Ready", "status": "True"}, {"type": "Stalled", "status": "False"}],
    },
}


@pytest.mark.parametrize(
    ("annotation", "holds"),
    [
        ("jsonpath={.status.phase}=Running", True),
        ("jsonpath={.status.phase}='Running'", True),
        ("jsonpath={.status.phase}=Pending", False),
        ("jsonpath={.status.phase}", True),
        ("jsonpath={.status.loadBalancer}", False),
        ("jsonpath={.status.replicas}=3", True),
        ("jsonpath={.status.ready}=true", True),
        ("jsonpath={.metadata.labels['a.b/c']}=d", True),
        ("jsonpath={.status.conditions[1].type}=Stalled", True),
        ("jsonpath={.status.conditions[9].type}", False),
        ("jsonpath={.status.conditions[*].type}=Ready", True),
        ('jsonpath={.status.conditions[?(@.type=="Ready")].status}=True', True),
        ("condition=Ready", True),
        ("condition=Stalled", False),
        ("condition=Stalled=False", True),
        ("condition=Synced", False),
        ('["condition=Ready", "jsonpath={.status.replicas}=3"]', True),
        ('["condition=Ready", "condition=Synced"]', False),
    ],
)
def test_a_criterion_holds_or_not(annotation: str, holds: bool) -> None:
    found = readiness(parse(annotation), ITEM)
    assert found.ready is holds
    assert bool(found.waits_for) is not holds


def test_what_is_waited_for_says_what_is_there() -> None:
    waits_for = readiness(parse("jsonpath={.status.phase}=Done"), ITEM).waits_for
    assert "jsonpath={.status.phase}=Done" in waits_for
    assert "Running" in waits_for


def test_an_old_status_says_nothing() -> None:
    changed = {**ITEM, "metadata": {**ITEM["metadata"], "generation": 3}}
    assert not readiness(parse("condition=Ready"), changed).ready


@pytest.mark.parametrize(
    ("annotation", "reason"),
    [
        ("Ready", "must begin with jsonpath= or condition="),
        ("[]", "JSON list of criteria"),
        ("[1]", "JSON list of criteria"),
        ("jsonpath=.status.phase", "in braces"),
        ("jsonpath={}", "names no field"),
        ("jsonpath={.status..phase}", "is not understood"),
        ("condition=", "must begin with"),
    ],
)
def test_another_form_is_refused(annotation: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse(annotation)
