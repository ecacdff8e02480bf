"""Names that exist, and names that no service takes: AWS's own error for each, with its HTTP status."""

from typing import Any

import pytest
from aws_api_server import REGION, Account, postgres_directory
from aws_contract import DOCS, make_bucket, make_key, make_role, refused, trust

pytestmark = [
    pytest.mark.engine,
    pytest.mark.skipif(postgres_directory() is None, reason="no Postgres in /usr/lib/postgresql"),
]


def contract(service: str, behaviour: str, source: str) -> Any:
    return pytest.mark.contract(service, behaviour, f"{DOCS}/{source}")


def exists(service: str, method: str, code: str, status: int, source: str, **parameters: Any) -> Any:
    """A case of a call that is made twice."""
    operation = "".join(word.capitalize() for word in method.split("_"))
    behaviour = f"{operation} of a name that exists: {code}, HTTP {status}"
    mark = contract(service, behaviour, source)
    return pytest.param(service, method, parameters, (code, status), marks=mark, id=f"{service}-{method}")


RDS = "AmazonRDS/latest/APIReference"
IAM = "IAM/latest/APIReference"
EKS = "eks/latest/APIReference"
DATABASE = {
    "DBInstanceIdentifier": "twice",
    "DBInstanceClass": "db.t4g.micro",
    "Engine": "postgres",
    "AllocatedStorage": 20,
    "MasterUsername": "administrator",
    "ManageMasterUserPassword": True,
}


@pytest.mark.parametrize(
    ("service", "method", "parameters", "error"),
    [
        exists("eks", "create_cluster", "ResourceInUseException", 409, f"{EKS}/API_CreateCluster.html"),
        exists(
            "rds", "create_db_instance", "DBInstanceAlreadyExists", 400, f"{RDS}/API_CreateDBInstance.html"
        ),
        exists(
            "rds",
            "create_db_subnet_group",
            "DBSubnetGroupAlreadyExists",
            400,
            f"{RDS}/API_CreateDBSubnetGroup.html",
        ),
        exists(
            "rds",
            "create_db_parameter_group",
            "DBParameterGroupAlreadyExists",
            400,
            f"{RDS}/API_CreateDBParameterGroup.html",
            DBParameterGroupName="twice",
            DBParameterGroupFamily="postgres15",
            Description="d",
        ),
        exists(
            "s3",
            "create_bucket",
            "BucketAlreadyOwnedByYou",
            409,
            "AmazonS3/latest/API/API_CreateBucket.html",
            Bucket="named-twice",
            CreateBucketConfiguration={"LocationConstraint": REGION},
        ),
        exists(
            "iam",
            "create_role",
            "EntityAlreadyExists",
            409,
            f"{IAM}/API_CreateRole.html",
            RoleName="twice",
            AssumeRolePolicyDocument=trust("ec2.amazonaws.com"),
        ),
        exists(
            "iam",
            "create_policy",
            "EntityAlreadyExists",
            409,
            f"{IAM}/API_CreatePolicy.html",
            PolicyName="twice",
            PolicyDocument='{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}',
        ),
        exists(
            "iam",
            "create_instance_profile",
            "EntityAlreadyExists",
            409,
            f"{IAM}/API_CreateInstanceProfile.html",
            InstanceProfileName="twice",
        ),
        exists(
            "kms",
            "create_alias",
            "AlreadyExistsException",
            400,
            "kms/latest/APIReference/API_CreateAlias.html",
        ),
        exists(
            "secretsmanager",
            "create_secret",
            "ResourceExistsException",
            400,
            "secretsmanager/latest/apireference/API_CreateSecret.html",
            Name="twice",
            SecretString="s",
        ),
        exists(
            "logs",
            "create_log_group",
            "ResourceAlreadyExistsException",
            400,
            "AmazonCloudWatchLogs/latest/APIReference/API_CreateLogGroup.html",
            logGroupName="/twice",
        ),
        exists(
            "ecr",
            "create_repository",
            "RepositoryAlreadyExistsException",
            400,
            "AmazonECR/latest/APIReference/API_CreateRepository.html",
            repositoryName="twice",
        ),
        exists(
            "ec2",
            "create_security_group",
            "InvalidGroup.Duplicate",
            400,
            "AWSEC2/latest/APIReference/API_CreateSecurityGroup.html",
        ),
        exists(
            "eks", "create_access_entry", "ResourceInUseException", 409, f"{EKS}/API_CreateAccessEntry.html"
        ),
        exists(
            "eks",
            "create_pod_identity_association",
            "ResourceInUseException",
            409,
            f"{EKS}/API_CreatePodIdentityAssociation.html",
        ),
    ],
)
def test_a_name_that_exists_is_the_services_own_error(
    account: Account, service: str, method: str, parameters: dict[str, Any], error: tuple[str, int]
) -> None:
    client = account.client(service)
    parameters = parameters or _prepared(account, method)
    getattr(client, method)(**parameters)
    assert refused(client, method, **parameters) == error
    if method == "create_db_instance":
        account.instance("twice")
        client.delete_db_instance(DBInstanceIdentifier="twice", SkipFinalSnapshot=True)


def _prepared(account: Account, method: str) -> dict[str, Any]:
    """Parameters of the calls that need something to be there before."""
    if method == "create_cluster":
        role = make_role(account, "twice-cluster", trust("eks.amazonaws.com"))
        return {"name": "twice", "roleArn": role, "resourcesVpcConfig": {"subnetIds": account.subnets()}}
    if method == "create_db_instance":
        return DATABASE
    if method == "create_db_subnet_group":
        subnets = account.subnets()
        return {"DBSubnetGroupName": "twice", "DBSubnetGroupDescription": "d", "SubnetIds": subnets}
    if method == "create_alias":
        return {"AliasName": "alias/twice", "TargetKeyId": make_key(account)}
    if method == "create_security_group":
        vpc = account.client("ec2").create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
        return {"GroupName": "twice", "Description": "d", "VpcId": vpc}
    cluster = account.cluster()
    if method == "create_access_entry":
        return {"clusterName": cluster, "principalArn": make_role(account, "twice-entry")}
    role = make_role(account, "twice-pod", trust("pods.eks.amazonaws.com"))
    return {"clusterName": cluster, "namespace": "n", "serviceAccount": "twice", "roleArn": role}


@contract(
    "s3",
    "CreateBucket of a name that another account owns: BucketAlreadyExists, HTTP 409; its "
    "objects are not to be seen",
    "AmazonS3/latest/API/API_CreateBucket.html",
)
def test_a_bucket_of_another_account_is_neither_made_nor_read(account: Account) -> None:
    s3 = account.client("s3")
    parameters = {"Bucket": "airflow-logs", "CreateBucketConfiguration": {"LocationConstraint": REGION}}
    assert refused(s3, "create_bucket", **parameters) == ("BucketAlreadyExists", 409)
    assert refused(s3, "head_bucket", Bucket="airflow-logs") == ("403", 403)
    assert refused(s3, "list_objects_v2", Bucket="airflow-logs") == ("AccessDenied", 403)


@contract(
    "sns",
    "CreateTopic of a name that exists returns it; with other attributes or tags: InvalidParameter, HTTP 400",
    "sns/latest/api/API_CreateTopic.html",
)
def test_a_topic_is_made_again_only_as_it_is(account: Account) -> None:
    sns = account.client("sns")
    tags = [{"Key": "a", "Value": "1"}]
    made = sns.create_topic(Name="twice", Attributes={"DisplayName": "d"}, Tags=tags)["TopicArn"]
    again = sns.create_topic(Name="twice", Attributes={"DisplayName": "d"}, Tags=tags)["TopicArn"]
    assert again == made
    other = {"Name": "twice", "Attributes": {"DisplayName": "other"}, "Tags": tags}
    assert refused(sns, "create_topic", **other) == ("InvalidParameter", 400)
    untagged = {"Name": "twice", "Attributes": {"DisplayName": "d"}, "Tags": [{"Key": "a", "Value": "2"}]}
    assert refused(sns, "create_topic", **untagged) == ("InvalidParameter", 400)


@contract(
    "cloudwatch",
    "PutMetricAlarm of a name that exists overwrites the alarm",
    "AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html",
)
def test_an_alarm_of_the_same_name_is_overwritten(account: Account) -> None:
    cloudwatch = account.client("cloudwatch")
    alarm = {
        "AlarmName": "twice",
        "ComparisonOperator": "GreaterThanThreshold",
        "EvaluationPeriods": 1,
        "MetricName": "CPUUtilization",
        "Namespace": "AWS/RDS",
        "Period": 60,
        "Statistic": "Average",
    }
    for threshold in (80.0, 90.0):
        cloudwatch.put_metric_alarm(**alarm, Threshold=threshold)
    found = cloudwatch.describe_alarms(AlarmNames=["twice"])["MetricAlarms"]
    assert [one["Threshold"] for one in found] == [90.0]


@contract(
    "ec2",
    "A rule that a security group has already: InvalidPermission.Duplicate, HTTP 400",
    "AWSEC2/latest/APIReference/API_AuthorizeSecurityGroupIngress.html",
)
def test_a_rule_is_not_made_twice(account: Account) -> None:
    ec2 = account.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.8.0.0/16")["Vpc"]["VpcId"]
    group = ec2.create_security_group(GroupName="ruled", Description="d", VpcId=vpc)["GroupId"]
    permission = {"IpProtocol": "tcp", "FromPort": 1, "ToPort": 1, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}
    rule = {"GroupId": group, "IpPermissions": [permission]}
    ec2.authorize_security_group_ingress(**rule)
    assert refused(ec2, "authorize_security_group_ingress", **rule) == ("InvalidPermission.Duplicate", 400)


@contract(
    "ec2",
    "A subnet whose addresses overlap another's: InvalidSubnet.Conflict, HTTP 400",
    "AWSEC2/latest/APIReference/API_CreateSubnet.html",
)
def test_subnets_do_not_overlap(account: Account) -> None:
    ec2 = account.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.7.0.0/16")["Vpc"]["VpcId"]
    ec2.create_subnet(VpcId=vpc, CidrBlock="10.7.0.0/20")
    overlapping = {"VpcId": vpc, "CidrBlock": "10.7.1.0/24"}
    assert refused(ec2, "create_subnet", **overlapping) == ("InvalidSubnet.Conflict", 400)


@contract(
    "ec2",
    "A route to a destination that the table has: RouteAlreadyExists, HTTP 400",
    "AWSEC2/latest/APIReference/API_CreateRoute.html",
)
def test_a_destination_has_one_route(account: Account) -> None:
    ec2 = account.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.6.0.0/16")["Vpc"]["VpcId"]
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    route = {"RouteTableId": table, "DestinationCidrBlock": "0.0.0.0/0", "GatewayId": gateway}
    ec2.create_route(**route)
    assert refused(ec2, "create_route", **route) == ("RouteAlreadyExists", 400)


def invalid(service: str, method: str, code: str, source: str, names: list[str], parameters: Any) -> Any:
    """A case of names that are refused; `parameters` is a function of the name."""
    operation = "".join(word.capitalize() for word in method.split("_"))
    behaviour = f"{operation} with a name of the wrong form: {code}, HTTP 400"
    mark = contract(service, behaviour, source)
    return pytest.param(service, method, names, parameters, code, marks=mark, id=f"{service}-{method}")


@pytest.mark.parametrize(
    ("service", "method", "names", "parameters", "code"),
    [
        invalid(
            "s3",
            "create_bucket",
            "InvalidBucketName",
            "AmazonS3/latest/userguide/bucketnamingrules.html",
            ["Capital", "under_score", "ab", "10.0.0.1", "dots..in-a-row", "xn--prefixed", "ends-", "a" * 64],
            lambda name: {"Bucket": name, "CreateBucketConfiguration": {"LocationConstraint": REGION}},
        ),
        invalid(
            "rds",
            "create_db_instance",
            "InvalidParameterValue",
            f"{RDS}/API_CreateDBInstance.html",
            ["1-digit-first", "two--hyphens", "ends-", "under_score", "a" * 64],
            lambda name: {**DATABASE, "DBInstanceIdentifier": name},
        ),
        invalid(
            "rds",
            "create_db_parameter_group",
            "InvalidParameterValue",
            f"{RDS}/API_CreateDBParameterGroup.html",
            ["1-digit-first", "two--hyphens", "ends-", "under_score"],
            lambda name: {
                "DBParameterGroupName": name,
                "DBParameterGroupFamily": "postgres15",
                "Description": "d",
            },
        ),
        invalid(
            "iam",
            "create_role",
            "ValidationError",
            "IAM/latest/UserGuide/reference_iam-quotas.html",
            ["with space", "a" * 65, "slash/es"],
            lambda name: {"RoleName": name, "AssumeRolePolicyDocument": trust("ec2.amazonaws.com")},
        ),
        invalid(
            "kms",
            "create_alias",
            "ValidationException",
            "kms/latest/APIReference/API_CreateAlias.html",
            ["no-prefix", "alias/with space", "alias/"],
            lambda name: {"AliasName": name, "TargetKeyId": "00000000-0000-0000-0000-000000000000"},
        ),
        invalid(
            "secretsmanager",
            "create_secret",
            "ValidationException",
            "secretsmanager/latest/apireference/API_CreateSecret.html",
            ["with space", "percent%", "a" * 513],
            lambda name: {"Name": name, "SecretString": "s"},
        ),
        invalid(
            "eks",
            "create_cluster",
            "InvalidParameterException",
            f"{EKS}/API_CreateCluster.html",
            ["-first", "with space", "dot.ted"],
            lambda name: {
                "name": name,
                "roleArn": "arn:aws:iam::123456789012:role/r",
                "resourcesVpcConfig": {},
            },
        ),
        invalid(
            "ecr",
            "create_repository",
            "InvalidParameterException",
            "AmazonECR/latest/APIReference/API_CreateRepository.html",
            ["Capital", "-first", "two__under__scores--", "/slash"],
            lambda name: {"repositoryName": name},
        ),
        invalid(
            "logs",
            "create_log_group",
            "InvalidParameterException",
            "AmazonCloudWatchLogs/latest/APIReference/API_CreateLogGroup.html",
            ["with space", "colon:", "a" * 513],
            lambda name: {"logGroupName": name},
        ),
        invalid(
            "sns",
            "create_topic",
            "InvalidParameter",
            "sns/latest/api/API_CreateTopic.html",
            ["with space", "dot.ted", "a" * 257],
            lambda name: {"Name": name},
        ),
        invalid(
            "ec2",
            "create_security_group",
            "InvalidParameterValue",
            "AWSEC2/latest/APIReference/API_CreateSecurityGroup.html",
            ["sg-like-an-id", "umläut", "a" * 256],
            lambda name: {"GroupName": name, "Description": "d"},
        ),
    ],
)
def test_a_name_of_the_wrong_form_is_refused(
    account: Account, service: str, method: str, names: list[str], parameters: Any, code: str
) -> None:
    client = account.client(service)
    assert {name: refused(client, method, **parameters(name)) for name in names} == dict.fromkeys(
        names, (code, 400)
    )


@contract("iam", "Names of every allowed form are taken", "IAM/latest/UserGuide/reference_iam-quotas.html")
def test_plain_names_are_taken(account: Account) -> None:
    """The counterpart of the case before: the rules refuse no name that AWS takes."""
    make_bucket(account, "a.valid-bucket-0")
    make_role(account, "Valid_role.name+=,@-")
    account.client("secretsmanager").create_secret(Name="airflow/connections/a_b+c=d.e@f-g", SecretString="s")
    account.client("logs").create_log_group(logGroupName="/aws/eks/a_b-c.d#e/cluster")
    account.client("ecr").create_repository(repositoryName="airflow/runtime_3.x-a")
    account.client("rds").create_db_parameter_group(
        DBParameterGroupName="a1-b2.c3", DBParameterGroupFamily="postgres15", Description="d"
    )
