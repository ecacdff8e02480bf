"""The embedded AWS account as its clients see it: TLS, keys, policies, EKS, RDS, and what a kill leaves."""

import base64
import io
import itertools
import json
import os
import random
import secrets
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from aws_api_server import ACCOUNT, REGION, Account, postgres_directory, running_account
from aws_api_tokens import eks_token, pod_token, review, service_account_key
from botocore.exceptions import BotoCoreError, ClientError
from cryptography.hazmat.primitives.asymmetric import rsa
from embedded.identity import CloudIdentity

pytestmark = [
    pytest.mark.engine,
    pytest.mark.skipif(postgres_directory() is None, reason="no Postgres in /usr/lib/postgresql"),
]

POD_TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": "pods.eks.amazonaws.com"},
            "Action": ["sts:AssumeRole", "sts:TagSession"],
        }
    ],
}
CLUSTER_TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "eks.amazonaws.com"}, "Action": "sts:AssumeRole"}
    ],
}
ACCOUNT_TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "sts:AssumeRole"}
    ],
}


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    with running_account(tmp_path_factory.mktemp("aws")) as account:
        yield account


@pytest.fixture(scope="module")
def cluster(account: Account) -> str:
    role = make_role(account, "cluster", CLUSTER_TRUST)
    account.client("eks").create_cluster(
        name="shared",
        roleArn=role,
        resourcesVpcConfig={"subnetIds": account.subnets()},
        accessConfig={"authenticationMode": "API"},
    )
    return "shared"


@pytest.fixture(scope="module")
def database(account: Account) -> str:
    account.create_database("metadata")
    account.instance("metadata")
    return "metadata"


def make_role(account: Account, name: str, trust: dict[str, Any]) -> str:
    role = account.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))
    return str(role["Role"]["Arn"])


def refusal(call: Callable[..., Any], **parameters: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        call(**parameters)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def session(account: Account, role_arn: str) -> dict[str, str]:
    answer = account.client("sts").assume_role(RoleArn=role_arn, RoleSessionName="test")["Credentials"]
    return {
        "aws_access_key_id": answer["AccessKeyId"],
        "aws_secret_access_key": answer["SecretAccessKey"],
        "aws_session_token": answer["SessionToken"],
    }


# --- keys and policies ---


def test_the_server_is_not_trusted_without_the_clouds_authority(account: Account) -> None:
    with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
        httpx.get(f"{account.identity.aws_endpoint_url}/embedded/health")


def test_a_wrong_secret_an_unknown_key_and_no_key_are_refused(account: Account) -> None:
    wrong = account.client("sts", aws_secret_access_key="wrong").get_caller_identity
    assert refusal(wrong)[0] == "SignatureDoesNotMatch"
    unknown = account.client("sts", aws_access_key_id="AKIAAAAAAAAAAAAAAAAA").get_caller_identity
    assert refusal(unknown)[0] == "InvalidClientTokenId"
    anonymous = httpx.get(account.identity.aws_endpoint_url, verify=_context(account))
    assert anonymous.status_code == 403


def _context(account: Account) -> Any:
    import ssl

    return ssl.create_default_context(cafile=str(account.identity.certificate_authority))


def test_a_bucket_with_deleted_versions_can_be_emptied_after_versioning_was_suspended(
    account: Account,
) -> None:
    """The order of a destroy: the bucket's settings go before the bucket, which then is emptied at once."""
    s3 = account.client("s3")
    s3.create_bucket(Bucket="emptied-logs", CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_bucket_versioning(Bucket="emptied-logs", VersioningConfiguration={"Status": "Enabled"})
    s3.put_object(Bucket="emptied-logs", Key="log", Body=b"text")
    for _ in range(2):
        s3.delete_object(Bucket="emptied-logs", Key="log")
    listed = s3.list_object_versions(Bucket="emptied-logs")
    everything = [
        {"Key": item["Key"], "VersionId": item["VersionId"]}
        for item in [*listed["Versions"], *listed["DeleteMarkers"]]
    ]
    assert len(everything) == 3
    s3.put_bucket_versioning(Bucket="emptied-logs", VersioningConfiguration={"Status": "Suspended"})
    answer = s3.delete_objects(Bucket="emptied-logs", Delete={"Objects": everything})
    assert "Errors" not in answer
    s3.delete_bucket(Bucket="emptied-logs")


def test_a_role_reads_its_prefix_of_a_tls_only_bucket_and_nothing_else(account: Account) -> None:
    s3 = account.client("s3")
    s3.create_bucket(Bucket="remote-logs", CreateBucketConfiguration={"LocationConstraint": REGION})
    deny_plain = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Deny",
                "Principal": "*",
                "Action": "s3:*",
                "Resource": ["arn:aws:s3:::remote-logs", "arn:aws:s3:::remote-logs/*"],
                "Condition": {"Bool": {"aws:SecureTransport": "false"}},
            }
        ],
    }
    s3.put_bucket_policy(Bucket="remote-logs", Policy=json.dumps(deny_plain))
    s3.put_object(Bucket="remote-logs", Key="dags/dag_id=x/ü y.log", Body=b"log")
    s3.put_object(Bucket="remote-logs", Key="private", Body=b"secret")
    role = make_role(account, "reader", ACCOUNT_TRUST)
    allow = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::remote-logs/dags/*"},
            {
                "Effect": "Allow",
                "Action": "s3:ListBucket",
                "Resource": "arn:aws:s3:::remote-logs",
                "Condition": {"StringLike": {"s3:prefix": "dags/*"}},
            },
        ],
    }
    account.client("iam").put_role_policy(
        RoleName="reader", PolicyName="read", PolicyDocument=json.dumps(allow)
    )
    reader = account.client("s3", **session(account, role))
    body = reader.get_object(Bucket="remote-logs", Key="dags/dag_id=x/ü y.log")["Body"].read()
    assert body == b"log"
    listed = reader.list_objects_v2(Bucket="remote-logs", Prefix="dags/")
    assert [entry["Key"] for entry in listed["Contents"]] == ["dags/dag_id=x/ü y.log"]
    for call, parameters in (
        (reader.get_object, {"Key": "private"}),
        (reader.put_object, {"Key": "dags/new", "Body": b""}),
        (reader.delete_object, {"Key": "dags/dag_id=x/ü y.log"}),
        (reader.list_objects_v2, {}),
    ):
        assert refusal(call, Bucket="remote-logs", **parameters)[0] == "AccessDenied"


def test_a_secret_under_an_own_key_needs_the_key_too(account: Account) -> None:
    key = account.client("kms").create_key()["KeyMetadata"]["Arn"]
    account.client("secretsmanager").create_secret(Name="own-key", SecretString="s", KmsKeyId=key)
    role = make_role(account, "secret-reader", ACCOUNT_TRUST)

    def allow(name: str, action: str) -> None:
        statement = {"Effect": "Allow", "Action": action, "Resource": "*"}
        text = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        account.client("iam").put_role_policy(RoleName="secret-reader", PolicyName=name, PolicyDocument=text)

    allow("secret", "secretsmanager:GetSecretValue")
    reader = account.client("secretsmanager", **session(account, role))
    code, message = refusal(reader.get_secret_value, SecretId="own-key")
    assert (code, "kms:Decrypt" in message) == ("AccessDeniedException", True)
    allow("key", "kms:Decrypt")
    assert reader.get_secret_value(SecretId="own-key")["SecretString"] == "s"


def test_only_a_role_that_trusts_the_caller_can_be_assumed(account: Account) -> None:
    role = make_role(account, "for-pods", POD_TRUST)
    assume = account.client("sts").assume_role
    assert refusal(assume, RoleArn=role, RoleSessionName="test")[0] == "AccessDenied"
    missing = f"arn:aws:iam::{ACCOUNT}:role/missing"
    assert refusal(assume, RoleArn=missing, RoleSessionName="test")[0] == "AccessDenied"


def test_what_is_not_emulated_is_refused_by_name(account: Account) -> None:
    create = account.client("rds").create_db_cluster
    code, message = refusal(create, DBClusterIdentifier="c", Engine="aurora-postgresql")
    assert (code, "CreateDBCluster" in message) == ("NotImplemented", True)


# --- EKS ---


def test_a_cluster_is_active_with_a_real_security_group_and_the_clouds_authority(
    account: Account, cluster: str
) -> None:
    shown = account.client("eks").describe_cluster(name=cluster)["cluster"]
    assert shown["status"] == "ACTIVE"
    assert base64.b64decode(shown["certificateAuthority"]["data"]) == (
        account.identity.certificate_authority.read_bytes()
    )
    network = shown["resourcesVpcConfig"]
    group = account.client("ec2").describe_security_groups(GroupIds=[network["clusterSecurityGroupId"]])
    assert group["SecurityGroups"][0]["VpcId"] == network["vpcId"]


def test_a_second_cluster_on_the_one_node_is_refused_by_name(
    account: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two clusters of AWS share nothing; on one node they would share all: a person must be told which.

    In this process, since the account of these tests is served without a node.
    """
    from embedded.aws_api.eks import backend
    from moto.eks.exceptions import InvalidRequestException

    found = backend.EmbeddedEksBackend(REGION, ACCOUNT)
    found.identity = CloudIdentity.of(tmp_path)
    found.clusters["first"] = found.extras  # type: ignore[assignment]
    monkeypatch.setattr(backend, "all_backends", lambda: [found])
    with pytest.raises(InvalidRequestException, match=rf"second .*cluster first in {REGION} uses it"):
        found.create_embedded_cluster({"name": "second"}, None)
    found.identity = account.identity
    with pytest.raises(KeyError, match="resourcesVpcConfig"):
        found.create_embedded_cluster({"name": "second"}, None)


def test_a_rule_between_groups_keeps_its_description(account: Account, cluster: str) -> None:
    ec2 = account.client("ec2")
    network = account.client("eks").describe_cluster(name=cluster)["cluster"]["resourcesVpcConfig"]
    group = ec2.create_security_group(GroupName="described", Description="d", VpcId=network["vpcId"])
    peer = {"GroupId": network["clusterSecurityGroupId"], "Description": "from the pods"}
    made = ec2.authorize_security_group_ingress(
        GroupId=group["GroupId"],
        IpPermissions=[{"IpProtocol": "tcp", "FromPort": 1, "ToPort": 1, "UserIdGroupPairs": [peer]}],
    )
    rule = made["SecurityGroupRules"][0]["SecurityGroupRuleId"]
    found = ec2.describe_security_group_rules(SecurityGroupRuleIds=[rule])["SecurityGroupRules"][0]
    assert found["Description"] == "from the pods"


def test_associations_are_unique_and_their_errors_are_those_of_aws(account: Account, cluster: str) -> None:
    eks, role = account.client("eks"), make_role(account, "associated", POD_TRUST)
    parameters = {"clusterName": cluster, "namespace": "n", "serviceAccount": "unique", "roleArn": role}
    made = eks.create_pod_identity_association(**parameters)["association"]
    assert refusal(eks.create_pod_identity_association, **parameters)[0] == "ResourceInUseException"
    missing = {**parameters, "serviceAccount": "x", "roleArn": f"arn:aws:iam::{ACCOUNT}:role/none"}
    assert refusal(eks.create_pod_identity_association, **missing)[0] == "InvalidParameterException"
    identifier = {"clusterName": cluster, "associationId": made["associationId"]}
    assert eks.describe_pod_identity_association(**identifier)["association"]["roleArn"] == role
    eks.delete_pod_identity_association(**identifier)
    assert refusal(eks.describe_pod_identity_association, **identifier)[0] == "ResourceNotFoundException"
    elsewhere = {**parameters, "clusterName": "none"}
    assert refusal(eks.create_pod_identity_association, **elsewhere)[0] == "ResourceNotFoundException"


def test_a_token_of_the_creator_is_an_administrator_of_that_cluster_alone(
    account: Account, cluster: str
) -> None:
    accepted = review(account, eks_token(account, cluster))
    assert accepted["authenticated"] is True
    assert accepted["user"]["groups"] == ["system:masters"]
    assert review(account, eks_token(account, "another"))["authenticated"] is False
    assert review(account, eks_token(account, cluster)[:-6] + "AAAAAA")["authenticated"] is False


def test_pod_credentials_are_those_of_the_associated_role(account: Account, cluster: str) -> None:
    role = make_role(account, "pod", POD_TRUST)
    account.client("eks").create_pod_identity_association(
        clusterName=cluster, namespace="airflow", serviceAccount="worker", roleArn=role
    )
    key = service_account_key(account)
    url = f"http://{account.identity.host_address}:{account.identity.pod_identity_port}/v1/credentials"
    answer = httpx.get(url, headers={"Authorization": pod_token(key, "worker")}).json()
    caller = account.client(
        "sts",
        aws_access_key_id=answer["AccessKeyId"],
        aws_secret_access_key=answer["SecretAccessKey"],
        aws_session_token=answer["Token"],
    ).get_caller_identity()
    assert caller["Arn"].startswith(f"arn:aws:sts::{ACCOUNT}:assumed-role/pod/")
    assert httpx.get(url, headers={"Authorization": pod_token(key, "other")}).status_code == 404
    stranger = rsa.generate_private_key(65537, 2048)
    assert httpx.get(url, headers={"Authorization": pod_token(stranger, "worker")}).status_code == 400


# --- RDS ---


def test_an_instance_is_a_postgres_whose_name_and_authority_check(account: Account, database: str) -> None:
    with account.connect(database) as connection:
        row = connection.execute(
            "SELECT ssl, version FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
        ).fetchone()
        assert row is not None
        assert row[0] is True
    with pytest.raises(psycopg.OperationalError, match="does not match host name"):
        account.connect(database, host="another.host")


def test_the_master_user_is_what_rds_makes_of_it(account: Account, database: str) -> None:
    with account.connect(database) as connection:
        row = connection.execute(
            "SELECT rolsuper, rolcreatedb, rolcreaterole, "
            "pg_has_role(current_user, 'rds_superuser', 'member') FROM pg_roles WHERE rolname = current_user"
        ).fetchone()
        assert row == (False, True, True, True)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("SELECT pg_read_file('/etc/passwd')")
        connection.execute("CREATE ROLE airflow LOGIN")
        connection.execute("GRANT airflow TO CURRENT_USER")
        connection.execute("CREATE DATABASE airflow OWNER airflow")
        connection.execute("DROP DATABASE airflow WITH (FORCE)")
        connection.execute("DROP ROLE airflow")


def test_plain_connections_are_refused_until_force_ssl_is_off(account: Account) -> None:
    rds = account.client("rds")
    version = rds.describe_db_engine_versions(Engine="postgres")["DBEngineVersions"][0]
    rds.create_db_parameter_group(
        DBParameterGroupName="plain",
        DBParameterGroupFamily=version["DBParameterGroupFamily"],
        Description="d",
    )
    account.create_database("plain", DBParameterGroupName="plain")
    account.instance("plain")
    with pytest.raises(psycopg.OperationalError, match="no encryption"):
        account.connect("plain", sslmode="disable")
    off = {"ParameterName": "rds.force_ssl", "ParameterValue": "0", "ApplyMethod": "immediate"}
    rds.modify_db_parameter_group(DBParameterGroupName="plain", Parameters=[off])
    rds.reboot_db_instance(DBInstanceIdentifier="plain")
    account.instance("plain")
    account.connect("plain", sslmode="disable").close()
    rds.delete_db_instance(DBInstanceIdentifier="plain", SkipFinalSnapshot=True)


def test_rotation_changes_the_secret_and_the_login_together(account: Account, database: str) -> None:
    secret = account.instance(database)["MasterUserSecret"]["SecretArn"]
    manager = account.client("secretsmanager")
    before = json.loads(manager.get_secret_value(SecretId=secret)["SecretString"])
    manager.rotate_secret(SecretId=secret)
    account.connect(database).close()
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        account.connect(database, password=before["password"])


def test_a_restored_instance_has_the_data_of_its_snapshot(account: Account, database: str) -> None:
    rds = account.client("rds")
    with account.connect(database) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 1 AS x")
    rds.create_db_snapshot(DBInstanceIdentifier=database, DBSnapshotIdentifier="first")
    rds.get_waiter("db_snapshot_available").wait(
        DBSnapshotIdentifier="first", WaiterConfig={"Delay": 1, "MaxAttempts": 60}
    )
    with account.connect(database) as connection:
        connection.execute("INSERT INTO kept VALUES (2)")
    secret = account.instance(database)["MasterUserSecret"]["SecretArn"]
    login = json.loads(account.client("secretsmanager").get_secret_value(SecretId=secret)["SecretString"])
    rds.restore_db_instance_from_db_snapshot(DBInstanceIdentifier="restored", DBSnapshotIdentifier="first")
    account.instance("restored")
    old_login = {"user": login["username"], "password": login["password"]}
    with account.connect_as("restored", **old_login) as connection:
        assert connection.execute("SELECT array_agg(x) FROM kept").fetchone() == ([1],)
    rds.delete_db_instance(DBInstanceIdentifier="restored", SkipFinalSnapshot=True)


def test_performance_insights_are_told_as_they_were_asked_for(account: Account) -> None:
    account.create_database("insights", EnablePerformanceInsights=True)
    found = account.instance("insights")
    assert found["PerformanceInsightsEnabled"] is True
    assert found["PerformanceInsightsRetentionPeriod"] == 7  # AWS's default, in days
    changed = account.client("rds").modify_db_instance(
        DBInstanceIdentifier="insights", EnablePerformanceInsights=False, ApplyImmediately=True
    )
    assert changed["DBInstance"]["PerformanceInsightsEnabled"] is False


@pytest.mark.contract(
    "rds",
    "DeleteDBInstance with DeleteAutomatedBackups=false leaves retained backups; without it, none",
    "https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DeleteDBInstance.html",
)
def test_deletion_needs_a_word_about_the_final_snapshot_and_leaves_it(account: Account) -> None:
    rds = account.client("rds")
    account.create_database("doomed", DeletionProtection=True)
    secret = account.instance("doomed")["MasterUserSecret"]["SecretArn"]
    delete = rds.delete_db_instance
    code, message = refusal(delete, DBInstanceIdentifier="doomed", SkipFinalSnapshot=True)
    assert (code, "protected" in message) == ("InvalidParameterCombination", True)
    rds.modify_db_instance(DBInstanceIdentifier="doomed", DeletionProtection=False)
    code, message = refusal(delete, DBInstanceIdentifier="doomed")
    assert (code, "FinalDBSnapshotIdentifier" in message) == ("InvalidParameterCombination", True)
    listed = rds.describe_db_instance_automated_backups(DBInstanceIdentifier="doomed")
    [backup] = listed["DBInstanceAutomatedBackups"]
    assert (backup["Status"], backup["BackupRetentionPeriod"]) == ("active", 1)
    delete(DBInstanceIdentifier="doomed", FinalDBSnapshotIdentifier="the-end", DeleteAutomatedBackups=False)
    rds.get_waiter("db_instance_deleted").wait(
        DBInstanceIdentifier="doomed", WaiterConfig={"Delay": 1, "MaxAttempts": 60}
    )
    snapshot = rds.describe_db_snapshots(DBSnapshotIdentifier="the-end")["DBSnapshots"][0]
    assert snapshot["Status"] == "available"
    assert not (account.identity.state_directory / "rds" / "doomed").exists()
    listed = rds.describe_db_instance_automated_backups(DBInstanceIdentifier="doomed")
    assert [one["Status"] for one in listed["DBInstanceAutomatedBackups"]] == ["retained"]
    describe = account.client("secretsmanager").describe_secret
    assert refusal(describe, SecretId=secret)[0] == "ResourceNotFoundException"


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"DBInstanceClass": "db.t4g.nano"}, "InvalidParameterValue"),
        ({"EngineVersion": "9.6"}, "InvalidParameterCombination"),
        ({"MasterUsername": "rdsadmin"}, "InvalidParameterValue"),
        ({"MasterUserPassword": "also-given"}, "InvalidParameterCombination"),
        ({"AllocatedStorage": 5}, "InvalidParameterValue"),
    ],
)
def test_what_rds_refuses_is_refused_and_leaves_nothing(
    account: Account, options: dict[str, Any], code: str
) -> None:
    with pytest.raises(ClientError) as caught:
        account.create_database("refused", **options)
    assert caught.value.response["Error"]["Code"] == code
    assert not (account.identity.state_directory / "rds" / "refused").exists()


# --- state ---


def test_a_database_that_crashes_is_started_again(account: Account, database: str) -> None:
    record = json.loads((account.identity.run_directory / f"rds-{database}.pid").read_text())
    os.kill(record["pid"], signal.SIGKILL)
    deadline = time.monotonic() + 60
    while True:
        try:
            with account.connect(database) as connection:
                assert connection.execute("SELECT 1").fetchone() == (1,)
            return
        except psycopg.OperationalError:
            assert time.monotonic() < deadline, account.log()
            time.sleep(0.5)


def test_a_killed_process_comes_back_with_everything_it_answered(account: Account, database: str) -> None:
    s3, manager = account.client("s3"), account.client("secretsmanager")
    s3.create_bucket(Bucket="kept", CreateBucketConfiguration={"LocationConstraint": REGION})
    large = secrets.token_bytes(9_000_000)
    s3.upload_fileobj(io.BytesIO(large), "kept", "large")
    manager.create_secret(Name="kept", SecretString="value")
    key = account.client("kms").create_key()["KeyMetadata"]["KeyId"]
    sealed = account.client("kms").encrypt(KeyId=key, Plaintext=b"plain")["CiphertextBlob"]
    with account.connect(database) as connection:
        connection.execute("CREATE TABLE survivor AS SELECT 7 AS x")
        postmaster = connection.execute("SELECT pg_postmaster_start_time()").fetchone()
    account.kill()
    account.start()
    assert s3.get_object(Bucket="kept", Key="large")["Body"].read() == large
    assert manager.get_secret_value(SecretId="kept")["SecretString"] == "value"
    assert account.client("kms").decrypt(CiphertextBlob=sealed)["Plaintext"] == b"plain"
    with account.connect(database) as connection:
        assert connection.execute("SELECT x FROM survivor").fetchone() == (7,)
        # The database did not notice.
        assert connection.execute("SELECT pg_postmaster_start_time()").fetchone() == postmaster


def test_a_creation_that_a_kill_interrupts_is_completed(account: Account) -> None:
    account.create_database("interrupted")
    account.kill()
    account.start()
    account.instance("interrupted")
    account.connect("interrupted").close()
    account.client("rds").delete_db_instance(DBInstanceIdentifier="interrupted", SkipFinalSnapshot=True)


@pytest.mark.parametrize("seed", [1, 2])
def test_no_answered_request_is_lost_by_a_kill_at_any_moment(account: Account, seed: int) -> None:
    """Most of a request's time is the writing of the state: a kill at random falls into it."""
    chance, answered = random.Random(seed), list[str]()  # noqa: S311 - no secret
    manager = account.client("secretsmanager")
    # Enough state for its writing to take long.
    for index in range(8):
        manager.create_secret(Name=f"ballast-{seed}-{index}", SecretString="x" * 60_000)

    def write() -> None:
        client = account.new_client("secretsmanager")
        for index in itertools.count():
            name = f"answered-{seed}-{index}"
            try:
                client.create_secret(Name=name, SecretString=name)
            except (BotoCoreError, ClientError):
                return
            answered.append(name)

    writer = threading.Thread(target=write)
    writer.start()
    time.sleep(0.5 + chance.random())
    account.kill()
    writer.join()
    account.start()
    assert answered
    lost = [one for one in answered if manager.get_secret_value(SecretId=one)["SecretString"] != one]
    assert lost == []


def test_the_log_has_a_line_a_request_and_no_secret(account: Account, database: str) -> None:
    secret = account.instance(database)["MasterUserSecret"]["SecretArn"]
    value = account.client("secretsmanager").get_secret_value(SecretId=secret)["SecretString"]
    password = json.loads(value)["password"]
    log = account.log()
    assert "secretsmanager GetSecretValue 200" in log
    assert password not in log
    server_log = (account.identity.logs_directory / f"rds-{database}.log").read_text()
    assert password not in server_log
