"""What AWS refuses is refused here too; moto (in this process) is the account, boto3 the observer."""

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from embedded.plugins.aws import registry
from embedded.plugins.aws.checking import check
from embedded.plugins.aws.configuration import Configuration
from embedded.plugins.aws.functions import function
from embedded.plugins.aws.lifecycle import HalfMadeError, Lifecycle
from embedded.plugins.aws.session import Session
from embedded.plugins.common.errors import PluginError
from embedded.plugins.common.values import Values
from moto import mock_aws

pytestmark = pytest.mark.engine

REGION = "eu-west-1"
TRUST = json.dumps({"Version": "2012-10-17", "Statement": []})
DOCUMENT = json.dumps(
    {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
)
DATABASE = {
    "engine": "postgres",
    "engineVersion": "15",
    "username": "admin_user",
    "instanceClass": "db.t4g.small",
    "allocatedStorage": 20,
    "manageMasterUserPassword": True,
    "identifier": "metadata",
}


class Account:
    """Resources by type token, through the same check and lifecycle that the engine's requests take."""

    def __init__(self, region: str = REGION) -> None:
        self.session = Session(Configuration(region=region, access_key="a", secret_key="b"))

    def life(self, token: str) -> Lifecycle:
        return Lifecycle(registry.resource_type(token), self.session)

    def make(self, token: str, **inputs: Any) -> tuple[str, Values]:
        checked, failures = check(registry.resource_type(token), "probe", inputs, {}, b"seed")
        assert failures == []
        return self.life(token).create("probe", checked)

    def change(self, token: str, made: tuple[str, Values], **inputs: Any) -> Values:
        checked, failures = check(registry.resource_type(token), "probe", inputs, made[1], b"seed")
        assert failures == []
        return self.life(token).update("probe", made[0], made[1], checked)

    def drop(self, token: str, made: tuple[str, Values]) -> None:
        self.life(token).delete("probe", *made)


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        yield Account()


def client(service: str, region: str = REGION) -> Any:
    return boto3.client(service, region_name=region, aws_access_key_id="o", aws_secret_access_key="o")


BUCKET = "aws:s3/bucket:Bucket"
KEY = "aws:kms/key:Key"
SECRET = "aws:secretsmanager/secret:Secret"
INSTANCE = "aws:rds/instance:Instance"
ROLE = "aws:iam/role:Role"
POLICY = "aws:iam/policy:Policy"
GROUP = "aws:ec2/securityGroup:SecurityGroup"


@pytest.mark.parametrize("region", ["eu-west-1", "us-east-1"])
def test_a_bucket_name_in_use_is_refused(account: Account, region: str) -> None:
    here = Account(region)
    here.make(BUCKET, bucket="taken-name")
    with pytest.raises(PluginError, match=r"creating aws:s3/bucket:Bucket 'probe': BucketAlready\w+"):
        here.make(BUCKET, bucket="taken-name")


@pytest.mark.parametrize("versioned", [False, True])
def test_a_bucket_that_holds_anything_is_not_deleted(account: Account, versioned: bool) -> None:
    made = account.make(BUCKET, bucket="full")
    s3 = client("s3")
    if versioned:
        s3.put_bucket_versioning(Bucket="full", VersioningConfiguration={"Status": "Enabled"})
    s3.put_object(Bucket="full", Key="a", Body=b"1")
    if versioned:
        s3.delete_object(Bucket="full", Key="a")
    with pytest.raises(PluginError, match="BucketNotEmpty"):
        account.drop(BUCKET, made)
    forced = made[0], account.change(BUCKET, made, bucket="full", forceDestroy=True)
    account.drop(BUCKET, forced)
    assert s3.list_buckets()["Buckets"] == []


def test_deleting_what_is_gone_is_no_failure(account: Account) -> None:
    made = account.make(BUCKET, bucket="short-lived")
    client("s3").delete_bucket(Bucket="short-lived")
    account.drop(BUCKET, made)
    assert account.life(BUCKET).read("probe", made[0], made[1], {}) is None


def test_a_key_waits_as_long_as_it_says(account: Account) -> None:
    made = account.make(KEY, deletionWindowInDays=9)
    account.drop(KEY, made)
    metadata = client("kms").describe_key(KeyId=made[0])["KeyMetadata"]
    days = (metadata["DeletionDate"] - metadata["CreationDate"]).total_seconds() / 86400
    assert metadata["KeyState"] == "PendingDeletion"
    assert 8.9 < days < 9.1
    assert account.life(KEY).read("probe", made[0], made[1], {}) is None


def test_a_secret_in_its_recovery_window_keeps_its_name(account: Account) -> None:
    made = account.make(SECRET, name="fernet", recoveryWindowInDays=7)
    account.drop(SECRET, made)
    assert client("secretsmanager").list_secrets(IncludePlannedDeletion=True)["SecretList"]
    with pytest.raises(PluginError, match=r"already (exists|scheduled for deletion)"):
        account.make(SECRET, name="fernet")


def test_a_secret_without_a_window_is_gone_at_once(account: Account) -> None:
    made = account.make(SECRET, name="fernet", recoveryWindowInDays=0)
    account.drop(SECRET, made)
    assert client("secretsmanager").list_secrets(IncludePlannedDeletion=True)["SecretList"] == []


def test_a_role_with_policies_is_not_deleted_unless_told(account: Account) -> None:
    made = account.make(ROLE, name="worker", assumeRolePolicy=TRUST)
    client("iam").put_role_policy(RoleName="worker", PolicyName="extra", PolicyDocument=DOCUMENT)
    with pytest.raises(PluginError, match="DeleteConflict"):
        account.drop(ROLE, made)
    state = account.change(ROLE, made, name="worker", assumeRolePolicy=TRUST, forceDetachPolicies=True)
    account.drop(ROLE, (made[0], state))
    assert client("iam").list_roles()["Roles"] == []


def test_a_name_in_use_gives_the_services_own_error(account: Account) -> None:
    account.make(ROLE, name="worker", assumeRolePolicy=TRUST)
    with pytest.raises(PluginError, match="creating aws:iam/role:Role 'probe': EntityAlreadyExists"):
        account.make(ROLE, name="worker", assumeRolePolicy=TRUST)
    account.make(SECRET, name="fernet")
    with pytest.raises(PluginError, match="ResourceExistsException"):
        account.make(SECRET, name="fernet")
    key = account.make(KEY)
    alias = {"name": "alias/one", "targetKeyId": key[0]}
    account.make("aws:kms/alias:Alias", **alias)
    with pytest.raises(PluginError, match="AlreadyExistsException"):
        account.make("aws:kms/alias:Alias", **alias)


@pytest.mark.parametrize(
    ("token", "inputs"),
    [
        ("aws:sns/topic:Topic", {"name": "alarms"}),
        ("aws:cloudwatch/logGroup:LogGroup", {"name": "flow"}),
        ("aws:ecr/repository:Repository", {"name": "images"}),
        ("aws:rds/parameterGroup:ParameterGroup", {"name": "pg", "family": "postgres15"}),
        (INSTANCE, DATABASE),
        (GROUP, {"name": "database"}),
        (
            "aws:cloudwatch/metricAlarm:MetricAlarm",
            {
                "name": "cpu",
                "comparisonOperator": "GreaterThanThreshold",
                "evaluationPeriods": 1,
                "metricName": "CPUUtilization",
                "namespace": "AWS/RDS",
                "period": 60,
                "statistic": "Average",
                "threshold": 80,
            },
        ),
    ],
)
def test_no_type_takes_over_what_exists(account: Account, token: str, inputs: Values) -> None:
    account.make(token, **inputs)
    with pytest.raises(PluginError, match=f"creating {token} 'probe': "):
        account.make(token, **inputs)


def test_a_protected_instance_is_not_deleted(account: Account) -> None:
    made = account.make(INSTANCE, **DATABASE, deletionProtection=True, skipFinalSnapshot=True)
    with pytest.raises(PluginError, match="deletion protection"):
        account.drop(INSTANCE, made)
    assert client("rds").describe_db_instances()["DBInstances"]


def test_an_instance_leaves_its_final_snapshot_and_never_twice_the_same(account: Account) -> None:
    bare = account.make(INSTANCE, **DATABASE)
    with pytest.raises(PluginError, match="finalSnapshotIdentifier is required"):
        account.drop(INSTANCE, bare)
    named = bare[0], account.change(INSTANCE, bare, **DATABASE, finalSnapshotIdentifier="last-of-metadata")
    account.drop(INSTANCE, named)
    snapshots = client("rds").describe_db_snapshots()["DBSnapshots"]
    assert [item["DBSnapshotIdentifier"] for item in snapshots] == ["last-of-metadata"]
    again = account.make(INSTANCE, **DATABASE, finalSnapshotIdentifier="last-of-metadata")
    with pytest.raises(PluginError, match="DBSnapshotAlreadyExists"):
        account.drop(INSTANCE, again)
    assert client("rds").describe_db_instances()["DBInstances"]


def test_an_instance_comes_back_from_a_snapshot(account: Account) -> None:
    source = account.make(INSTANCE, **DATABASE, finalSnapshotIdentifier="saved")
    account.drop(INSTANCE, source)
    restored = {"identifier": "restored", "instanceClass": "db.t4g.small", "snapshotIdentifier": "saved"}
    _, state = account.make(INSTANCE, **restored, manageMasterUserPassword=True, backupRetentionPeriod=9)
    assert state["masterUserSecrets"][0]["secretArn"]
    found = client("rds").describe_db_instances(DBInstanceIdentifier="restored")["DBInstances"][0]
    assert (found["MasterUsername"], found["BackupRetentionPeriod"]) == ("admin_user", 9)


def test_a_managed_password_can_be_given_up_and_is_no_output(account: Account) -> None:
    made = account.make(INSTANCE, **DATABASE)
    assert made[1]["masterUserSecrets"][0]["secretArn"].startswith("arn:aws:secretsmanager:")
    own = {**DATABASE, "password": "longenough1"}
    del own["manageMasterUserPassword"]
    state = account.change(INSTANCE, made, **own, applyImmediately=True)
    assert state["masterUserSecrets"] == []
    assert "MasterUserSecret" not in client("rds").describe_db_instances()["DBInstances"][0]


def test_a_minor_version_by_aws_is_no_change(account: Account) -> None:
    made = account.make(INSTANCE, **DATABASE)
    client("rds").modify_db_instance(
        DBInstanceIdentifier="metadata", EngineVersion="15.9", ApplyImmediately=True
    )
    checked, _ = check(registry.resource_type(INSTANCE), "probe", DATABASE, {}, b"seed")
    found = account.life(INSTANCE).read("probe", made[0], made[1], checked)
    assert found is not None
    assert (found[0]["engineVersion"], found[0]["engineVersionActual"]) == ("15", "15.9")


def test_a_policy_keeps_its_last_five_versions(account: Account) -> None:
    made = account.make(POLICY, name="p", policy=DOCUMENT)
    for number in range(6):
        statement = {"Effect": "Allow", "Action": f"s3:Get{number}", "Resource": "*"}
        document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        made = made[0], account.change(POLICY, made, name="p", policy=document)
    iam = client("iam")
    versions = iam.list_policy_versions(PolicyArn=made[0])["Versions"]
    default = next(item["VersionId"] for item in versions if item["IsDefaultVersion"])
    latest = iam.get_policy_version(PolicyArn=made[0], VersionId=default)["PolicyVersion"]["Document"]
    assert len(versions) == 5
    assert latest["Statement"][0]["Action"] == "s3:Get5"


def test_a_new_security_group_has_no_open_egress(account: Account) -> None:
    made = account.make(GROUP, name="database")
    group = client("ec2").describe_security_groups(GroupIds=[made[0]])["SecurityGroups"][0]
    assert group["IpPermissionsEgress"] == []


def test_inline_rules_are_exactly_the_programs(account: Account) -> None:
    rule = {"protocol": "tcp", "fromPort": 5432, "toPort": 5432, "cidrBlocks": ["10.0.0.0/8"]}
    made = account.make(GROUP, name="database", ingress=[rule])
    state = account.change(GROUP, made, name="database", ingress=[{**rule, "fromPort": 443, "toPort": 443}])
    group = client("ec2").describe_security_groups(GroupIds=[made[0]])["SecurityGroups"][0]
    assert [(item["FromPort"], item["ToPort"]) for item in group["IpPermissions"]] == [(443, 443)]
    assert state["ingress"][0]["fromPort"] == 443


def test_a_resource_that_fails_after_it_was_made_is_remembered(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = registry.resource_type(BUCKET)
    monkeypatch.setitem(kind.__dict__, "read", lambda call: call.client.head_bucket(Bucket="nowhere"))
    with pytest.raises(HalfMadeError, match="does not exist right after") as caught:
        account.make(BUCKET, bucket="half-made")
    assert caught.value.resource_id == "half-made"
    assert [item["Name"] for item in client("s3").list_buckets()["Buckets"]] == ["half-made"]


@pytest.mark.parametrize(
    ("token", "inputs"),
    [
        (BUCKET, {"bucket": "imported", "tags": {"a": "1"}}),
        (KEY, {"description": "one", "enableKeyRotation": True}),
        (ROLE, {"name": "worker", "assumeRolePolicy": TRUST, "description": "d"}),
        (INSTANCE, DATABASE),
        (SECRET, {"name": "fernet", "description": "d"}),
        ("aws:cloudwatch/logGroup:LogGroup", {"name": "flow", "retentionInDays": 30}),
        ("aws:sns/topic:Topic", {"name": "alarms", "displayName": "d"}),
        ("aws:ec2/vpc:Vpc", {"cidrBlock": "10.9.0.0/16"}),
    ],
)
def test_an_import_by_id_gives_inputs_that_need_no_change(
    account: Account, token: str, inputs: Values
) -> None:
    from embedded.plugins.aws.differences import differences

    made = account.make(token, **inputs)
    kind = registry.resource_type(token)
    found = account.life(token).read("probe", made[0], {}, {})
    assert found is not None
    state, read_inputs = found
    if token == INSTANCE:  # AWS tells the actual version, which the program may name by its major
        assert read_inputs["engineVersion"].startswith("15")
        read_inputs["engineVersion"] = "15"
    said = {name: value for name, value in inputs.items() if name != "allocatedStorage"}
    assert said.items() <= read_inputs.items()
    checked, _ = check(kind, "probe", {**read_inputs, **inputs}, {}, b"seed")
    assert differences(kind, state, checked, {}).replaces == ()


def test_functions_answer_from_the_account(account: Account) -> None:
    vpc, _ = account.make("aws:ec2/vpc:Vpc", cidrBlock="10.9.0.0/16", tags={"Name": "n"})
    subnet, _ = account.make("aws:ec2/subnet:Subnet", vpcId=vpc, cidrBlock="10.9.1.0/24")
    found = function("aws:ec2/getVpc:getVpc")(account.session, {"tags": {"Name": "n"}})
    assert (found["id"], found["cidrBlock"]) == (vpc, "10.9.0.0/16")
    of_vpc = {"filters": [{"name": "vpc-id", "values": [vpc]}]}
    assert function("aws:ec2/getSubnets:getSubnets")(account.session, of_vpc)["ids"] == [subnet]
    assert function("aws:ec2/getSubnet:getSubnet")(account.session, {"id": subnet})["vpcId"] == vpc
    zones = function("aws:index/getAvailabilityZones:getAvailabilityZones")(account.session, {})
    assert zones["names"] == ["eu-west-1a", "eu-west-1b", "eu-west-1c"]
    with pytest.raises(PluginError, match="no EC2 VPCs matched"):
        function("aws:ec2/getVpc:getVpc")(account.session, {"cidrBlock": "10.77.0.0/16"})
    with pytest.raises(PluginError, match="argument 'nope'"):
        function("aws:ec2/getVpc:getVpc")(account.session, {"nope": 1})
