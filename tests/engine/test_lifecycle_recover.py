"""A plugin that dies in the midst, a state that lost things: what exists is taken in, and nothing is doubled.

The judge is the account itself, as moto tells it: each thing is there once, and the state holds its id.
"""

from __future__ import annotations

import signal
import subprocess
from collections import Counter
from collections.abc import Callable
from itertools import accumulate
from typing import Any

import psutil
import pytest
from engine_world import ACCOUNT, REGION, Cloud, Project

from infra.lifecycle import recovery
from infra.lifecycle.half_made import PendingCreate, Surroundings, find_id
from infra.lifecycle.pulumi_project import PulumiProject

pytestmark = pytest.mark.engine

DEPLOYMENT = "probe-recover"
# A role's policy is set once more, so nobody looks for it.
FORGOTTEN = {
    "aws:cloudwatch/logGroup:LogGroup",
    "aws:ec2/subnet:Subnet",
    "aws:iam/role:Role",
    "aws:iam/rolePolicy:RolePolicy",
    "aws:kms/alias:Alias",
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule",
}

PROGRAM = f"""
import pulumi, pulumi_aws as aws
from infra import providers, policies, trust_policies
from infra.components.encryption_key import EncryptionKey, EncryptionKeyArgs
from infra.components.remote_logs import RemoteLogs, RemoteLogsArgs
from infra.settings import LogsSettings, XcomSettings

STATEMENT = {{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::probe/*"}}
ALLOW = policies.as_json({{"Version": "2012-10-17", "Statement": [STATEMENT]}})
provider = aws.Provider("aws", region="{REGION}", allowed_account_ids=["{ACCOUNT}"],
    default_tags={{"tags": {{"deployment-id": "{DEPLOYMENT}", "owner": "probe"}}}})
opts = pulumi.ResourceOptions(provider=provider)
key = EncryptionKey("encryption", EncryptionKeyArgs(alias="alias/probe", account_id="{ACCOUNT}",
    region="{REGION}", log_groups=["/probe/a"], persistent=False, protected=False), opts)
RemoteLogs("logs", RemoteLogsArgs(bucket="probe-recover-logs", key_arn=key.arn, settings=LogsSettings(),
    xcom=XcomSettings(), force_destroy=True, protected=False), opts)
aws.cloudwatch.LogGroup("group", name="/probe/a", retention_in_days=7, kms_key_id=key.arn, opts=opts)
vpc = aws.ec2.Vpc("vpc", cidr_block="10.9.0.0/16", tags={{"Name": "probe"}}, opts=opts)
for zone in "ab":
    aws.ec2.Subnet(f"subnet-{{zone}}", vpc_id=vpc.id, cidr_block=f"10.9.{{ord(zone)}}.0/24",
        availability_zone="{REGION}" + zone, tags={{"Name": f"probe-{{zone}}"}}, opts=opts)
group = aws.ec2.SecurityGroup("access", name="probe", description="probe", vpc_id=vpc.id, opts=opts)
aws.vpc.SecurityGroupIngressRule("rule", security_group_id=group.id, cidr_ipv4="10.9.0.0/16",
    ip_protocol="tcp", from_port=5432, to_port=5432, description="probe", opts=opts)
for number in range(3):
    trust = policies.as_json(trust_policies.monitoring_trust(account_id="{ACCOUNT}"))
    role = aws.iam.Role(f"role-{{number}}", name=f"probe-{{number}}", assume_role_policy=trust, opts=opts)
    aws.iam.RolePolicy(f"policy-{{number}}", name="probe", role=role.name, policy=ALLOW, opts=opts)
"""


def kill_plugin_at(project: Project, point: int) -> bool:
    """Start `up`, kill the plugin of AWS alone after `point` events; False: the run ended before."""
    killed = False
    options = ("--yes", "--skip-preview", "--non-interactive", "--color", "never", "--stack", "test")
    with subprocess.Popen(
        ["pulumi", "up", *options],
        cwd=project.directory,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        engine = psutil.Process(process.pid)
        lines = process.stdout or ()
        for events in accumulate(" creating" in line or " created" in line for line in lines):
            if events >= point and not killed:
                children = engine.children(recursive=True)
                plugins = [child for child in children if "embedded.plugins.aws" in " ".join(child.cmdline())]
                for child in plugins:
                    child.send_signal(signal.SIGKILL)
                killed = bool(plugins)
    return killed


def inventory(cloud: Cloud) -> Counter[str]:
    """What the account holds of the program's resources, one text each; equal texts are doubles."""
    ec2, found = cloud.client("ec2"), Counter[str]()
    mine = [{"Name": "tag:deployment-id", "Values": [DEPLOYMENT]}]
    found.update(f"vpc {item['CidrBlock']}" for item in ec2.describe_vpcs(Filters=mine)["Vpcs"])
    found.update(f"subnet {item['CidrBlock']}" for item in ec2.describe_subnets(Filters=mine)["Subnets"])
    for group in ec2.describe_security_groups(Filters=mine)["SecurityGroups"]:
        found.update([f"group {group['GroupName']}"])
        found.update(f"rule {rule['FromPort']}" for rule in group["IpPermissions"])
    kms = cloud.client("kms")
    for item in kms.list_keys()["Keys"]:
        state = kms.describe_key(KeyId=item["KeyId"])["KeyMetadata"]
        tags = kms.list_resource_tags(KeyId=item["KeyId"])["Tags"]
        if state["KeyState"] == "Enabled" and {"TagKey": "deployment-id", "TagValue": DEPLOYMENT} in tags:
            found.update(["key"])
    found.update(
        f"alias {a['AliasName']}" for a in kms.list_aliases()["Aliases"] if "aws/" not in a["AliasName"]
    )
    found.update(f"bucket {item['Name']}" for item in cloud.client("s3").list_buckets()["Buckets"])
    iam = cloud.client("iam")
    for role in iam.list_roles()["Roles"]:
        found.update([f"role {role['RoleName']}"])
        found.update(
            f"policy of {role['RoleName']}"
            for _ in iam.list_role_policies(RoleName=role["RoleName"])["PolicyNames"]
        )
    found.update(f"log {g['logGroupName']}" for g in cloud.client("logs").describe_log_groups()["logGroups"])
    return found


def test_what_a_dead_plugin_made_is_found_and_nothing_is_doubled(
    new_project: Callable[[str], Project], cloud: Cloud, capsys: pytest.CaptureFixture[str]
) -> None:
    """The engine takes its death for failed steps: the state knows nothing of what AWS made meanwhile."""
    project = new_project(PROGRAM)
    view = PulumiProject(project.directory)
    assert kill_plugin_at(project, 12)
    assert view.pending_creates("test") == []
    recovery.sweep(view, "test", region=REGION, deployment_id=DEPLOYMENT)
    project.up()
    counted = inventory(cloud)
    assert set(counted.values()) == {1}, (counted, capsys.readouterr().out)


def test_what_the_state_does_not_know_is_taken_in_if_it_bears_the_stacks_tag(
    new_project: Callable[[str], Project], cloud: Cloud
) -> None:
    """A role of the right name with somebody else's tag is left alone."""
    project = new_project(PROGRAM)
    view = PulumiProject(project.directory)
    project.up()
    before = view.ids("test")
    exported = project.stack.export_stack()
    resources = exported.deployment["resources"]
    exported.deployment["resources"] = [item for item in resources if item["type"] not in FORGOTTEN]
    project.stack.import_stack(exported)
    forgotten = before - view.ids("test")
    assert len(forgotten) > len(FORGOTTEN)
    tags = [{"Key": "deployment-id", "Value": "somebody-else"}]
    cloud.client("iam").tag_role(RoleName="probe-1", Tags=tags)
    recovery.sweep(view, "test", region=REGION, deployment_id=DEPLOYMENT)
    assert before - view.ids("test") == {"probe-1", *(id_ for id_ in forgotten if id_.endswith(":probe"))}


def test_what_ec2_names_itself_is_found_by_the_stacks_tag(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One of each kind that a cluster's network has, beside another stack's."""
    for name, value in cloud.environment.items():
        monkeypatch.setenv(name, value)
    ec2, made = cloud.client("ec2"), dict[str, str]()
    cloud.client("s3").create_bucket(
        Bucket="flow-logs", CreateBucketConfiguration={"LocationConstraint": REGION}
    )
    logs = {"ResourceType": "VPC", "TrafficType": "ALL", "LogDestinationType": "s3"}
    for owner in ("somebody-else", DEPLOYMENT):
        vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
        subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.9.1.0/24")["Subnet"]["SubnetId"]
        address = ec2.allocate_address(Domain="vpc")["AllocationId"]
        gateway = ec2.create_nat_gateway(SubnetId=subnet, AllocationId=address)["NatGateway"]
        log = ec2.create_flow_logs(ResourceIds=[vpc], LogDestination="arn:aws:s3:::flow-logs", **logs)
        endpoint = ec2.create_vpc_endpoint(VpcId=vpc, ServiceName=f"com.amazonaws.{REGION}.s3")["VpcEndpoint"]
        made = {
            "aws:ec2/vpc:Vpc": vpc,
            "aws:ec2/subnet:Subnet": subnet,
            "aws:ec2/eip:Eip": address,
            "aws:ec2/natGateway:NatGateway": gateway["NatGatewayId"],
            "aws:ec2/flowLog:FlowLog": log["FlowLogIds"][0],
            "aws:ec2/vpcEndpoint:VpcEndpoint": endpoint["VpcEndpointId"],
            "aws:ec2/internetGateway:InternetGateway": ec2.create_internet_gateway()["InternetGateway"][
                "InternetGatewayId"
            ],
            "aws:ec2/routeTable:RouteTable": ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"],
        }
        ec2.create_tags(Resources=[*made.values()], Tags=[{"Key": "deployment-id", "Value": owner}])
    around = Surroundings(REGION, DEPLOYMENT, known_ids=())
    assert {type_: find_id(PendingCreate("urn", type_, {}), around) for type_ in made} == made


def network(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> tuple[Any, str]:
    """A client of EC2, and the id of a network; this process uses the account too."""
    for name, value in cloud.environment.items():
        monkeypatch.setenv(name, value)
    ec2 = cloud.client("ec2")
    return ec2, str(ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"])


def test_a_security_group_that_is_gone_is_not_found_though_its_tags_are_listed(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a deletion that was cut off; EC2 lists tags of what is gone for a while."""
    ec2, vpc = network(cloud, monkeypatch)
    around = Surroundings(REGION, "probe-gone", known_ids=())
    pending = PendingCreate("urn", "aws:ec2/securityGroup:SecurityGroup", {"name": "access"})

    def made() -> str:
        group = str(ec2.create_security_group(GroupName="access", Description="a", VpcId=vpc)["GroupId"])
        ec2.create_tags(Resources=[group], Tags=[{"Key": "deployment-id", "Value": "probe-gone"}])
        return group

    gone = made()
    ec2.delete_security_group(GroupId=gone)
    assert [tag["ResourceId"] for tag in ec2.describe_tags()["Tags"]].count(gone) == 1
    assert find_id(pending, around) is None
    there = made()
    assert find_id(pending, around) == there


def test_a_gateway_that_was_deleted_hides_none_that_was_half_made(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """EC2 lists it, and its tags, for about an hour."""
    ec2, vpc = network(cloud, monkeypatch)
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.9.1.0/24")["Subnet"]["SubnetId"]
    tags = [{"Key": "deployment-id", "Value": "probe-gateway"}]
    made = []
    for _ in range(2):
        address = ec2.allocate_address(Domain="vpc")["AllocationId"]
        gateway = ec2.create_nat_gateway(SubnetId=subnet, AllocationId=address)["NatGateway"]["NatGatewayId"]
        ec2.create_tags(Resources=[gateway], Tags=tags)
        made.append(gateway)
    ec2.delete_nat_gateway(NatGatewayId=made[0])
    pending = PendingCreate("urn", "aws:ec2/natGateway:NatGateway", {})
    around = Surroundings(REGION, "probe-gateway", known_ids=())
    assert find_id(pending, around) == made[1]
