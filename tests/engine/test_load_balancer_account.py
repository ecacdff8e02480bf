"""A load balancer in the account: made by the cluster's role alone, shown, and gone without a trace."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from aws_api_server import REGION, Account, postgres_directory
from aws_contract import DOCS, make_role, message_of, refused, trust
from botocore.exceptions import ClientError
from embedded.aws_api.certificate_keys import file_of
from embedded.certificates import issue
from embedded.load_balancer.account import Account as Balancers
from embedded.load_balancer.account import AccountRefusedError
from embedded.load_balancer.clients import EksCluster
from embedded.load_balancer.planning import LoadBalancer
from embedded.load_balancer.rules import HealthCheck, Rule, TargetGroup

from infra import auto_mode_tags, policies

pytestmark = [
    pytest.mark.engine,
    pytest.mark.skipif(postgres_directory() is None, reason="no Postgres in /usr/lib/postgresql"),
]

NAME, HOST = "balanced", "airflow.example.com"
POLICY = "arn:aws:iam::aws:policy/AmazonEKSLoadBalancingPolicy"
TARGET = TargetGroup("team", "airflow-api-server", "api-server", HealthCheck(path="/health"))


@pytest.fixture
def network(account: Account) -> Iterator[dict[str, Any]]:
    """A VPC with two subnets, and a cluster in it that balances load."""
    ec2, eks, iam = account.client("ec2"), account.client("eks"), account.client("iam")
    vpc = ec2.create_vpc(CidrBlock="10.77.0.0/16")["Vpc"]["VpcId"]
    tags = [{"Key": "kubernetes.io/role/internal-elb", "Value": "1"}]
    subnets = [
        ec2.create_subnet(
            VpcId=vpc,
            CidrBlock=f"10.77.{index}.0/24",
            AvailabilityZone=f"{REGION}{zone}",
            TagSpecifications=[{"ResourceType": "subnet", "Tags": tags}],
        )["Subnet"]["SubnetId"]
        for index, zone in enumerate("ab")
    ]
    role = make_role(account, NAME, trust("eks.amazonaws.com"))
    iam.attach_role_policy(RoleName=NAME, PolicyArn=POLICY)
    cluster = eks.create_cluster(
        name=NAME,
        roleArn=role,
        resourcesVpcConfig={"subnetIds": subnets},
        computeConfig={"enabled": True},
        storageConfig={"blockStorage": {"enabled": True}},
        kubernetesNetworkConfig={"elasticLoadBalancing": {"enabled": True}},
    )["cluster"]
    group = cluster["resourcesVpcConfig"]["clusterSecurityGroupId"]
    try:
        yield {
            "vpc": vpc,
            "subnets": subnets,
            "cluster": EksCluster(NAME, REGION, vpc, group),
            "group": group,
        }
    finally:
        if NAME in eks.list_clusters()["clusters"]:
            eks.delete_cluster(name=NAME)
        for policy in iam.list_attached_role_policies(RoleName=NAME)["AttachedPolicies"]:
            iam.detach_role_policy(RoleName=NAME, PolicyArn=policy["PolicyArn"])
        iam.delete_role(RoleName=NAME)
        for subnet in subnets:
            ec2.delete_subnet(SubnetId=subnet)
        ec2.delete_vpc(VpcId=vpc)


@pytest.fixture
def certificate(account: Account) -> Iterator[str]:
    """An imported certificate of the host; its ARN."""
    files = issue(account.identity, "imported", HOST, dns_names=[HOST])
    acm = account.client("acm")
    arn = acm.import_certificate(
        Certificate=files.certificate.read_bytes(), PrivateKey=files.key.read_bytes()
    )["CertificateArn"]
    yield str(arn)
    acm.delete_certificate(CertificateArn=arn)
    assert not file_of(account.identity, arn).exists()


def wanted(arn: str, *hosts: str) -> LoadBalancer:
    rules = tuple(Rule((host,), ("/*",), TARGET) for host in hosts)
    return LoadBalancer("internal", {443: "HTTPS"}, (arn,), {443: rules})


def everything(account: Account, network: dict[str, Any]) -> dict[str, Any]:
    """What the account shows of load balancing."""
    elb, ec2 = account.client("elbv2"), account.client("ec2")
    filters = [{"Name": "vpc-id", "Values": [network["vpc"]]}]
    rules = ec2.describe_security_group_rules(Filters=[{"Name": "group-id", "Values": [network["group"]]}])
    return {
        "load balancers": elb.describe_load_balancers()["LoadBalancers"],
        "target groups": elb.describe_target_groups()["TargetGroups"],
        "security groups": len(ec2.describe_security_groups(Filters=filters)["SecurityGroups"]),
        "rules of the cluster's": len(rules["SecurityGroupRules"]),
    }


@pytest.mark.contract(
    "acm",
    "A certificate that a load balancer uses is not deleted: ResourceInUseException, HTTP 400",
    f"{DOCS}/acm/latest/APIReference/API_DeleteCertificate.html",
)
@pytest.mark.contract(
    "elasticloadbalancing",
    "A load balancer holds its subnets, its security group and its VPC until it is deleted",
    f"{DOCS}/elasticloadbalancing/latest/application/load-balancer-delete.html",
)
def test_a_load_balancer_is_made_kept_and_removed(
    account: Account, network: dict[str, Any], certificate: str
) -> None:
    before = everything(account, network)
    balancers = Balancers(account.identity, network["cluster"])
    assert [(one.arn, one.names) for one in balancers.certificates()] == [(certificate, (HOST,))]
    made = balancers.make("airflow", wanted(certificate, HOST))
    balancers.register("airflow", TARGET, [("10.0.0.1", 8080), ("10.0.0.2", 8080)])
    balancers.register("airflow", TARGET, [("10.0.0.2", 8080), ("10.0.0.3", 8080)])
    elb, ec2 = account.client("elbv2"), account.client("ec2")
    [shown] = elb.describe_load_balancers()["LoadBalancers"]
    assert (shown["Scheme"], shown["VpcId"], shown["DNSName"]) == ("internal", network["vpc"], made.dns_name)
    assert made.dns_name.startswith("internal-k8s-airflow-")
    assert [address.rpartition(".")[0] for address in made.interfaces] == ["10.77.0", "10.77.1"]
    [listener] = elb.describe_listeners(LoadBalancerArn=shown["LoadBalancerArn"])["Listeners"]
    assert (listener["Port"], listener["Certificates"][0]["CertificateArn"]) == (443, certificate)
    [group] = elb.describe_target_groups()["TargetGroups"]
    health = elb.describe_target_health(TargetGroupArn=group["TargetGroupArn"])["TargetHealthDescriptions"]
    assert {one["Target"]["Id"] for one in health} == {"10.0.0.2", "10.0.0.3"}
    [described] = elb.describe_tags(ResourceArns=[shown["LoadBalancerArn"]])["TagDescriptions"]
    assert {"Key": "eks:eks-cluster-name", "Value": NAME} in described["Tags"]
    acm = account.client("acm")
    described = acm.describe_certificate(CertificateArn=certificate)["Certificate"]
    assert described["InUseBy"] == [shown["LoadBalancerArn"]]
    assert refused(acm, "delete_certificate", CertificateArn=certificate) == ("ResourceInUseException", 400)
    for call, parameters in (
        ("delete_subnet", {"SubnetId": network["subnets"][0]}),
        ("delete_security_group", {"GroupId": shown["SecurityGroups"][0]}),
        ("delete_vpc", {"VpcId": network["vpc"]}),
    ):
        assert "depend" in message_of(ec2, call, **parameters)

    again = balancers.make("airflow", wanted(certificate, "other.example.com", HOST))
    assert again == made
    rules = elb.describe_rules(ListenerArn=listener["ListenerArn"])["Rules"]
    hosts = {
        one["Priority"]: one["Conditions"][0]["HostHeaderConfig"] for one in rules if not one["IsDefault"]
    }
    assert hosts == {"1": {"Values": ["other.example.com"]}, "2": {"Values": [HOST]}}

    balancers.remove("airflow")
    balancers.remove("airflow")
    assert everything(account, network) == before
    assert acm.describe_certificate(CertificateArn=certificate)["Certificate"]["InUseBy"] == []


@pytest.mark.contract(
    "elasticloadbalancing",
    "Auto Mode makes load balancers by the rights of the cluster's role, and by no others",
    f"{DOCS}/eks/latest/userguide/auto-cluster-iam-role.html",
)
def test_a_role_without_the_policy_makes_no_load_balancer(
    account: Account, network: dict[str, Any], certificate: str
) -> None:
    before = everything(account, network)
    account.client("iam").detach_role_policy(RoleName=NAME, PolicyArn=POLICY)
    with pytest.raises(ClientError, match="not authorized to perform"):
        Balancers(account.identity, network["cluster"]).make("airflow", wanted(certificate, HOST))
    assert everything(account, network) == before


@pytest.mark.contract(
    "elasticloadbalancing",
    "EKS's own policy lets the cluster's role give no tags but EKS's",
    f"{DOCS}/eks/latest/userguide/auto-cluster-iam-role.html#tag-prop",
)
def test_tags_of_ones_own_need_the_programs_policy(
    account: Account, network: dict[str, Any], certificate: str
) -> None:
    before, iam = everything(account, network), account.client("iam")
    balancers = Balancers(account.identity, network["cluster"])
    tagged = replace(wanted(certificate, HOST), tags=(("cost-centre", "7"),))
    with pytest.raises(ClientError, match="not authorized to perform"):
        balancers.make("airflow", tagged)
    assert everything(account, network) == before
    document = policies.document(auto_mode_tags.tag_resources(region=REGION))
    iam.put_role_policy(RoleName=NAME, PolicyName="tags", PolicyDocument=json.dumps(document))
    try:
        balancers.make("airflow", tagged)
        elb = account.client("elbv2")
        [balancer] = elb.describe_load_balancers()["LoadBalancers"]
        [described] = elb.describe_tags(ResourceArns=[balancer["LoadBalancerArn"]])["TagDescriptions"]
        assert {"Key": "cost-centre", "Value": "7"} in described["Tags"]
        [group] = account.client("ec2").describe_security_groups(GroupIds=balancer["SecurityGroups"])[
            "SecurityGroups"
        ]
        assert {"Key": "cost-centre", "Value": "7"} in group["Tags"]
    finally:
        balancers.remove("airflow")
        iam.delete_role_policy(RoleName=NAME, PolicyName="tags")


def test_subnets_without_the_tag_are_none_for_load_balancers(
    account: Account, network: dict[str, Any], certificate: str
) -> None:
    ec2 = account.client("ec2")
    ec2.delete_tags(Resources=network["subnets"][:1], Tags=[{"Key": "kubernetes.io/role/internal-elb"}])
    balancers = Balancers(account.identity, network["cluster"])
    with pytest.raises(AccountRefusedError, match=r"kubernetes\.io/role/internal-elb=1"):
        balancers.make("airflow", wanted(certificate, HOST))
    balancers.remove("airflow")
