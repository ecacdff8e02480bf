"""The condition keys of a request: what `Condition` blocks of policies are compared with.

Names are in lower case. A key that AWS would not set for the request is absent.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from embedded.aws_api import ACCOUNT_ID
from embedded.aws_api.operations import Operation
from embedded.aws_api.principals import Principal, find_role
from embedded.aws_api.resource_tags import pairs

Values = dict[str, list[str]]

_S3_HEADERS = (
    "x-amz-acl",
    "x-amz-server-side-encryption",
    "x-amz-server-side-encryption-aws-kms-key-id",
    "x-amz-server-side-encryption-customer-algorithm",
    "x-amz-content-sha256",
    "x-amz-storage-class",
)
_S3_PARAMETERS = {
    "Prefix": "prefix",
    "Delimiter": "delimiter",
    "MaxKeys": "max-keys",
    "VersionId": "versionid",
}
# Parameters that carry the tags of what a request makes or tags.
_TAG_PARAMETERS = ("Tags", "tags", "Tag")


def request_context(operation: Operation, environ: Mapping[str, Any], principal: Principal) -> Values:
    """All keys that do not depend on the resource."""
    now = datetime.now(UTC)
    context: Values = {
        "aws:securetransport": ["true" if environ.get("wsgi.url_scheme") == "https" else "false"],
        "aws:sourceip": [str(environ.get("REMOTE_ADDR", ""))],
        "aws:currenttime": [now.isoformat()],
        "aws:epochtime": [str(int(now.timestamp()))],
        "aws:requestedregion": [operation.region],
        "aws:principalarn": [principal.policy_arn],
        "aws:principalaccount": [ACCOUNT_ID],
        "aws:principaltype": ["AssumedRole" if principal.session_name else "User"],
        "aws:principalisawsservice": ["false"],
        "aws:viaawsservice": ["false"],
        "aws:userid": [principal.user_id],
        "aws:useragent": [str(environ.get("HTTP_USER_AGENT", ""))],
        "aws:resourceaccount": [ACCOUNT_ID],
    }
    if not principal.session_name:
        context["aws:username"] = [principal.policy_arn.rpartition("/")[2]]
    for key, value in principal_tags(principal).items():
        context[f"aws:principaltag/{key.lower()}"] = [value]
    context.update(_request_tags(operation))
    of_service = {"s3": _s3, "kms": _kms, "iam": _iam, "secretsmanager": _secret, "sts": _sts}
    if read := of_service.get(operation.service):
        context.update(read(operation))
    return context


def principal_tags(principal: Principal) -> dict[str, str]:
    """Tags of the caller's role, and of its session, which win."""
    role = find_role(principal.policy_arn) if principal.session_name else None
    return {**pairs(role.tags if role is not None else None), **principal.session_tags}


def service_context(service: str, source_arn: str, tags: Mapping[str, str]) -> Values:
    """The keys when a service of AWS assumes a role on behalf of one of the account's resources.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/confused-deputy.html
    """
    context = {
        "aws:sourceaccount": [ACCOUNT_ID],
        "aws:sourcearn": [source_arn],
        "aws:principalisawsservice": ["true"],
        "aws:principalservicename": [service],
        "aws:securetransport": ["true"],
        "aws:tagkeys": list(tags),
    }
    return {**context, **{f"aws:requesttag/{key.lower()}": [value] for key, value in tags.items()}}


def _request_tags(operation: Operation) -> Values:
    tags: dict[str, str] = {}
    for name in _TAG_PARAMETERS:
        tags.update(pairs(_plain(operation.parameters.get(name))))
    for one in operation.parameters.get("TagSpecifications") or ():
        tags.update(pairs(one.get("Tags")))
    keys = [*tags, *_untagged(operation)]
    context = {f"aws:requesttag/{key.lower()}": [value] for key, value in tags.items()}
    return {**context, "aws:tagkeys": keys} if keys else context


def _plain(value: Any) -> Any:
    # KMS, S3 and others wrap the list once more: {"TagSet": [...]}.
    return value.get("TagSet", value) if isinstance(value, Mapping) else value


def _untagged(operation: Operation) -> list[str]:
    names = ("TagKeys", "tagKeys")
    return [str(key) for name in names for key in operation.parameters.get(name) or ()]


def _s3(operation: Operation) -> Values:
    context: Values = {"s3:resourceaccount": [ACCOUNT_ID]}
    if operation.headers.get("x-amz-content-sha256") is not None:
        context["s3:x-amz-content-sha256"] = [operation.headers["x-amz-content-sha256"]]
    for name, key in _S3_PARAMETERS.items():
        if (value := operation.parameters.get(name)) is not None:
            context[f"s3:{key}"] = [str(value)]
    for header in _S3_HEADERS:
        if value := operation.headers.get(header):
            context[f"s3:{header}"] = [value]
    return context


def _kms(operation: Operation) -> Values:
    context: Values = {"kms:calleraccount": [ACCOUNT_ID]}
    given = operation.parameters.get("EncryptionContext") or {}
    context.update(encryption_context({str(key): str(value) for key, value in given.items()}))
    key = operation.text("KeyId")
    if "alias/" in key:
        context["kms:requestalias"] = [key[key.index("alias/") :]]
    if operation.name == "ScheduleKeyDeletion":
        days = operation.parameters.get("PendingWindowInDays") or 30
        context["kms:schedulekeydeletionpendingwindowindays"] = [str(days)]
    if operation.name in ("CreateKey", "PutKeyPolicy"):
        bypass = bool(operation.parameters.get("BypassPolicyLockoutSafetyCheck"))
        context["kms:bypasspolicylockoutsafetycheck"] = [str(bypass).lower()]
    return context


def encryption_context(pairs: Mapping[str, str]) -> Values:
    """`kms:EncryptionContext:<key>` for each pair, and the keys.

    https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html#conditions-kms-encryption-context
    """
    if not pairs:
        return {}
    context = {f"kms:encryptioncontext:{key.lower()}": [value] for key, value in pairs.items()}
    return {**context, "kms:encryptioncontextkeys": list(pairs)}


def _iam(operation: Operation) -> Values:
    context: Values = {}
    boundary = operation.text("PermissionsBoundary")
    if not boundary and operation.text("RoleName") and operation.name != "CreateRole":
        arn_end = f"/{operation.text('RoleName')}"
        boundary = _boundary_of_role(arn_end)
    if boundary:
        context["iam:permissionsboundary"] = [boundary]
    if arn := operation.text("PolicyArn"):
        context["iam:policyarn"] = [arn]
    return context


def _boundary_of_role(arn_end: str) -> str:
    from moto.iam.models import iam_backends

    roles = iam_backends[ACCOUNT_ID]["aws"].roles.values()
    role = next((one for one in roles if one.arn.endswith(arn_end)), None)
    return str(getattr(role, "permissions_boundary_arn", None) or "")


def _secret(operation: Operation) -> Values:
    context: Values = {}
    if identifier := operation.text("SecretId"):
        context["secretsmanager:secretid"] = [identifier]
    if name := operation.text("Name"):
        context["secretsmanager:name"] = [name]
    if operation.name == "GetSecretValue":
        context["secretsmanager:versionstage"] = [operation.text("VersionStage") or "AWSCURRENT"]
    if key := operation.text("KmsKeyId"):
        context["secretsmanager:kmskeyarn"] = [key]
    return context


def _sts(operation: Operation) -> Values:
    context: Values = {}
    if name := operation.text("RoleSessionName"):
        context["sts:rolesessionname"] = [name]
    if identifier := operation.text("ExternalId"):
        context["sts:externalid"] = [identifier]
    return context
