"""IAM: policies that name nobody, boundaries that do not exist, policies that are in use."""

import json
from typing import Any

from embedded.aws_api import ACCOUNT_ID
from embedded.aws_api.application import Refusal
from embedded.aws_api.operations import Operation
from embedded.aws_api.refusals.rules import Rules, rules
from embedded.aws_api.trust import missing_principals


def _trust(operation: Operation) -> None:
    """https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html"""
    name = "AssumeRolePolicyDocument" if operation.name == "CreateRole" else "PolicyDocument"
    try:
        document = json.loads(operation.text(name))
    except ValueError:
        return  # moto says what is wrong with it
    if missing := missing_principals(document):
        message = f'Invalid principal in policy: "AWS":"{missing[0]}"'
        raise Refusal("MalformedPolicyDocument", message, 400)


def _boundary(operation: Operation) -> None:
    from moto.iam.models import iam_backends

    arn = operation.text("PermissionsBoundary")
    if arn and arn not in iam_backends[ACCOUNT_ID]["aws"].managed_policies:
        message = f"Scope ARN: {arn} does not exist or is not attachable."
        raise Refusal("NoSuchEntity", message, 404)


def _policy_deletion(operation: Operation) -> None:
    """https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeletePolicy.html"""
    from moto.iam.models import iam_backends

    iam = iam_backends[ACCOUNT_ID]["aws"]
    arn = operation.text("PolicyArn")
    policy = iam.managed_policies.get(arn)
    if policy is None:
        return
    owners: tuple[Any, ...] = (*iam.roles.values(), *iam.users.values(), *iam.groups.values())
    if any(arn in owner.managed_policies for owner in owners):
        raise Refusal("DeleteConflict", "Cannot delete a policy attached to entities.", 409)
    if any(getattr(owner, "permissions_boundary_arn", None) == arn for owner in iam.roles.values()):
        raise Refusal("DeleteConflict", "Cannot delete a policy attached to entities.", 409)
    if len(policy.versions) > 1:
        message = (
            "This policy has more than one version. Before you delete a policy, you must delete "
            "the policy's versions. The default version is deleted with the policy."
        )
        raise Refusal("DeleteConflict", message, 409)


RULES: Rules = rules(
    "iam",
    {
        "CreateRole": (_trust, _boundary),
        "UpdateAssumeRolePolicy": _trust,
        "PutRolePermissionsBoundary PutUserPermissionsBoundary CreateUser": _boundary,
        "DeletePolicy": _policy_deletion,
    },
)
