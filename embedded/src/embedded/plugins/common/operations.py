"""What a plugin answers to the engine, free of its wire format."""

import threading
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

from embedded.plugins.common.differences import Difference
from embedded.plugins.common.engine_log import Log, StatusLine
from embedded.plugins.common.naming import NameSource
from embedded.plugins.common.properties import Properties
from embedded.plugins.common.urns import name_of, type_of

Failures: TypeAlias = list[tuple[str, str]]
"""Mistakes in inputs, each as (property, what is wrong and what is allowed)."""


@dataclass(frozen=True)
class Context:
    """The resource that an operation is about, and the ways to tell of it and to be stopped."""

    urn: str
    log: Log
    cancelled: threading.Event = field(default_factory=threading.Event)

    @property
    def resource_type(self) -> str:
        """Such as `kubernetes:core/v1:ConfigMap`."""
        return type_of(self.urn)

    @property
    def name(self) -> str:
        """The logical name in the program."""
        return name_of(self.urn)

    def status_line(self) -> StatusLine:
        """The resource's status in the engine's display."""
        return StatusLine(self.log, self.urn)


@dataclass(frozen=True)
class Checked:
    """Inputs to go on with, and every mistake found as (property, reason)."""

    inputs: Properties
    failures: Failures = field(default_factory=list)


@dataclass(frozen=True)
class Compared:
    """What an update would change."""

    differences: list[Difference]
    delete_before_replace: bool = False
    of_inputs: bool = True
    """Whether old inputs were compared; else the last known state was, and its values are shown as old."""


@dataclass(frozen=True)
class Stored:
    """A resource as it is: its id, and what the state keeps. An empty id means that there is none."""

    resource_id: str
    outputs: Properties = field(default_factory=Properties)
    inputs: Properties = field(default_factory=Properties)


@dataclass(frozen=True)
class Known:
    """A resource as the state has it."""

    resource_id: str
    inputs: Properties
    outputs: Properties


class Operations(Protocol):
    """The life of one kind of resource. Failures are PluginError with a text for the user."""

    def check(
        self, context: Context, old_inputs: Properties, inputs: Properties, names: NameSource
    ) -> Checked:
        """Complete and judge the inputs; nothing is changed anywhere."""

    def diff(self, context: Context, known: Known, inputs: Properties) -> Compared:
        """What applying the inputs would change."""

    def create(self, context: Context, inputs: Properties, timeout: float, preview: bool) -> Stored:
        """Make the resource; `timeout` in seconds, 0 for the default. A preview only foretells."""

    def read(self, context: Context, known: Known) -> Stored:
        """The resource as it is now; with empty inputs it is being imported."""

    def update(
        self, context: Context, known: Known, inputs: Properties, timeout: float, preview: bool
    ) -> Stored:
        """Change the resource in place."""

    def delete(self, context: Context, known: Known, timeout: float) -> None:
        """Delete the resource, and return when it is gone."""


@dataclass(frozen=True)
class SettingsDifference:
    """Changed settings of a provider, and those among them that mean all of its resources are others."""

    changed: list[str]
    replaces: list[str] = field(default_factory=list)


class Plugin(Protocol):
    """A provider: its settings, and who does what it is asked for."""

    name: str
    """Such as `aws`; messages name it."""

    autonaming: bool
    """Whether it follows the project's `pulumi:autonaming` setting."""

    def check_settings(self, inputs: Properties) -> Failures:
        """Every mistake in the settings."""

    def compare_settings(self, old: Properties, new: Properties) -> SettingsDifference:
        """What changes with other settings."""

    def configure(self, inputs: Properties, cancelled: threading.Event) -> None:
        """Take the settings. `cancelled` is set when the engine wants all waiting to end."""

    def operations(self, resource_type: str) -> Operations:
        """Who manages resources of the type. Raises PluginError for a type that is not emulated."""

    def invoke(self, token: str, arguments: Properties) -> Properties:
        """Answer a function (a data source). Raises PluginError for one that is not emulated."""
