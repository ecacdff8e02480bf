"""One Postgres server: its directory, its process, and SQL as its administrator."""

import os
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from signal import SIGINT
from typing import Any

import psycopg

from embedded.certificates import issue
from embedded.errors import NotReady
from embedded.files import write_private
from embedded.identity import CloudIdentity
from embedded.processes import Part, Supervisor
from embedded.rds import isolation
from embedded.rds.configuration import (
    ADMINISTRATOR,
    ServerConfiguration,
    pg_hba_conf,
    pg_ident_conf,
    postgresql_conf,
)
from embedded.rds.engine import Engine

_START_TIMEOUT_SECONDS = 120.0
_STOP_TIMEOUT_SECONDS = 30.0


class PostgresServer:
    """The server of instance `identifier`; all state is in its directory and its pid file."""

    def __init__(
        self, identity: CloudIdentity, supervisor: Supervisor, engine: Engine, identifier: str, hostname: str
    ) -> None:
        self._identity = identity
        self._supervisor = supervisor
        self._engine = engine
        self.identifier = identifier
        self.hostname = hostname
        self.directory = identity.state_directory / "rds" / identifier
        self.part_name = f"rds-{identifier}"

    @property
    def data(self) -> Path:
        """Postgres' data directory."""
        return self.directory / "data"

    @property
    def alive(self) -> bool:
        """Whether the server's process runs."""
        return self._supervisor.alive(self.part_name)

    def initialize(self) -> None:
        """Make an empty database cluster, replacing what an interrupted attempt left.

        Raises:
            subprocess.CalledProcessError: initdb failed; its output is in the error.
        """
        self.prepare_directory()
        staging = self._staging()
        arguments = [str(self._engine.directory / "initdb")]
        arguments += [f"--pgdata={isolation.root_inside(self.directory)}/{staging.name}"]
        arguments += [f"--username={ADMINISTRATOR}", "--auth=peer", "--encoding=UTF8", "--locale=C.UTF-8"]
        self._run([*arguments, "--data-checksums", "--wal-segsize=4", "--no-sync", "--no-instructions"])
        self._take(staging)

    def copy_from(self, source: Path) -> None:
        """Take the data of a snapshot."""
        self.prepare_directory()
        staging = self._staging()
        copy_tree(source, staging)
        isolation.give_to_postgres(staging)
        staging.chmod(0o700)
        self._take(staging)

    def prepare_directory(self) -> None:
        """Make the instance's directory."""
        self.directory.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        for directory in (self.directory, self.directory / "conf", self.directory / "run"):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        isolation.give_to_postgres(self.directory)

    def configure(
        self, address: str, port: int, max_connections: int, force_ssl: bool, settings: Any
    ) -> None:
        """Write the configuration and a certificate for the instance's hostname."""
        configuration = ServerConfiguration(
            root=isolation.root_inside(self.directory),
            name=self.identifier,
            address=address,
            port=port,
            max_connections=max_connections,
            force_ssl=force_ssl,
            settings=settings,
            local_users=isolation.local_users(),
        )
        files = issue(
            self._identity, self.part_name, self.hostname[:64], dns_names=[self.hostname], addresses=[address]
        )
        conf = self.directory / "conf"
        write_private(conf / "postgresql.conf", postgresql_conf(configuration).encode())
        write_private(conf / "pg_hba.conf", pg_hba_conf(configuration).encode())
        write_private(conf / "pg_ident.conf", pg_ident_conf(configuration).encode())
        write_private(conf / "server.crt", files.certificate.read_bytes())
        write_private(conf / "server.key", files.key.read_bytes())
        isolation.give_to_postgres(conf)

    def start(self) -> None:
        """Start the server unless it runs, and wait until it accepts connections.

        Raises:
            EmbeddedError: it ended or did not accept connections in time.
        """
        part = self._part()
        self._supervisor.start(part)
        self._supervisor.wait_ready(part)

    def stop(self) -> None:
        """Stop the server: running transactions are rolled back, clients are told."""
        self._supervisor.stop(self.part_name)

    def reload(self) -> None:
        """Apply settings that need no restart."""
        with self.connect() as connection:
            connection.execute("SELECT pg_reload_conf()")

    def base_backup(self, target: Path) -> None:
        """Copy the running server's data to `target`, consistent as of now."""
        root = isolation.root_inside(self.directory)
        staging = self._staging()
        arguments = [str(self._engine.directory / "pg_basebackup"), f"--pgdata={root}/{staging.name}"]
        arguments += [f"--host={root}/run", f"--port={self._port()}", f"--username={ADMINISTRATOR}"]
        self._run([*arguments, "--checkpoint=fast", "--wal-method=fetch", "--no-sync", "--no-password"])
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        shutil.rmtree(target, ignore_errors=True)
        staging.replace(target)

    def remove(self) -> None:
        """Delete the instance's directory and its log."""
        shutil.rmtree(self.directory, ignore_errors=True)
        self._supervisor.log_path(self.part_name).unlink(missing_ok=True)

    @contextmanager
    def connect(self, database: str = "postgres") -> Iterator["psycopg.Connection[Any]"]:
        """A connection as the administrator, in autocommit.

        The socket's directory is named through a file descriptor: a socket's path may have 107
        characters only, and the state directory alone can be longer.
        """
        descriptor = os.open(self.directory / "run", os.O_PATH | os.O_DIRECTORY)
        try:
            with psycopg.connect(
                host=f"/proc/self/fd/{descriptor}",
                port=self._port(),
                user=ADMINISTRATOR,
                dbname=database,
                connect_timeout=10,
                autocommit=True,
            ) as connection:
                yield connection
        finally:
            os.close(descriptor)

    def _staging(self) -> Path:
        """A new name for data in the making; what earlier attempts left is removed.

        The name is new each time, since the program of an attempt that was killed may still be writing.
        """
        for leftover in self.directory.glob("new-*"):
            shutil.rmtree(leftover, ignore_errors=True)
        return self.directory / f"new-{secrets.token_hex(4)}"

    def _take(self, staging: Path) -> None:
        shutil.rmtree(self.data, ignore_errors=True)
        staging.replace(self.data)

    def _port(self) -> int:
        for line in (self.directory / "conf" / "postgresql.conf").read_text().splitlines():
            if line.startswith("port = "):
                return int(line.split("'")[1])
        raise ValueError(f"{self.identifier} has no port in its configuration")

    def _part(self) -> Part:
        root = isolation.root_inside(self.directory)
        arguments = [str(self._engine.directory / "postgres"), f"--config-file={root}/conf/postgresql.conf"]
        return Part(
            name=self.part_name,
            command=tuple(isolation.command(self.directory, arguments)),
            environment={},
            in_node_namespace=False,
            ready=self._check_ready,
            address=self.hostname,
            ready_timeout_seconds=_START_TIMEOUT_SECONDS,
            # Postgres' fast shutdown; SIGTERM would wait for clients to go by themselves.
            stop_signal=SIGINT,
            stop_timeout_seconds=_STOP_TIMEOUT_SECONDS,
            version=f"postgres {self._engine.version}",
        )

    def _check_ready(self) -> None:
        try:
            with self.connect() as connection:
                connection.execute("SELECT 1")
        except (psycopg.Error, OSError) as error:
            raise NotReady(f"{self.identifier}: {str(error).strip()}") from error

    def _run(self, arguments: list[str]) -> None:
        result = subprocess.run(
            isolation.command(self.directory, arguments), capture_output=True, text=True, check=False
        )
        if result.returncode:
            raise RuntimeError(
                f"{Path(arguments[0]).name} failed: {(result.stderr or result.stdout).strip()}"
            )


def copy_tree(source: Path, target: Path) -> None:
    """Copy a data directory; with shared blocks where the file system can."""
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    subprocess.run(["cp", "--archive", "--reflink=auto", str(source), str(target)], check=True)
