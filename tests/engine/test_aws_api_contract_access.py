"""Who may do what: policies, conditions, boundaries, resource policies and TLS, asked of the running API."""

from typing import Any

import boto3
import httpx
import pytest
from aws_api_server import ACCOUNT, REGION, Account, postgres_directory
from aws_contract import (
    DOCS,
    allow,
    can,
    document,
    make_bucket,
    make_key,
    make_role,
    message_of,
    refused,
    session,
    trust,
)
from botocore.config import Config

pytestmark = [
    pytest.mark.engine,
    pytest.mark.skipif(postgres_directory() is None, reason="no Postgres in /usr/lib/postgresql"),
]


def contract(service: str, behaviour: str, source: str) -> Any:
    return pytest.mark.contract(service, behaviour, f"{DOCS}/{source}")


CONDITIONS = "IAM/latest/UserGuide/reference_policies_condition-keys.html"
DENIED = ("AccessDeniedException", 400)


def deny(action: Any, resource: Any = "*", **more: Any) -> dict[str, Any]:
    return {**allow(action, resource, **more), "Effect": "Deny"}


def secret(account: Account, name: str, **options: Any) -> str:
    answer = account.client("secretsmanager").create_secret(Name=name, SecretString="s", **options)
    return str(answer["ARN"])


def acting(account: Account, role: str, service: str, *statements: dict[str, Any]) -> Any:
    """A client of a new role that may do exactly what these statements say."""
    arn = make_role(account, role)
    can(account, role, *statements)
    return account.client(service, **session(account, arn))


# --- identity policies ---


@contract(
    "iam",
    "A role reads the secrets its policy lists, and no other; what is not allowed is denied",
    "IAM/latest/UserGuide/reference_policies_evaluation-logic.html",
)
def test_a_role_does_what_its_policy_lists(account: Account) -> None:
    own, other = secret(account, "own/a"), secret(account, "other/a")
    base = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret"
    manager = acting(
        account, "lists", "secretsmanager", allow("secretsmanager:GetSecretValue", f"{base}:own/*")
    )
    assert manager.get_secret_value(SecretId=own)["SecretString"] == "s"
    assert refused(manager, "get_secret_value", SecretId=other) == DENIED
    assert refused(manager, "put_secret_value", SecretId=own, SecretString="x") == DENIED


@contract(
    "iam",
    "An explicit deny wins over every allow; NotResource and NotAction leave out what they name",
    "IAM/latest/UserGuide/reference_policies_evaluation-logic.html",
)
def test_a_deny_wins(account: Account) -> None:
    open_, closed = secret(account, "open"), secret(account, "closed")
    manager = acting(
        account, "denied", "secretsmanager", allow("secretsmanager:*"), deny("secretsmanager:Get*", closed)
    )
    assert manager.get_secret_value(SecretId=open_)["SecretString"] == "s"
    assert refused(manager, "get_secret_value", SecretId=closed) == DENIED
    can(
        account,
        "denied",
        allow("secretsmanager:*"),
        {"Effect": "Deny", "NotAction": "secretsmanager:DescribeSecret", "NotResource": open_},
    )
    assert manager.get_secret_value(SecretId=open_)["SecretString"] == "s"
    assert manager.describe_secret(SecretId=closed)["Name"] == "closed"
    assert refused(manager, "get_secret_value", SecretId=closed) == DENIED


@contract(
    "iam",
    "A permissions boundary limits what the role's policies allow, and allows nothing itself",
    "IAM/latest/UserGuide/access_policies_boundaries.html",
)
def test_a_boundary_limits(account: Account) -> None:
    iam = account.client("iam")
    inside = secret(account, "inside")
    boundary = iam.create_policy(
        PolicyName="bounds", PolicyDocument=document(allow("secretsmanager:DescribeSecret"))
    )["Policy"]["Arn"]
    role = make_role(account, "bounded", PermissionsBoundary=boundary)
    manager = account.client("secretsmanager", **session(account, role))
    assert refused(manager, "describe_secret", SecretId=inside) == DENIED
    can(account, "bounded", allow("secretsmanager:*"))
    assert manager.describe_secret(SecretId=inside)["Name"] == "inside"
    assert refused(manager, "get_secret_value", SecretId=inside) == DENIED
    assert "permissions boundary" in message_of(manager, "get_secret_value", SecretId=inside)


@contract(
    "iam",
    "CreateRole with a boundary that does not exist: NoSuchEntity, HTTP 404",
    "IAM/latest/APIReference/API_CreateRole.html",
)
def test_a_boundary_exists(account: Account) -> None:
    missing = f"arn:aws:iam::{ACCOUNT}:policy/missing"
    parameters = {"RoleName": "unbounded", "AssumeRolePolicyDocument": trust()}
    error = refused(account.client("iam"), "create_role", **parameters, PermissionsBoundary=missing)
    assert error == ("NoSuchEntity", 404)


@contract(
    "sts",
    "A session's own policy limits what the role's policies allow",
    "IAM/latest/UserGuide/access_policies.html#policies_session",
)
def test_a_session_policy_limits(account: Account) -> None:
    role = make_role(account, "narrowed")
    can(account, "narrowed", allow("secretsmanager:*"))
    inside = secret(account, "narrowed")
    policy = document(allow("secretsmanager:DescribeSecret"))
    manager = account.client("secretsmanager", **session(account, role, Policy=policy))
    assert manager.describe_secret(SecretId=inside)["Name"] == "narrowed"
    assert refused(manager, "get_secret_value", SecretId=inside) == DENIED


@contract(
    "iam",
    "Handing a role to a service needs iam:PassRole on the role, for that service",
    "IAM/latest/UserGuide/id_roles_use_passrole.html",
)
def test_a_role_is_passed_by_permission_alone(account: Account) -> None:
    passed = make_role(account, "passed", trust("pods.eks.amazonaws.com"))
    cluster = account.cluster()
    eks = acting(account, "passes", "eks", allow("eks:*"))
    call = {"clusterName": cluster, "namespace": "passed", "serviceAccount": "s", "roleArn": passed}
    denied = refused(eks, "create_pod_identity_association", **call)
    assert denied == ("AccessDeniedException", 403)
    to_pods = {"StringEquals": {"iam:PassedToService": "pods.eks.amazonaws.com"}}
    to_others = {"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}}
    can(account, "passes", allow("eks:*"), allow("iam:PassRole", passed, Condition=to_others))
    assert refused(eks, "create_pod_identity_association", **call) == denied
    can(account, "passes", allow("eks:*"), allow("iam:PassRole", passed, Condition=to_pods))
    eks.create_pod_identity_association(**call)


@contract(
    "iam",
    "CreateRole only with a boundary: iam:PermissionsBoundary in a condition",
    "IAM/latest/UserGuide/reference_policies_iam-condition-keys.html",
)
def test_a_deployer_makes_bounded_roles_alone(account: Account) -> None:
    boundary = account.client("iam").create_policy(
        PolicyName="for-roles", PolicyDocument=document(allow("s3:*"))
    )["Policy"]["Arn"]
    condition = {"StringEquals": {"iam:PermissionsBoundary": boundary}}
    iam = acting(account, "makes-roles", "iam", allow("iam:CreateRole", Condition=condition))
    parameters = {"RoleName": "made", "AssumeRolePolicyDocument": trust()}
    assert refused(iam, "create_role", **parameters) == ("AccessDenied", 403)
    iam.create_role(**parameters, PermissionsBoundary=boundary)


# --- conditions ---


@contract("iam", "aws:RequestTag and aws:TagKeys compare the tags of the request", CONDITIONS)
def test_tags_of_the_request(account: Account) -> None:
    tagged = {
        "StringEquals": {"aws:RequestTag/team": "data"},
        "ForAllValues:StringEquals": {"aws:TagKeys": ["team", "deployment"]},
    }
    actions = ["secretsmanager:CreateSecret", "secretsmanager:TagResource"]
    manager = acting(account, "tags", "secretsmanager", allow(actions, Condition=tagged))
    team, other = {"Key": "team", "Value": "data"}, {"Key": "colour", "Value": "red"}
    parameters = {"Name": "tagged", "SecretString": "s"}
    assert refused(manager, "create_secret", **parameters) == DENIED
    assert refused(manager, "create_secret", **parameters, Tags=[team, other]) == DENIED
    manager.create_secret(**parameters, Tags=[team])


def _tagged_secret(account: Account) -> tuple[str, str, dict[str, Any]]:
    secret(account, "of-data", Tags=[{"Key": "team", "Value": "data"}])
    return "secretsmanager", "describe_secret", {"SecretId": "of-data"}


def _tagged_key(account: Account) -> tuple[str, str, dict[str, Any]]:
    key = make_key(account, Tags=[{"TagKey": "team", "TagValue": "data"}])
    return "kms", "describe_key", {"KeyId": key}


def _tagged_group(account: Account) -> tuple[str, str, dict[str, Any]]:
    account.client("logs").create_log_group(logGroupName="/of-data", tags={"team": "data"})
    return "logs", "put_retention_policy", {"logGroupName": "/of-data", "retentionInDays": 1}


def _tagged_repository(account: Account) -> tuple[str, str, dict[str, Any]]:
    account.client("ecr").create_repository(repositoryName="of-data", tags=[{"Key": "team", "Value": "data"}])
    return "ecr", "list_images", {"repositoryName": "of-data"}


def _tagged_topic(account: Account) -> tuple[str, str, dict[str, Any]]:
    arn = account.client("sns").create_topic(Name="of-data", Tags=[{"Key": "team", "Value": "data"}])[
        "TopicArn"
    ]
    return "sns", "get_topic_attributes", {"TopicArn": arn}


def _tagged_role(account: Account) -> tuple[str, str, dict[str, Any]]:
    make_role(account, "of-data", Tags=[{"Key": "team", "Value": "data"}])
    return "iam", "get_role", {"RoleName": "of-data"}


def _tagged_vpc(account: Account) -> tuple[str, str, dict[str, Any]]:
    ec2 = account.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.30.0.0/16")["Vpc"]["VpcId"]
    ec2.create_tags(Resources=[vpc], Tags=[{"Key": "team", "Value": "data"}])
    return "ec2", "modify_vpc_attribute", {"VpcId": vpc, "EnableDnsHostnames": {"Value": True}}


def _tagged_parameter_group(account: Account) -> tuple[str, str, dict[str, Any]]:
    account.client("rds").create_db_parameter_group(
        DBParameterGroupName="of-data",
        DBParameterGroupFamily="postgres15",
        Description="d",
        Tags=[{"Key": "team", "Value": "data"}],
    )
    return "rds", "describe_db_parameters", {"DBParameterGroupName": "of-data"}


def _tagged_cluster(account: Account) -> tuple[str, str, dict[str, Any]]:
    name = account.cluster()
    arn = account.client("eks").describe_cluster(name=name)["cluster"]["arn"]
    account.client("eks").tag_resource(resourceArn=arn, tags={"team": "data"})
    return "eks", "describe_cluster", {"name": name}


@contract("iam", "aws:ResourceTag compares the tags that the resource has", CONDITIONS)
@pytest.mark.parametrize(
    "make",
    [
        _tagged_secret,
        _tagged_key,
        _tagged_group,
        _tagged_repository,
        _tagged_topic,
        _tagged_role,
        _tagged_vpc,
        _tagged_parameter_group,
        _tagged_cluster,
    ],
)
def test_tags_of_the_resource(account: Account, make: Any) -> None:
    service, method, parameters = make(account)
    role = f"by{make.__name__.replace('_', '-')}"
    client = acting(
        account, role, service, allow("*", Condition={"StringEquals": {"aws:ResourceTag/team": "other"}})
    )
    assert refused(client, method, **parameters)[0] in (
        "AccessDenied",
        "AccessDeniedException",
        "AuthorizationError",
        "UnauthorizedOperation",
    )
    can(account, role, allow("*", Condition={"StringEquals": {"aws:ResourceTag/team": "data"}}))
    getattr(client, method)(**parameters)


@contract(
    "iam", "aws:PrincipalTag compares the tags of the role, also as a variable in a resource", CONDITIONS
)
def test_tags_of_the_role(account: Account) -> None:
    secret(account, "teams/data/a")
    secret(account, "teams/web/a")
    role = make_role(account, "of-a-team", Tags=[{"Key": "team", "Value": "data"}])
    base = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret"
    can(
        account,
        "of-a-team",
        allow("secretsmanager:GetSecretValue", f"{base}:teams/${{aws:PrincipalTag/team}}/*"),
    )
    manager = account.client("secretsmanager", **session(account, role))
    assert manager.get_secret_value(SecretId="teams/data/a")["SecretString"] == "s"
    assert refused(manager, "get_secret_value", SecretId="teams/web/a") == DENIED


@contract("iam", "A condition operator or key that is not known is an error that names it", CONDITIONS)
@pytest.mark.parametrize(
    ("condition", "named"),
    [
        ({"StringEquals": {"aws:SourceVpce": "vpce-1"}}, "aws:SourceVpce"),
        ({"StringEqualsIfExists": {"s3:strange": "x"}}, "s3:strange"),
    ],
)
def test_what_is_not_known_is_named(account: Account, condition: Any, named: str) -> None:
    role = f"unknown-{named.replace(':', '-')}"
    sts = acting(account, role, "secretsmanager", allow("secretsmanager:*", Condition=condition))
    assert refused(sts, "describe_secret", SecretId="any") == ("NotImplemented", 501)
    assert named in message_of(sts, "describe_secret", SecretId="any")


# --- keys ---


@contract(
    "kms",
    "kms:ViaService lets a key be used through a service, and not directly",
    "kms/latest/developerguide/conditions-kms.html#conditions-kms-via-service",
)
def test_a_key_through_a_service(account: Account) -> None:
    key = make_key(account)
    sealed = secret(account, "sealed", KmsKeyId=key)
    via = {"StringEquals": {"kms:ViaService": f"secretsmanager.{REGION}.amazonaws.com"}}
    statements = [allow("secretsmanager:GetSecretValue", sealed), allow("kms:Decrypt", key, Condition=via)]
    role = make_role(account, "through-a-service")
    can(account, "through-a-service", *statements)
    credentials = session(account, role)
    manager, kms = account.client("secretsmanager", **credentials), account.client("kms", **credentials)
    assert manager.get_secret_value(SecretId=sealed)["SecretString"] == "s"
    blob = account.client("kms").encrypt(KeyId=key, Plaintext=b"1")["CiphertextBlob"]
    assert refused(kms, "decrypt", CiphertextBlob=blob, KeyId=key) == DENIED
    elsewhere = {"StringEquals": {"kms:ViaService": f"s3.{REGION}.amazonaws.com"}}
    can(account, "through-a-service", statements[0], allow("kms:Decrypt", key, Condition=elsewhere))
    assert refused(manager, "get_secret_value", SecretId=sealed) == DENIED


@contract(
    "kms",
    "kms:EncryptionContext compares the context of the request, and the one that a service uses",
    "kms/latest/developerguide/conditions-kms.html#conditions-kms-encryption-context",
)
def test_a_key_for_a_context(account: Account) -> None:
    key = make_key(account)
    condition = {"StringEquals": {"kms:EncryptionContext:team": "data"}}
    kms = acting(account, "in-a-context", "kms", allow("kms:Encrypt", key, Condition=condition))
    parameters = {"KeyId": key, "Plaintext": b"1"}
    assert refused(kms, "encrypt", **parameters) == DENIED
    assert refused(kms, "encrypt", **parameters, EncryptionContext={"team": "web"}) == DENIED
    kms.encrypt(**parameters, EncryptionContext={"team": "data"})
    sealed = secret(account, "in-a-context", KmsKeyId=key)
    of_secret = {"StringEquals": {"kms:EncryptionContext:SecretARN": sealed}}
    role = make_role(account, "of-a-secret")
    can(account, "of-a-secret", allow("secretsmanager:*"), allow("kms:Decrypt", key, Condition=of_secret))
    manager = account.client("secretsmanager", **session(account, role))
    assert manager.get_secret_value(SecretId=sealed)["SecretString"] == "s"
    other = secret(account, "in-another-context", KmsKeyId=key)
    assert refused(manager, "get_secret_value", SecretId=other) == DENIED


@contract(
    "s3",
    "Objects under a KMS key need kms:Decrypt to read, and kms:GenerateDataKey to write, "
    "besides S3's permissions",
    "AmazonS3/latest/userguide/UsingKMSEncryption.html",
)
def test_objects_under_a_key_need_the_key(account: Account) -> None:
    s3, key = account.client("s3"), make_key(account)
    bucket = make_bucket(account, "under-an-own-key")
    default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}
    s3.put_bucket_encryption(
        Bucket=bucket,
        ServerSideEncryptionConfiguration={"Rules": [{"ApplyServerSideEncryptionByDefault": default}]},
    )
    s3.put_object(Bucket=bucket, Key="k", Body=b"1")
    objects = allow(["s3:GetObject", "s3:PutObject"], f"arn:aws:s3:::{bucket}/*")
    worker = acting(account, "under-an-own-key", "s3", objects)
    read, write = {"Bucket": bucket, "Key": "k"}, {"Bucket": bucket, "Key": "new", "Body": b"2"}
    assert refused(worker, "get_object", **read) == ("AccessDenied", 403)
    assert refused(worker, "put_object", **write) == ("AccessDenied", 403)
    can(account, "under-an-own-key", objects, allow("kms:Decrypt", key))
    assert worker.get_object(**read)["Body"].read() == b"1"
    assert refused(worker, "put_object", **write) == ("AccessDenied", 403)
    can(account, "under-an-own-key", objects, allow(["kms:Decrypt", "kms:GenerateDataKey"], key))
    worker.put_object(**write)
    can(account, "under-an-own-key", objects, allow("kms:GenerateDataKey", key))
    upload = refused(worker, "create_multipart_upload", Bucket=bucket, Key="parts")
    assert upload == ("AccessDenied", 403)  # its parts have to be opened again


@contract(
    "kms",
    "A key policy decides: without a statement for the account, no identity policy opens the key",
    "kms/latest/developerguide/key-policy-overview.html",
)
def test_a_key_policy_decides(account: Account) -> None:
    role = make_role(account, "keyless")
    can(account, "keyless", allow("kms:*"))
    deployer = account.client("sts").get_caller_identity()["Arn"]
    key = make_key(account, Policy=document(allow("kms:*", Principal={"AWS": deployer})))
    kms = account.client("kms", **session(account, role))
    assert refused(kms, "encrypt", KeyId=key, Plaintext=b"1") == DENIED
    account.client("kms").encrypt(KeyId=key, Plaintext=b"1")


@contract(
    "kms",
    "A key policy that names nobody real, or that nobody could change: "
    "MalformedPolicyDocumentException, HTTP 400",
    "kms/latest/APIReference/API_CreateKey.html",
)
@pytest.mark.parametrize(
    "statement",
    [
        allow("kms:*", Principal={"AWS": f"arn:aws:iam::{ACCOUNT}:role/missing"}),
        allow("kms:Decrypt", Principal={"AWS": f"arn:aws:iam::{ACCOUNT}:root"}),
    ],
)
def test_a_key_policy_makes_sense(account: Account, statement: dict[str, Any]) -> None:
    error = refused(account.client("kms"), "create_key", Policy=document(statement))
    assert error == ("MalformedPolicyDocumentException", 400)


# --- buckets ---


def https_only(bucket: str) -> dict[str, Any]:
    arn = f"arn:aws:s3:::{bucket}"
    plain = {"Bool": {"aws:SecureTransport": "false"}}
    return deny("s3:*", [arn, f"{arn}/*"], Principal={"AWS": "*"}, Condition=plain)


def plain_client(account: Account, **credentials: str) -> Any:
    """S3 without TLS."""
    if not credentials:
        from embedded.aws_api.deployer import deployer_credentials

        own = deployer_credentials(account.identity)
        credentials = {
            "aws_access_key_id": own.access_key_id,
            "aws_secret_access_key": own.secret_access_key,
        }
    return boto3.client(
        "s3", region_name=REGION, endpoint_url=account.identity.aws_plain_endpoint_url, **credentials
    )


@contract(
    "s3",
    "A TLS-only bucket policy: https passes, http is refused with AccessDenied, HTTP 403, "
    "even for administrators",
    "AmazonS3/latest/userguide/example-bucket-policies.html#example-bucket-policies-HTTP-HTTPS",
)
def test_a_bucket_over_tls_alone(account: Account) -> None:
    s3, plain = account.client("s3"), plain_client(account)
    bucket = make_bucket(account, "tls-alone")
    s3.put_object(Bucket=bucket, Key="k", Body=b"1")
    # Before the policy, S3 answers without TLS: what follows is the policy's doing.
    assert plain.get_object(Bucket=bucket, Key="k")["Body"].read() == b"1"
    s3.put_bucket_policy(Bucket=bucket, Policy=document(https_only(bucket)))
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"1"
    assert refused(plain, "get_object", Bucket=bucket, Key="k") == ("AccessDenied", 403)
    assert refused(plain, "put_object", Bucket=bucket, Key="k", Body=b"2") == ("AccessDenied", 403)
    assert refused(plain, "list_objects_v2", Bucket=bucket) == ("AccessDenied", 403)
    assert refused(plain, "delete_bucket_policy", Bucket=bucket) == ("AccessDenied", 403)


@contract("sts", "Services other than S3 answer over TLS alone", "general/latest/gr/sts.html")
def test_only_s3_answers_without_tls(account: Account) -> None:
    credentials = session(account, make_role(account, "over-http"))
    sts = boto3.client(
        "sts",
        region_name=REGION,
        endpoint_url=account.identity.aws_plain_endpoint_url,
        config=Config(retries={"max_attempts": 1}),
        **credentials,
    )
    with pytest.raises(Exception, match="SecureTransportRequired"):
        sts.get_caller_identity()
    assert httpx.get(account.identity.aws_plain_endpoint_url).status_code == 403


@contract(
    "s3",
    "A new bucket blocks public access, has no ACLs and encrypts by S3's keys",
    "AmazonS3/latest/userguide/create-bucket-faq.html",
)
def test_a_new_bucket_is_closed(account: Account) -> None:
    s3, bucket = account.client("s3"), make_bucket(account, "new-and-closed")
    block = s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
    assert set(block.values()) == {True}
    rules = s3.get_bucket_ownership_controls(Bucket=bucket)["OwnershipControls"]["Rules"]
    assert rules == [{"ObjectOwnership": "BucketOwnerEnforced"}]
    encryption = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"][0]
    assert encryption["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"


@contract(
    "s3",
    "A public bucket policy under BlockPublicPolicy: AccessDenied, HTTP 403",
    "AmazonS3/latest/userguide/access-control-block-public-access.html",
)
def test_a_public_policy_is_blocked(account: Account) -> None:
    s3, bucket = account.client("s3"), make_bucket(account, "no-public-policy")
    everybody = allow("s3:GetObject", f"arn:aws:s3:::{bucket}/*", Principal="*")
    error = refused(s3, "put_bucket_policy", Bucket=bucket, Policy=document(everybody))
    assert error == ("AccessDenied", 403)
    narrowed = {**everybody, "Condition": {"StringEquals": {"aws:PrincipalAccount": ACCOUNT}}}
    s3.put_bucket_policy(Bucket=bucket, Policy=document(narrowed))
    s3.put_bucket_policy(Bucket=bucket, Policy=document(https_only(bucket)))
    s3.delete_public_access_block(Bucket=bucket)
    s3.put_bucket_policy(Bucket=bucket, Policy=document(everybody))


@contract(
    "s3",
    "A bucket policy for another bucket, or for nobody real: MalformedPolicy, HTTP 400",
    "AmazonS3/latest/API/API_PutBucketPolicy.html",
)
def test_a_bucket_policy_makes_sense(account: Account) -> None:
    s3, bucket = account.client("s3"), make_bucket(account, "sensible-policy")
    account_root = {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}
    missing = {"AWS": f"arn:aws:iam::{ACCOUNT}:role/missing"}
    for statement in (
        allow("s3:GetObject", "arn:aws:s3:::another/*", Principal=account_root),
        allow("s3:GetObject", f"arn:aws:s3:::{bucket}/*", Principal=missing),
    ):
        error = refused(s3, "put_bucket_policy", Bucket=bucket, Policy=document(statement))
        assert error == ("MalformedPolicy", 400)


@contract(
    "s3",
    "ACLs where the bucket's owner owns all objects: AccessControlListNotSupported, HTTP 400",
    "AmazonS3/latest/userguide/about-object-ownership.html",
)
def test_acls_are_not_supported(account: Account) -> None:
    s3, bucket = account.client("s3"), make_bucket(account, "without-acls")
    error = refused(s3, "put_bucket_acl", Bucket=bucket, ACL="public-read")
    assert error == ("AccessControlListNotSupported", 400)
    error = refused(s3, "put_object", Bucket=bucket, Key="k", Body=b"1", ACL="public-read")
    assert error == ("AccessControlListNotSupported", 400)
    s3.put_object(Bucket=bucket, Key="k", Body=b"1", ACL="bucket-owner-full-control")


@contract(
    "s3",
    "s3:prefix limits listing; s3:x-amz-server-side-encryption demands encryption by header",
    "AmazonS3/latest/userguide/amazon-s3-policy-keys.html",
)
def test_conditions_of_s3(account: Account) -> None:
    s3, bucket = account.client("s3"), make_bucket(account, "with-conditions")
    arn = f"arn:aws:s3:::{bucket}"
    listing = allow("s3:ListBucket", arn, Condition={"StringLike": {"s3:prefix": ["dags/*"]}})
    writing = allow("s3:PutObject", f"{arn}/*")
    client = acting(account, "with-conditions", "s3", listing, writing)
    client.list_objects_v2(Bucket=bucket, Prefix="dags/a")
    assert refused(client, "list_objects_v2", Bucket=bucket) == ("AccessDenied", 403)
    assert refused(client, "list_objects_v2", Bucket=bucket, Prefix="logs/") == ("AccessDenied", 403)
    other = {"StringNotEqualsIfExists": {"s3:x-amz-server-side-encryption": "aws:kms"}}
    absent = {"Null": {"s3:x-amz-server-side-encryption": "true"}}
    for condition in (other, absent):
        s3.put_bucket_policy(
            Bucket=bucket,
            Policy=document(deny("s3:PutObject", f"{arn}/*", Principal="*", Condition=condition)),
        )
        put = {"Bucket": bucket, "Key": "k", "Body": b"1"}
        assert refused(client, "put_object", **put) == ("AccessDenied", 403)
        if condition is other:
            error = refused(client, "put_object", **put, ServerSideEncryption="AES256")
            assert error == ("AccessDenied", 403)


# --- secrets, trust ---


@contract(
    "secretsmanager",
    "A secret's own policy denies even administrators, and lets roles in that have no policy",
    "secretsmanager/latest/userguide/auth-and-access_resource-policies.html",
)
def test_a_secret_with_a_policy(account: Account) -> None:
    manager = account.client("secretsmanager")
    name = secret(account, "with-a-policy")
    role = make_role(account, "let-in")
    policy = document(allow("secretsmanager:GetSecretValue", Principal={"AWS": role}))
    manager.put_resource_policy(SecretId=name, ResourcePolicy=policy)
    reader = account.client("secretsmanager", **session(account, role))
    assert reader.get_secret_value(SecretId=name)["SecretString"] == "s"
    closed = document(deny("secretsmanager:GetSecretValue", Principal="*"))
    manager.put_resource_policy(SecretId=name, ResourcePolicy=closed)
    assert refused(reader, "get_secret_value", SecretId=name) == DENIED
    assert refused(manager, "get_secret_value", SecretId=name) == DENIED


@contract(
    "iam",
    "A trust policy for a role or user that does not exist: MalformedPolicyDocument, HTTP 400",
    "IAM/latest/UserGuide/reference_policies_elements_principal.html",
)
def test_a_trust_policy_names_who_exists(account: Account) -> None:
    text = trust(arn=f"arn:aws:iam::{ACCOUNT}:role/missing")
    parameters = {"RoleName": "trusts-nobody", "AssumeRolePolicyDocument": text}
    error = refused(account.client("iam"), "create_role", **parameters)
    assert error == ("MalformedPolicyDocument", 400)


@contract(
    "sts",
    "AssumeRole parameters that are not emulated are refused by name",
    "STS/latest/APIReference/API_AssumeRole.html",
)
def test_session_tags_are_refused_by_name(account: Account) -> None:
    parameters = {"RoleArn": make_role(account, "tagging"), "RoleSessionName": "session"}
    tags = [{"Key": "a", "Value": "1"}]
    assert refused(account.client("sts"), "assume_role", **parameters, Tags=tags) == ("NotImplemented", 501)
