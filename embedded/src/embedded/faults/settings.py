"""What is to go wrong: one file in the cloud's state directory, written by commands, read by the AWS part.

A file and not a port: it is local, only the cloud's owner may read or write it (mode 0600 in a directory
of mode 0700), no pod has a way to it, and what is set stays set when a part is killed and started again.
"""

from __future__ import annotations

import fcntl
import json
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Literal, get_args

from embedded.errors import EmbeddedError
from embedded.files import write_private
from embedded.identity import CloudIdentity

Kind = Literal["throttle", "error", "timeout", "lost-answer"]
KINDS: tuple[str, ...] = get_args(Kind)


@dataclass(frozen=True)
class Target:
    """Which requests are meant: boto3's name of the service and the API's of the operation; `*` matches."""

    service: str = "*"
    operation: str = "*"

    def matches(self, service: str, operation: str) -> bool:
        """Whether a request is meant."""
        return fnmatchcase(service, self.service) and fnmatchcase(operation, self.operation)


@dataclass(frozen=True)
class Fault:
    """One way to go wrong."""

    id: str
    kind: Kind
    target: Target
    count: int | None = None
    """How many requests are hit before it is used up; None: all."""
    probability: float = 1.0
    """Of each request that is meant, 0 to 1."""
    seed: int = 0
    """Which requests a probability hits is drawn from this, so that a run can be played again."""
    seconds: float | None = None
    """timeout: after this the connection is cut; None: it hangs until the client gives up."""


@dataclass(frozen=True)
class Latency:
    """A delay before an operation is served."""

    target: Target
    seconds: float


@dataclass(frozen=True)
class FaultSettings:
    """Everything that is set; the default is a cloud without faults."""

    faults: tuple[Fault, ...] = ()
    latencies: tuple[Latency, ...] = ()
    duration_scale: float = 0.0
    """AWS's own durations times this; 0 is at once. See `durations`."""
    consistency_seconds: float = 0.0
    """How long IAM roles and policies, pod identity associations and access entries take to take effect."""
    api_server_pause_seconds: float = 0.0
    """The Kubernetes API server is held for so long, again and again; 0 is not at all."""
    next_id: int = 1

    @property
    def quiet(self) -> bool:
        """Whether nothing is set."""
        return replace(self, next_id=1) == FaultSettings()

    def with_fault(self, kind: Kind, target: Target, **options: Any) -> FaultSettings:
        """These settings with one more fault under an id of its own."""
        seed = options.pop("seed", None)
        fault = Fault(
            id=f"f{self.next_id}",
            kind=kind,
            target=target,
            seed=random.SystemRandom().randrange(2**31) if seed is None else seed,
            **options,
        )
        return replace(self, faults=(*self.faults, fault), next_id=self.next_id + 1)

    def without_faults(self, ids: tuple[str, ...]) -> FaultSettings:
        """These settings without the named faults.

        Raises:
            EmbeddedError: there is no such fault; those that are there are named.
        """
        known = {fault.id for fault in self.faults}
        if unknown := [one for one in ids if one not in known]:
            there = ", ".join(sorted(known)) or "none"
            raise EmbeddedError(f"no fault {', '.join(unknown)}; there are: {there}", "embedded faults list")
        return replace(self, faults=tuple(fault for fault in self.faults if fault.id not in ids))

    def with_latency(self, latency: Latency) -> FaultSettings:
        """These settings with a latency; the earlier one of the same target is replaced, 0 removes it."""
        kept = tuple(one for one in self.latencies if one.target != latency.target)
        added = (latency,) if latency.seconds else ()
        return replace(self, latencies=(*kept, *added))

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> FaultSettings:
        """The reverse of `as_json`."""
        faults = (Fault(**{**one, "target": Target(**one["target"])}) for one in values.pop("faults"))
        latencies = (Latency(Target(**one["target"]), one["seconds"]) for one in values.pop("latencies"))
        return cls(faults=tuple(faults), latencies=tuple(latencies), **values)


def settings_path(identity: CloudIdentity) -> Path:
    """Where the settings are kept."""
    return identity.state_directory / "faults.json"


def read_settings(path: Path) -> FaultSettings:
    """The settings in a file; none set if there is no file.

    Raises:
        EmbeddedError: the file holds something else.
    """
    try:
        return FaultSettings.from_json(json.loads(path.read_text()))
    except FileNotFoundError:
        return FaultSettings()
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise EmbeddedError(f"{path} cannot be read: {error}", f"remove it: `rm {path}`") from error


@dataclass
class Change:
    """Settings that are being changed: assign `settings`."""

    settings: FaultSettings = field(default_factory=FaultSettings)


@contextmanager
def changing(identity: CloudIdentity) -> Iterator[Change]:
    """Change the settings; two commands at the same time lose nothing.

    Raises:
        EmbeddedError: the cloud was never started.
    """
    path = settings_path(identity)
    if not path.parent.exists():
        raise EmbeddedError(f"the cloud of {identity.checkout} was never started", "run `embedded up`")
    with path.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        change = Change(read_settings(path))
        yield change
        write_private(path, json.dumps(change.settings.as_json(), indent=2).encode())
