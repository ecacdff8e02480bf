"""The security baseline (policy/) on what a stack has deployed: one row a check, waivers with reasons."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from infra.lifecycle import environments
from infra.lifecycle.errors import LifecycleError
from infra.lifecycle.pulumi_project import PulumiProject
from infra.lifecycle.report import Outcome, Row
from infra.settings import EnvironmentSettings
from policy.checks import CHECKS, RENDERED
from policy.evaluate import Finding, evaluate
from policy.model import Check, Level, Program, resources_of

_RENDERED = "of rendered manifests: tests/chart/test_chart_render.py looks at each size with both charts"
_NEXT_STEP = "Change the parameter that decides it, or accept it with a reason in policy/waivers.yaml."


@dataclass(frozen=True)
class Deployed:
    """A resource of a stack's state; what is secret there is encrypted, and judged by no check."""

    type: str
    name: str
    inputs: dict[str, Any]

    @classmethod
    def of(cls, resource: Mapping[str, Any]) -> Deployed:
        """Take one resource of `pulumi stack export`."""
        name = str(resource["urn"]).rsplit("::", 1)[-1]
        return cls(str(resource["type"]), name, dict(resource.get("inputs") or {}))


def examine(stack: str) -> list[Row]:
    """Make every check of the baseline on an environment's state.

    Raises:
        LifecycleError: nothing is deployed there, or its file has mistakes.
    """
    return rows(_program(environments.project(), stack), classes_of(environments.settings(stack)))


def examine_cluster(stack: str) -> list[Row]:
    """Make every check of the baseline on a cluster stack's state.

    Raises:
        LifecycleError: nothing is deployed there.
    """
    # What environments share is judged as what lasts.
    return rows(_program(environments.cluster_project(), stack), ["persistent", "cluster"])


def classes_of(settings: EnvironmentSettings) -> list[str]:
    """The classes by which checks and waivers tell environments apart."""
    return [settings.durability.value, *(["retiring"] if settings.retire else [])]


def rows(program: Program, classes: Sequence[str]) -> list[Row]:
    """Judge a program: one row for each check, in the order of the baseline."""
    judged = [_row(check, program, classes) for check in CHECKS]
    # The state knows no manifest of the chart.
    rendered = [Row(f"{row} {title}", Outcome.NOT_JUDGED, _RENDERED) for row, title in RENDERED.items()]
    return sorted([*judged, *rendered], key=lambda row: int(row.name.split()[0]))


def counts(rows: Sequence[Row]) -> str:
    """Return how many rows ended how, as a line."""
    found = Counter(row.outcome for row in rows)
    return ", ".join(f"{found[outcome]} {outcome.value}" for outcome in Outcome if found[outcome])


def _row(check: Check, program: Program, classes: Sequence[str]) -> Row:
    name = f"{check.row} {check.title}"
    ids = f"[{', '.join(check.ids) or check.id}]"
    if check.level is Level.DURABLE and "persistent" not in classes:
        return Row(name, Outcome.NOT_APPLICABLE, f"{ids} for persistent environments")
    looked_at = resources_of(check, program)
    if not looked_at:
        return Row(name, Outcome.NO_RESOURCES, f"{ids} nothing here is of a kind that it looks at")
    found = evaluate(program, classes, [check])
    binding = [finding.text for finding in found if finding.waiver is None]
    if not binding:
        judged = f"{ids} {looked_at} resource{'s' if looked_at > 1 else ''}"
        return Row.judged(name, True, "; ".join([judged, *_accepted(found)]))
    if check.level is Level.ADVISORY:
        return Row(name, Outcome.NOT_APPLICABLE, f"{ids} advisory: {'; '.join(binding)}")
    return Row.judged(name, False, f"{ids} {'; '.join(binding)}", _NEXT_STEP)


def _accepted(found: Sequence[Finding]) -> list[str]:
    """What is accepted, by its reason; one reason may cover many resources."""
    by_reason: dict[str, list[str]] = {}
    for finding in found:
        if finding.waiver is not None:
            by_reason.setdefault(finding.waiver.reason.strip(), []).append(finding.text.split(":", 1)[0])
    return [f"accepted for {', '.join(names)}: {reason}" for reason, names in by_reason.items()]


def _program(project: PulumiProject, stack: str) -> list[Deployed]:
    if stack not in project.stacks():
        raise LifecycleError(f"{stack} is not deployed.", f"Deploy it with `airflow-env up {stack}`.")
    resources = [Deployed.of(resource) for resource in project.resources(stack)]
    if not resources:
        raise LifecycleError(f"{stack} holds no resources.", f"Deploy it with `airflow-env up {stack}`.")
    return resources
