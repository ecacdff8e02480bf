"""Trust policies: who may assume a role, and which principals a policy may name at all."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from embedded.aws_api import ACCOUNT_ID
from embedded.aws_api.grants import effective_trust
from embedded.aws_api.policy.evaluation import Names, PolicySet, Question, decide

_PRINCIPAL_ARN = re.compile(r"^arn:aws:iam::(?P<account>\d{12}):(?P<kind>role|user|root)(?:/(?P<name>.+))?$")


def service_may_assume(
    role_arn: str, service: str, actions: Sequence[str], context: Mapping[str, Sequence[str]]
) -> bool:
    """Whether a role's trust policy lets a service do all of these actions in this context.

    Raises:
        UnknownOperatorError: a condition cannot be evaluated.
        UnknownConditionKeyError: a condition names a key that no request's context here knows.
    """
    document = effective_trust(role_arn)
    if document is None:
        return False
    policies = PolicySet(identity=(), resource=document, resource_must_allow=True)
    caller = Names(service=service)
    return all(
        decide(Question(action, role_arn, caller, ACCOUNT_ID, context), policies).allowed
        for action in actions
    )


def role_names_service(role_arn: str, service: str, actions: Sequence[str]) -> bool:
    """Whether a trust policy allows a service these actions, whatever its conditions say."""
    allowed: set[str] = set()
    for statement in _statements(effective_trust(role_arn)):
        principal = statement.get("Principal")
        services = _as_list(principal.get("Service", [])) if isinstance(principal, dict) else []
        if statement.get("Effect") == "Allow" and service in services:
            allowed.update(_as_list(statement.get("Action", [])))
    return set(actions) <= allowed or bool(allowed & {"sts:*", "*"})


def missing_principals(document: Mapping[str, Any]) -> list[str]:
    """Users and roles of this account that a resource policy names and that do not exist, or not yet.

    AWS refuses such a policy, for it turns names into unique ids when it is saved:
    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html
    """
    return [one for one in _named_principals(document) if not _exists(one)]


def _exists(principal: str) -> bool:
    from moto.iam.models import iam_backends

    if principal == "*" or re.fullmatch(r"\d{12}", principal) or principal.startswith("arn:aws:sts::"):
        return True
    match = _PRINCIPAL_ARN.fullmatch(principal)
    if match is None:
        return False
    if match["account"] != ACCOUNT_ID or match["kind"] == "root":
        return True
    if match["kind"] == "role":
        return effective_trust(principal) is not None
    return any(user.arn == principal for user in iam_backends[ACCOUNT_ID]["aws"].users.values())


def _named_principals(document: Mapping[str, Any]) -> Iterator[str]:
    for statement in _statements(document):
        for element in ("Principal", "NotPrincipal"):
            principal = statement.get(element)
            if isinstance(principal, dict):
                yield from _as_list(principal.get("AWS", []))


def _statements(document: Mapping[str, Any] | str | None) -> list[dict[str, Any]]:
    parsed = json.loads(document or "{}") if isinstance(document, str | None) else document
    statements = parsed.get("Statement", [])
    return [statements] if isinstance(statements, dict) else list(statements)


def _as_list(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value)
