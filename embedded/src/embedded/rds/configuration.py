"""The configuration files of an instance's Postgres, from what RDS promises of it."""

from collections.abc import Mapping
from dataclasses import dataclass

ADMINISTRATOR = "rdsadmin"
"""The superuser RDS keeps for itself; it can only connect through the Unix socket."""


@dataclass(frozen=True)
class ServerConfiguration:
    """What the files depend on. `root` is the instance's directory as the server sees it."""

    root: str
    name: str
    address: str
    port: int
    max_connections: int
    force_ssl: bool
    settings: Mapping[str, str]
    """From the parameter group; they win over the defaults below."""
    local_users: tuple[str, ...]
    """Operating system users that may act as the administrator."""


def postgresql_conf(configuration: ServerConfiguration) -> str:
    """postgresql.conf."""
    defaults = {
        "max_connections": str(configuration.max_connections),
        # Sized for a small machine; RDS takes a quarter of the instance's memory.
        "shared_buffers": "32MB",
        "max_wal_size": "128MB",
        "min_wal_size": "32MB",
        # Killed processes lose nothing without it, and a whole machine's power cut is not emulated.
        "fsync": "off",
        "password_encryption": "scram-sha-256",
        "timezone": "UTC",
        "log_timezone": "UTC",
        "log_connections": "off",
        "log_min_duration_statement": "-1",
        "log_line_prefix": "%m %r:%u@%d:[%p]: ",
    }
    fixed = {
        "cluster_name": configuration.name,
        "data_directory": f"{configuration.root}/data",
        "hba_file": f"{configuration.root}/conf/pg_hba.conf",
        "ident_file": f"{configuration.root}/conf/pg_ident.conf",
        "listen_addresses": configuration.address,
        "port": str(configuration.port),
        "unix_socket_directories": f"{configuration.root}/run",
        "unix_socket_permissions": "0700",
        "ssl": "on",
        "ssl_cert_file": f"{configuration.root}/conf/server.crt",
        "ssl_key_file": f"{configuration.root}/conf/server.key",
        "ssl_min_protocol_version": "TLSv1.2",
        "logging_collector": "off",
        "log_destination": "stderr",
    }
    merged = {**defaults, **configuration.settings, **fixed}
    return "".join(f"{name} = '{_quoted(value)}'\n" for name, value in merged.items())


def _quoted(value: str) -> str:
    return value.replace("\\", "\\\\").replace("'", "''").replace("\n", " ")


def pg_hba_conf(configuration: ServerConfiguration) -> str:
    """pg_hba.conf: the administrator by socket only; everyone else by password, over TLS if forced."""
    kind = "hostssl" if configuration.force_ssl else "host"
    lines = [
        f"local all {ADMINISTRATOR} peer map={ADMINISTRATOR}",
        f"local replication {ADMINISTRATOR} peer map={ADMINISTRATOR}",
        "local all all reject",
        f"host all {ADMINISTRATOR} all reject",
        f"host {ADMINISTRATOR} all all reject",
        f"{kind} all all all scram-sha-256",
    ]
    return "\n".join(lines) + "\n"


def pg_ident_conf(configuration: ServerConfiguration) -> str:
    """pg_ident.conf."""
    lines = [f"{ADMINISTRATOR} {user} {ADMINISTRATOR}" for user in configuration.local_users]
    return "\n".join(lines) + "\n"
