"""What an identity's own policies grant, and what holds of it while a change has not spread yet."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from embedded.aws_api import ACCOUNT_ID, consistency
from embedded.aws_api.operations import Operation
from embedded.aws_api.principals import find_role
from embedded.aws_api.request_reading import AwsRequest
from embedded.faults.live import consistency_seconds


@dataclass(frozen=True)
class Grants:
    """The policy documents of a user or role, as JSON texts."""

    identity: Sequence[str] = ()
    boundary: Sequence[str] | None = None


def effective_grants(principal_arn: str) -> Grants:
    """What a user's or role's policies grant at this moment."""
    return consistency.effective(("grants", principal_arn), lambda: _grants_of(_find_owner(principal_arn)))


def effective_trust(role_arn: str) -> str | None:
    """The trust policy of a role at this moment; None for a role that nobody can see (yet)."""
    return consistency.effective(("trust", role_arn), lambda: _trust_of(find_role(role_arn)))


def before_change(operation: Operation) -> None:
    """Keep in effect what an IAM operation is about to change.

    All identities are kept, since a policy may be attached to any of them: what does not change is no
    different for it.
    """
    request: AwsRequest = operation.request
    if request.service != "iam" or request.is_read or not consistency_seconds():
        return
    for owner in _owners():
        consistency.remember(("grants", owner.arn), _grants_of(owner))
        if hasattr(owner, "assume_role_policy_document"):
            consistency.remember(("trust", owner.arn), _trust_of(owner))
    if operation.name == "CreateRole":
        arn = f"arn:aws:iam::{ACCOUNT_ID}:role{operation.text('Path') or '/'}{operation.text('RoleName')}"
        consistency.remember(("grants", arn), Grants())
        consistency.remember(("trust", arn), None)


def _owners() -> list[Any]:
    from moto.iam.models import iam_backends

    iam = iam_backends[ACCOUNT_ID]["aws"]
    return [*iam.roles.values(), *iam.users.values()]


def _find_owner(arn: str) -> Any:
    return next((owner for owner in _owners() if owner.arn == arn), None)


def _trust_of(role: Any) -> str | None:
    return str(role.assume_role_policy_document) if role is not None else None


def _grants_of(owner: Any) -> Grants:
    if owner is None:
        return Grants()
    boundary = getattr(owner, "permissions_boundary", None)
    arn = boundary.get("PermissionsBoundaryArn") if isinstance(boundary, dict) else boundary
    return Grants(tuple(_documents(owner)), (_managed_document(str(arn)),) if arn else None)


def _documents(owner: Any) -> list[str]:
    """All policy documents of a user or role: inline, attached, and a user's groups'."""
    from moto.iam.models import iam_backends

    documents = [_text(document) for document in owner.policies.values()]
    documents += [_default_document(policy) for policy in owner.managed_policies.values()]
    for group in iam_backends[ACCOUNT_ID]["aws"].groups.values():
        if owner in group.users:
            documents += [_text(document) for document in group.policies.values()]
            documents += [_default_document(policy) for policy in group.managed_policies.values()]
    return documents


def _managed_document(arn: str) -> str:
    from moto.iam.models import iam_backends

    policy = iam_backends[ACCOUNT_ID]["aws"].managed_policies.get(arn)
    # A boundary whose policy was deleted bounds to nothing.
    return _default_document(policy) if policy is not None else '{"Statement": []}'


def _default_document(policy: Any) -> str:
    return _text(next(version.document for version in policy.versions if version.is_default))


def _text(document: Any) -> str:
    return document if isinstance(document, str) else json.dumps(document)
