"""What records of types refer to: resources made by boto3, two of a kind where something moves."""

from __future__ import annotations

import json
from typing import Any

from aws_api_server import ACCOUNT, REGION, Account


def trust() -> str:
    """A role's trust policy in which EKS may take it, for a cluster, its pods, or a VPC's flow log."""
    services = ["eks.amazonaws.com", "pods.eks.amazonaws.com", "vpc-flow-logs.amazonaws.com"]
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": services},
        "Action": ["sts:AssumeRole", "sts:TagSession"],
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def document(action: str = "s3:ListBucket", resource: str = "*", **more: Any) -> str:
    """A policy of one statement."""
    statement = {"Effect": "Allow", "Action": action, "Resource": resource, **more}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def make_world(account: Account) -> dict[str, str]:
    """Name -> id, name or ARN."""
    world = {"account": ACCOUNT, "region": REGION}
    world |= _network(account.client("ec2"))
    world |= _identity(account.client("iam"), account.client("kms"))
    world |= _places(account)
    world |= _log_bucket(account.client("s3"))
    world |= _clusters(account, world)
    return world | _databases(account, world)


def _network(ec2: Any) -> dict[str, str]:
    vpcs = [ec2.create_vpc(CidrBlock=f"10.{index}.0.0/16")["Vpc"]["VpcId"] for index in (10, 11, 12)]
    world = {"vpc": vpcs[0], "vpc2": vpcs[1], "vpc3": vpcs[2]}
    for index, zone in enumerate("abc"):
        subnet = ec2.create_subnet(
            VpcId=vpcs[0], CidrBlock=f"10.10.{index}.0/24", AvailabilityZone=f"{REGION}{zone}"
        )
        world[f"subnet_{zone}"] = subnet["Subnet"]["SubnetId"]
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpcs[0])
    world["gateway"] = gateway
    nat = ec2.create_nat_gateway(SubnetId=world["subnet_a"], ConnectivityType="private")
    world["nat"] = nat["NatGateway"]["NatGatewayId"]
    interface = ec2.create_network_interface(SubnetId=world["subnet_a"])["NetworkInterface"]
    world["interface"] = interface["NetworkInterfaceId"]
    for suffix in ("", "2"):
        table = ec2.create_route_table(VpcId=vpcs[0])["RouteTable"]["RouteTableId"]
        group = ec2.create_security_group(GroupName=f"w{suffix}", Description="w", VpcId=vpcs[0])["GroupId"]
        world |= {f"table{suffix}": table, f"group{suffix}": group}
    return world


def _identity(iam: Any, kms: Any) -> dict[str, str]:
    world = {}
    for suffix in ("", "2"):
        role, policy = f"world-role{suffix}", f"world-policy{suffix}"
        iam.create_role(RoleName=role, AssumeRolePolicyDocument=trust())
        made = iam.create_policy(PolicyName=policy, PolicyDocument=document())["Policy"]
        iam.create_instance_profile(InstanceProfileName=f"world-profile{suffix}")
        key = kms.create_key()["KeyMetadata"]
        world |= {
            f"role{suffix}": role,
            f"role_arn{suffix}": f"arn:aws:iam::{ACCOUNT}:role/{role}",
            f"policy_arn{suffix}": made["Arn"],
            f"profile{suffix}": f"world-profile{suffix}",
            f"key{suffix}": key["KeyId"],
            f"key_arn{suffix}": key["Arn"],
        }
    return world


def _places(account: Account) -> dict[str, str]:
    world = {}
    for suffix in ("", "2"):
        bucket, repository, group = f"world-bucket{suffix}", f"world-images{suffix}", f"world-logs{suffix}"
        account.client("s3").create_bucket(
            Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION}
        )
        account.client("ecr").create_repository(repositoryName=repository)
        account.client("logs").create_log_group(logGroupName=group)
        secret = account.client("secretsmanager").create_secret(
            Name=f"world-secret{suffix}", SecretString="first"
        )
        world |= {
            f"bucket{suffix}": bucket,
            f"repository{suffix}": repository,
            f"log_group_arn{suffix}": f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{group}",
            f"secret{suffix}": secret["ARN"],
            f"topic{suffix}": account.client("sns").create_topic(Name=f"world-topic{suffix}")["TopicArn"],
        }
    return world


def _log_bucket(s3: Any) -> dict[str, str]:
    """A bucket that S3's own logging may write to."""
    bucket = "world-access-logs"
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    service = {"Service": "logging.s3.amazonaws.com"}
    s3.put_bucket_policy(
        Bucket=bucket, Policy=document("s3:PutObject", f"arn:aws:s3:::{bucket}/*", Principal=service)
    )
    return {"log_bucket": bucket}


def _clusters(account: Account, world: dict[str, str]) -> dict[str, str]:
    made = {}
    for suffix in ("", "2"):
        account.client("eks").create_cluster(
            name=f"world-cluster{suffix}",
            roleArn=world["role_arn"],
            resourcesVpcConfig={"subnetIds": [world["subnet_a"], world["subnet_b"]]},
            accessConfig={"authenticationMode": "API"},
        )
        account.client("eks").create_access_entry(
            clusterName=f"world-cluster{suffix}", principalArn=world["role_arn"]
        )
        made[f"cluster{suffix}"] = f"world-cluster{suffix}"
    return made


def _databases(account: Account, world: dict[str, str]) -> dict[str, str]:
    made, rds = {}, account.client("rds")
    for suffix in ("", "2", "3"):
        rds.create_db_instance(
            DBInstanceIdentifier=f"world-database{suffix}",
            DBInstanceClass="db.t4g.micro",
            Engine="postgres",
            AllocatedStorage=20,
            MasterUsername="administrator",
            ManageMasterUserPassword=True,
        )
    for suffix in ("", "2", "3"):
        instance = account.instance(f"world-database{suffix}")
        made[f"database{suffix}"] = f"world-database{suffix}"
        made[f"master_secret{suffix}"] = instance["MasterUserSecret"]["SecretArn"]
    return made
