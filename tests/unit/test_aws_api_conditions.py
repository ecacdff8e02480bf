"""Decisions over small sets of policies; expected values are what AWS documents, page by page.

Evaluation: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic_policy-eval-denyallow.html
Operators: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
Several values: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-logic-multiple-context-keys-or-values.html
"""

import json
from typing import Any

import pytest
from embedded.aws_api.policy.condition_keys import UnknownConditionKeyError
from embedded.aws_api.policy.conditions import UnknownOperatorError, conditions_hold
from embedded.aws_api.policy.evaluation import Names, PolicySet, Question, decide
from hypothesis import given
from hypothesis import strategies as st

DOCS = "https://docs.aws.amazon.com/IAM/latest/UserGuide"
ACCOUNT = "123456789012"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/pod"
SESSION = f"arn:aws:sts::{ACCOUNT}:assumed-role/pod/session"
OBJECT = "arn:aws:s3:::logs/x"


def document(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def statement(effect: str, **more: Any) -> dict[str, Any]:
    return {"Effect": effect, "Action": "s3:GetObject", "Resource": "*", **more}


ALLOW, DENY, NOTHING = document(statement("Allow")), document(statement("Deny")), document()
FOR_ROLE = document(statement("Allow", Principal={"AWS": ROLE}))
FOR_SESSION = document(statement("Allow", Principal={"AWS": SESSION}))
FOR_OTHERS = document(statement("Allow", Principal={"AWS": f"arn:aws:iam::{ACCOUNT}:role/other"}))
AGAINST_ALL = document(statement("Deny", Principal="*"))
AGAINST_ALL_BUT_ROLE = document(statement("Deny", NotPrincipal={"AWS": ROLE}))


def asked(**context: list[str]) -> Question:
    names = Names(session=SESSION, identity=ROLE)
    return Question("s3:GetObject", OBJECT, names, ACCOUNT, {key.lower(): context[key] for key in context})


@pytest.mark.contract(
    "iam",
    "Identity, resource, boundary and session policies decide together as documented, deny before allow",
    f"{DOCS}/reference_policies_evaluation-logic_policy-eval-denyallow.html",
)
@pytest.mark.parametrize(
    ("identity", "boundary", "session", "resource", "allowed"),
    [
        # Nothing allows: an implicit deny.
        ([NOTHING], None, None, None, False),
        ([ALLOW], None, None, None, True),
        # Within an account an allow on either side is enough, and a deny on either side wins.
        ([NOTHING], None, None, FOR_ROLE, True),
        ([NOTHING], None, None, FOR_OTHERS, False),
        ([ALLOW], None, None, FOR_OTHERS, True),
        ([ALLOW], None, None, AGAINST_ALL, False),
        ([DENY], None, None, FOR_ROLE, False),
        ([ALLOW, DENY], None, None, None, False),
        ([ALLOW], None, None, AGAINST_ALL_BUT_ROLE, True),
        # Boundaries and session policies limit; they give nothing.
        ([ALLOW], [NOTHING], None, None, False),
        ([NOTHING], [ALLOW], None, None, False),
        ([ALLOW], [ALLOW], None, None, True),
        ([ALLOW], [ALLOW], [NOTHING], None, False),
        ([ALLOW], [ALLOW], [ALLOW], None, True),
        ([ALLOW], [DENY], None, FOR_ROLE, False),
        # A resource policy for the role is limited by both; one for the session itself by neither.
        ([NOTHING], [NOTHING], None, FOR_ROLE, False),
        ([NOTHING], None, [NOTHING], FOR_ROLE, False),
        ([NOTHING], [ALLOW], [ALLOW], FOR_ROLE, True),
        ([NOTHING], [NOTHING], [NOTHING], FOR_SESSION, True),
        ([NOTHING], [DENY], None, FOR_SESSION, False),
    ],
)
def test_decisions_within_an_account(
    identity: list[str],
    boundary: list[str] | None,
    session: list[str] | None,
    resource: str | None,
    allowed: bool,
) -> None:
    policies = PolicySet(identity=identity, boundary=boundary, session=session, resource=resource)
    assert decide(asked(), policies).allowed is allowed


@pytest.mark.parametrize(
    ("element", "applies"),
    [
        ({"NotAction": "s3:GetObject"}, False),
        ({"NotAction": ["s3:Put*", "s3:Delete*"]}, True),
        ({"NotResource": OBJECT}, False),
        ({"NotResource": "arn:aws:s3:::other/*"}, True),
    ],
)
def test_what_is_left_out_does_not_apply(element: dict[str, Any], applies: bool) -> None:
    left_out = {key.removeprefix("Not") for key in element}
    one = {key: value for key, value in statement("Allow").items() if key not in left_out}
    assert decide(asked(), PolicySet(identity=[document({**one, **element})])).allowed is applies


@pytest.mark.parametrize(
    ("principal", "service", "allowed"),
    [
        ({"Service": "pods.eks.amazonaws.com"}, "pods.eks.amazonaws.com", True),
        ({"Service": ["ec2.amazonaws.com", "eks.amazonaws.com"]}, "eks.amazonaws.com", True),
        ({"Service": "ec2.amazonaws.com"}, "eks.amazonaws.com", False),
        ({"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "eks.amazonaws.com", False),
    ],
)
def test_a_service_is_named_as_a_service(principal: Any, service: str, allowed: bool) -> None:
    trust = document({"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"})
    question = Question("sts:AssumeRole", ROLE, Names(service=service), ACCOUNT, {})
    policies = PolicySet(identity=(), resource=trust, resource_must_allow=True)
    assert decide(question, policies).allowed is allowed


@pytest.mark.contract(
    "iam",
    "Condition operators with IfExists, ForAllValues, ForAnyValue and Null, with and without the key",
    f"{DOCS}/reference_policies_condition-logic-multiple-context-keys-or-values.html",
)
@pytest.mark.parametrize(
    ("block", "values", "holds"),
    [
        # IfExists: a key that is not there counts as fulfilled; one that is there is compared.
        ({"StringNotEqualsIfExists": {"k": "a"}}, [], True),
        ({"StringNotEqualsIfExists": {"k": "a"}}, ["a"], False),
        ({"BoolIfExists": {"k": "true"}}, [], True),
        ({"NumericLessThanIfExists": {"k": "5"}}, ["7"], False),
        ({"ArnLikeIfExists": {"k": "arn:aws:iam::*:role/x"}}, [], True),
        # ForAllValues: every value fits one of the expected, and no value at all does.
        ({"ForAllValues:StringLike": {"k": ["a*", "b"]}}, ["a1", "b"], True),
        ({"ForAllValues:StringLike": {"k": ["a*", "b"]}}, ["a1", "c"], False),
        ({"ForAllValues:StringNotEquals": {"k": ["a"]}}, ["b", "c"], True),
        ({"ForAllValues:StringNotEquals": {"k": ["a"]}}, ["a", "c"], False),
        # ForAnyValue: one value is enough, and there must be one.
        ({"ForAnyValue:StringNotEquals": {"k": ["a"]}}, ["a", "c"], True),
        ({"ForAnyValue:StringNotEquals": {"k": ["a"]}}, ["a"], False),
        ({"ForAnyValue:StringNotEquals": {"k": ["a"]}}, [], False),
        ({"ForAnyValue:StringEqualsIfExists": {"k": ["a"]}}, [], True),
        # Null asks for the key alone.
        ({"Null": {"k": "false"}}, ["x"], True),
        ({"Null": {"k": "false"}}, [], False),
        ({"Null": {"k": "true"}}, [], True),
        # Values of another kind never fit.
        ({"NumericEquals": {"k": "5"}}, ["five"], False),
        ({"IpAddress": {"k": "10.0.0.0/8"}}, ["nowhere"], False),
        ({"DateLessThan": {"k": "2026-01-01T00:00:00Z"}}, ["someday"], False),
        ({"NumericGreaterThanEquals": {"k": "5"}}, ["5"], True),
        ({"NumericNotEquals": {"k": "5"}}, ["5.0"], False),
        ({"DateGreaterThanEquals": {"k": "2026-01-01T00:00:00Z"}}, ["2026-01-01T00:00:00+00:00"], True),
        ({"ArnNotEquals": {"k": "arn:aws:iam::1:role/x"}}, ["arn:aws:iam::1:role/y"], True),
        ({"BinaryEquals": {"k": "YQ=="}}, ["YQ=="], True),
    ],
)
def test_operators_with_and_without_values(block: Any, values: list[str], holds: bool) -> None:
    assert conditions_hold(block, {"k": values} if values else {}) is holds


@given(st.lists(st.sampled_from("abc"), max_size=4), st.lists(st.sampled_from("abc"), min_size=1, max_size=3))
def test_for_all_values_is_containment_and_for_any_value_is_overlap(
    found: list[str], wanted: list[str]
) -> None:
    context = {"k": found} if found else {}
    every = conditions_hold({"ForAllValues:StringEquals": {"k": wanted}}, context)
    some = conditions_hold({"ForAnyValue:StringEquals": {"k": wanted}}, context)
    assert every is (set(found) <= set(wanted))
    assert some is bool(set(found) & set(wanted))


def test_an_unknown_operator_does_not_hide_behind_another_that_fails() -> None:
    block = {"StringEquals": {"k": "a"}, "StringResembles": {"k": "a"}}
    with pytest.raises(UnknownOperatorError, match="StringResembles"):
        conditions_hold(block, {"k": ["b"]})


@pytest.mark.parametrize("effect", ["Allow", "Deny"])
@pytest.mark.parametrize("key", ["aws:SourceVpce", "s3:strange", "aws:RequestTags/team"])
def test_an_unknown_key_is_an_error_that_names_it(effect: str, key: str) -> None:
    policy = document(statement(effect, Condition={"StringEquals": {key: "x"}}))
    with pytest.raises(UnknownConditionKeyError, match=key):
        decide(asked(), PolicySet(identity=[policy]))


def test_an_unknown_key_of_a_statement_for_something_else_is_none_of_it() -> None:
    other = document(statement("Allow", Action="ec2:*", Condition={"StringEquals": {"ec2:Strange": "x"}}))
    assert decide(asked(), PolicySet(identity=[ALLOW, other])).allowed


@pytest.mark.parametrize(
    "key",
    [
        "aws:SecureTransport",
        "aws:RequestTag/Team",
        "AWS:ResourceTag/team",
        "aws:PrincipalTag/team",
        "aws:TagKeys",
        "aws:SourceAccount",
        "aws:SourceArn",
        "kms:ViaService",
        "kms:EncryptionContext:aws:logs:arn",
        "s3:prefix",
        "s3:x-amz-server-side-encryption-aws-kms-key-id",
        "iam:PermissionsBoundary",
    ],
)
def test_keys_in_use_are_known(key: str) -> None:
    policy = document(statement("Allow", Condition={"Null": {key: "true"}}))
    assert decide(asked(), PolicySet(identity=[policy])).allowed
