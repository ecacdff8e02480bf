"""Functions (data sources) of pulumi-aws that programs here use: token -> answer."""

from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import Final, TypeAlias

from embedded.plugins.aws.session import Session
from embedded.plugins.common.errors import PluginError
from embedded.plugins.common.values import Values

Function: TypeAlias = Callable[[Session, Values], Values]

FILES: Final = ("account", "network", "services", "policies")


@cache
def all_functions() -> dict[str, Function]:
    """Every emulated function by its token."""
    found: dict[str, Function] = {}
    for file in FILES:
        found.update(import_module(f"embedded.plugins.aws.functions.{file}").FUNCTIONS)
    return found


def function(token: str) -> Function:
    """The function of a token; PluginError lists those that exist when there is none."""
    known = all_functions()
    if token not in known:
        listed = ", ".join(sorted(known))
        raise PluginError(f"function {token} is not emulated by the embedded cloud; emulated: {listed}")
    return known[token]


def required(arguments: Values, name: str) -> str:
    """An argument that must be there; PluginError names it otherwise."""
    if not arguments.get(name):
        raise PluginError(f"argument '{name}' is missing")
    return str(arguments[name])


def refuse_unknown(arguments: Values, *known: str) -> None:
    """Refuse arguments that would be ignored."""
    for name in sorted(set(arguments) - set(known) - {"region"}):
        raise PluginError(
            f"argument '{name}' is not emulated by the embedded cloud; emulated: {', '.join(known)}"
        )


def region_of(session: Session, arguments: Values) -> str:
    """The region that a function is asked for, by default the provider's."""
    return str(arguments.get("region") or session.region)
