"""What a killed run leaves in the state backend: its lock, and a checkpoint that was cut off.

Backends that keep files (a directory, S3) write one JSON file per lock. Locks never expire: a killed run
leaves its own behind. In a directory the checkpoint is written in place, too; the one before is beside it.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from botocore.exceptions import ClientError

from infra.lifecycle import process_table, state_bucket
from infra.lifecycle.errors import LifecycleError

# A process that began later than its lock is another one that was given the same number. The table of
# processes tells starts by a clock that may have been set since: by as much as the preflight lets pass, or by
# more, so that nothing whose name is the engine's counts as another one.
_SECONDS: Final = 120.0
_ENGINE: Final = "pulumi"


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

    def is_dead(self) -> bool:
        """Whether its process is provably gone: only this host's processes can be looked at."""
        if self.host != socket.gethostname():
            return False
        if process_table.is_gone(self.process):
            return True
        began, name = process_table.process_start(self.process), process_table.process_name(self.process)
        if began is None or name is None or _ENGINE in name:
            return False
        return began > self.taken.timestamp() + _SECONDS

    def is_seen(self) -> bool:
        """Whether its process runs on this host; of one that is neither seen nor dead, nothing is known."""
        here = self.host == socket.gethostname()
        return here and not self.is_dead() and process_table.process_start(self.process) is not None


def locks(backend: str, project: str, stack: str) -> list[StateLock] | None:
    """The locks of a stack; None where the backend does not keep them as files.

    Args:
        backend: URL of the backend, as `backend_url` gives it: file://DIRECTORY or s3://BUCKET/PREFIX.
        project: name of the Pulumi project.
        stack: name of the stack.

    Raises:
        LifecycleError: a lock file can't be read.
    """
    parts = urlsplit(backend)
    place = f".pulumi/locks/organization/{project}/{stack}/"
    if parts.scheme == "file":
        directory = Path(parts.netloc + parts.path).expanduser() / place
        texts = _files(directory)
    elif parts.scheme == "s3":
        prefix = f"{parts.path.strip('/')}/{place}".lstrip("/")
        texts = _objects(backend, parts.netloc, prefix)
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

    One that is not there, or can't be read, was not: the stack may have ended, or be kept compressed.
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
    repaired = _is_whole(notes) is False
    if repaired:
        notes.unlink()
    if _is_whole(checkpoint) is False and _is_whole(before):
        fresh = checkpoint.with_suffix(".restored")
        fresh.write_bytes(before.read_bytes())
        fresh.replace(checkpoint)
        repaired = True
    return repaired


def _is_whole(checkpoint: Path) -> bool | None:
    """Whether a file was written to its end; None where it can't be read."""
    try:
        content = checkpoint.read_bytes()
    except OSError:
        return None
    try:
        return isinstance(json.loads(content), dict)
    except ValueError:
        return False


def _files(directory: Path) -> Iterator[str]:
    for file in sorted(directory.glob("*.json")):
        try:
            yield file.read_text(encoding="utf-8")
        except FileNotFoundError:
            # Its run has ended meanwhile.
            continue


def _objects(backend: str, bucket: str, prefix: str) -> Iterator[str]:
    client = state_bucket.client(backend)
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for item in page.get("Contents", []):
            try:
                yield client.get_object(Bucket=bucket, Key=item["Key"])["Body"].read().decode()
            except ClientError as error:
                # Its run has ended meanwhile.
                if error.response["Error"]["Code"] != "NoSuchKey":
                    raise
