"""The whole life of many resource types through the real engine; boto3 is the judge of what exists."""

from collections.abc import Callable
from typing import Any

import pytest
from engine_world import ACCOUNT, Cloud, Project

pytestmark = pytest.mark.engine

ENVIRONMENT = """
import json
import pulumi
import pulumi_aws as aws

provider = aws.Provider(
    "aws",
    region="eu-west-1",
    allowed_account_ids=["123456789012"],
    default_tags={"tags": {"deployment-id": "d1", "owner": "platform"}},
)
options = pulumi.ResourceOptions(provider=provider)
key = aws.kms.Key("key", description="one", deletion_window_in_days=7, enable_key_rotation=True, opts=options)
aws.kms.Alias("alias", name="alias/probe", target_key_id=key.key_id, opts=options)
bucket = aws.s3.Bucket("logs", force_destroy=True, tags={"part": "logs"}, opts=options)
aws.s3.BucketPublicAccessBlock("block", bucket=bucket.id, block_public_acls=True, block_public_policy=True,
    ignore_public_acls=True, restrict_public_buckets=True, opts=options)
aws.s3.BucketVersioning("versions", bucket=bucket.id, versioning_configuration={"status": "Enabled"},
    opts=options)
aws.s3.BucketOwnershipControls("owner", bucket=bucket.id,
    rule={"object_ownership": "BucketOwnerEnforced"}, opts=options)
aws.s3.BucketServerSideEncryptionConfiguration("encryption", bucket=bucket.id, rules=[{
    "apply_server_side_encryption_by_default": {"sse_algorithm": "aws:kms", "kms_master_key_id": key.arn},
    "bucket_key_enabled": True}], opts=options)
aws.s3.BucketLifecycleConfiguration("lifecycle", bucket=bucket.id, rules=[
    {"id": "expire", "status": "Enabled", "filter": {"prefix": ""}, "expiration": {"days": 30},
     "noncurrent_version_expiration": {"noncurrent_days": 7},
     "abort_incomplete_multipart_upload": {"days_after_initiation": 7}}], opts=options)
aws.s3.BucketPolicy("tls", bucket=bucket.id, policy=bucket.arn.apply(lambda arn: json.dumps({
    "Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Principal": "*", "Action": "s3:*",
    "Resource": [arn, arn + "/*"], "Condition": {"Bool": {"aws:SecureTransport": "false"}}}]})), opts=options)
# In a bucket of its own: moto takes a Deny under a condition for a Deny of everything.
plain = aws.s3.Bucket("plain", force_destroy=True, opts=options)
aws.s3.BucketObjectv2("object", bucket=plain.id, key="a/b.txt", content="hello", opts=options)
trust = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow",
    "Principal": {"Service": "pods.eks.amazonaws.com"}, "Action": ["sts:AssumeRole", "sts:TagSession"]}]})
role = aws.iam.Role("role", assume_role_policy=trust, max_session_duration=7200, opts=options)
statement = {"Effect": "Allow", "Action": ["s3:ListBucket"], "Resource": ["*"]}
document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
aws.iam.RolePolicy("inline", role=role.id, policy=document, opts=options)
policy = aws.iam.Policy("policy", policy=document, opts=options)
aws.iam.RolePolicyAttachment("attached", role=role.name, policy_arn=policy.arn, opts=options)
vpc = aws.ec2.Vpc("vpc", cidr_block="10.1.0.0/16", enable_dns_hostnames=True, opts=options)
gateway = aws.ec2.InternetGateway("gateway", vpc_id=vpc.id, opts=options)
subnets = [aws.ec2.Subnet(f"subnet{i}", vpc_id=vpc.id, cidr_block=f"10.1.{i}.0/24",
    availability_zone=f"eu-west-1{zone}", opts=options) for i, zone in enumerate("ab")]
address = aws.ec2.Eip("address", domain="vpc", opts=options)
nat = aws.ec2.NatGateway("nat", subnet_id=subnets[0].id, allocation_id=address.id, opts=options)
table = aws.ec2.RouteTable("table", vpc_id=vpc.id, opts=options)
aws.ec2.Route("out", route_table_id=table.id, destination_cidr_block="0.0.0.0/0", nat_gateway_id=nat.id,
    opts=options)
aws.ec2.RouteTableAssociation("associated", route_table_id=table.id, subnet_id=subnets[1].id, opts=options)
aws.ec2.VpcEndpoint("s3", vpc_id=vpc.id, service_name="com.amazonaws.eu-west-1.s3",
    route_table_ids=[table.id], opts=options)
aws.ec2.DefaultSecurityGroup("default", vpc_id=vpc.id, opts=options)
group = aws.ec2.SecurityGroup("database", vpc_id=vpc.id, description="database", opts=options)
aws.vpc.SecurityGroupIngressRule("in", security_group_id=group.id, ip_protocol="tcp", from_port=5432,
    to_port=5432, cidr_ipv4="10.1.0.0/16", description="pods", opts=options)
aws.vpc.SecurityGroupEgressRule("out-rule", security_group_id=group.id, ip_protocol="-1",
    cidr_ipv4="10.1.0.0/16", opts=options)
subnet_group = aws.rds.SubnetGroup("subnets", subnet_ids=[s.id for s in subnets], opts=options)
parameters = aws.rds.ParameterGroup("parameters", family="postgres15", parameters=[
    {"name": "rds.force_ssl", "value": "1", "apply_method": "pending-reboot"},
    {"name": "log_min_duration_statement", "value": "1000"}], opts=options)
database = aws.rds.Instance("metadata", engine="postgres", engine_version="15", instance_class="db.t4g.small",
    allocated_storage=20, username="airflow_admin", manage_master_user_password=True, storage_encrypted=True,
    kms_key_id=key.arn, db_subnet_group_name=subnet_group.name, parameter_group_name=parameters.name,
    vpc_security_group_ids=[group.id], backup_retention_period=7, skip_final_snapshot=True,
    apply_immediately=True,
    copy_tags_to_snapshot=True, iam_database_authentication_enabled=True, auto_minor_version_upgrade=True,
    enabled_cloudwatch_logs_exports=["postgresql", "upgrade"], opts=options)
secret = aws.secretsmanager.Secret("fernet", recovery_window_in_days=0, kms_key_id=key.arn, opts=options)
aws.secretsmanager.SecretVersion("fernet-value", secret_id=secret.id,
    secret_string=pulumi.Output.secret("correct horse battery staple"), opts=options)
group_of_logs = aws.cloudwatch.LogGroup("flow", retention_in_days=30, opts=options)
aws.ec2.FlowLog("flow", vpc_id=vpc.id, traffic_type="ALL", log_destination=group_of_logs.arn,
    iam_role_arn=role.arn, opts=options)
topic = aws.sns.Topic("alarms", opts=options)
aws.cloudwatch.MetricAlarm("cpu", comparison_operator="GreaterThanThreshold", evaluation_periods=2,
    metric_name="CPUUtilization", namespace="AWS/RDS", period=60, statistic="Average", threshold=80.5,
    dimensions={"DBInstanceIdentifier": database.identifier}, alarm_actions=[topic.arn], opts=options)
aws.cloudwatch.Dashboard("board", dashboard_name="probe", dashboard_body=json.dumps({"widgets": []}),
    opts=options)
repository = aws.ecr.Repository("images", image_tag_mutability="IMMUTABLE",
    image_scanning_configuration={"scan_on_push": True}, opts=options)
aws.ecr.LifecyclePolicy("images", repository=repository.name, policy=json.dumps({"rules": [{"rulePriority": 1,
    "selection": {"tagStatus": "untagged", "countType": "imageCountMoreThan", "countNumber": 5},
    "action": {"type": "expire"}}]}), opts=options)
aws.rds.EventSubscription("events", sns_topic=topic.arn, source_type="db-instance",
    source_ids=[database.identifier], event_categories=["failure"], opts=options)
aws.eks.Cluster("cluster", name="probe", role_arn=role.arn, vpc_config={"subnet_ids": [s.id for s in subnets],
    "endpoint_private_access": True, "endpoint_public_access": False},
    enabled_cluster_log_types=["api", "audit"], opts=options)
pulumi.export("bucket", bucket.bucket)
pulumi.export("bucketTags", bucket.tags_all)
pulumi.export("masterSecret", database.master_user_secrets[0]["secret_arn"])
pulumi.export("identifier", database.identifier)
pulumi.export("keyId", key.key_id)
pulumi.export("group", group.id)
pulumi.export("role", role.name)
pulumi.export("account", aws.get_caller_identity(opts=pulumi.InvokeOptions(provider=provider)).account_id)
"""


def _left_over(cloud: Cloud) -> dict[str, Any]:
    """Everything that a destroyed stack must not leave; keys may only wait for their deletion."""
    kms, ec2, rds = cloud.client("kms"), cloud.client("ec2"), cloud.client("rds")
    keys = [kms.describe_key(KeyId=key["KeyId"])["KeyMetadata"] for key in kms.list_keys()["Keys"]]
    own = [{"Name": "tag:deployment-id", "Values": ["d1"]}]
    found = {
        "keys": [
            key["KeyId"]
            for key in keys
            if key["Description"] == "one" and key["KeyState"] != "PendingDeletion"
        ],
        "aliases": [a for a in kms.list_aliases()["Aliases"] if a["AliasName"] == "alias/probe"],
        "buckets": cloud.client("s3").list_buckets()["Buckets"],
        "roles": cloud.client("iam").list_roles()["Roles"],
        "policies": cloud.client("iam").list_policies(Scope="Local")["Policies"],
        "vpcs": ec2.describe_vpcs(Filters=own)["Vpcs"],
        "subnets": ec2.describe_subnets(Filters=own)["Subnets"],
        "groups": ec2.describe_security_groups(Filters=own)["SecurityGroups"],
        "addresses": ec2.describe_addresses()["Addresses"],
        "gateways": ec2.describe_internet_gateways(Filters=own)["InternetGateways"],
        "tables": ec2.describe_route_tables(Filters=own)["RouteTables"],
        "databases": rds.describe_db_instances()["DBInstances"],
        "subnet groups": rds.describe_db_subnet_groups()["DBSubnetGroups"],
        "parameter groups": rds.describe_db_parameter_groups()["DBParameterGroups"],
        "subscriptions": rds.describe_event_subscriptions()["EventSubscriptionsList"],
        "secrets": cloud.client("secretsmanager").list_secrets(IncludePlannedDeletion=True)["SecretList"],
        "log groups": cloud.client("logs").describe_log_groups()["logGroups"],
        "topics": cloud.client("sns").list_topics()["Topics"],
        "alarms": cloud.client("cloudwatch").describe_alarms()["MetricAlarms"],
        "dashboards": cloud.client("cloudwatch").list_dashboards()["DashboardEntries"],
        "repositories": cloud.client("ecr").describe_repositories()["repositories"],
        "clusters": cloud.client("eks").list_clusters()["clusters"],
    }
    return {name: items for name, items in found.items() if items}


def test_a_whole_environment_lives_and_leaves_nothing(
    new_project: Callable[[str], Project], cloud: Cloud
) -> None:
    project = new_project(ENVIRONMENT)
    created = project.up()
    assert created["create"] > 40
    outputs = project.outputs()

    tags = cloud.client("s3").get_bucket_tagging(Bucket=outputs["bucket"])["TagSet"]
    held = {tag["Key"]: tag["Value"] for tag in tags}
    assert held == {"deployment-id": "d1", "owner": "platform", "part": "logs"} == outputs["bucketTags"]
    assert outputs["account"] == ACCOUNT
    instance = cloud.client("rds").describe_db_instances(DBInstanceIdentifier=outputs["identifier"])[
        "DBInstances"
    ][0]
    assert instance["MasterUserSecret"]["SecretArn"] == outputs["masterSecret"]
    assert instance["StorageEncrypted"]
    assert "correct horse battery staple" not in project.state_text()

    assert set(project.up()) == {"same"}
    assert set(project.refresh()) == {"same"}
    assert set(project.up()) == {"same"}
    project.destroy()
    assert _left_over(cloud) == {}
