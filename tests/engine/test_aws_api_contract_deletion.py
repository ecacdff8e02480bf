"""What cannot go, or is not gone yet: protection, contents, dependencies, recovery windows, pending keys."""

import json
import secrets
from typing import Any

import pytest
from aws_api_server import REGION, Account, postgres_directory
from aws_contract import DOCS, allow, document, make_bucket, make_key, make_role, message_of, refused, trust

pytestmark = [
    pytest.mark.engine,
    pytest.mark.skipif(postgres_directory() is None, reason="no Postgres in /usr/lib/postgresql"),
]


def contract(service: str, behaviour: str, source: str) -> Any:
    return pytest.mark.contract(service, behaviour, f"{DOCS}/{source}")


RDS = "AmazonRDS/latest/APIReference"
IAM = "IAM/latest/APIReference"
EC2 = "AWSEC2/latest/APIReference"
SECRETS = "secretsmanager/latest/apireference"
KEY_STATES = "kms/latest/developerguide/key-state.html"
UNUSABLE_KEYS = "kms/latest/developerguide/unusable-kms-keys.html"


# --- databases ---


@pytest.fixture(scope="module")
def database(account: Account) -> dict[str, Any]:
    """A protected instance in a network of its own, with groups of its own."""
    rds, ec2 = account.client("rds"), account.client("ec2")
    subnets = account.subnets()
    vpc = ec2.describe_subnets(SubnetIds=subnets[:1])["Subnets"][0]["VpcId"]
    group = ec2.create_security_group(GroupName="database", Description="d", VpcId=vpc)["GroupId"]
    rds.create_db_subnet_group(DBSubnetGroupName="used", DBSubnetGroupDescription="d", SubnetIds=subnets)
    family = rds.describe_db_engine_versions(Engine="postgres")["DBEngineVersions"][0][
        "DBParameterGroupFamily"
    ]
    rds.create_db_parameter_group(DBParameterGroupName="used", DBParameterGroupFamily=family, Description="d")
    rds.create_db_instance(
        DBInstanceIdentifier="protected",
        DBInstanceClass="db.t4g.micro",
        Engine="postgres",
        AllocatedStorage=20,
        MasterUsername="administrator",
        ManageMasterUserPassword=True,
        DeletionProtection=True,
        DBSubnetGroupName="used",
        DBParameterGroupName="used",
        VpcSecurityGroupIds=[group],
    )
    account.instance("protected")
    return {"group": group, "subnet": subnets[0], "vpc": vpc}


@contract(
    "rds",
    "DeleteDBInstance of a protected instance: InvalidParameterCombination, HTTP 400",
    "AmazonRDS/latest/UserGuide/USER_DeleteInstance.html",
)
def test_a_protected_instance_stays(account: Account, database: dict[str, Any]) -> None:
    rds = account.client("rds")
    parameters = {"DBInstanceIdentifier": "protected", "SkipFinalSnapshot": True}
    assert refused(rds, "delete_db_instance", **parameters) == ("InvalidParameterCombination", 400)
    assert account.instance("protected")["DeletionProtection"] is True


@contract(
    "rds",
    "DeleteDBSubnetGroup of a group in use: InvalidDBSubnetGroupStateFault, HTTP 400",
    f"{RDS}/API_DeleteDBSubnetGroup.html",
)
def test_a_subnet_group_in_use_stays(account: Account, database: dict[str, Any]) -> None:
    rds = account.client("rds")
    code, status = refused(rds, "delete_db_subnet_group", DBSubnetGroupName="used")
    assert (code, status) == ("InvalidDBSubnetGroupStateFault", 400)


@contract(
    "rds",
    "DeleteDBParameterGroup of a group in use: InvalidDBParameterGroupState, HTTP 400",
    f"{RDS}/API_DeleteDBParameterGroup.html",
)
def test_a_parameter_group_in_use_stays(account: Account, database: dict[str, Any]) -> None:
    rds = account.client("rds")
    code, status = refused(rds, "delete_db_parameter_group", DBParameterGroupName="used")
    assert (code, status) == ("InvalidDBParameterGroupState", 400)


@contract(
    "ec2",
    "DeleteSubnet and DeleteSecurityGroup under a database: DependencyViolation, HTTP 400",
    f"{EC2}/errors-overview.html",
)
def test_the_network_of_a_database_stays(account: Account, database: dict[str, Any]) -> None:
    ec2 = account.client("ec2")
    assert refused(ec2, "delete_security_group", GroupId=database["group"]) == ("DependencyViolation", 400)
    assert refused(ec2, "delete_subnet", SubnetId=database["subnet"]) == ("DependencyViolation", 400)


@contract(
    "rds",
    "CreateDBSubnetGroup in one zone: DBSubnetGroupDoesNotCoverEnoughAZs, HTTP 400",
    f"{RDS}/API_CreateDBSubnetGroup.html",
)
def test_a_subnet_group_covers_two_zones(account: Account) -> None:
    parameters = {"DBSubnetGroupName": "narrow", "DBSubnetGroupDescription": "d"}
    error = refused(
        account.client("rds"), "create_db_subnet_group", **parameters, SubnetIds=account.subnets()[:1]
    )
    assert error == ("DBSubnetGroupDoesNotCoverEnoughAZs", 400)


@contract(
    "rds",
    "CreateDBInstance with a monitoring role that RDS may not assume: InvalidParameterValue, HTTP 400",
    "AmazonRDS/latest/UserGuide/USER_Monitoring.OS.Enabling.html",
)
def test_a_monitoring_role_trusts_rds(account: Account) -> None:
    role = make_role(account, "monitoring-by-others", trust("ec2.amazonaws.com"))
    parameters = {
        "DBInstanceIdentifier": "monitored",
        "DBInstanceClass": "db.t4g.micro",
        "Engine": "postgres",
        "AllocatedStorage": 20,
        "MasterUsername": "administrator",
        "ManageMasterUserPassword": True,
        "MonitoringInterval": 60,
        "MonitoringRoleArn": role,
    }
    assert refused(account.client("rds"), "create_db_instance", **parameters) == (
        "InvalidParameterValue",
        400,
    )


@contract(
    "rds",
    "ResetDBParameterGroup gives parameters their engine's values back",
    f"{RDS}/API_ResetDBParameterGroup.html",
)
def test_parameters_are_reset(account: Account) -> None:
    rds = account.client("rds")
    family = rds.describe_db_engine_versions(Engine="postgres")["DBEngineVersions"][0][
        "DBParameterGroupFamily"
    ]
    name = {"DBParameterGroupName": "reset"}
    rds.create_db_parameter_group(**name, DBParameterGroupFamily=family, Description="d")
    changed = [("log_min_duration_statement", "500"), ("work_mem", "8192"), ("log_statement", "ddl")]
    rds.modify_db_parameter_group(
        **name,
        Parameters=[
            {"ParameterName": key, "ParameterValue": value, "ApplyMethod": "immediate"}
            for key, value in changed
        ],
    )

    def of_users() -> dict[str, str]:
        pages = rds.get_paginator("describe_db_parameters").paginate(**name, Source="user")
        return {
            one["ParameterName"]: one.get("ParameterValue", "")
            for page in pages
            for one in page["Parameters"]
        }

    assert set(of_users()) == {key for key, _ in changed}
    reset = [{"ParameterName": "work_mem", "ApplyMethod": "immediate"}]
    rds.reset_db_parameter_group(**name, Parameters=reset)
    assert set(of_users()) == {"log_min_duration_statement", "log_statement"}
    rds.reset_db_parameter_group(**name, ResetAllParameters=True)
    assert of_users() == {}


# --- buckets, repositories ---


@contract(
    "s3",
    "DeleteBucket with objects, versions or delete markers: BucketNotEmpty, HTTP 409",
    "AmazonS3/latest/API/API_DeleteBucket.html",
)
@pytest.mark.parametrize("content", ["object", "version", "delete-marker"])
def test_a_bucket_with_anything_in_it_stays(account: Account, content: str) -> None:
    s3 = account.client("s3")
    bucket = make_bucket(account, f"with-{content}")
    if content != "object":
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    version = s3.put_object(Bucket=bucket, Key="k", Body=b"1").get("VersionId")
    if content != "object":
        s3.delete_object(Bucket=bucket, Key="k")
    if content == "delete-marker":
        s3.delete_object(Bucket=bucket, Key="k", VersionId=version)
    assert refused(s3, "delete_bucket", Bucket=bucket) == ("BucketNotEmpty", 409)


@contract(
    "ecr",
    "DeleteRepository with images: RepositoryNotEmptyException, HTTP 400",
    "AmazonECR/latest/APIReference/API_DeleteRepository.html",
)
def test_a_repository_with_images_stays(account: Account) -> None:
    ecr = account.client("ecr")
    ecr.create_repository(repositoryName="full")
    kind = "application/vnd.oci.image.manifest.v1+json"
    manifest = json.dumps(
        {"schemaVersion": 2, "mediaType": kind, "config": {"digest": "sha256:0"}, "layers": []}
    )
    ecr.put_image(repositoryName="full", imageManifest=manifest, imageTag="1")
    error = refused(ecr, "delete_repository", repositoryName="full")
    assert error == ("RepositoryNotEmptyException", 400)
    ecr.delete_repository(repositoryName="full", force=True)


# --- secrets ---


@pytest.fixture
def recovering(account: Account) -> str:
    """A secret in its recovery window."""
    name = f"recovering-{secrets.token_hex(4)}"
    manager = account.client("secretsmanager")
    manager.create_secret(Name=name, SecretString="s")
    manager.delete_secret(SecretId=name, RecoveryWindowInDays=7)
    return name


@contract(
    "secretsmanager",
    "CreateSecret of a name that waits for its deletion: InvalidRequestException (scheduled "
    "for deletion), HTTP 400",
    f"{SECRETS}/API_CreateSecret.html",
)
def test_a_name_is_not_free_before_the_window_ends(account: Account, recovering: str) -> None:
    manager = account.client("secretsmanager")
    parameters = {"Name": recovering, "SecretString": "s"}
    assert refused(manager, "create_secret", **parameters) == ("InvalidRequestException", 400)
    assert "scheduled for deletion" in message_of(manager, "create_secret", **parameters)
    manager.restore_secret(SecretId=recovering)
    assert manager.get_secret_value(SecretId=recovering)["SecretString"] == "s"


@contract(
    "secretsmanager",
    "Reading, writing, rotating, tagging or deleting a secret in its recovery window: "
    "InvalidRequestException, HTTP 400",
    f"{SECRETS}/API_GetSecretValue.html",
)
@pytest.mark.parametrize(
    ("method", "parameters"),
    [
        ("get_secret_value", {}),
        ("put_secret_value", {"SecretString": "other"}),
        ("update_secret", {"SecretString": "other"}),
        ("rotate_secret", {}),
        ("tag_resource", {"Tags": [{"Key": "a", "Value": "1"}]}),
        ("delete_secret", {}),
    ],
)
def test_a_secret_in_its_window_is_not_used(
    account: Account, recovering: str, method: str, parameters: dict[str, Any]
) -> None:
    manager = account.client("secretsmanager")
    error = refused(manager, method, SecretId=recovering, **parameters)
    assert error == ("InvalidRequestException", 400)
    assert manager.describe_secret(SecretId=recovering)["DeletedDate"]


@contract(
    "secretsmanager",
    "DeleteSecret with a window other than 7 to 30 days, or with both a window and force: "
    "InvalidParameterException, HTTP 400",
    f"{SECRETS}/API_DeleteSecret.html",
)
@pytest.mark.parametrize(
    "parameters",
    [
        {"RecoveryWindowInDays": 6},
        {"RecoveryWindowInDays": 31},
        {"RecoveryWindowInDays": 7, "ForceDeleteWithoutRecovery": True},
    ],
)
def test_a_window_has_7_to_30_days(account: Account, parameters: dict[str, Any]) -> None:
    manager = account.client("secretsmanager")
    name = f"windowed-{'-'.join(map(str, parameters.values()))}"
    manager.create_secret(Name=name, SecretString="s")
    error = refused(manager, "delete_secret", SecretId=name, **parameters)
    assert error == ("InvalidParameterException", 400)


# --- keys ---


@pytest.fixture(scope="module")
def pending(account: Account) -> str:
    """A key that waits for its deletion, which an object and a secret were encrypted with."""
    kms = account.client("kms")
    key = make_key(account)
    kms.create_alias(AliasName="alias/pending", TargetKeyId=key)
    s3 = account.client("s3")
    make_bucket(account, "under-a-pending-key")
    sse = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key}
    s3.put_object(Bucket="under-a-pending-key", Key="k", Body=b"1", **sse)
    account.client("secretsmanager").create_secret(Name="under-a-pending-key", SecretString="s", KmsKeyId=key)
    kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    return key


@contract(
    "kms",
    "Using or changing a key that waits for its deletion: KMSInvalidStateException, HTTP 400",
    KEY_STATES,
)
@pytest.mark.parametrize(
    ("method", "parameters"),
    [
        ("encrypt", {"Plaintext": b"1"}),
        ("generate_data_key", {"KeySpec": "AES_256"}),
        ("enable_key", {}),
        ("disable_key", {}),
        ("enable_key_rotation", {}),
        ("schedule_key_deletion", {"PendingWindowInDays": 7}),
        ("tag_resource", {"Tags": [{"TagKey": "a", "TagValue": "1"}]}),
    ],
)
def test_a_key_that_waits_for_its_deletion_is_not_used(
    account: Account, pending: str, method: str, parameters: dict[str, Any]
) -> None:
    error = refused(account.client("kms"), method, KeyId=pending, **parameters)
    assert error == ("KMSInvalidStateException", 400)


@contract(
    "kms",
    "Decrypt without naming the key, which is waiting for its deletion: KMSInvalidStateException, HTTP 400",
    KEY_STATES,
)
def test_the_key_of_a_ciphertext_is_looked_at_too(account: Account) -> None:
    kms, key = account.client("kms"), make_key(account)
    blob = kms.encrypt(KeyId=key, Plaintext=b"1")["CiphertextBlob"]
    kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    assert refused(kms, "decrypt", CiphertextBlob=blob) == ("KMSInvalidStateException", 400)
    kms.cancel_key_deletion(KeyId=key)
    assert refused(kms, "decrypt", CiphertextBlob=blob) == ("DisabledException", 400)
    kms.enable_key(KeyId=key)
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"1"


@contract(
    "kms",
    "The alias of a key that waits for its deletion stays taken; no new alias may point to the key",
    "kms/latest/developerguide/deleting-keys.html",
)
def test_the_alias_of_a_pending_key_stays(account: Account, pending: str) -> None:
    kms = account.client("kms")
    assert kms.describe_key(KeyId="alias/pending")["KeyMetadata"]["Arn"] == pending
    other = {"AliasName": "alias/pending", "TargetKeyId": make_key(account)}
    assert refused(kms, "create_alias", **other) == ("AlreadyExistsException", 400)
    new = {"AliasName": "alias/new-for-pending", "TargetKeyId": pending}
    assert refused(kms, "create_alias", **new) == ("KMSInvalidStateException", 400)


@contract(
    "kms",
    "ScheduleKeyDeletion with a window other than 7 to 30 days: ValidationException, HTTP 400",
    "kms/latest/APIReference/API_ScheduleKeyDeletion.html",
)
@pytest.mark.parametrize("days", [6, 31])
def test_a_key_waits_7_to_30_days(account: Account, days: int) -> None:
    parameters = {"KeyId": make_key(account), "PendingWindowInDays": days}
    error = refused(account.client("kms"), "schedule_key_deletion", **parameters)
    assert error == ("ValidationException", 400)


@contract("kms", "Using a disabled key: DisabledException, HTTP 400", KEY_STATES)
def test_a_disabled_key_is_not_used(account: Account) -> None:
    kms, key = account.client("kms"), make_key(account)
    kms.disable_key(KeyId=key)
    assert refused(kms, "encrypt", KeyId=key, Plaintext=b"1") == ("DisabledException", 400)


@contract(
    "s3",
    "Reading or writing an object whose key waits for its deletion: KMS.KMSInvalidStateException, HTTP 400",
    UNUSABLE_KEYS,
)
def test_objects_need_their_key(account: Account, pending: str) -> None:
    s3 = account.client("s3")
    error = refused(s3, "get_object", Bucket="under-a-pending-key", Key="k")
    assert error == ("KMS.KMSInvalidStateException", 400)
    sse = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": pending}
    error = refused(s3, "put_object", Bucket="under-a-pending-key", Key="new", Body=b"1", **sse)
    assert error == ("KMS.KMSInvalidStateException", 400)


@contract(
    "secretsmanager",
    "Reading or writing a secret whose key waits for its deletion: DecryptionFailure, "
    "EncryptionFailure, HTTP 400",
    f"{SECRETS}/API_GetSecretValue.html",
)
def test_secrets_need_their_key(account: Account, pending: str) -> None:
    manager = account.client("secretsmanager")
    secret = {"SecretId": "under-a-pending-key"}
    assert refused(manager, "get_secret_value", **secret) == ("DecryptionFailure", 400)
    error = refused(manager, "put_secret_value", **secret, SecretString="x")
    assert error == ("EncryptionFailure", 400)
    new = {"Name": "new-under-a-pending-key", "SecretString": "s", "KmsKeyId": pending}
    assert refused(manager, "create_secret", **new) == ("EncryptionFailure", 400)


@contract(
    "rds",
    "CreateDBInstance under a key that waits for its deletion: KMSKeyNotAccessibleFault, HTTP 400",
    f"{RDS}/API_CreateDBInstance.html",
)
def test_databases_need_their_key(account: Account, pending: str) -> None:
    parameters = {
        "DBInstanceIdentifier": "under-a-pending-key",
        "DBInstanceClass": "db.t4g.micro",
        "Engine": "postgres",
        "AllocatedStorage": 20,
        "MasterUsername": "administrator",
        "ManageMasterUserPassword": True,
        "StorageEncrypted": True,
        "KmsKeyId": pending,
    }
    error = refused(account.client("rds"), "create_db_instance", **parameters)
    assert error == ("KMSKeyNotAccessibleFault", 400)


@contract(
    "logs",
    "CreateLogGroup under a key whose policy does not let CloudWatch Logs use it: "
    "AccessDeniedException, HTTP 400",
    "AmazonCloudWatch/latest/logs/encrypt-log-data-kms.html",
)
def test_log_groups_need_a_key_that_lets_the_service_in(account: Account, pending: str) -> None:
    logs = account.client("logs")
    for key in (pending, make_key(account)):
        error = refused(logs, "create_log_group", logGroupName="/sealed", kmsKeyId=key)
        assert error == ("AccessDeniedException", 400)
    arn = f"arn:aws:logs:{REGION}:123456789012:log-group:/sealed"
    opened = document(
        allow("kms:*", Principal={"AWS": "arn:aws:iam::123456789012:root"}),
        allow(
            ["kms:Encrypt", "kms:Decrypt", "kms:GenerateDataKey*"],
            Principal={"Service": f"logs.{REGION}.amazonaws.com"},
            Condition={"ArnEquals": {"kms:EncryptionContext:aws:logs:arn": arn}},
        ),
    )
    key = make_key(account, Policy=opened)
    error = refused(logs, "create_log_group", logGroupName="/another", kmsKeyId=key)
    assert error == ("AccessDeniedException", 400)
    logs.create_log_group(logGroupName="/sealed", kmsKeyId=key)


# --- networks ---


def network(account: Account, block: str) -> tuple[str, str]:
    ec2 = account.client("ec2")
    vpc = ec2.create_vpc(CidrBlock=block)["Vpc"]["VpcId"]
    return vpc, ec2.create_subnet(VpcId=vpc, CidrBlock=block)["Subnet"]["SubnetId"]


@contract(
    "ec2",
    "DeleteVpc with a subnet, security group, endpoint, route table or attached gateway: "
    "DependencyViolation, HTTP 400",
    "vpc/latest/userguide/delete-vpc.html",
)
@pytest.mark.parametrize("content", ["subnet", "group", "endpoint", "table", "gateway"])
def test_a_vpc_with_anything_in_it_stays(account: Account, content: str) -> None:
    ec2 = account.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.20.0.0/16")["Vpc"]["VpcId"]
    if content == "subnet":
        ec2.create_subnet(VpcId=vpc, CidrBlock="10.20.0.0/20")
    elif content == "group":
        ec2.create_security_group(GroupName="inside", Description="d", VpcId=vpc)
    elif content == "endpoint":
        ec2.create_vpc_endpoint(
            VpcId=vpc, ServiceName=f"com.amazonaws.{REGION}.s3", VpcEndpointType="Gateway"
        )
    elif content == "table":
        ec2.create_route_table(VpcId=vpc)
    else:
        gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
        ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    assert refused(ec2, "delete_vpc", VpcId=vpc) == ("DependencyViolation", 400)


@contract(
    "ec2",
    "DeleteSubnet with a NAT gateway or interface endpoint in it: DependencyViolation, HTTP "
    "400; it goes once they are gone",
    "vpc/latest/userguide/subnet-deleting.html",
)
@pytest.mark.parametrize("content", ["nat", "endpoint"])
def test_a_subnet_with_interfaces_stays(account: Account, content: str) -> None:
    ec2 = account.client("ec2")
    vpc, subnet = network(account, "10.21.0.0/24")
    if content == "nat":
        made = ec2.create_nat_gateway(SubnetId=subnet, ConnectivityType="private")["NatGateway"][
            "NatGatewayId"
        ]
    else:
        made = ec2.create_vpc_endpoint(
            VpcId=vpc,
            ServiceName=f"com.amazonaws.{REGION}.sts",
            VpcEndpointType="Interface",
            SubnetIds=[subnet],
        )["VpcEndpoint"]["VpcEndpointId"]
    assert refused(ec2, "delete_subnet", SubnetId=subnet) == ("DependencyViolation", 400)
    if content == "nat":
        ec2.delete_nat_gateway(NatGatewayId=made)
    else:
        ec2.delete_vpc_endpoints(VpcEndpointIds=[made])
    ec2.delete_subnet(SubnetId=subnet)


@contract(
    "ec2",
    "DeleteSecurityGroup of a group that another's rules name: DependencyViolation; of the "
    "default group: CannotDelete, HTTP 400",
    "vpc/latest/userguide/deleting-security-groups.html",
)
def test_a_group_that_others_name_stays(account: Account) -> None:
    ec2 = account.client("ec2")
    vpc, _ = network(account, "10.22.0.0/24")
    named = ec2.create_security_group(GroupName="named", Description="d", VpcId=vpc)["GroupId"]
    naming = ec2.create_security_group(GroupName="naming", Description="d", VpcId=vpc)["GroupId"]
    rule = [{"IpProtocol": "tcp", "FromPort": 1, "ToPort": 1, "UserIdGroupPairs": [{"GroupId": named}]}]
    ec2.authorize_security_group_ingress(GroupId=naming, IpPermissions=rule)
    assert refused(ec2, "delete_security_group", GroupId=named) == ("DependencyViolation", 400)
    ec2.revoke_security_group_ingress(GroupId=naming, IpPermissions=rule)
    ec2.delete_security_group(GroupId=named)
    filters = [{"Name": "vpc-id", "Values": [vpc]}, {"Name": "group-name", "Values": ["default"]}]
    default = ec2.describe_security_groups(Filters=filters)["SecurityGroups"][0]["GroupId"]
    assert refused(ec2, "delete_security_group", GroupId=default) == ("CannotDelete", 400)


@contract(
    "ec2",
    "DeleteInternetGateway while attached, and detaching it under a public NAT gateway: "
    "DependencyViolation, HTTP 400",
    "vpc/latest/userguide/delete-igw.html",
)
def test_a_gateway_in_use_stays(account: Account) -> None:
    ec2 = account.client("ec2")
    vpc, subnet = network(account, "10.23.0.0/24")
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    attached = {"InternetGatewayId": gateway, "VpcId": vpc}
    ec2.attach_internet_gateway(**attached)
    assert refused(ec2, "delete_internet_gateway", InternetGatewayId=gateway) == ("DependencyViolation", 400)
    address = ec2.allocate_address(Domain="vpc")["AllocationId"]
    nat = ec2.create_nat_gateway(SubnetId=subnet, AllocationId=address)["NatGateway"]["NatGatewayId"]
    assert refused(ec2, "detach_internet_gateway", **attached) == ("DependencyViolation", 400)
    ec2.delete_nat_gateway(NatGatewayId=nat)
    ec2.detach_internet_gateway(**attached)
    ec2.delete_internet_gateway(InternetGatewayId=gateway)


@contract(
    "ec2",
    "ReleaseAddress of an address that a NAT gateway has: InvalidIPAddress.InUse, HTTP 400",
    f"{EC2}/errors-overview.html",
)
def test_an_address_in_use_stays(account: Account) -> None:
    ec2 = account.client("ec2")
    _, subnet = network(account, "10.24.0.0/24")
    address = ec2.allocate_address(Domain="vpc")["AllocationId"]
    nat = ec2.create_nat_gateway(SubnetId=subnet, AllocationId=address)["NatGateway"]["NatGatewayId"]
    assert refused(ec2, "release_address", AllocationId=address) == ("InvalidIPAddress.InUse", 400)
    ec2.delete_nat_gateway(NatGatewayId=nat)
    ec2.release_address(AllocationId=address)


@contract(
    "ec2",
    "DeleteSubnet and DeleteSecurityGroup under an instance: DependencyViolation, HTTP 400",
    f"{EC2}/errors-overview.html",
)
def test_the_network_of_an_instance_stays(account: Account) -> None:
    ec2 = account.client("ec2")
    vpc, subnet = network(account, "10.26.0.0/24")
    group = ec2.create_security_group(GroupName="of-an-instance", Description="d", VpcId=vpc)["GroupId"]
    parameters = {"MinCount": 1, "MaxCount": 1, "SubnetId": subnet, "SecurityGroupIds": [group]}
    error = refused(ec2, "run_instances", **parameters, ImageId="latest")
    assert error == ("InvalidAMIID.Malformed", 400)
    made = ec2.run_instances(**parameters, ImageId="ami-0123456789abcdef0")["Instances"][0]["InstanceId"]
    assert refused(ec2, "delete_subnet", SubnetId=subnet) == ("DependencyViolation", 400)
    assert refused(ec2, "delete_security_group", GroupId=group) == ("DependencyViolation", 400)
    ec2.terminate_instances(InstanceIds=[made])
    ec2.delete_security_group(GroupId=group)
    ec2.delete_subnet(SubnetId=subnet)


@contract(
    "ec2",
    "DeleteRouteTable with associations: DependencyViolation, HTTP 400",
    f"{EC2}/API_DeleteRouteTable.html",
)
def test_a_route_table_in_use_stays(account: Account) -> None:
    ec2 = account.client("ec2")
    vpc, subnet = network(account, "10.25.0.0/24")
    table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)
    assert refused(ec2, "delete_route_table", RouteTableId=table) == ("DependencyViolation", 400)


# --- roles and clusters ---


@contract(
    "iam",
    "DeleteRole with inline or attached policies, or in an instance profile: DeleteConflict, HTTP 409",
    f"{IAM}/API_DeleteRole.html",
)
@pytest.mark.parametrize("content", ["inline", "attached", "profile"])
def test_a_role_with_policies_or_profiles_stays(account: Account, content: str) -> None:
    iam, role = account.client("iam"), f"with-{content}"
    make_role(account, role, trust("ec2.amazonaws.com"))
    if content == "inline":
        iam.put_role_policy(RoleName=role, PolicyName="p", PolicyDocument=document(allow("s3:*")))
    elif content == "attached":
        iam.attach_role_policy(RoleName=role, PolicyArn="arn:aws:iam::aws:policy/ReadOnlyAccess")
    else:
        iam.create_instance_profile(InstanceProfileName=role)
        iam.add_role_to_instance_profile(InstanceProfileName=role, RoleName=role)
        error = refused(iam, "delete_instance_profile", InstanceProfileName=role)
        assert error == ("DeleteConflict", 409)
    assert refused(iam, "delete_role", RoleName=role) == ("DeleteConflict", 409)


@contract(
    "iam",
    "DeletePolicy while it is attached, a boundary, or has further versions: DeleteConflict, HTTP 409",
    f"{IAM}/API_DeletePolicy.html",
)
def test_a_policy_in_use_stays(account: Account) -> None:
    iam = account.client("iam")
    text = document(allow("s3:*"))
    arn = iam.create_policy(PolicyName="used", PolicyDocument=text)["Policy"]["Arn"]
    make_role(account, "policy-user", trust("ec2.amazonaws.com"))
    iam.attach_role_policy(RoleName="policy-user", PolicyArn=arn)
    assert refused(iam, "delete_policy", PolicyArn=arn) == ("DeleteConflict", 409)
    iam.detach_role_policy(RoleName="policy-user", PolicyArn=arn)
    iam.put_role_permissions_boundary(RoleName="policy-user", PermissionsBoundary=arn)
    assert refused(iam, "delete_policy", PolicyArn=arn) == ("DeleteConflict", 409)
    iam.delete_role_permissions_boundary(RoleName="policy-user")
    iam.create_policy_version(PolicyArn=arn, PolicyDocument=text)
    assert refused(iam, "delete_policy", PolicyArn=arn) == ("DeleteConflict", 409)
    iam.delete_policy_version(PolicyArn=arn, VersionId="v2")
    iam.delete_policy(PolicyArn=arn)


@contract(
    "eks",
    "DeleteCluster of a protected cluster: InvalidRequestException, HTTP 400",
    "eks/latest/userguide/deletion-protection.html",
)
def test_a_protected_cluster_stays(account: Account) -> None:
    eks = account.client("eks")
    role = make_role(account, "protected-cluster", trust("eks.amazonaws.com"))
    network_config = {"subnetIds": account.subnets()}
    eks.create_cluster(
        name="protected", roleArn=role, resourcesVpcConfig=network_config, deletionProtection=True
    )
    assert refused(eks, "delete_cluster", name="protected") == ("InvalidRequestException", 400)
    eks.update_cluster_config(name="protected", deletionProtection=False)
    eks.delete_cluster(name="protected")


@contract(
    "eks",
    "DeleteCluster with a node group: ResourceInUseException, HTTP 409",
    "eks/latest/APIReference/API_DeleteCluster.html",
)
def test_a_cluster_with_node_groups_stays(account: Account) -> None:
    eks = account.client("eks")
    role = make_role(account, "noded-cluster", trust("eks.amazonaws.com"))
    nodes = make_role(account, "nodes", trust("ec2.amazonaws.com"))
    subnets = account.subnets()
    eks.create_cluster(name="noded", roleArn=role, resourcesVpcConfig={"subnetIds": subnets})
    eks.create_nodegroup(clusterName="noded", nodegroupName="n", subnets=subnets, nodeRole=nodes)
    assert refused(eks, "delete_cluster", name="noded") == ("ResourceInUseException", 409)


@contract(
    "ec2",
    "DeleteSubnet and DeleteSecurityGroup under a cluster: DependencyViolation, HTTP 400",
    "eks/latest/userguide/network-reqs.html",
)
def test_the_network_of_a_cluster_stays(account: Account) -> None:
    ec2 = account.client("ec2")
    found = account.client("eks").describe_cluster(name=account.cluster())["cluster"]["resourcesVpcConfig"]
    assert refused(ec2, "delete_subnet", SubnetId=found["subnetIds"][0]) == ("DependencyViolation", 400)
    group = found["clusterSecurityGroupId"]
    assert refused(ec2, "delete_security_group", GroupId=group) == ("DependencyViolation", 400)


@contract(
    "eks",
    "CreateCluster with a role that EKS may not assume: InvalidParameterException, HTTP 400",
    "eks/latest/userguide/cluster-iam-role.html",
)
def test_a_clusters_role_trusts_eks(account: Account) -> None:
    subnets = {"subnetIds": account.subnets()}
    role = make_role(account, "not-for-clusters", trust("ec2.amazonaws.com"))
    for arn in (role, "arn:aws:iam::123456789012:role/missing"):
        parameters = {"name": "untrusted", "roleArn": arn, "resourcesVpcConfig": subnets}
        error = refused(account.client("eks"), "create_cluster", **parameters)
        assert error == ("InvalidParameterException", 400)


@contract(
    "eks",
    "CreatePodIdentityAssociation with a role that does not exist or does not trust pods: "
    "InvalidParameterException, HTTP 400",
    "eks/latest/userguide/pod-id-role.html",
)
def test_an_associated_role_trusts_pods(account: Account) -> None:
    role = make_role(account, "not-for-pods", trust("ec2.amazonaws.com"))
    for arn in (role, "arn:aws:iam::123456789012:role/missing"):
        parameters = {
            "clusterName": account.cluster(),
            "namespace": "n",
            "serviceAccount": "s",
            "roleArn": arn,
        }
        error = refused(account.client("eks"), "create_pod_identity_association", **parameters)
        assert error == ("InvalidParameterException", 400)


@contract(
    "eks",
    "What a deleted cluster still logs brings its log group back, unless the logs were off before",
    "eks/latest/userguide/control-plane-logs.html",
)
@pytest.mark.parametrize("turned_off", [False, True], ids=["on", "turned off"])
def test_the_log_group_of_a_deleted_cluster_comes_back(account: Account, turned_off: bool) -> None:
    from infra.cluster_guard import end_logs

    eks, logs = account.client("eks"), account.client("logs")
    name = f"logging-{turned_off}".lower()
    group = f"/aws/eks/{name}/cluster"
    role = make_role(account, name, trust("eks.amazonaws.com"))
    on = {"clusterLogging": [{"types": ["api", "audit"], "enabled": True}]}
    logs.create_log_group(logGroupName=group)
    network_config = {"subnetIds": account.subnets()}
    eks.create_cluster(name=name, roleArn=role, resourcesVpcConfig=network_config, logging=on)
    if turned_off:
        with pytest.MonkeyPatch.context() as patch:
            for variable, value in account.environment.items():
                patch.setenv(variable, value)
            end_logs(name, REGION)
            end_logs(name, REGION)
            end_logs("no-such-cluster", REGION)
    eks.delete_cluster(name=name)
    logs.delete_log_group(logGroupName=group)
    found = logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]
    assert [one["logGroupName"] for one in found] == ([] if turned_off else [group])
    if not turned_off:
        logs.delete_log_group(logGroupName=group)
        assert not logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]


@contract(
    "eks",
    "A private network in publicAccessCidrs: InvalidParameterException, HTTP 400",
    "eks/latest/userguide/cluster-endpoint.html",
)
def test_the_public_endpoint_sees_public_addresses_alone(account: Account) -> None:
    role = make_role(account, "public-endpoint", trust("eks.amazonaws.com"))
    network_config = {"subnetIds": account.subnets(), "publicAccessCidrs": ["10.0.0.0/16"]}
    parameters = {"name": "endpoint", "roleArn": role, "resourcesVpcConfig": network_config}
    assert refused(account.client("eks"), "create_cluster", **parameters) == (
        "InvalidParameterException",
        400,
    )


@contract(
    "eks",
    "CreateCluster with a subnet in a zone that EKS does not take: UnsupportedAvailabilityZoneException, "
    "HTTP 400",
    "eks/latest/userguide/network-reqs.html",
)
def test_a_cluster_is_not_made_in_every_zone(account: Account) -> None:
    region = "us-east-1"
    ec2, eks = account.client("ec2", region_name=region), account.client("eks", region_name=region)
    role = make_role(account, "zones", trust("eks.amazonaws.com"))
    vpc = ec2.create_vpc(CidrBlock="10.77.0.0/16")["Vpc"]["VpcId"]
    zones = ec2.describe_availability_zones()["AvailabilityZones"]
    [closed] = [zone["ZoneName"] for zone in zones if zone["ZoneId"] == "use1-az3"]
    opened = next(zone["ZoneName"] for zone in zones if zone["ZoneId"] != "use1-az3")
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.77.{number}.0/24", AvailabilityZone=zone)["Subnet"][
            "SubnetId"
        ]
        for number, zone in enumerate((opened, closed))
    ]
    parameters = {"name": "zoned", "roleArn": role, "resourcesVpcConfig": {"subnetIds": subnets}}
    assert refused(eks, "create_cluster", **parameters) == ("UnsupportedAvailabilityZoneException", 400)
