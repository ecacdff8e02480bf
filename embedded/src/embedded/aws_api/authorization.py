"""Who may do what: every request is checked here before moto sees it.

moto has checks of its own; they ignore conditions and know half of S3's actions, so they stay off.
"""

from datetime import UTC, datetime
from typing import Any

from embedded.aws_api import ACCOUNT_ID, permissions, refusals
from embedded.aws_api.application import Refusal
from embedded.aws_api.dependent_permissions import Permission
from embedded.aws_api.grants import before_change, effective_grants, effective_trust
from embedded.aws_api.operations import Operation, read_operation
from embedded.aws_api.policy.condition_keys import UnknownConditionKeyError
from embedded.aws_api.policy.conditions import UnknownOperatorError
from embedded.aws_api.policy.evaluation import Answer, Names, PolicySet, Question, decide
from embedded.aws_api.principals import Principal, find_principal
from embedded.aws_api.request_context import Values, request_context
from embedded.aws_api.request_reading import AwsRequest
from embedded.aws_api.resource_tags import tags_of
from embedded.aws_api.signatures import check_signature

# AWS lets every caller do these, whatever policies say.
_ALWAYS_ALLOWED = frozenset({"sts:GetCallerIdentity", "sts:GetAccessKeyInfo", "sts:GetSessionToken"})

_TRUSTS_NOBODY = '{"Statement": []}'

# Service -> code and HTTP status of a denial; AccessDenied and 403 elsewhere. The services that speak JSON
# answer 400: https://docs.aws.amazon.com/kms/latest/APIReference/CommonErrors.html
_DENIALS = {
    "secretsmanager": ("AccessDeniedException", 400),
    "kms": ("AccessDeniedException", 400),
    "logs": ("AccessDeniedException", 400),
    "ecr": ("AccessDeniedException", 400),
    "eks": ("AccessDeniedException", 403),
    "sns": ("AuthorizationError", 403),
    "ec2": ("UnauthorizedOperation", 403),
}


class Authorization:
    """Checks the key, the signature, and all policies that bear on a request."""

    def __call__(self, request: AwsRequest, environ: dict[str, Any], body: bytes) -> Refusal | None:
        """None if the request may be served, else AWS's refusal."""
        if not request.access_key:
            return Refusal("MissingAuthenticationToken", "Request is missing Authentication Token")
        principal = find_principal(request.access_key)
        if principal is None:
            code = "InvalidAccessKeyId" if request.service == "s3" else "InvalidClientTokenId"
            return Refusal(code, "The security token included in the request is invalid.")
        if principal.expires_at is not None and principal.expires_at < datetime.now(UTC).replace(tzinfo=None):
            return Refusal("ExpiredToken", "The security token included in the request is expired")
        if refusal := check_signature(request, environ, body, principal):
            return refusal
        operation = read_operation(request, environ, body)
        if operation is None:
            return None  # moto has no such operation either and says so
        if refusal := _check(operation, environ, principal) or refusals.find(operation):
            return refusal
        before_change(operation)
        return None


def _check(operation: Operation, environ: dict[str, Any], principal: Principal) -> Refusal | None:
    context = request_context(operation, environ, principal)
    for needed in permissions.required(operation):
        if needed.action in _ALWAYS_ALLOWED:
            continue
        try:
            answer = _decide(needed, context, principal)
        except UnknownOperatorError as error:
            return _not_known("operator", error)
        except UnknownConditionKeyError as error:
            return _not_known("key", error)
        if not answer.allowed:
            what = f"perform: {needed.action} on resource: {needed.resource} {answer.reason}"
            message = f"User: {principal.arn} is not authorized to {what}"
            code, status = _DENIALS.get(operation.service, ("AccessDenied", 403))
            return Refusal(code, message, status)
    return None


def _decide(needed: Permission, context: Values, principal: Principal) -> Answer:
    policies = _policies(principal, needed.action, needed.resource)
    context = {**context, **needed.context}
    if policies.mention("resourcetag/"):
        context.update(_resource_tag_keys(needed))
    names = Names(session=principal.arn, identity=principal.policy_arn)
    return decide(Question(needed.action, needed.resource, names, ACCOUNT_ID, context), policies)


def _resource_tag_keys(needed: Permission) -> Values:
    service = needed.action.partition(":")[0]
    tags = tags_of(needed.resource)
    prefixes = ("aws", service) if service in ("iam", "ec2", "secretsmanager") else ("aws",)
    return {f"{prefix}:resourcetag/{key.lower()}": [tags[key]] for prefix in prefixes for key in tags}


def _not_known(what: str, error: Exception) -> Refusal:
    message = f"The embedded AWS does not know the policy condition {what} {error}."
    return Refusal("NotImplemented", message, 501)


def _policies(principal: Principal, action: str, resource: str) -> PolicySet:
    grants = effective_grants(principal.policy_arn)
    by_trust = action in ("sts:AssumeRole", "sts:TagSession")
    # A role that does not exist, or not yet, trusts nobody.
    own = effective_trust(resource) or _TRUSTS_NOBODY if by_trust else _resource_policy(resource)
    return PolicySet(
        identity=grants.identity,
        boundary=grants.boundary,
        session=[principal.session_policy] if principal.session_policy else None,
        resource=own,
        # Keys and roles are the two resources whose own policy must agree, be it for the account as a whole.
        # That a key does not exist is for the operation itself to say.
        resource_must_allow=by_trust or (action.startswith("kms:") and own is not None),
    )


def _resource_policy(resource: str) -> str | None:
    """The policy of a bucket, key or secret."""
    from moto.kms.models import kms_backends
    from moto.s3.models import s3_backends
    from moto.secretsmanager.models import secretsmanager_backends

    _, _, service, region, _, name = (resource.split(":", 5) + [""] * 6)[:6]
    if service == "s3":
        bucket = s3_backends[ACCOUNT_ID]["aws"].buckets.get(name.partition("/")[0])
        return bucket.policy.decode() if bucket is not None and bucket.policy else None
    if service == "kms":
        key = kms_backends[ACCOUNT_ID][region].keys.get(name.removeprefix("key/"))
        return str(key.policy) if key is not None else None
    if service == "secretsmanager":
        secret = secretsmanager_backends[ACCOUNT_ID][region].secrets.get(resource)
        return getattr(secret, "policy", None)
    return None


def switch_off_motos_checks() -> None:
    """moto denies by bucket policies without looking at their conditions; `Authorization` has decided."""
    from moto.iam.access_control import PermissionResult
    from moto.s3.models import FakeBucket

    FakeBucket.get_permission = lambda *_: PermissionResult.NEUTRAL  # type: ignore[method-assign]
