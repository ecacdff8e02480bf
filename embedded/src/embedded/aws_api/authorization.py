"""Who may do what: every request is checked here before moto sees it.

moto has checks of its own; they ignore conditions and know half of S3's actions, so they stay off.
"""

import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs

from embedded.aws_api import ACCOUNT_ID, permissions
from embedded.aws_api.application import Refusal
from embedded.aws_api.policy.conditions import UnknownOperatorError
from embedded.aws_api.policy.evaluation import PolicySet, Question, decide
from embedded.aws_api.principals import Principal, find_principal, find_role
from embedded.aws_api.request_reading import AwsRequest, operation_of
from embedded.aws_api.signatures import check_signature

# AWS lets every caller do these, whatever policies say.
_ALWAYS_ALLOWED = frozenset({"sts:GetCallerIdentity", "sts:GetAccessKeyInfo", "sts:GetSessionToken"})


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
        operation = operation_of(request, environ)
        if not operation:
            return None  # moto has no such operation either and says so
        return self._check(
            request, environ, principal, permissions.required(request, operation, environ, body)
        )

    def _check(
        self,
        request: AwsRequest,
        environ: dict[str, Any],
        principal: Principal,
        needed: list[permissions.Permission],
    ) -> Refusal | None:
        context = request_context(request, environ, principal)
        for action, resource in needed:
            if action in _ALWAYS_ALLOWED:
                continue
            names = (principal.arn, principal.policy_arn)
            question = Question(action, resource, names, ACCOUNT_ID, context)
            try:
                answer = decide(question, _policies(principal, action, resource))
            except UnknownOperatorError as error:
                message = f"The embedded AWS does not know the policy condition operator {error}."
                return Refusal("NotImplemented", message, 501)
            if not answer.allowed:
                what = f"perform: {action} on resource: {resource} {answer.reason}"
                message = f"User: {principal.arn} is not authorized to {what}"
                return Refusal(_denial_code(request.service), message)
        return None


def _denial_code(service: str) -> str:
    if service in ("secretsmanager", "kms", "eks", "logs"):
        return "AccessDeniedException"
    return "UnauthorizedOperation" if service == "ec2" else "AccessDenied"


def request_context(
    request: AwsRequest, environ: dict[str, Any], principal: Principal
) -> dict[str, list[str]]:
    """The condition keys of a request, in lower case; those AWS would not set are absent."""
    query = parse_qs(environ.get("QUERY_STRING", ""), keep_blank_values=True)
    context = {
        "aws:securetransport": ["true" if environ.get("wsgi.url_scheme") == "https" else "false"],
        "aws:sourceip": [str(environ.get("REMOTE_ADDR", ""))],
        "aws:currenttime": [datetime.now(UTC).isoformat()],
        "aws:epochtime": [str(int(datetime.now(UTC).timestamp()))],
        "aws:requestedregion": [request.region],
        "aws:principalarn": [principal.policy_arn],
        "aws:principalaccount": [ACCOUNT_ID],
        "aws:principaltype": ["AssumedRole" if principal.session_name else "User"],
        "aws:principalisawsservice": ["false"],
        "aws:viaawsservice": ["false"],
        "aws:userid": [principal.user_id],
        "aws:useragent": [str(environ.get("HTTP_USER_AGENT", ""))],
        "s3:resourceaccount": [ACCOUNT_ID],
        "aws:resourceaccount": [ACCOUNT_ID],
        "s3:tlsversion": ["1.3"],
        "kms:viaservice": [f"{request.service}.{request.region}.amazonaws.com"],
        "kms:calleraccount": [ACCOUNT_ID],
    }
    if not principal.session_name:
        context["aws:username"] = [principal.policy_arn.rpartition("/")[2]]
    for name in ("prefix", "delimiter", "max-keys"):
        if name in query:
            context[f"s3:{name}"] = query[name]
    for name in ("x-amz-acl", "x-amz-server-side-encryption", "x-amz-server-side-encryption-aws-kms-key-id"):
        if value := environ.get(f"HTTP_{name.upper().replace('-', '_')}"):
            context[f"s3:{name}"] = [str(value)]
    for key, value in principal_tags(principal).items():
        context[f"aws:principaltag/{key.lower()}"] = [value]
    return context


def principal_tags(principal: Principal) -> dict[str, str]:
    """Tags of the caller's role."""
    role = find_role(principal.policy_arn) if principal.session_name else None
    return {tag["Key"]: tag["Value"] for tag in role.tags or []} if role is not None else {}


def _policies(principal: Principal, action: str, resource: str) -> PolicySet:
    owner = _owner(principal)
    boundary = getattr(owner, "permissions_boundary", None)
    boundary_arn = boundary.get("PermissionsBoundaryArn") if isinstance(boundary, dict) else boundary
    return PolicySet(
        identity=identity_documents(owner),
        boundary=[managed_document(str(boundary_arn))] if boundary_arn else None,
        resource=_trust_policy(resource) if action == "sts:AssumeRole" else _resource_policy(resource),
        # Keys and roles are the two resources whose own policy must agree, be it for the account as a whole.
        resource_must_allow=(action.startswith("kms:") and ":key/" in resource) or action == "sts:AssumeRole",
    )


def _owner(principal: Principal) -> Any:
    from moto.iam.models import iam_backends

    if principal.session_name:
        return find_role(principal.policy_arn)
    users = iam_backends[ACCOUNT_ID]["aws"].users.values()
    return next((user for user in users if user.arn == principal.policy_arn), None)


def identity_documents(owner: Any) -> list[str]:
    """All policy documents of a user or role: inline, attached, and a user's groups'. None owner: none."""
    from moto.iam.models import iam_backends

    if owner is None:
        return []
    documents = [_text(document) for document in owner.policies.values()]
    documents += [_default_document(policy) for policy in owner.managed_policies.values()]
    for group in iam_backends[ACCOUNT_ID]["aws"].groups.values():
        if owner in group.users:
            documents += [_text(document) for document in group.policies.values()]
            documents += [_default_document(policy) for policy in group.managed_policies.values()]
    return documents


def managed_document(arn: str) -> str:
    """The default version of a managed policy."""
    from moto.iam.models import iam_backends

    return _default_document(iam_backends[ACCOUNT_ID]["aws"].managed_policies[arn])


def _default_document(policy: Any) -> str:
    return _text(next(version.document for version in policy.versions if version.is_default))


def _text(document: Any) -> str:
    return document if isinstance(document, str) else json.dumps(document)


def _trust_policy(role_arn: str) -> str:
    """A role's trust policy; a role that does not exist trusts nobody."""
    role = find_role(role_arn)
    return str(role.assume_role_policy_document) if role is not None else '{"Statement": []}'


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
