"""Faults that are set while the account runs, as boto3 and the Pulumi engine meet them."""

import json
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from aws_api_server import ONCE, Account, postgres_directory, running_account
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError, ReadTimeoutError
from embedded.cli import app
from embedded.plugins.aws.lost_answers import AnswerLostError, refuse_to_repeat
from engine_world import Cloud, Project
from pulumi import automation
from typer.testing import CliRunner

pytestmark = [
    pytest.mark.engine,
    pytest.mark.skipif(postgres_directory() is None, reason="no Postgres in /usr/lib/postgresql"),
]

ONCE_AND_SOON = ONCE.merge(Config(read_timeout=2))


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    with running_account(tmp_path_factory.mktemp("aws")) as account:
        yield account


@pytest.fixture
def embedded(account: Account) -> Iterator[Callable[..., str]]:
    """The command, as a person types it; what it sets is cleared after the test."""

    def run(*arguments: str) -> str:
        words = ["--checkout", str(account.identity.checkout), *arguments]
        ended = CliRunner().invoke(app, words, catch_exceptions=False)
        assert ended.exit_code == 0, ended.output
        return ended.stdout.strip()

    yield run
    run("faults", "clear")


@pytest.fixture
def cloud(account: Account) -> Cloud:
    """The same account for the engine's tests."""
    return Cloud(account.identity.aws_endpoint_url, account.environment)


def client(account: Account, service: str, config: Config = ONCE_AND_SOON) -> Any:
    """A client that does not repeat by itself, with an own pool of connections."""
    return account.new_client(service, config)


def played(embedded: Callable[..., str]) -> dict[str, int]:
    return {one["id"]: one["played"] for one in json.loads(embedded("faults", "list", "--json"))["faults"]}


def vpcs(account: Account) -> int:
    return len(account.client("ec2").describe_vpcs()["Vpcs"])


# --- as boto3 meets them ---


@pytest.mark.parametrize(
    ("service", "method", "parameters", "codes"),
    [
        ("rds", "describe_db_instances", {}, {"throttle": "Throttling", "error": "InternalFailure"}),
        ("ec2", "describe_vpcs", {}, {"throttle": "RequestLimitExceeded", "error": "InternalError"}),
        ("s3", "list_buckets", {}, {"throttle": "SlowDown", "error": "InternalError"}),
        ("eks", "list_clusters", {}, {"throttle": "ThrottlingException", "error": "ServerException"}),
        ("kms", "list_keys", {}, {"throttle": "ThrottlingException", "error": "KMSInternalException"}),
        ("cloudwatch", "describe_alarms", {}, {"throttle": "Throttling", "error": "InternalFailure"}),
    ],
)
def test_a_service_fails_in_its_own_words_as_often_as_it_is_told(
    account: Account,
    embedded: Callable[..., str],
    service: str,
    method: str,
    parameters: dict[str, Any],
    codes: dict[str, str],
) -> None:
    call = getattr(client(account, service), method)
    operation = client(account, service).meta.method_to_api_mapping[method]
    for kind, code in codes.items():
        embedded(
            "faults", "add", "--service", service, "--operation", operation, "--kind", kind, "--count", "1"
        )
        with pytest.raises(ClientError) as caught:
            call(**parameters)
        assert caught.value.response["Error"]["Code"] == code
        call(**parameters)
        embedded("faults", "clear")


def test_botocore_takes_every_throttling_and_error_for_one_to_repeat(
    account: Account, embedded: Callable[..., str]
) -> None:
    """The SDK's own rules say which answers are temporary: with two failures it needs a third attempt."""
    patient = Config(retries={"mode": "standard", "max_attempts": 4})
    for service, method in (("ec2", "describe_vpcs"), ("s3", "list_buckets"), ("iam", "list_roles")):
        for kind in ("throttle", "error"):
            embedded("faults", "add", "--service", service, "--kind", kind, "--count", "2")
            answer = getattr(client(account, service, patient), method)()
            assert answer["ResponseMetadata"]["RetryAttempts"] == 2
            embedded("faults", "clear")


def test_a_lost_answer_is_done_and_cut_off(account: Account, embedded: Callable[..., str]) -> None:
    before = vpcs(account)
    embedded(
        "faults",
        "add",
        "--kind",
        "lost-answer",
        "--service",
        "ec2",
        "--operation",
        "CreateVpc",
        "--count",
        "1",
    )
    with pytest.raises(ConnectionClosedError):
        client(account, "ec2").create_vpc(CidrBlock="10.1.0.0/16")
    assert vpcs(account) == before + 1


def test_a_timeout_lasts_until_the_client_gives_up_and_others_are_served_meanwhile(
    account: Account, embedded: Callable[..., str]
) -> None:
    before = vpcs(account)
    embedded("faults", "add", "--kind", "timeout", "--service", "ec2", "--operation", "CreateVpc")
    failures: list[Exception] = []

    def create() -> None:
        try:
            client(account, "ec2").create_vpc(CidrBlock="10.2.0.0/16")
        except ReadTimeoutError as error:
            failures.append(error)

    # More than the server has threads.
    waiting = [threading.Thread(target=create) for _ in range(20)]
    for thread in waiting:
        thread.start()
    time.sleep(0.5)
    assert client(account, "sts").get_caller_identity()["Account"]
    for thread in waiting:
        thread.join()
    assert len(failures) == 20
    assert vpcs(account) == before


def test_a_fault_that_is_used_up_stays_so_when_the_account_is_killed(
    account: Account, embedded: Callable[..., str]
) -> None:
    fault = embedded("faults", "add", "--kind", "error", "--service", "sts", "--count", "2")
    call = client(account, "sts").get_caller_identity
    with pytest.raises(ClientError):
        call()
    account.kill()
    account.start()
    with pytest.raises(ClientError):
        call()
    call()
    assert played(embedded) == {fault: 2}


def test_a_seed_plays_the_same_requests_again(account: Account, embedded: Callable[..., str]) -> None:
    def draw(seed: int) -> list[bool]:
        options = ("--kind", "error", "--service", "sts", "--probability", "0.5", "--seed", str(seed))
        embedded("faults", "add", *options)
        outcomes = []
        for _ in range(24):
            try:
                client(account, "sts").get_caller_identity()
                outcomes.append(True)
            except ClientError:
                outcomes.append(False)
        embedded("faults", "clear")
        return outcomes

    first = draw(7)
    assert {True, False} == set(first)
    assert draw(7) == first
    assert draw(8) != first


def test_latency_is_waited_for_and_taken_back(account: Account, embedded: Callable[..., str]) -> None:
    """The client's own limit is the witness: what takes longer than it is a time-out."""
    impatient = client(account, "sts", Config(retries={"total_max_attempts": 1}, read_timeout=1))
    embedded("latency", "set", "3", "--service", "sts")
    with pytest.raises(ReadTimeoutError):
        impatient.get_caller_identity()
    client(account, "ec2").describe_vpcs()
    embedded("latency", "clear")
    impatient.get_caller_identity()


def test_nobody_but_the_owner_can_read_or_write_what_is_set(
    account: Account, embedded: Callable[..., str]
) -> None:
    embedded("faults", "consistency", "5")
    file = account.identity.state_directory / "faults.json"
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700


def test_at_awss_pace_network_and_cluster_show_what_they_wait_for(
    account: Account, embedded: Callable[..., str]
) -> None:
    """Statuses as AWS names them, then the end of the wait; what was begun keeps the pace it began with."""
    ec2, eks = account.client("ec2"), account.client("eks")
    subnets = account.subnets()
    allowed = {"Effect": "Allow", "Principal": {"Service": "eks.amazonaws.com"}, "Action": "sts:AssumeRole"}
    trust = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
    role = account.client("iam").create_role(RoleName="slow", AssumeRolePolicyDocument=trust)["Role"]["Arn"]

    def gateway() -> str:
        address = ec2.allocate_address(Domain="vpc")["AllocationId"]
        made = ec2.create_nat_gateway(SubnetId=subnets[0], AllocationId=address)
        return str(made["NatGateway"]["NatGatewayId"])

    def states(*gateways: str) -> list[str]:
        found = ec2.describe_nat_gateways(NatGatewayIds=list(gateways))["NatGateways"]
        return [one["State"] for one in found]

    embedded("faults", "durations", "1")
    slow = gateway()
    eks.create_cluster(name="paced", roleArn=role, resourcesVpcConfig={"subnetIds": subnets})
    assert eks.describe_cluster(name="paced")["cluster"]["status"] == "CREATING"
    with pytest.raises(ClientError, match="not in ACTIVE status"):
        eks.create_addon(clusterName="paced", addonName="coredns")
    embedded("faults", "durations", "0")
    quick = gateway()
    assert states(slow, quick) == ["pending", "available"]
    eks.delete_cluster(name="paced")
    assert eks.list_clusters()["clusters"] == []
    embedded("faults", "durations", "1/400")
    eks.create_cluster(name="paced", roleArn=role, resourcesVpcConfig={"subnetIds": subnets})
    eks.get_waiter("cluster_active").wait(name="paced", WaiterConfig={"Delay": 1, "MaxAttempts": 60})
    eks.create_addon(clusterName="paced", addonName="coredns")
    eks.get_waiter("addon_active").wait(
        clusterName="paced", addonName="coredns", WaiterConfig={"Delay": 1, "MaxAttempts": 60}
    )
    eks.delete_cluster(name="paced")
    assert eks.describe_cluster(name="paced")["cluster"]["status"] == "DELETING"
    eks.get_waiter("cluster_deleted").wait(name="paced", WaiterConfig={"Delay": 1, "MaxAttempts": 60})


@pytest.mark.contract(
    "ec2",
    "A NAT gateway that is being deleted still holds its subnet, an endpoint its VPC: DependencyViolation",
    "https://docs.aws.amazon.com/vpc/latest/userguide/subnet-deleting.html",
)
def test_at_awss_pace_gateways_and_endpoints_hold_their_network_until_they_are_gone(
    account: Account, embedded: Callable[..., str]
) -> None:
    """Statuses as AWS names them; a subnet or network is refused while something in it is being deleted."""
    ec2 = account.client("ec2")
    subnet = account.subnets()[0]
    vpc = ec2.describe_subnets(SubnetIds=[subnet])["Subnets"][0]["VpcId"]

    def endpoint(kind: str, service: str) -> str:
        name = f"com.amazonaws.{ec2.meta.region_name}.{service}"
        where = {"SubnetIds": [subnet]} if kind == "Interface" else {}
        made = ec2.create_vpc_endpoint(VpcId=vpc, ServiceName=name, VpcEndpointType=kind, **where)
        return str(made["VpcEndpoint"]["VpcEndpointId"])

    def states(*endpoints: str) -> list[str]:
        found = ec2.describe_vpc_endpoints(VpcEndpointIds=list(endpoints))["VpcEndpoints"]
        return [one["State"] for one in found]

    embedded("faults", "durations", "1")
    slow = [endpoint("Gateway", "s3"), endpoint("Interface", "sts")]
    embedded("faults", "durations", "0")
    quick = [endpoint("Gateway", "dynamodb"), endpoint("Interface", "eks")]
    assert states(*slow, *quick) == ["pending", "pending", "available", "available"]
    address = ec2.allocate_address(Domain="vpc")["AllocationId"]
    gateway = ec2.create_nat_gateway(SubnetId=subnet, AllocationId=address)["NatGateway"]["NatGatewayId"]
    ec2.delete_vpc_endpoints(VpcEndpointIds=[slow[1], quick[1]])
    embedded("faults", "durations", "1")
    ec2.delete_vpc_endpoints(VpcEndpointIds=[slow[0], quick[0]])
    assert states(slow[0], quick[0]) == ["deleting", "deleting"]
    with pytest.raises(ClientError, match="DependencyViolation"):
        ec2.delete_vpc(VpcId=vpc)
    embedded("faults", "durations", "1/30")
    ec2.delete_nat_gateway(NatGatewayId=gateway)
    found = ec2.describe_nat_gateways(NatGatewayIds=[gateway])["NatGateways"][0]
    assert found["State"] == "deleting"
    with pytest.raises(ClientError, match="DependencyViolation"):
        ec2.delete_subnet(SubnetId=subnet)
    ec2.get_waiter("nat_gateway_deleted").wait(
        NatGatewayIds=[gateway], WaiterConfig={"Delay": 1, "MaxAttempts": 60}
    )
    ec2.delete_subnet(SubnetId=subnet)


def test_a_client_token_makes_a_repeated_request_the_same_one(account: Account) -> None:
    ec2, token = account.client("ec2"), secrets.token_hex(8)
    vpc = ec2.create_vpc(CidrBlock="10.3.0.0/16")["Vpc"]["VpcId"]
    first = ec2.create_route_table(VpcId=vpc, ClientToken=token)["RouteTable"]["RouteTableId"]
    assert ec2.create_route_table(VpcId=vpc, ClientToken=token)["RouteTable"]["RouteTableId"] == first
    assert ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"] != first
    other = ec2.create_vpc(CidrBlock="10.4.0.0/16")["Vpc"]["VpcId"]
    with pytest.raises(ClientError, match="IdempotentParameterMismatch"):
        ec2.create_route_table(VpcId=other, ClientToken=token)


def test_what_has_no_client_token_is_created_once_and_told(
    account: Account, embedded: Callable[..., str]
) -> None:
    """boto3's own retries would make a second network that nobody knows."""
    patient = client(account, "ec2", Config(retries={"total_max_attempts": 4}, read_timeout=1))
    lost = ("--kind", "lost-answer", "--service", "ec2", "--count", "1", "--operation")
    before = vpcs(account)
    embedded("faults", "add", *lost, "CreateVpc")
    patient.create_vpc(CidrBlock="10.5.0.0/16")
    assert vpcs(account) == before + 2, "botocore no longer repeats it: the plugin's rule is not needed"
    patient.meta.events.register_first("needs-retry", refuse_to_repeat)
    embedded("faults", "add", *lost, "CreateVpc")
    with pytest.raises(AnswerLostError, match=r"CreateVpc was lost .the connection was closed"):
        patient.create_vpc(CidrBlock="10.6.0.0/16")
    assert vpcs(account) == before + 3
    timeout = ("--kind", "timeout", "--service", "ec2", "--count", "1", "--operation")
    embedded("faults", "add", *timeout, "CreateVpc")
    with pytest.raises(AnswerLostError, match=r"CreateVpc was lost .no answer in time"):
        patient.create_vpc(CidrBlock="10.7.0.0/16")
    # Reading, and what carries a token, is repeated.
    vpc = patient.create_vpc(CidrBlock="10.8.0.0/16")["Vpc"]["VpcId"]
    for operation in ("DescribeVpcs", "CreateRouteTable"):
        embedded("faults", "add", *lost, operation)
        embedded("faults", "add", *timeout, operation)
    patient.describe_vpcs()
    made = patient.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    found = patient.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["RouteTables"]
    assert [one["RouteTableId"] for one in found if not any(a["Main"] for a in one["Associations"])] == [made]


# --- as the engine meets them ---

PROGRAM = """
import pulumi
import pulumi_aws as aws

bucket = aws.s3.Bucket("logs", bucket="{name}-logs")
trust = '{{"Version": "2012-10-17", "Statement": []}}'
role = aws.iam.Role("pods", name="{name}-pods", assume_role_policy=trust)
table = aws.ec2.RouteTable("routes", vpc_id=aws.ec2.Vpc("network", cidr_block="10.9.0.0/16").id)
pulumi.export("table", table.id)
"""


def there(account: Account, name: str) -> set[str]:
    """What of the program's stack exists, by boto3."""
    buckets = account.client("s3").list_buckets()["Buckets"]
    roles = account.client("iam").list_roles()["Roles"]
    ec2 = account.client("ec2")
    networks = [one["VpcId"] for one in ec2.describe_vpcs()["Vpcs"] if one["CidrBlock"] == "10.9.0.0/16"]
    tables = ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": networks or ["none"]}])
    own = [
        one["RouteTableId"]
        for one in tables["RouteTables"]
        if not any(a["Main"] for a in one["Associations"])
    ]
    named = [one["Name"] for one in buckets] + [one["RoleName"] for one in roles]
    return {*(one for one in named if one.startswith(name)), *networks, *own}


# One fault of each kind, all at once: a stack a kind would cost four times the time.
UP = (
    ("throttle", "s3", "*", "4"),
    ("error", "iam", "*", "4"),
    ("timeout", "ec2", "DescribeVpcs", "2"),
    ("lost-answer", "ec2", "CreateRouteTable", "2"),
)
DOWN = (
    ("throttle", "iam", "*", "4"),
    ("error", "s3", "*", "4"),
    ("timeout", "ec2", "DeleteVpc", "1"),
    ("lost-answer", "ec2", "DeleteRouteTable", "2"),
)


def test_a_stack_goes_up_and_down_under_every_kind_of_fault(
    account: Account, embedded: Callable[..., str], new_project: Callable[[str], Project]
) -> None:
    """Nothing is missing after up, nothing is there twice, and nothing is left after down."""

    def set_faults(faults: tuple[tuple[str, ...], ...]) -> None:
        embedded("faults", "clear")
        for kind, service, operation, count in faults:
            options = ("--kind", kind, "--service", service, "--operation", operation, "--count", count)
            embedded("faults", "add", *options, *(("--seconds", "0.2") if kind == "timeout" else ()))

    project = new_project(PROGRAM.format(name="faulty"))
    set_faults(UP)
    project.up()
    assert min(played(embedded).values()) > 0, embedded("faults", "list")
    assert len(there(account, "faulty")) == 4
    assert project.outputs()["table"] in there(account, "faulty")
    set_faults(DOWN)
    project.destroy()
    assert min(played(embedded).values()) > 0, embedded("faults", "list")
    assert there(account, "faulty") == set()


def test_a_creation_without_an_answer_ends_with_what_to_do(
    account: Account, embedded: Callable[..., str], new_project: Callable[[str], Project]
) -> None:
    """The network is there, once, without being in the state: the message says how to go on."""
    project = new_project(PROGRAM.format(name="unanswered"))
    options = ("--service", "ec2", "--kind", "lost-answer", "--operation", "CreateVpc")
    embedded("faults", "add", *options)
    with pytest.raises(automation.CommandError) as caught:
        project.up()
    said = str(caught.value)
    for part in ("'network'", "the answer to CreateVpc was lost", "pulumi import"):
        assert part in said
    assert "Traceback" not in said
    made = [one for one in there(account, "unanswered") if one.startswith("vpc-")]
    assert len(made) == 1
    account.client("ec2").delete_vpc(VpcId=made[0])
    project.destroy()
    assert there(account, "unanswered") == set()
