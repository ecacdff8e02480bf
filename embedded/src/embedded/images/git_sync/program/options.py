"""What the real git-sync v4 can be told, as one table: by flag, by variable, and by the old names of both.

Source: the manual in https://github.com/kubernetes/git-sync/blob/v4.4.2/README.md. What the stand-in does not
do is in the table too, and refused by name when it is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .values import decimal, duration, integer, paths, truth

_UNKNOWN_FLAG = 2
_MISTAKE = 1


class Refused(Exception):  # noqa: N818 -- told to people, with the exit code
    """Why the program does not start."""

    def __init__(self, message: str, code: int = _MISTAKE) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Option:
    """`variables` holds the current name first; of several that are set, the last one counts, as in git-sync.

    An option that is not `emulated` may be left at its default, and nothing else.
    """

    name: str
    default: Any
    read: Callable[[str], Any]
    variables: tuple[str, ...] = ()
    emulated: bool = True


def _option(name: str, default: Any, read: Callable[[str], Any] = str, *old: str, **more: Any) -> Option:
    current = f"GITSYNC_{name.replace('-', '_').upper()}"
    return Option(name, default, read, (current, *old), **more)


def _not_emulated(name: str, default: Any = "", read: Callable[[str], Any] = str, *old: str) -> Option:
    return _option(name, default, read, *old, emulated=False)


def _old(name: str, default: Any, read: Callable[[str], Any] = str, *variables: str) -> Option:
    return Option(name, default, read, variables)


OPTIONS = (
    _option("repo", "", str, "GIT_SYNC_REPO"),
    _option("ref", "HEAD"),
    _option("depth", 1, integer, "GIT_SYNC_DEPTH"),
    _option("submodules", "recursive", str, "GIT_SYNC_SUBMODULES"),
    _option("root", "", str, "GIT_SYNC_ROOT"),
    _option("link", "", str, "GIT_SYNC_LINK"),
    _option("period", 10.0, duration, "GIT_SYNC_PERIOD"),
    _option("sync-timeout", 120.0, duration, "GIT_SYNC_SYNC_TIMEOUT"),
    _option("one-time", False, truth, "GIT_SYNC_ONE_TIME"),
    _option("max-failures", 0, integer, "GIT_SYNC_MAX_FAILURES"),
    _option("touch-file", "", str, "GIT_SYNC_TOUCH_FILE"),
    _option("add-user", False, truth, "GIT_SYNC_ADD_USER"),
    _option("group-write", False, truth, "GIT_SYNC_GROUP_WRITE"),
    _option("stale-worktree-timeout", 0.0, duration),
    _option("username", "", str, "GIT_SYNC_USERNAME"),
    _option("password", "", str, "GIT_SYNC_PASSWORD"),
    _option("password-file", "", str, "GIT_SYNC_PASSWORD_FILE"),
    _option("ssh-key-file", ("/etc/git-secret/ssh",), paths, "GIT_SYNC_SSH_KEY_FILE", "GIT_SSH_KEY_FILE"),
    _option("ssh-known-hosts", True, truth, "GIT_SYNC_KNOWN_HOSTS", "GIT_KNOWN_HOSTS"),
    _option(
        "ssh-known-hosts-file",
        "/etc/git-secret/known_hosts",
        str,
        "GIT_SYNC_SSH_KNOWN_HOSTS_FILE",
        "GIT_SSH_KNOWN_HOSTS_FILE",
    ),
    _option("git", "git", str, "GIT_SYNC_GIT"),
    _option("git-gc", "always", str, "GIT_SYNC_GIT_GC"),
    _option("http-bind", "", str, "GIT_SYNC_HTTP_BIND"),
    _option("verbose", 0, integer),
    _not_emulated("sparse-checkout-file", "", str, "GIT_SYNC_SPARSE_CHECKOUT_FILE"),
    _not_emulated("error-file", "", str, "GIT_SYNC_ERROR_FILE"),
    _not_emulated("sync-on-signal", "", str, "GIT_SYNC_SYNC_ON_SIGNAL"),
    _not_emulated("exechook-command", "", str, "GIT_SYNC_EXECHOOK_COMMAND"),
    _not_emulated("exechook-timeout", 30.0, duration, "GIT_SYNC_EXECHOOK_TIMEOUT"),
    _not_emulated("exechook-backoff", 3.0, duration, "GIT_SYNC_EXECHOOK_BACKOFF"),
    _not_emulated("webhook-url", "", str, "GIT_SYNC_WEBHOOK_URL"),
    _not_emulated("webhook-method", "POST", str, "GIT_SYNC_WEBHOOK_METHOD"),
    _not_emulated("webhook-success-status", 200, integer, "GIT_SYNC_WEBHOOK_SUCCESS_STATUS"),
    _not_emulated("webhook-timeout", 1.0, duration, "GIT_SYNC_WEBHOOK_TIMEOUT"),
    _not_emulated("webhook-backoff", 3.0, duration, "GIT_SYNC_WEBHOOK_BACKOFF"),
    _not_emulated("credential"),
    _not_emulated("cookie-file", False, truth, "GIT_SYNC_COOKIE_FILE", "GIT_COOKIE_FILE"),
    _not_emulated("askpass-url", "", str, "GIT_SYNC_ASKPASS_URL", "GIT_ASKPASS_URL"),
    _not_emulated("github-base-url", "https://api.github.com/"),
    _not_emulated("github-app-private-key"),
    _not_emulated("github-app-private-key-file"),
    _not_emulated("github-app-client-id"),
    _not_emulated("github-app-application-id", 0, integer),
    _not_emulated("github-app-installation-id", 0, integer),
    _not_emulated("git-config", "", str, "GIT_SYNC_GIT_CONFIG"),
    _not_emulated("http-metrics", False, truth, "GIT_SYNC_HTTP_METRICS"),
    _not_emulated("http-pprof", False, truth, "GIT_SYNC_HTTP_PPROF"),
    # Names of git-sync v3 that v4 still takes. Where one is set it wins over the new name.
    _old("branch", "", str, "GIT_SYNC_BRANCH"),
    _old("rev", "", str, "GIT_SYNC_REV"),
    _old("dest", "", str, "GIT_SYNC_DEST"),
    _old("max-sync-failures", 0, integer, "GIT_SYNC_MAX_SYNC_FAILURES"),
    _old("wait", 0.0, decimal, "GIT_SYNC_WAIT"),
    _old("timeout", 0, integer, "GIT_SYNC_TIMEOUT"),
    _old("change-permissions", 0, integer, "GIT_SYNC_PERMISSIONS"),
    _old("sync-hook-command", "", str, "GIT_SYNC_HOOK_COMMAND"),
    _old("ssh", False, truth),
)
_BY_NAME = {option.name: option for option in OPTIONS}


def read_options(arguments: Sequence[str], environment: Mapping[str, str]) -> dict[str, Any]:
    """The value of every option, by name: a flag before a variable before the default.

    Raises:
        Refused: a flag is unknown, a text cannot be read, or the stand-in does not do what is asked for.
    """
    values = {option.name: _from_environment(option, environment) for option in OPTIONS}
    values |= _from_flags(list(arguments))
    asked = [one.name for one in OPTIONS if not one.emulated and values[one.name] != one.default]
    if asked:
        names = ", ".join(f"--{name} ($GITSYNC_{name.replace('-', '_').upper()})" for name in asked)
        raise Refused(f"the embedded cloud's git-sync is a stand-in that does not do {names}; leave it unset")
    return values


def _from_environment(option: Option, environment: Mapping[str, str]) -> Any:
    found = [name for name in option.variables if name in environment]
    if not found:
        return option.default
    try:
        return option.read(environment[found[-1]])
    except ValueError as error:
        raise Refused(f"invalid variable {found[-1]}: {error}") from error


def _from_flags(arguments: list[str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    while arguments:
        word = arguments.pop(0)
        name, has_value, text = word.removeprefix("--").partition("=")
        if word.startswith("-v") and not word.startswith("--"):
            # -v 2, -v2, -v=2
            name, text = "verbose", word.removeprefix("-v").removeprefix("=")
            has_value = "=" if text else ""
        elif not word.startswith("--"):
            raise Refused(f"unexpected argument {word!r}: every setting is a flag", _UNKNOWN_FLAG)
        option = _BY_NAME.get("verbose" if name == "v" else name)
        if option is None:
            raise Refused(f"unknown flag: --{name}", _UNKNOWN_FLAG)
        if not has_value and option.read is truth:
            text = "true"
        elif not has_value:
            if not arguments:
                raise Refused(f"flag needs an argument: --{name}", _UNKNOWN_FLAG)
            text = arguments.pop(0)
        values[option.name] = _added(option, text, values)
    return values


def _added(option: Option, text: str, values: Mapping[str, Any]) -> Any:
    """A flag that may be repeated adds to what it was given before."""
    try:
        if option.read is paths:
            return (*values.get(option.name, ()), text)
        return option.read(text)
    except ValueError as error:
        raise Refused(f"invalid argument for --{option.name}: {error}", _UNKNOWN_FLAG) from error
