"""What a killed run leaves in the state backend: its lock, and a checkpoint that was cut off.

Backends that keep files (a directory, S3) write one JSON file per lock. Locks never expire: a killed run
leaves its own behind. In a directory the checkpoint is written in place, too; the one before is beside it.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import boto3

from infra.lifecycle.errors import LifecycleError
from infra.lifecycle.process_table import process_start

# Clocks of the lock and of the process table differ by rounding alone; a process that began later than its
# lock by more than this is another one that was given the same number.
_SECONDS = 2.0


@dataclass(frozen=True)
class StateLock:
    """One lock: whose process took it, where, and when."""

    process: int
    user: str
    host: str
    taken: datetime

    def __str__(self) -> str:
        return f"process {self.process} of {self.user} on {self.host} since {self.taken:%Y-%m-%d %H:%M:%S %Z}"

    @classmethod
    def parse(cls, text: str) -> StateLock:
        """Read a lock file."""
        value = json.loads(text)
        taken = datetime.fromisoformat(str(value["timestamp"]).replace("Z", "+00:00"))
        return cls(int(value["pid"]), str(value["username"]), str(value["hostname"]), taken)

    def is_dead(self, host: str | None = None, started: Callable[[int], float | None] | None = None) -> bool:
        """Whether its process is provably gone: only this host's processes can be looked at.

        Args:
            host: name of this host; default: as the system says.
            started: start of a process in seconds since 1970, None when there is none.
        """
        if self.host != (host or socket.gethostname()):
            return False
        began = (started or process_start)(self.process)
        return began is None or began > self.taken.timestamp() + _SECONDS


def locks(backend: str, project: str, stack: str) -> list[StateLock] | None:
    """The locks of a stack; None where the backend does not keep them as files.

    Args:
        backend: URL of the backend: file://DIRECTORY or s3://BUCKET/PREFIX?region=REGION.
        project: name of the Pulumi project.
        stack: name of the stack.

    Raises:
        LifecycleError: a lock file can't be read.
    """
    parts = urlsplit(backend)
    place = f".pulumi/locks/organization/{project}/{stack}/"
    if parts.scheme == "file":
        directory = Path(parts.netloc + parts.path).expanduser() / place
        texts: Iterator[str] = (file.read_text(encoding="utf-8") for file in sorted(directory.glob("*.json")))
    elif parts.scheme == "s3":
        prefix = f"{parts.path.strip('/')}/{place}".lstrip("/")
        texts = _objects(parts.netloc, prefix, parse_qs(parts.query).get("region", [None])[0])
    else:
        return None
    try:
        return [StateLock.parse(text) for text in texts]
    except (ValueError, KeyError) as error:
        raise LifecycleError(
            f"A lock file of {stack} in {backend} can't be read: {error}",
            f"If nobody works on {stack}, remove it with `pulumi cancel --stack {stack}`.",
        ) from error


def restore_checkpoint(backend: str, project: str, stack: str) -> bool:
    """Put the checkpoint before in the place of one that was cut off; whether something was cut off.

    Nothing is lost: the engine writes before and after each step, so the one before knows that it began.
    S3 has no checkpoints that are cut off.
    """
    parts = urlsplit(backend)
    if parts.scheme != "file":
        return False
    directory = Path(parts.netloc + parts.path).expanduser() / ".pulumi" / "stacks" / project
    checkpoint, before = directory / f"{stack}.json", directory / f"{stack}.json.bak"
    # What the backend notes of each file, in a file of its own: a checkpoint is read without it, too.
    notes = directory / f"{stack}.json.attrs"
    repaired = notes.is_file() and not _is_whole(notes)
    if repaired:
        notes.unlink()
    if _is_whole(before) and not _is_whole(checkpoint):
        fresh = checkpoint.with_suffix(".restored")
        fresh.write_bytes(before.read_bytes())
        fresh.replace(checkpoint)
        repaired = True
    return repaired


def _is_whole(checkpoint: Path) -> bool:
    try:
        return isinstance(json.loads(checkpoint.read_text(encoding="utf-8")), dict)
    except (OSError, ValueError):
        return False


def _objects(bucket: str, prefix: str, region: str | None) -> Iterator[str]:
    client = boto3.client("s3", region_name=region)
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for item in page.get("Contents", []):
            yield client.get_object(Bucket=bucket, Key=item["Key"])["Body"].read().decode()
