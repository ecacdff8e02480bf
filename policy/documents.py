"""Looks into IAM, KMS and trust policies."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from policy.model import Program, of

ROLE = "aws:iam/role:Role"
WRITTEN = ("aws:iam/rolePolicy:RolePolicy", "aws:iam/policy:Policy")
ATTACHED = (
    "aws:iam/rolePolicyAttachment:RolePolicyAttachment",
    "aws:iam/userPolicyAttachment:UserPolicyAttachment",
    "aws:iam/policyAttachment:PolicyAttachment",
)
# What lets its holder become somebody else or change what it may: checkov's CKV_AWS_286.
ESCALATIONS = ("iam:", "sts:AssumeRole", "organizations:", "lambda:UpdateFunctionCode", "ec2:RunInstances")


def statements(text: Any) -> list[dict[str, Any]]:
    """Return the statements of a policy document given as JSON text."""
    found = json.loads(text)["Statement"] if isinstance(text, str) else []
    return list(found) if isinstance(found, list) else [found]


def listed(value: Any) -> list[str]:
    """Return a value that is one text or several as a list."""
    return [str(item) for item in value] if isinstance(value, list) else [str(value)]


def no_wildcards(program: Program) -> Iterator[str]:
    """No action or resource of everything."""
    for resource in of(program, *WRITTEN):
        for statement in statements(resource.inputs.get("policy")):
            if statement["Effect"] != "Allow":
                continue
            wide = [action for action in listed(statement["Action"]) if action.endswith("*")]
            if wide or "*" in listed(statement["Resource"]):
                yield f"{resource.name}: {statement.get('Sid')}: {wide or 'resource *'}"


def no_escalation(program: Program) -> Iterator[str]:
    """No way to become an administrator, and no policy that is one."""
    for resource in of(program, *WRITTEN):
        for statement in statements(resource.inputs.get("policy")):
            named = [action for action in listed(statement["Action"]) if action.startswith(ESCALATIONS)]
            if statement["Effect"] == "Allow" and named and "*" in listed(statement["Resource"]):
                yield f"{resource.name}: {statement.get('Sid')}: {named} on everything"
    for resource in of(program, *ATTACHED):
        if str(resource.inputs.get("policyArn", "")).endswith(("AdministratorAccess", "IAMFullAccess")):
            yield f"{resource.name}: {resource.inputs['policyArn']}"


def trust_is_narrow(program: Program) -> Iterator[str]:
    """A role trusts services alone, under a condition on the account; EC2 sends none with its own."""
    for role in of(program, ROLE):
        for statement in statements(role.inputs.get("assumeRolePolicy")):
            principal, condition = statement["Principal"], json.dumps(statement.get("Condition", {}))
            if set(principal) != {"Service"}:
                yield f"{role.name}: trusts {principal}"
            elif principal["Service"] != "ec2.amazonaws.com" and "aws:SourceAccount" not in condition:
                yield f"{role.name}: trusts {principal['Service']} for any account"


def key_policies_name_principals(program: Program) -> Iterator[str]:
    """A key has a policy, and it lets nobody in by a wildcard."""
    for key in of(program, "aws:kms/key:Key"):
        found = statements(key.inputs.get("policy"))
        if not found:
            yield f"{key.name}: has no policy"
        for statement in found:
            if "*" in json.dumps(statement["Principal"]):
                yield f"{key.name}: {statement.get('Sid')}: principal {statement['Principal']}"


def buckets_refuse_plain_http(program: Program) -> Iterator[str]:
    """Every bucket has a policy that refuses requests without TLS."""
    refusing = {
        str(resource.inputs["bucket"])
        for resource in of(program, "aws:s3/bucketPolicy:BucketPolicy")
        for statement in statements(resource.inputs.get("policy"))
        if statement["Effect"] == "Deny"
        and statement.get("Condition") == {"Bool": {"aws:SecureTransport": "false"}}
    }
    for bucket in of(program, "aws:s3/bucket:Bucket"):
        if not any(bucket.name in text or text == bucket.inputs.get("bucket") for text in refusing):
            yield f"{bucket.name}: takes requests without TLS"
