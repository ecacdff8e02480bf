"""Parameters of a DB parameter group, checked as RDS checks them, and what they mean for the server."""

from collections.abc import Mapping
from typing import Any

from moto.rds.exceptions import InvalidParameterValue

from embedded.rds.engine import Engine

FORCE_SSL = "rds.force_ssl"

# Known to RDS but of no effect here, except force_ssl.
_RDS_PARAMETERS = frozenset(
    {
        FORCE_SSL,
        "rds.accepted_password_auth_method",
        "rds.extensions",
        "rds.force_admin_logging_level",
        "rds.force_autovacuum_logging_level",
        "rds.log_retention_period",
        "rds.logical_replication",
        "rds.restrict_password_commands",
    }
)
_STATIC_OF_RDS = frozenset({"rds.logical_replication"})
# RDS sets these itself and refuses to change them.
_UNCHANGEABLE = frozenset(
    {
        "config_file",
        "data_directory",
        "external_pid_file",
        "fsync",
        "hba_file",
        "ident_file",
        "listen_addresses",
        "port",
        "ssl_ca_file",
        "ssl_cert_file",
        "ssl_key_file",
        "unix_socket_directories",
    }
)
# Sized for the instance class on AWS; a small machine keeps its own.
_RECORDED_ONLY = frozenset({"effective_cache_size", "huge_pages", "shared_buffers", "ssl"})
_LIBRARIES = frozenset({"", "auto_explain", "pg_stat_statements"})


def check(parameters: Mapping[str, str], engine: Engine) -> None:
    """Refuse what RDS would refuse.

    Raises:
        InvalidParameterValue: naming the parameter.
    """
    for name, value in parameters.items():
        if name in _RDS_PARAMETERS:
            continue
        if name not in engine.parameters:
            raise InvalidParameterValue(f"Could not find parameter with name: {name}")
        if name in _UNCHANGEABLE or engine.parameters[name] == "internal":
            raise InvalidParameterValue(f"The parameter {name} cannot be modified.")
        if "{" in value:
            raise InvalidParameterValue(f"The embedded RDS does not emulate formulas ({name}={value})")
        libraries = {library.strip() for library in value.split(",")}
        if name == "shared_preload_libraries" and not libraries <= _LIBRARIES:
            unknown = ", ".join(sorted(libraries - _LIBRARIES))
            raise InvalidParameterValue(f"The embedded RDS has no library {unknown} for {name}")


def is_static(name: str, engine: Engine) -> bool:
    """Whether a parameter takes effect at a restart only."""
    return name in _STATIC_OF_RDS or engine.parameters.get(name) == "postmaster"


def force_ssl(parameters: Mapping[str, str], engine: Engine) -> bool:
    """Whether connections without TLS are refused; the default is on from Postgres 15.

    Source: https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/PostgreSQL.Concepts.General.SSL.html
    """
    default = "1" if int(engine.major) >= 15 else "0"
    return parameters.get(FORCE_SSL, default) in ("1", "on", "true")


def server_settings(parameters: Mapping[str, str]) -> dict[str, str]:
    """The part of the group that goes into postgresql.conf."""
    return {
        name: value
        for name, value in parameters.items()
        if name not in _RDS_PARAMETERS and name not in _RECORDED_ONLY
    }


def of_group(group: Any) -> dict[str, str]:
    """Name -> value of a moto parameter group."""
    return {
        name: str(entry["ParameterValue"])
        for name, entry in group.parameters.items()
        if entry.get("ParameterValue") is not None
    }
