"""Checking, comparing and planning of the aws plugin: nothing here talks to AWS."""

import json

import pytest
from embedded.plugins.aws import registry
from embedded.plugins.aws.checking import DEFAULTS_MARK, check
from embedded.plugins.aws.configuration import Configuration, parse, unsupported
from embedded.plugins.aws.differences import differences
from embedded.plugins.aws.documents import same_document
from embedded.plugins.aws.lifecycle import Lifecycle
from embedded.plugins.aws.session import Session
from embedded.plugins.aws.types.rds_instance_rules import same_version
from embedded.plugins.common.errors import PluginError
from embedded.plugins.common.values import UNKNOWN
from hypothesis import given
from hypothesis import strategies as st

BUCKET = registry.resource_type("aws:s3/bucket:Bucket")
INSTANCE = registry.resource_type("aws:rds/instance:Instance")
ROLE = registry.resource_type("aws:iam/role:Role")
RULE = registry.resource_type("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule")
LIFECYCLE = registry.resource_type("aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration")
DATABASE = {
    "engine": "postgres",
    "engineVersion": "15",
    "username": "admin_user",
    "instanceClass": "db.t4g.small",
    "allocatedStorage": 20,
    "manageMasterUserPassword": True,
    "identifier": "metadata",
}


def test_an_undeclared_property_is_refused_by_type_and_name() -> None:
    _, failures = check(BUCKET, "logs", {"website": {"indexDocument": "i"}}, {}, b"seed")
    assert [name for name, _ in failures] == ["website"]
    assert "aws:s3/bucket:Bucket" in failures[0][1]
    assert "'website'" in failures[0][1]


def test_an_undeclared_nested_property_is_refused_by_its_path() -> None:
    rules = [{"id": "a", "status": "Enabled"}, {"id": "b", "status": "Enabled", "expiraton": {"days": 1}}]
    _, failures = check(LIFECYCLE, "rules", {"bucket": "b", "rules": rules}, {}, b"seed")
    assert [name for name, _ in failures] == ["rules[1].expiraton"]
    assert "did you mean 'expiration'?" in failures[0][1]


def test_all_mistakes_come_at_once() -> None:
    wrong = {"policy": "x", "maxSessionDuration": "long", "description": ["x"]}
    _, failures = check(ROLE, "role", wrong, {}, b"seed")
    assert sorted(name for name, _ in failures) == [
        "assumeRolePolicy",
        "description",
        "maxSessionDuration",
        "policy",
    ]


def test_an_undeclared_type_is_refused_by_name() -> None:
    with pytest.raises(PluginError, match="aws:lambda/function:Function is not emulated"):
        registry.resource_type("aws:lambda/function:Function")
    with pytest.raises(PluginError, match="aws:s3/bucketAcl:BucketAcl is not emulated"):
        registry.resource_type("aws:s3/bucketAcl:BucketAcl")


def test_unknown_values_pass_the_check_as_they_are() -> None:
    checked, failures = check(
        RULE, "in", {"securityGroupId": UNKNOWN, "ipProtocol": "tcp", "cidrIpv4": UNKNOWN}, {}, b""
    )
    assert failures == []
    assert checked["securityGroupId"] is UNKNOWN


def test_a_made_up_name_stays_until_the_resource_is_another_one() -> None:
    first, _ = check(BUCKET, "Logs", {}, {}, b"one")
    again, _ = check(BUCKET, "Logs", {}, first, b"two")
    fresh, _ = check(BUCKET, "Logs", {}, {}, b"two")
    assert first["bucket"] == again["bucket"] != fresh["bucket"]
    assert first["bucket"].startswith("logs-")
    assert first[DEFAULTS_MARK] == ["bucket"]


@given(
    st.text(min_size=1, max_size=300, alphabet=st.characters(categories=["Ll", "Nd"])), st.binary(max_size=16)
)
def test_a_made_up_name_never_passes_the_limit(name: str, seed: bytes) -> None:
    checked, _ = check(BUCKET, name, {}, {}, seed)
    assert 3 <= len(checked["bucket"]) <= 63


def test_a_rule_names_exactly_one_peer() -> None:
    base = {"securityGroupId": "sg-1", "ipProtocol": "-1"}
    assert check(RULE, "r", base, {}, b"")[1]
    assert check(RULE, "r", {**base, "cidrIpv4": "10.0.0.0/8", "prefixListId": "pl-1"}, {}, b"")[1]
    assert not check(RULE, "r", {**base, "cidrIpv4": "10.0.0.0/8"}, {}, b"")[1]


def test_an_instance_needs_a_password_of_one_kind() -> None:
    neither = {key: value for key, value in DATABASE.items() if key != "manageMasterUserPassword"}
    assert [name for name, _ in check(INSTANCE, "db", neither, {}, b"")[1]] == ["password"]
    assert [name for name, _ in check(INSTANCE, "db", {**DATABASE, "password": "x"}, {}, b"")[1]] == [
        "password"
    ]
    assert check(INSTANCE, "db", DATABASE, {}, b"")[1] == []


@pytest.mark.parametrize(
    ("change", "replaces", "changed"),
    [
        ({"instanceClass": "db.t4g.large"}, (), {"instanceClass": "update"}),
        ({"username": "other"}, ("username",), {"username": "update"}),
        ({"engineVersion": "15.7"}, (), {}),
        ({"engineVersion": "16"}, (), {"engineVersion": "update"}),
        ({"deletionProtection": True}, (), {"deletionProtection": "add"}),
        ({"allocatedStorage": "20"}, (), {}),
        ({"kmsKeyId": UNKNOWN}, ("kmsKeyId",), {"kmsKeyId": "add"}),
    ],
)
def test_what_a_change_of_an_instance_means(change: dict, replaces: tuple, changed: dict) -> None:
    checked, _ = check(INSTANCE, "db", DATABASE, {}, b"")
    state = {**checked, "engineVersion": "15.7", "tagsAll": {}}
    new, _ = check(INSTANCE, "db", {**DATABASE, **change}, checked, b"")
    found = differences(INSTANCE, state, new, {})
    assert (found.replaces, dict(found.changed)) == (replaces, changed)


def test_a_replacement_that_keeps_its_name_deletes_first() -> None:
    named, _ = check(INSTANCE, "db", DATABASE, {}, b"")
    moved = {**named, "username": "other"}
    assert differences(INSTANCE, {**named, "tagsAll": {}}, moved, {}).delete_first
    automatic, _ = check(BUCKET, "logs", {}, {}, b"")
    locked = {**automatic, "objectLockEnabled": True}
    assert not differences(BUCKET, {**automatic, "tagsAll": {}}, locked, {}).delete_first


def test_a_new_default_tag_updates_every_tagged_resource() -> None:
    checked, _ = check(BUCKET, "logs", {"tags": {"own": "1"}}, {}, b"")
    state = {**checked, "tagsAll": {"own": "1"}}
    assert differences(BUCKET, state, checked, {}).changed == {}
    found = differences(BUCKET, state, checked, {"owner": "me", "own": "default"})
    assert dict(found.changed) == {"tagsAll": "update"}
    assert dict(found.detailed) == {"tagsAll.owner": "add"}


def test_leaving_out_what_aws_chooses_changes_nothing_and_leaving_out_ones_own_does() -> None:
    checked, _ = check(ROLE, "role", {"assumeRolePolicy": "{}", "name": "r"}, {}, b"")
    state = {**checked, "description": "set behind its back", "tagsAll": {}}
    assert dict(differences(ROLE, state, checked, {}).changed) == {"description": "delete"}
    instance, _ = check(INSTANCE, "db", DATABASE, {}, b"")
    chosen = {**instance, "backupWindow": "03:00-04:00", "tagsAll": {}}
    assert differences(INSTANCE, chosen, instance, {}).changed == {}


def test_a_preview_promises_only_what_is_known() -> None:
    session = Session(Configuration(region="eu-west-1", default_tags={"owner": "me"}))
    checked, _ = check(BUCKET, "logs", {"tags": {"of": UNKNOWN}}, {}, b"")
    planned = Lifecycle(BUCKET, session).planned(checked, None)
    assert planned["arn"] is UNKNOWN
    assert planned["tagsAll"] is UNKNOWN
    assert planned["bucket"] == checked["bucket"]
    known, _ = check(BUCKET, "logs", {"tags": {"of": "x"}}, {}, b"")
    assert Lifecycle(BUCKET, session).planned(known, None)["tagsAll"] == {"owner": "me", "of": "x"}


@pytest.mark.parametrize(
    ("known", "wanted", "same"),
    [
        ("15.7", "15", True),
        ("15.7", "15.7", True),
        ("15.7", "15.8", False),
        ("15.7", "1", False),
        ("16.1", "15", False),
    ],
)
def test_a_version_names_every_version_below_it(known: str, wanted: str, same: bool) -> None:
    assert same_version(known, wanted) is same


def test_policies_are_compared_by_meaning() -> None:
    one = json.dumps({"Statement": [{"Effect": "Allow", "Action": ["b", "a"], "Resource": ["*"]}]})
    other = json.dumps({"Statement": {"Resource": "*", "Action": ["a", "b"], "Effect": "Allow"}})
    wider = json.dumps({"Statement": {"Resource": "*", "Action": ["a", "b", "c"], "Effect": "Allow"}})
    assert same_document(one, other)
    assert not same_document(one, wider)


def test_settings_of_the_provider_are_read_from_json_text() -> None:
    read = parse({"region": "eu-west-1", "defaultTags": '{"tags": {"a": "b"}}', "allowedAccountIds": '["1"]'})
    assert (read.default_tags, read.allowed_accounts) == ({"a": "b"}, ("1",))
    assert [name for name, _ in unsupported({"assumeRoles": "[]", "region": "x"})] == ["assumeRoles"]
