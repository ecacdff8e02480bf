"""Policy evaluation against the rules AWS documents, case by case."""

import json
from typing import Any

import pytest
from embedded.aws_api.policy.conditions import UnknownOperatorError, conditions_hold, pattern_matches
from embedded.aws_api.policy.evaluation import Names, PolicySet, Question, decide

ACCOUNT = "123456789012"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/pod"
SESSION = f"arn:aws:sts::{ACCOUNT}:assumed-role/pod/session"
BUCKET = "arn:aws:s3:::logs"


def document(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def statement(effect: str, action: Any, resource: Any, **more: Any) -> dict[str, Any]:
    return {"Effect": effect, "Action": action, "Resource": resource, **more}


def question(action: str, resource: str, **context: str) -> Question:
    values = {key.replace("_", ":", 1).lower(): [value] for key, value in context.items()}
    return Question(action, resource, Names(SESSION, ROLE), ACCOUNT, values)


ALLOW_LOGS = document(statement("Allow", ["s3:GetObject", "s3:Put*"], f"{BUCKET}/dags/*"))
ALLOW_ALL = document(statement("Allow", "*", "*"))
TLS_ONLY = document(
    statement(
        "Deny",
        "s3:*",
        [BUCKET, f"{BUCKET}/*"],
        Principal="*",
        Condition={"Bool": {"aws:SecureTransport": "false"}},
    )
)


@pytest.mark.parametrize(
    ("action", "resource", "allowed"),
    [
        ("s3:GetObject", f"{BUCKET}/dags/a/b", True),
        ("s3:PutObject", f"{BUCKET}/dags/a", True),
        ("S3:getobject", f"{BUCKET}/dags/a", True),  # actions ignore case
        ("s3:GetObject", f"{BUCKET}/Dags/a", False),  # resources do not
        ("s3:GetObject", f"{BUCKET}/other", False),
        ("s3:DeleteObject", f"{BUCKET}/dags/a", False),
    ],
)
def test_an_identity_policy_allows_what_it_lists_and_nothing_else(
    action: str, resource: str, allowed: bool
) -> None:
    assert decide(question(action, resource), PolicySet(identity=[ALLOW_LOGS])).allowed is allowed


@pytest.mark.parametrize(("secure", "allowed"), [("true", True), ("false", False)])
def test_a_tls_only_bucket_policy_refuses_plain_requests_alone(secure: str, allowed: bool) -> None:
    asked = question("s3:GetObject", f"{BUCKET}/x", aws_SecureTransport=secure)
    assert decide(asked, PolicySet(identity=[ALLOW_ALL], resource=TLS_ONLY)).allowed is allowed


def test_an_explicit_deny_wins_over_every_allow() -> None:
    deny = document(statement("Deny", "s3:GetObject", f"{BUCKET}/*"))
    answer = decide(question("s3:GetObject", f"{BUCKET}/x"), PolicySet(identity=[ALLOW_ALL, deny]))
    assert not answer.allowed
    assert "explicit deny" in answer.reason


def test_a_boundary_limits_without_granting() -> None:
    asked = question("s3:GetObject", f"{BUCKET}/dags/x")
    assert not decide(asked, PolicySet(identity=[], boundary=[ALLOW_ALL])).allowed
    assert not decide(asked, PolicySet(identity=[ALLOW_ALL], boundary=[document()])).allowed
    assert decide(asked, PolicySet(identity=[ALLOW_ALL], boundary=[ALLOW_LOGS])).allowed


@pytest.mark.parametrize(
    ("principal", "allowed"),
    [({"AWS": ROLE}, True), ({"AWS": f"arn:aws:iam::{ACCOUNT}:role/other"}, False), ("*", True)],
)
def test_a_bucket_policy_can_allow_a_role_that_has_no_policy_itself(principal: Any, allowed: bool) -> None:
    policy = document(statement("Allow", "s3:GetObject", f"{BUCKET}/*", Principal=principal))
    assert (
        decide(question("s3:GetObject", f"{BUCKET}/x"), PolicySet(identity=[], resource=policy)).allowed
        is allowed
    )


@pytest.mark.parametrize(("account", "allowed"), [(ACCOUNT, True), ("999999999999", False)])
def test_a_key_policy_must_leave_the_decision_to_the_account(account: str, allowed: bool) -> None:
    root = {"AWS": f"arn:aws:iam::{account}:root"}
    policies = PolicySet(
        identity=[ALLOW_ALL],
        resource=document(statement("Allow", "kms:*", "*", Principal=root)),
        resource_must_allow=True,
    )
    assert decide(question("kms:Decrypt", "arn:aws:kms:eu-west-1:1:key/k"), policies).allowed is allowed


@pytest.mark.parametrize(
    ("block", "context", "holds"),
    [
        ({"StringEquals": {"k": ["a", "b"]}}, {"k": ["b"]}, True),
        ({"StringEquals": {"k": "a"}}, {"k": ["A"]}, False),
        ({"StringEqualsIgnoreCase": {"k": "a"}}, {"k": ["A"]}, True),
        ({"StringLike": {"k": "logs/*"}}, {"k": ["logs/x/y"]}, True),
        ({"StringLike": {"k": "a[b]?"}}, {"k": ["a[b]c"]}, True),
        ({"StringNotEquals": {"k": "a"}}, {}, True),
        ({"StringEquals": {"k": "a"}}, {}, False),
        ({"StringEqualsIfExists": {"k": "a"}}, {}, True),
        ({"StringNotLike": {"k": ["a*", "b*"]}}, {"k": ["bx"]}, False),
        ({"Null": {"k": "true"}}, {}, True),
        ({"Null": {"k": True}}, {"k": ["x"]}, False),
        ({"Bool": {"k": True}}, {"k": ["true"]}, True),
        ({"ArnLike": {"k": "arn:aws:iam::*:role/x*"}}, {"k": [f"arn:aws:iam::{ACCOUNT}:role/xy"]}, True),
        ({"ArnLike": {"k": "arn:aws:iam:*:role/x"}}, {"k": ["arn:aws:iam::1:role/x"]}, False),
        ({"NumericLessThan": {"k": "10"}}, {"k": ["9"]}, True),
        ({"DateGreaterThan": {"k": "2026-01-01T00:00:00Z"}}, {"k": ["2025-12-31T23:59:59+00:00"]}, False),
        ({"IpAddress": {"k": "10.0.0.0/8"}}, {"k": ["10.200.0.1"]}, True),
        ({"NotIpAddress": {"k": "10.0.0.0/8"}}, {"k": ["10.200.0.1"]}, False),
        ({"ForAllValues:StringEquals": {"k": ["a"]}}, {}, True),
        ({"ForAllValues:StringEquals": {"k": ["a"]}}, {"k": ["a", "b"]}, False),
        ({"ForAnyValue:StringEquals": {"k": ["a"]}}, {"k": ["a", "b"]}, True),
        ({"ForAnyValue:StringEquals": {"k": ["a"]}}, {}, False),
        (
            {"StringEquals": {"k": "${aws:PrincipalTag/team}"}},
            {"k": ["x"], "aws:principaltag/team": ["x"]},
            True,
        ),
        ({"StringEquals": {"k": "${aws:PrincipalTag/team}"}}, {"k": ["x"]}, False),
        ({"StringEquals": {"k": "a"}, "Bool": {"j": "true"}}, {"k": ["a"], "j": ["false"]}, False),
    ],
)
def test_condition_operators(block: Any, context: dict[str, list[str]], holds: bool) -> None:
    assert conditions_hold(block, context) is holds


@pytest.mark.parametrize("operator", ["StringResembles", "ForSomeValues:StringEquals", "ForAnyValue:Strange"])
def test_an_unknown_operator_is_an_error_that_names_it(operator: str) -> None:
    with pytest.raises(UnknownOperatorError, match=operator):
        conditions_hold({operator: {"k": "a"}}, {"k": ["a"]})


def test_a_question_mark_is_one_character() -> None:
    assert pattern_matches("secret:s-??????", "secret:s-AbCdEf")
    assert not pattern_matches("secret:s-??????", "secret:s-AbCdEfG")
