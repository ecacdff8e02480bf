"""What a database instance's server says of itself, without a password."""

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
    """Address and state of one server."""

    address: str | None
    ready: bool
    """Whether it has said that it accepts sessions, and does."""


def signs(identity: CloudIdentity, identifier: str, postgres_directory: Path) -> ServerSigns:
    """Ask `pg_isready`, at the place that the server's own pid file names."""
    try:
        file = identity.state_directory / "rds" / identifier / "data" / "postmaster.pid"
        lines = [line.strip() for line in file.read_text(encoding="utf-8").splitlines()]
        port, address, status = lines[_PORT], lines[_ADDRESS], lines[_STATUS]
    except (OSError, IndexError):
        return ServerSigns(None, ready=False)
    asked = [str(postgres_directory / "pg_isready"), "--quiet", "--host", address, "--port", port]
    answers = run(asked, capture_output=True, check=False).returncode == 0
    return ServerSigns(f"{address}:{port}", ready=status == "ready" and answers)
