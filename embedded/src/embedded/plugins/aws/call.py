"""What a type's code gets for one operation on one resource."""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from embedded.plugins.aws.mapping import to_aws
from embedded.plugins.aws.schema import ResourceType
from embedded.plugins.aws.session import Session
from embedded.plugins.common.errors import PluginError
from embedded.plugins.common.values import Values

LONGEST_PAUSE_SECONDS = 2.0
"""Upper limit of the pause between two looks at a resource that is being made."""


@dataclass(frozen=True, kw_only=True)
class Call:
    """One operation: the resource, the session, and the values it works on.

    values: create and update: the checked inputs, with `tagsAll` merged in. read and delete: the last known
    state. old: update: the state before. changed: update: names of the properties that differ.
    """

    kind: ResourceType
    session: Session
    region: str
    values: Values
    id: str = ""
    old: Values = field(default_factory=dict)
    changed: frozenset[str] = frozenset()
    timeout_seconds: float = 0.0

    @property
    def client(self) -> Any:
        """The boto3 client of the type's service in the resource's region."""
        return self.session.client(self.kind.service, self.region)

    def other(self, service: str) -> Any:
        """The boto3 client of another service in the same region."""
        return self.session.client(service, self.region)

    @property
    def tags(self) -> dict[str, str]:
        """Default tags and the resource's own, as AWS shall hold them."""
        return dict(self.values.get("tagsAll") or {})

    def arguments(self, names: Iterable[str] | None = None) -> dict[str, Any]:
        """Arguments of an AWS call from the values (of the named properties only, if given)."""
        return to_aws(self.kind, self.values, names)

    def get(self, name: str, fallback: Any = None) -> Any:
        """A value, or the fallback when it is absent."""
        found = self.values.get(name)
        return fallback if found is None else found

    def wait(self, what: str, done: Callable[[], bool], default_seconds: float) -> None:
        """Look until `done` says so.

        Raises PluginError after the resource's own timeout (option `custom_timeouts`), else the default, and
        when the run is cancelled.
        """
        limit = self.timeout_seconds or default_seconds
        start, pause = time.monotonic(), 0.1
        while not done():
            if time.monotonic() - start > limit:
                raise PluginError(f"{what} did not happen within {limit:.0f} s")
            if self.session.cancelled.wait(min(pause, LONGEST_PAUSE_SECONDS)):
                raise PluginError(f"cancelled while waiting for {what}")
            pause *= 1.5


def key_value_tags(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Tags as most services write them: a list of Key and Value."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def tags_from_pairs(pairs: Iterable[Mapping[str, str]] | None) -> dict[str, str]:
    """Tags from a list of Key and Value, without AWS's own (`aws:` is reserved for them)."""
    return {pair["Key"]: pair.get("Value", "") for pair in pairs or [] if not pair["Key"].startswith("aws:")}
