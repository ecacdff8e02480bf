"""What a request needs besides the right to its own operation: tags of what it makes, keys, secrets."""

from typing import Any

import pytest
from aws_api_server import ACCOUNT, REGION, Account, postgres_directory
from aws_contract import DOCS, allow, can, make_key, make_role, refused, session, trust

pytestmark = [
    pytest.mark.engine,
    pytest.mark.skipif(postgres_directory() is None, reason="no Postgres in /usr/lib/postgresql"),
]

AUTHORIZATION = f"{DOCS}/service-authorization/latest/reference"
PAIRS = [{"Key": "team", "Value": "data"}]
# Service, call, its parameters with tags, and the action that tags.
TAGGED: list[tuple[str, str, dict[str, Any], str]] = [
    (
        "iam",
        "create_role",
        {"RoleName": "r", "AssumeRolePolicyDocument": trust(), "Tags": PAIRS},
        "iam:TagRole",
    ),
    ("kms", "create_key", {"Tags": [{"TagKey": "team", "TagValue": "data"}]}, "kms:TagResource"),
    ("logs", "create_log_group", {"logGroupName": "/t", "tags": {"team": "data"}}, "logs:TagResource"),
    (
        "rds",
        "create_db_parameter_group",
        {
            "DBParameterGroupName": "t",
            "DBParameterGroupFamily": "postgres15",
            "Description": "d",
            "Tags": PAIRS,
        },
        "rds:AddTagsToResource",
    ),
    (
        "secretsmanager",
        "create_secret",
        {"Name": "t", "SecretString": "s", "Tags": PAIRS},
        "secretsmanager:TagResource",
    ),
    ("sns", "create_topic", {"Name": "t", "Tags": PAIRS}, "sns:TagResource"),
    ("ecr", "create_repository", {"repositoryName": "tags", "tags": PAIRS}, "ecr:TagResource"),
    (
        "ec2",
        "create_vpc",
        {"CidrBlock": "10.31.0.0/16", "TagSpecifications": [{"ResourceType": "vpc", "Tags": PAIRS}]},
        "ec2:CreateTags",
    ),
]


def acting(account: Account, role: str, service: str, *statements: dict[str, Any]) -> Any:
    """A client of a new role that may do exactly what these statements say."""
    arn = make_role(account, role)
    can(account, role, *statements)
    return account.client(service, **session(account, arn))


@pytest.mark.contract(
    "iam",
    "To tag what is made with its creation needs the service's tagging action too, also where the service's "
    "creating action is allowed",
    f"{DOCS}/IAM/latest/UserGuide/access_tags.html",
)
@pytest.mark.parametrize(("service", "method", "parameters", "action"), TAGGED, ids=lambda one: str(one)[:20])
def test_tags_at_creation_need_their_own_right(
    account: Account, service: str, method: str, parameters: dict[str, Any], action: str
) -> None:
    everything_else = {"Effect": "Allow", "NotAction": action, "Resource": "*"}
    role = f"tags-at-creation-{service}"
    client = acting(account, role, service, everything_else)
    code, _ = refused(client, method, **parameters)
    assert code in ("AccessDenied", "AccessDeniedException", "AuthorizationError", "UnauthorizedOperation")
    can(account, role, everything_else, allow(action))
    getattr(client, method)(**parameters)


@pytest.mark.contract(
    "ec2",
    "ec2:CreateAction is the operation that makes what is tagged; CreateTags by itself has none",
    f"{DOCS}/AWSEC2/latest/UserGuide/supported-iam-actions-tagging.html",
)
def test_tags_are_allowed_for_what_is_being_made_alone(account: Account) -> None:
    making = {"StringEquals": {"ec2:CreateAction": "CreateVpc"}}
    statements = (allow("ec2:CreateVpc"), allow("ec2:CreateTags", Condition=making))
    client = acting(account, "tags-while-making", "ec2", *statements)
    tagged = {"TagSpecifications": [{"ResourceType": "vpc", "Tags": PAIRS}]}
    vpc = client.create_vpc(CidrBlock="10.32.0.0/16", **tagged)["Vpc"]["VpcId"]
    denied = refused(client, "create_tags", Resources=[vpc], Tags=PAIRS)
    assert denied == ("UnauthorizedOperation", 403)


@pytest.mark.contract(
    "rds",
    "CreateDBInstance with a key and a managed master password needs grants on the key and the right to "
    "make the secret, of the caller",
    f"{DOCS}/AmazonRDS/latest/UserGuide/rds-secrets-manager.html",
)
def test_an_encrypted_database_needs_the_rights_that_rds_uses_for_the_caller(account: Account) -> None:
    key = make_key(account)
    grant = {"Bool": {"kms:GrantIsForAWSResource": "true"}}
    through = {"StringEquals": {"kms:ViaService": f"secretsmanager.{REGION}.amazonaws.com"}}
    secret = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:rds!db-*"
    rights = [
        allow("kms:DescribeKey", key),
        allow("kms:CreateGrant", key, Condition=grant),
        allow(["kms:Decrypt", "kms:GenerateDataKey"], key, Condition=through),
        allow(["secretsmanager:CreateSecret", "secretsmanager:TagResource"], secret),
    ]
    rds = acting(account, "makes-databases", "rds", allow("rds:*"), *rights)
    call = {
        "DBInstanceIdentifier": "of-rights",
        "DBInstanceClass": "db.t4g.micro",
        "Engine": "postgres",
        "AllocatedStorage": 20,
        "MasterUsername": "administrator",
        "ManageMasterUserPassword": True,
        "MasterUserSecretKmsKeyId": key,
        "StorageEncrypted": True,
        "KmsKeyId": key,
    }
    for left_out in rights:
        can(account, "makes-databases", allow("rds:*"), *(one for one in rights if one is not left_out))
        assert refused(rds, "create_db_instance", **call)[0] == "AccessDenied", left_out
    can(account, "makes-databases", allow("rds:*"), *rights)
    rds.create_db_instance(**call)
    account.instance("of-rights")
    rds.delete_db_instance(DBInstanceIdentifier="of-rights", SkipFinalSnapshot=True)


@pytest.mark.contract(
    "ec2",
    "A rule needs rights on the group it is in; the group that it names as its source needs none",
    f"{AUTHORIZATION}/list_amazonec2.html",
)
def test_a_rule_needs_rights_on_its_own_group(account: Account) -> None:
    ec2 = account.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.33.0.0/16")["Vpc"]["VpcId"]
    groups = [
        ec2.create_security_group(GroupName=name, Description="d", VpcId=vpc)["GroupId"]
        for name in ("inner", "source")
    ]
    base = f"arn:aws:ec2:{REGION}:{ACCOUNT}"
    action = "ec2:AuthorizeSecurityGroupIngress"
    client = acting(
        account,
        "makes-rules",
        "ec2",
        allow(action, [f"{base}:security-group/{groups[0]}", f"{base}:security-group-rule/*"]),
    )

    def rule(source: str) -> list[dict[str, Any]]:
        pairs = [{"GroupId": source}]
        return [{"IpProtocol": "tcp", "FromPort": 1, "ToPort": 1, "UserIdGroupPairs": pairs}]

    method = "authorize_security_group_ingress"
    denied = refused(client, method, GroupId=groups[1], IpPermissions=rule(groups[0]))
    assert denied == ("UnauthorizedOperation", 403)
    client.authorize_security_group_ingress(GroupId=groups[0], IpPermissions=rule(groups[1]))


@pytest.mark.contract(
    "cloudwatch",
    "Dashboards and repositories are granted by name: rights on one are none on another",
    f"{AUTHORIZATION}/list_amazoncloudwatch.html",
)
def test_a_dashboard_and_a_repository_are_granted_by_name(account: Account) -> None:
    dashboard = f"arn:aws:cloudwatch::{ACCOUNT}:dashboard/mine"
    # Tags of other things in the same policies are no matter of a dashboard.
    tagged = allow("cloudwatch:DeleteAlarms", Condition={"StringEquals": {"aws:ResourceTag/team": "data"}})
    statements = (allow("cloudwatch:PutDashboard", dashboard), tagged)
    client = acting(account, "has-a-dashboard", "cloudwatch", *statements)
    client.put_dashboard(DashboardName="mine", DashboardBody='{"widgets": []}')
    code, _ = refused(client, "put_dashboard", DashboardName="yours", DashboardBody='{"widgets": []}')
    assert code == "AccessDenied"
    for name in ("rights-mine", "rights-yours"):
        account.client("ecr").create_repository(repositoryName=name)
    mine = f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/rights-mine"
    registry = acting(account, "has-a-repository", "ecr", allow("ecr:DescribeRepositories", mine))
    assert registry.describe_repositories(repositoryNames=["rights-mine"])["repositories"]
    assert refused(registry, "describe_repositories", repositoryNames=["rights-yours"])[1] == 400
