"""What a rule is."""

from collections.abc import Callable

from embedded.aws_api.operations import Operation

Rule = Callable[[Operation], None]
"""Raises `Refusal` with AWS's error; returns if AWS would serve the request."""

Rules = dict[tuple[str, str], tuple[Rule, ...]]
"""(signing name of the service, operation) -> its rules, in the order that they are checked."""


def rules(service: str, by_operation: dict[str, Rule | tuple[Rule, ...]]) -> Rules:
    """The rules of one service; several operations may be named at once, separated by spaces."""
    found: Rules = {}
    for names, given in by_operation.items():
        for name in names.split():
            found[service, name] = given if isinstance(given, tuple) else (given,)
    return found
