"""Whether policies allow an action on a resource."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from embedded.aws_api.policy.condition_keys import require_known
from embedded.aws_api.policy.conditions import Context, conditions_hold, pattern_matches, substitute


class Effect(Enum):
    """What a set of policies says about a request."""

    ALLOW = "allow"
    DENY = "an explicit deny"
    NONE = "no allow"


@dataclass(frozen=True)
class Names:
    """The ways a resource policy can name a caller."""

    session: str = ""
    """ARN of a role's session, or of a user: who the caller is, as STS tells it."""
    identity: str = ""
    """ARN of the role or user whose policies count."""
    service: str = ""
    """Name of a service that acts itself, such as `pods.eks.amazonaws.com`; then there is no ARN."""

    @property
    def arns(self) -> frozenset[str]:
        """All ARNs of the caller."""
        return frozenset(name for name in (self.session, self.identity) if name)


@dataclass(frozen=True)
class Question:
    """May `caller` do `action` on `resource`?"""

    action: str
    resource: str
    caller: Names
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

    def mention(self, text: str) -> bool:
        """Whether any document contains a text, whatever its case."""
        every = (*self.identity, *(self.boundary or ()), *(self.session or ()), self.resource or "")
        return any(text in document.lower() for document in every)


def decide(question: Question, policies: PolicySet) -> Answer:
    """Evaluate all policies as AWS does within one account.

    Raises:
        UnknownOperatorError: a condition cannot be evaluated.
        UnknownConditionKeyError: a condition names a key that no request's context here knows.
    """
    identity = effect_of(policies.identity, question, resource_policy=False)
    boundary = _effect(policies.boundary, question)
    session = _effect(policies.session, question)
    direct = delegated = Effect.NONE
    if policies.resource is not None:
        direct = effect_of([policies.resource], question, resource_policy=True)
        delegated = _delegation(policies.resource, question)
    named = [(identity, "identity-based"), (boundary, "permissions boundary"), (session, "session")]
    for effect, kind in (*named, (direct, "resource-based")):
        if effect is Effect.DENY:
            return Answer(False, f"with an explicit deny in a {kind} policy")
    if direct is Effect.ALLOW and _is_for_the_session(policies.resource, question):
        return Answer(True)
    if direct is Effect.ALLOW:
        # The policy names the role, or everybody: boundary and session policy still have to agree.
        # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic_policy-eval-denyallow.html
        named = named[1:]
    elif policies.resource_must_allow and delegated is not Effect.ALLOW:
        return Answer(False, "because no resource-based policy allows the action")
    for effect, kind in named:
        if effect is not Effect.ALLOW:
            return Answer(False, f"because no {kind} policy allows the action")
    return Answer(True)


def _is_for_the_session(document: str | None, question: Question) -> bool:
    """Whether a resource policy allows the caller by the ARN of the session or user, or as a service."""
    if question.caller.service:
        return True
    return any(
        statement["Effect"] == "Allow"
        and question.caller.session in _named(statement.get("Principal"), "AWS")
        and _applies(statement, question)
        for statement in _statements(document or "{}")
    )


def _effect(documents: Sequence[str] | None, question: Question) -> Effect:
    return Effect.ALLOW if documents is None else effect_of(documents, question, resource_policy=False)


def effect_of(documents: Iterable[str], question: Question, *, resource_policy: bool) -> Effect:
    """The combined effect of documents: a deny wins, then an allow."""
    result = Effect.NONE
    for document in documents:
        for statement in _statements(document):
            if not _applies(statement, question):
                continue
            if resource_policy and not _names(statement, question.caller):
                continue
            if statement["Effect"] == "Deny":
                return Effect.DENY
            result = Effect.ALLOW
    return result


def _delegation(document: str, question: Question) -> Effect:
    """Whether a resource policy leaves the decision to the account's identity policies."""
    account = (f"arn:aws:iam::{question.account_id}:root", question.account_id)
    for statement in _statements(document):
        named = _named(statement.get("Principal"), "AWS")
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
    conditions = statement.get("Condition") or {}
    require_known(conditions)
    return conditions_hold(conditions, question.context)


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


def _names(statement: dict[str, Any], caller: Names) -> bool:
    if "NotPrincipal" in statement:
        return not _lists(statement["NotPrincipal"], caller)
    principal = statement.get("Principal")
    return "*" in _named(principal, "AWS") or _lists(principal, caller)


def _lists(principal: Any, caller: Names) -> bool:
    if caller.service:
        return caller.service in _named(principal, "Service")
    return bool(caller.arns & set(_named(principal, "AWS")))


def _named(principal: Any, kind: str) -> list[str]:
    if principal == "*":
        return ["*"]
    return _as_list(principal.get(kind, [])) if isinstance(principal, dict) else []


def _as_list(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value)
