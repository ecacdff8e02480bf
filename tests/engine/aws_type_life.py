"""The whole life of declared types through the real engine, one stack for many types; boto3 is the judge.

A type is a `Record`. Records name what they need of an account as `$name`, which `aws_type_world` made by
boto3 beforehand: so no record depends on another one, and what happens to it is its own doing.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from string import Template
from typing import Any

import pulumi
from aws_api_server import Account
from botocore.exceptions import ClientError
from pulumi import automation

Ask = Callable[[str], Any]
"""Service -> boto3's client of it, with the deployer's key."""

COLOUR = re.compile(r"<\{%[^%]*%\}>")
"""The engine's marks of colour in messages."""
ABSENT = re.compile(r"NotFound|NoSuch|404|SubscriptionNotFound|not exist")


class Never(str):
    """Why a type has no such step."""


@dataclass(frozen=True, kw_only=True)
class Record:
    """One type's life. Texts may hold `$name` of the world.

    look: what boto3 shows of the resource with this id; None, or an error that says so, when there is none.
    made, updated, replaced: what `look` must show after the step; each adds to the one before.
    behind: changes it without the engine; `drifted` is what the state must say of it after a refresh.
    import_id: template of the id to import it by. unread: inputs that AWS never tells, left out of an import.
    stays: why it is still there after its deletion.
    """

    token: str
    inputs: Mapping[str, Any]
    look: Callable[[Ask, str], Mapping[str, Any] | None]
    made: Mapping[str, Any]
    update: Mapping[str, Any] | Never
    updated: Mapping[str, Any] = field(default_factory=dict)
    replace: Mapping[str, Any] | Never
    replaced: Mapping[str, Any] = field(default_factory=dict)
    behind: Callable[[Ask, str], object] | Never
    drifted: Mapping[str, Any] = field(default_factory=dict)
    import_id: str = "$id"
    unread: tuple[str, ...] = ()
    stays: str = ""

    @property
    def name(self) -> str:
        """The logical name, and the test's."""
        return self.token.split(":", 1)[1].split("/")[0] + "-" + self.token.rsplit(":", 1)[1]

    def inputs_at(self, phase: str) -> dict[str, Any]:
        """Inputs at a step of its life; None takes an input away."""
        merged = dict(self.inputs)
        if phase in ("updated", "replaced") and not isinstance(self.update, Never):
            merged |= self.update
        if phase == "replaced" and not isinstance(self.replace, Never):
            merged |= self.replace
        return {name: value for name, value in merged.items() if value is not None}

    def shown_at(self, phase: str) -> dict[str, Any]:
        """What boto3 must show at a step."""
        shown = dict(self.made)
        if phase in ("updated", "replaced"):
            shown |= self.updated
        return shown | (self.replaced if phase == "replaced" else {})


def filled(value: Any, world: Mapping[str, str]) -> Any:
    """The value with every `$name` replaced by the world's."""
    if isinstance(value, str):
        return Template(value).substitute(world) if "$" in value else value
    if isinstance(value, Mapping):
        return {name: filled(item, world) for name, item in value.items()}
    return [filled(item, world) for item in value] if isinstance(value, list | tuple) else value


@dataclass
class Observed:
    """What one stack went through: per step the engine's operations by record, and what boto3 showed.

    A failure of one record does not end the others' lives.
    """

    operations: dict[str, dict[str, set[str]]] = field(default_factory=dict)
    shown: dict[str, dict[str, Mapping[str, Any] | None]] = field(default_factory=dict)
    ids: dict[str, dict[str, str]] = field(default_factory=dict)
    state: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    requests: dict[str, list[str]] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)
    """What the engine said of failures, as `step: message`."""


class Stack:
    """A stack whose program is the inputs of the records at a step."""

    def __init__(self, name: str, records: Sequence[Record], world: Mapping[str, str], where: Path) -> None:
        self.records, self.world = records, world
        self.phase, self.unknown, self.import_ids = "made", False, dict[str, str]()
        environment = json.loads((where / "environment.json").read_text())
        self.stack = automation.create_or_select_stack(
            name,
            project_name="life",
            program=self._program,
            opts=automation.LocalWorkspaceOptions(
                env_vars=environment,
                project_settings=automation.ProjectSettings(
                    "life", "python", backend=automation.ProjectBackend(environment["PULUMI_BACKEND_URL"])
                ),
            ),
        )

    def _program(self) -> None:
        release = version("pulumi-aws")
        settings = {
            "region": self.world["region"],
            "defaultTags": json.dumps({"tags": {"deployment-id": "life"}}),
        }
        provider = pulumi.ProviderResource("aws", "aws", settings, pulumi.ResourceOptions(version=release))
        given: Any = None
        if self.unknown:
            # It is never made: these programs are only previewed. Its id is what a preview cannot know.
            options = pulumi.ResourceOptions(provider=provider)
            given = pulumi.CustomResource("aws:kms/key:Key", f"unknown-{self.phase}", {}, options).id
        for record in self.records:
            inputs = filled(record.inputs_at(self.phase), self.world)
            if self.unknown:
                inputs = {name: given if isinstance(value, str) else value for name, value in inputs.items()}
            imported = self.import_ids.get(record.name)
            if imported:
                inputs = {name: value for name, value in inputs.items() if name not in record.unread}
            options = pulumi.ResourceOptions(provider=provider, import_=imported)
            pulumi.CustomResource(record.token, record.name, inputs, options)

    def run(self, what: str, phase: str, failed: list[str], unknown: bool = False) -> dict[str, set[str]]:
        """One run of the engine; its operations by record. What fails is added to `failed`."""
        self.phase, self.unknown = phase, unknown
        seen: defaultdict[str, set[str]] = defaultdict(set)

        def note(event: automation.EngineEvent) -> None:
            said = event.diagnostic_event
            if said is not None and said.severity == "error":
                failed.append(f"{what} {phase}: {COLOUR.sub('', said.message).strip()}")
            step = event.resource_pre_event or event.res_outputs_event
            if step is not None:
                operation = step.metadata.op
                seen[step.metadata.urn.split("::", 3)[3]].add(str(getattr(operation, "value", operation)))

        options = {"continue_on_error": True} if what in ("up", "destroy") else {}
        try:
            getattr(self.stack, what)(on_event=note, **options)
        except automation.CommandError as error:
            if not failed:
                failed.append(f"{what} {phase}: {error}")
        return dict(seen)

    def resources(self) -> dict[str, dict[str, Any]]:
        """What the state holds of each record: id and outputs."""
        deployment = self.stack.export_stack().deployment or {}
        return {item["urn"].split("::", 3)[3]: item for item in deployment.get("resources", [])}


class Life:
    """Takes the records of one stack through every step and writes down what happens."""

    def __init__(
        self,
        name: str,
        records: Sequence[Record],
        world: Mapping[str, str],
        account: Account,
        where: Path,
    ) -> None:
        self.records, self.world, self.account = records, world, account
        self.ask: Ask = account.client
        self.observed = Observed()
        self.first = Stack(f"{name}-first", records, world, where)
        self.second = Stack(f"{name}-imported", records, world, where)

    def live(self) -> Observed:
        """Every step."""
        seen = self.observed.operations
        before = len(self.account.log())
        seen["preview with unknowns"] = self.first.run("preview", "made", self.observed.failed, unknown=True)
        self.observed.requests["preview with unknowns"] = self.account.log()[before:].splitlines()
        seen["create"] = self.first.run("up", "made", self.observed.failed)
        self._note("made")
        seen["same"] = self.first.run("preview", "made", self.observed.failed)
        self._change_behind()
        self.first.run("refresh", "made", self.observed.failed)
        self.observed.state["drifted"] = self._outputs()
        seen["update with unknowns"] = self.first.run(
            "preview", "updated", self.observed.failed, unknown=True
        )
        seen["update"] = self.first.run("up", "updated", self.observed.failed)
        self._note("updated")
        seen["replace"] = self.first.run("up", "replaced", self.observed.failed)
        self._note("replaced")
        self._import()
        self.first.run("destroy", "replaced", self.observed.failed)
        self.observed.shown["deleted"] = self._look(self.observed.ids["replaced"])
        self.second.run("refresh", "replaced", self.observed.failed)
        self.observed.state["gone"] = self.second.resources()
        return self.observed

    def _note(self, phase: str) -> None:
        ids = {name: item["id"] for name, item in self.first.resources().items() if item.get("id")}
        self.observed.ids[phase] = ids
        self.observed.state[phase] = self._outputs()
        self.observed.shown[phase] = self._look(ids)
        if phase == "replaced":
            self.observed.shown["before the replacement"] = self._look(self.observed.ids["updated"])

    def _outputs(self) -> dict[str, dict[str, Any]]:
        return {name: item.get("outputs") or {} for name, item in self.first.resources().items()}

    def _look(self, ids: Mapping[str, str]) -> dict[str, Mapping[str, Any] | None]:
        found: dict[str, Mapping[str, Any] | None] = {}
        for record in self.records:
            found[record.name] = None
            if record.name not in ids:
                continue
            try:
                found[record.name] = record.look(self.ask, ids[record.name])
            except IndexError:
                continue  # the first of none: some services describe what is not there by an empty list
            except ClientError as error:
                if not ABSENT.search(str(error)):
                    self.observed.failed.append(f"look at {record.name}: {error}")
        return found

    def _change_behind(self) -> None:
        for record in self.records:
            made = self.observed.ids["made"].get(record.name)
            if made and not isinstance(record.behind, Never):
                try:
                    record.behind(self.ask, made)
                except ClientError as error:
                    self.observed.failed.append(f"behind {record.name}: {error}")

    def _import(self) -> None:
        ids = self.observed.ids["replaced"]
        self.second.import_ids = {
            record.name: filled(record.import_id, {**self.world, "id": ids[record.name]})
            for record in self.records
            if record.name in ids
        }
        self.observed.operations["import"] = self.second.run("up", "replaced", self.observed.failed)
        self.observed.state["imported"] = {
            name: item.get("outputs") or {} for name, item in self.second.resources().items()
        }
        # A second time without the request to import: the state alone decides, with every input.
        self.second.import_ids = {}
        self.observed.operations["after the import"] = self.second.run(
            "preview", "replaced", self.observed.failed
        )
