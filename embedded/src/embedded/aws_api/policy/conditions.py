"""The Condition block of a policy statement.

Operators: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
"""

import fnmatch
import ipaddress
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

Context = Mapping[str, Sequence[str]]
"""Condition key in lower case -> its values. Keys that do not apply to a request are absent."""

_VARIABLE = re.compile(r"\$\{([^}]+)\}")


class UnknownOperatorError(Exception):
    """A condition operator this evaluator does not know. To ignore it could allow what AWS refuses."""


def pattern_matches(pattern: str, value: str) -> bool:
    """Whether `value` fits a pattern of IAM: `*` is any text, `?` any one character, brackets are literal."""
    return fnmatch.fnmatchcase(value, pattern.replace("[", "[[]"))


def substitute(pattern: str, context: Context) -> str | None:
    """Put policy variables such as `${aws:username}` in; None if one has no value, so nothing can match."""
    missing = False

    def value_of(match: re.Match[str]) -> str:
        nonlocal missing
        if match[1] in ("*", "?", "$"):
            return match[1]
        name, _, default = match[1].partition(",")
        values = context.get(name.strip().lower())
        if values:
            return values[0]
        missing = missing or not default
        return default.strip(" '")

    result = _VARIABLE.sub(value_of, pattern)
    return None if missing else result


def _arn_like(pattern: str, value: str) -> bool:
    patterns, values = pattern.split(":", 5), value.split(":", 5)
    return len(patterns) == len(values) and all(map(pattern_matches, patterns, values))


def _moment(text: str) -> datetime:
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return datetime.fromtimestamp(float(text), UTC)
    moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _in_network(expected: str, value: str) -> bool:
    return ipaddress.ip_address(value) in ipaddress.ip_network(expected, strict=False)


_POSITIVE: dict[str, Callable[[str, str], bool]] = {
    "stringequals": lambda expected, value: expected == value,
    "stringequalsignorecase": lambda expected, value: expected.lower() == value.lower(),
    "stringlike": pattern_matches,
    "arnequals": _arn_like,
    "arnlike": _arn_like,
    "bool": lambda expected, value: expected.lower() == value.lower(),
    "binaryequals": lambda expected, value: expected == value,
    "numericequals": lambda expected, value: float(value) == float(expected),
    "numericlessthan": lambda expected, value: float(value) < float(expected),
    "numericlessthanequals": lambda expected, value: float(value) <= float(expected),
    "numericgreaterthan": lambda expected, value: float(value) > float(expected),
    "numericgreaterthanequals": lambda expected, value: float(value) >= float(expected),
    "dateequals": lambda expected, value: _moment(value) == _moment(expected),
    "datelessthan": lambda expected, value: _moment(value) < _moment(expected),
    "datelessthanequals": lambda expected, value: _moment(value) <= _moment(expected),
    "dategreaterthan": lambda expected, value: _moment(value) > _moment(expected),
    "dategreaterthanequals": lambda expected, value: _moment(value) >= _moment(expected),
    "ipaddress": _in_network,
}
_NEGATED = {
    "stringnotequals": "stringequals",
    "stringnotequalsignorecase": "stringequalsignorecase",
    "stringnotlike": "stringlike",
    "arnnotequals": "arnequals",
    "arnnotlike": "arnlike",
    "numericnotequals": "numericequals",
    "datenotequals": "dateequals",
    "notipaddress": "ipaddress",
}


def conditions_hold(block: Mapping[str, Any], context: Context) -> bool:
    """Whether every operator and key of a Condition block holds.

    Raises:
        UnknownOperatorError: naming the operator.
    """
    # All operators first: one that is not known must not hide behind another that fails.
    operators = {operator: _Operator.of(operator) for operator in block}
    return all(
        operators[operator].holds(_as_list(expected), context, key.lower())
        for operator, keys in block.items()
        for key, expected in keys.items()
    )


@dataclass(frozen=True)
class _Operator:
    """One operator: `[ForAllValues:|ForAnyValue:]Name[IfExists]`."""

    quantifier: str
    test: Callable[[str, str], bool] | None
    """None: the operator is Null, which looks for the key alone."""
    negated: bool
    if_exists: bool

    @classmethod
    def of(cls, operator: str) -> "_Operator":
        quantifier, _, base = operator.lower().rpartition(":")
        if_exists, base = base.endswith("ifexists"), base.removesuffix("ifexists")
        if base == "null" and not quantifier and not if_exists:
            return cls("", None, False, False)
        test = _POSITIVE.get(_NEGATED.get(base, base))
        if quantifier not in ("", "forallvalues", "foranyvalue") or test is None:
            raise UnknownOperatorError(operator)
        return cls(quantifier, test, base in _NEGATED, if_exists)

    def holds(self, expected: list[str], context: Context, key: str) -> bool:
        values = list(context.get(key, ()))
        if self.test is None:
            return (not values) == (expected[0].lower() == "true")
        return _compare(self, expected, values, context, self.test)


def _compare(
    operator: _Operator,
    expected: list[str],
    values: list[str],
    context: Context,
    test: Callable[[str, str], bool],
) -> bool:
    if not values:
        # A missing key fails what must be equal and fulfils what must differ.
        quantifier = operator.quantifier
        return operator.if_exists or quantifier == "forallvalues" or (operator.negated and not quantifier)
    wanted = [pattern for one in expected if (pattern := substitute(one, context)) is not None]
    results = [any(_fits(test, one, value) for one in wanted) != operator.negated for value in values]
    return any(results) if operator.quantifier == "foranyvalue" else all(results)


def _fits(test: Callable[[str, str], bool], expected: str, value: str) -> bool:
    """A value of another kind than the operator's (text for a number, say) never fits."""
    try:
        return test(expected, value)
    except ValueError:
        return False


def _as_list(value: Any) -> list[str]:
    values = value if isinstance(value, list) else [value]
    return [str(one).lower() if isinstance(one, bool) else str(one) for one in values]
