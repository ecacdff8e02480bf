"""What a database instance's server says of itself, without a password: for `embedded status`."""

from dataclasses import dataclass
from pathlib import Path
from subprocess import run

from embedded.identity import CloudIdentity

PART_PREFIX = "rds-"
# Lines of postmaster.pid, from 0: https://www.postgresql.org/docs/current/storage-file-layout.html and
# src/include/utils/pidfile.h, which numbers them from 1.
_PORT, _ADDRESS, _STATUS = 3, 5, 7


@dataclass(frozen=True)
class ServerSigns:
    """Version, address and state of one server."""

    version: str
    address: str | None
    ready: bool
    """Whether it has said that it accepts sessions, and does."""


def signs(identity: CloudIdentity, identifier: str, postgres_directory: Path) -> ServerSigns:
    """Ask `pg_isready`, at the place that the server's own pid file names."""
    version = run([postgres_directory / "postgres", "--version"], capture_output=True, text=True, check=False)
    words = version.stdout.split()
    number = words[2] if len(words) > 2 else ""
    try:
        file = identity.state_directory / "rds" / identifier / "data" / "postmaster.pid"
        lines = [line.strip() for line in file.read_text(encoding="utf-8").splitlines()]
        port, address, status = lines[_PORT], lines[_ADDRESS], lines[_STATUS]
    except (OSError, IndexError):
        return ServerSigns(number, None, ready=False)
    asked = [str(postgres_directory / "pg_isready"), "--quiet", "--host", address, "--port", port]
    answers = run(asked, capture_output=True, check=False).returncode == 0
    return ServerSigns(number, f"{address}:{port}", ready=status == "ready" and answers)
