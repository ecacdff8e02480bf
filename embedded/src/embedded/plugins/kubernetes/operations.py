"""What a provider answers to the engine, free of its wire format; objects and releases each implement it."""

import threading
from dataclasses import dataclass, field
from typing import Protocol

from embedded.plugins.kubernetes.differences import Difference
from embedded.plugins.kubernetes.engine_log import Log, StatusLine
from embedded.plugins.kubernetes.kinds import name_of, type_of
from embedded.plugins.kubernetes.naming import NameSource
from embedded.plugins.kubernetes.properties import Properties


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
    failures: list[tuple[str, str]] = field(default_factory=list)


@dataclass(frozen=True)
class Compared:
    """What an update would change."""

    differences: list[Difference]
    delete_before_replace: bool = False


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
