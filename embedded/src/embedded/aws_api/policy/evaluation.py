"""Whether policies allow an action on a resource."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from embedded.aws_api.policy.conditions import Context, conditions_hold, pattern_matches, substitute


class Effect(Enum):
    """What a set of policies says about a request."""

    ALLOW = "allow"
    DENY = "an explicit deny"
    NONE = "no allow"


@dataclass(frozen=True)
class Question:
    """May `principal` do `action` on `resource`?"""

    action: str
    resource: str
    principals: tuple[str, ...]
    """The ways a resource policy can name the caller directly: session, role or user ARN."""
    account_id: str
    context: Context


@dataclass(frozen=True)
class Answer:
    """The decision, and for a refusal which kind of policy caused it, in AWS's words."""

    allowed: bool
    reason: str = ""


@dataclass(frozen=True)
class PolicySet:
    """All documents that bear on one question. Documents are JSON texts."""

    identity: Sequence[str]
    boundary: Sequence[str] | None = None
    """None: the principal has no permissions boundary."""
    session: Sequence[str] | None = None
    resource: str | None = None
    resource_must_allow: bool = False
    """Key policies: an identity's allow counts only where the key's policy lets the account decide."""


def decide(question: Question, policies: PolicySet) -> Answer:
    """Evaluate all policies as AWS does within one account.

    Raises:
        UnknownOperatorError: a condition cannot be evaluated.
    """
    identity = effect_of(policies.identity, question, resource_policy=False)
    boundary = _effect(policies.boundary, question)
    session = _effect(policies.session, question)
    direct = delegated = Effect.NONE
    if policies.resource is not None:
        direct = effect_of([policies.resource], question, resource_policy=True)
        delegated = _delegation(policies.resource, question)
    named = ((identity, "identity-based"), (boundary, "permissions boundary"), (session, "session"))
    for effect, kind in (*named, (direct, "resource-based")):
        if effect is Effect.DENY:
            return Answer(False, f"with an explicit deny in a {kind} policy")
    if direct is Effect.ALLOW:
        return Answer(True)
    if policies.resource_must_allow and delegated is not Effect.ALLOW:
        return Answer(False, "because no resource-based policy allows the action")
    for effect, kind in named:
        if effect is not Effect.ALLOW:
            return Answer(False, f"because no {kind} policy allows the action")
    return Answer(True)


def _effect(documents: Sequence[str] | None, question: Question) -> Effect:
    return Effect.ALLOW if documents is None else effect_of(documents, question, resource_policy=False)


def effect_of(documents: Iterable[str], question: Question, *, resource_policy: bool) -> Effect:
    """The combined effect of documents: a deny wins, then an allow."""
    result = Effect.NONE
    for document in documents:
        for statement in _statements(document):
            if not _applies(statement, question):
                continue
            if resource_policy and not _names(statement, question.principals):
                continue
            if statement["Effect"] == "Deny":
                return Effect.DENY
            result = Effect.ALLOW
    return result


def _delegation(document: str, question: Question) -> Effect:
    """Whether a resource policy leaves the decision to the account's identity policies."""
    account = (f"arn:aws:iam::{question.account_id}:root", question.account_id)
    for statement in _statements(document):
        named = _aws_principals(statement.get("Principal"))
        if statement["Effect"] == "Allow" and set(named) & set(account) and _applies(statement, question):
            return Effect.ALLOW
    return Effect.NONE


def _statements(document: str) -> list[dict[str, Any]]:
    statements = json.loads(document).get("Statement", [])
    return [statements] if isinstance(statements, dict) else list(statements)


def _applies(statement: dict[str, Any], question: Question) -> bool:
    if not _action_matches(statement, question.action):
        return False
    if not _resource_matches(statement, question):
        return False
    return conditions_hold(statement.get("Condition") or {}, question.context)


def _action_matches(statement: dict[str, Any], action: str) -> bool:
    def listed(name: str) -> bool:
        return any(pattern_matches(one.lower(), action.lower()) for one in _as_list(statement[name]))

    return listed("Action") if "Action" in statement else not listed("NotAction")


def _resource_matches(statement: dict[str, Any], question: Question) -> bool:
    def listed(name: str) -> bool:
        patterns = (substitute(one, question.context) for one in _as_list(statement[name]))
        return any(one is not None and pattern_matches(one, question.resource) for one in patterns)

    if "Resource" in statement:
        return listed("Resource")
    if "NotResource" in statement:
        return not listed("NotResource")
    return True  # trust policies have none


def _names(statement: dict[str, Any], principals: Iterable[str]) -> bool:
    if "NotPrincipal" in statement:
        return not set(_aws_principals(statement["NotPrincipal"])) & set(principals)
    named = _aws_principals(statement.get("Principal"))
    return "*" in named or bool(set(named) & set(principals))


def _aws_principals(principal: Any) -> list[str]:
    if principal == "*":
        return ["*"]
    return _as_list(principal.get("AWS", [])) if isinstance(principal, dict) else []


def _as_list(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value)
