"""The one Postgres this cloud has: its version, and the parameters it knows."""

import functools
import subprocess
from dataclasses import dataclass
from pathlib import Path

from moto.rds.exceptions import InvalidParameterCombination


@dataclass(frozen=True)
class Engine:
    """Postgres' programs, such as /usr/lib/postgresql/15/bin."""

    directory: Path

    @functools.cached_property
    def version(self) -> str:
        """`<major>.<minor>` of the installed server."""
        text = subprocess.run(
            [self.directory / "postgres", "--version"], capture_output=True, text=True, check=True
        ).stdout
        return text.split()[2]

    @property
    def major(self) -> str:
        """The major version."""
        return self.version.partition(".")[0]

    def resolve(self, requested: str | None) -> str:
        """The full version for a request's EngineVersion; a major alone means its newest minor.

        Raises:
            InvalidParameterCombination: this cloud has no such version.
        """
        if requested in (None, "", self.major, self.version):
            return self.version
        raise InvalidParameterCombination(
            f"Cannot find version {requested} for postgres (the embedded RDS has {self.version}; "
            f"name the major version {self.major})"
        )

    @functools.cached_property
    def parameters(self) -> dict[str, str]:
        """Parameter name -> its context: `postmaster` needs a restart, `internal` cannot be set."""
        text = subprocess.run(
            [self.directory / "postgres", "--describe-config"], capture_output=True, text=True, check=True
        ).stdout
        rows = (line.split("\t") for line in text.splitlines())
        return {row[0]: row[1].lower() for row in rows if len(row) > 1}
