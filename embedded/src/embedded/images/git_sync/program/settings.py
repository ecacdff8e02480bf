"""The settings of a run, checked against one another as git-sync does before it starts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

from .options import Refused, read_options

_SUBMODULES = ("recursive", "shallow", "off")
_COLLECTIONS = ("auto", "always", "aggressive", "off")
_SHORTEST_SECONDS = 0.01


@dataclass(frozen=True)
class Settings:
    """What one run does. Durations are in seconds; `link` and `touch_file` are absolute."""

    repository: str
    """Without user and password."""
    ref: str
    depth: int
    """Commits of history; 0 is all of it."""
    submodules: str
    root: Path
    link: Path
    touch_file: Path | None
    period: float
    sync_timeout: float
    one_time: bool
    max_failures: int
    """Failures in a row after which the program ends; below 0: never."""
    add_user: bool
    group_write: bool
    stale_worktree_timeout: float
    username: str
    password: str
    ssh_key_files: tuple[str, ...]
    ssh_known_hosts: bool
    ssh_known_hosts_file: str
    git: str
    collection: str
    http_bind: str
    verbose: int


def load(arguments: Sequence[str], environment: Mapping[str, str]) -> Settings:
    """The settings.

    Raises:
        Refused: a mistake; its first one is named, as git-sync does.
    """
    values = read_options(arguments, environment)
    for required in ("root", "repo"):
        if not values[required]:
            raise Refused(f"required flag: --{required} must be specified")
    _take_old_names(values)
    _check(values)
    root = Path(values["root"]).absolute()
    repository, username, password = _credentials(values)
    return Settings(
        repository=repository,
        ref=values["ref"],
        depth=values["depth"],
        submodules=values["submodules"],
        root=root,
        link=root / (values["link"] or values["repo"].strip("/").split("/")[-1]),
        touch_file=root / values["touch-file"] if values["touch-file"] else None,
        period=values["period"],
        sync_timeout=values["sync-timeout"],
        one_time=values["one-time"],
        max_failures=values["max-failures"],
        add_user=values["add-user"],
        group_write=values["group-write"],
        stale_worktree_timeout=values["stale-worktree-timeout"],
        username=username,
        password=password,
        ssh_key_files=values["ssh-key-file"],
        ssh_known_hosts=values["ssh-known-hosts"],
        ssh_known_hosts_file=values["ssh-known-hosts-file"],
        git=values["git"],
        collection=values["git-gc"],
        http_bind=values["http-bind"],
        verbose=values["verbose"],
    )


def _take_old_names(values: dict[str, Any]) -> None:
    branch, revision = values["branch"], values["rev"]
    if branch and revision in ("", "HEAD"):
        values["ref"] = branch
    elif revision and not branch:
        values["ref"] = revision
    elif branch and revision:
        raise Refused("deprecated flag combo: can't set --ref from deprecated --branch and --rev")
    values["link"] = values["dest"] or values["link"]
    values["period"] = values["wait"] or values["period"]
    values["sync-timeout"] = float(values["timeout"] or values["sync-timeout"])
    values["max-failures"] = values["max-sync-failures"] or values["max-failures"]
    for gone in ("change-permissions", "sync-hook-command"):
        if values[gone]:
            raise Refused(f"deprecated flag: --{gone} is not supported")


def _check(values: Mapping[str, Any]) -> None:
    if not values["ref"]:
        raise Refused("required flag: --ref must be specified")
    if values["depth"] < 0:
        raise Refused("invalid flag: --depth must be greater than or equal to 0")
    for name, allowed in (("submodules", _SUBMODULES), ("git-gc", _COLLECTIONS)):
        if values[name] not in allowed:
            raise Refused(f"invalid flag: --{name} must be one of {', '.join(allowed)}")
    for name in ("period", "sync-timeout"):
        if values[name] < _SHORTEST_SECONDS:
            raise Refused(f"invalid flag: --{name} must be at least 10ms")


def _credentials(values: Mapping[str, Any]) -> tuple[str, str, str]:
    """Repository without credentials, user and password."""
    repository, username = values["repo"], values["username"]
    password, file = values["password"], values["password-file"]
    if not username and (password or file):
        raise Refused("invalid flag: a password may only be specified when --username is specified")
    if password and file:
        raise Refused("invalid flag: only one of $GITSYNC_PASSWORD and --password-file may be specified")
    if username and not (password or file):
        raise Refused("required flag: $GITSYNC_PASSWORD or --password-file must go with --username")
    parts = urlsplit(repository)
    in_address = parts.scheme in ("http", "https") and parts.username is not None
    if username and in_address:
        raise Refused("invalid flag: credentials may not be specified in --repo when --username is specified")
    if in_address:
        bare = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
        return bare, unquote(parts.username or ""), unquote(parts.password or "")
    if file:
        try:
            password = Path(file).read_text(encoding="utf-8")
        except OSError as error:
            raise Refused(f"can't read password file {file}: {error.strerror}") from error
    return repository, username, password
