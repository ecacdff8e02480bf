"""A user with the deployer's policies and nothing else deploys, refreshes and ends cluster and environment.

The programs are the project's own, on a control plane whose pods are played; the embedded account decides on
every request. Who refuses what the policies lack is tested by the contract (docs/aws-contract.md).
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml
from botocore.exceptions import ClientError
from engine_world import ACCOUNT, REGION, tool_directories

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "bench"))

import makespan  # noqa: E402

from infra import config, naming  # noqa: E402
from infra.lifecycle import checkout, half_made, known_cluster, preflight_subnets, rights  # noqa: E402
from infra.lifecycle.report import Outcome, Row  # noqa: E402

pytestmark = [
    pytest.mark.engine,
    pytest.mark.skipif(not tool_directories(), reason="no Pulumi engine here: run `make setup`"),
    # The control plane makes its certificate itself; raised, this would end who plays the pods.
    pytest.mark.filterwarnings("ignore::urllib3.exceptions.InsecureRequestWarning"),
]

BOUNDARY = f"arn:aws:iam::{ACCOUNT}:policy/airflow-boundary"
EVERYTHING = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}],
}
# What makes a persistent environment use all that it can have, besides what is on by default.
MORE: dict[str, dict[str, Any]] = {
    "cluster": {"airflow-cluster:permissionsBoundary": BOUNDARY},
    "": {
        "airflow:permissionsBoundary": BOUNDARY,
        "airflow:alarms": {"emails": ["team@example.com"], "httpsEndpoints": []},
        "airflow:variables": {"schema": {"value": "analytics"}},
        "airflow:connections": {"warehouse": {"type": "postgres", "host": "warehouse.example.com"}},
    },
}
# Nobody waits for AWS here.
PACE = Fraction(1, 1000)


@dataclass(frozen=True)
class Deployer:
    """Runs the engine with a key of its own, on stack files of its own."""

    cloud: Any
    files: Path
    key: dict[str, str]

    def pulumi(self, project: str, stack: str, *arguments: str) -> None:
        """Run the engine on a stack; it must succeed."""
        file = str(self.files / project / f"Pulumi.{stack}.yaml")
        options = ("--cwd", str(ROOT / project), "--stack", stack, "--non-interactive")
        if arguments[0] != "stack":
            options = (*options, "--config-file", file, "--yes")
        self.cloud.embedded(
            "run",
            "--",
            "env",
            *(f"{name}={value}" for name, value in self.key.items()),
            "pulumi",
            *arguments,
            *options,
        )


def write_stack(files: Path, project: str, stack: str, **more: str) -> None:
    """Write the project's stack file with MORE in it, and `more` keys of its namespace."""
    content = yaml.safe_load((ROOT / project / f"Pulumi.{stack}.yaml").read_text())
    content["config"].update({**MORE[project], **{f"airflow:{key}": value for key, value in more.items()}})
    directory = files / project
    directory.mkdir(exist_ok=True)
    (directory / f"Pulumi.{stack}.yaml").write_text(yaml.safe_dump(content))
    shutil.copy(ROOT / project / "Pulumi.yaml", directory)


@pytest.fixture(scope="module")
def told(cloud: Any) -> dict[str, str]:
    """By which tools use the account, as its administrator."""
    lines = cloud.embedded("run", "--", "env").splitlines()
    return dict(line.split("=", 1) for line in lines if line.startswith("AWS_"))


def client(told: dict[str, str], service: str) -> Any:
    """A client of the account, by the variables of the environment."""
    return boto3.client(
        service,
        region_name=REGION,
        endpoint_url=told["AWS_ENDPOINT_URL"],
        verify=told["AWS_CA_BUNDLE"],
        aws_access_key_id=told["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=told["AWS_SECRET_ACCESS_KEY"],
    )


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both projects' stack files, with more of what they can have."""
    place = tmp_path_factory.mktemp("stack-files")
    write_stack(place, "", "prod")
    write_stack(place, "cluster", "shared")
    return place


@pytest.fixture(scope="module")
def cloud() -> Iterator[Any]:
    """An embedded cloud without a node; gone at the end."""
    with makespan.cloud(PACE) as made:
        yield made


@pytest.fixture(scope="module")
def deployer(cloud: Any, told: dict[str, str], files: Path) -> Deployer:
    """A user that has what `airflow-env rights` says of both stacks."""
    iam = client(told, "iam")
    iam.create_policy(PolicyName=BOUNDARY.rpartition("/")[2], PolicyDocument=json.dumps(EVERYTHING))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checkout, "ROOT", files)
        policies = {**rights.of_environment("prod"), **rights.of_cluster("shared")}
    iam.create_user(UserName="least")
    for name, document in policies.items():
        made = iam.create_policy(PolicyName=name, PolicyDocument=json.dumps(document))
        iam.attach_user_policy(UserName="least", PolicyArn=made["Policy"]["Arn"])
    key = iam.create_access_key(UserName="least")["AccessKey"]
    own = {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}
    return Deployer(cloud, files, own)


OWN_ROLE, TRUST = f"airflow-prod-{REGION}-scheduler", json.dumps({"Statement": []})
ADMINISTRATOR = "arn:aws:iam::aws:policy/AdministratorAccess"
NOT_ITS_OWN: list[tuple[str, str, dict[str, Any]]] = [
    ("iam", "create_role", {"RoleName": "another", "AssumeRolePolicyDocument": TRUST}),
    # Its own name, without the boundary.
    ("iam", "create_role", {"RoleName": OWN_ROLE, "AssumeRolePolicyDocument": TRUST}),
    ("iam", "attach_role_policy", {"RoleName": OWN_ROLE, "PolicyArn": ADMINISTRATOR}),
    ("iam", "attach_user_policy", {"UserName": "least", "PolicyArn": ADMINISTRATOR}),
    ("secretsmanager", "get_secret_value", {"SecretId": "airflow/airflow-staging/variables/schema"}),
    ("s3", "delete_bucket", {"Bucket": f"airflow-staging-{ACCOUNT}-{REGION}"}),
    ("rds", "delete_db_instance", {"DBInstanceIdentifier": "airflow-staging-metadata"}),
    ("logs", "delete_log_group", {"logGroupName": "/aws/rds/instance/airflow-staging-metadata/upgrade"}),
    # Without the tag.
    ("kms", "create_key", {}),
    ("ec2", "create_vpc", {"CidrBlock": "10.34.0.0/16"}),
]


@pytest.mark.parametrize(("service", "method", "parameters"), NOT_ITS_OWN)
def test_the_deployer_is_refused_what_is_not_its_own(
    deployer: Deployer, told: dict[str, str], service: str, method: str, parameters: dict[str, Any]
) -> None:
    with pytest.raises(ClientError) as refused:
        getattr(client({**told, **deployer.key}, service), method)(**parameters)
    code = refused.value.response["Error"]["Code"]
    assert code in ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation")


def test_a_half_made_key_is_found_among_others_that_the_deployer_may_not_look_at(
    deployer: Deployer, told: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others are listed before it."""
    client(told, "kms").create_key()
    tag = naming.deployment_id(checkout.environment_files().name, "prod")
    tags = [{"TagKey": "deployment-id", "TagValue": tag}]
    own = client({**told, **deployer.key}, "kms").create_key(Tags=tags)["KeyMetadata"]["KeyId"]
    for name, value in {**told, **deployer.key}.items():
        monkeypatch.setenv(name, value)
    pending = half_made.PendingCreate("urn", "aws:kms/key:Key", {})
    assert half_made.find_id(pending, half_made.Surroundings(REGION, tag, known_ids=())) == own
    client({**told, **deployer.key}, "kms").schedule_key_deletion(KeyId=own, PendingWindowInDays=7)


def subnet_rows(told: dict[str, str]) -> list[Row]:
    """What preflight says of the cluster's own subnets, and of the public ones beside them."""
    described = client(told, "eks").describe_cluster(name="airflow-shared")["cluster"]
    network = described["resourcesVpcConfig"]
    here = [{"Name": "vpc-id", "Values": [network["vpcId"]]}]
    listed = client(told, "ec2").describe_subnets(Filters=here)["Subnets"]
    public = sorted({subnet["SubnetId"] for subnet in listed} - set(network["subnetIds"]))
    account = {"region": REGION, "accountId": ACCOUNT, "owner": "platform", "durability": "disposable"}
    found = []
    for ids in ([], public):
        cluster = {"name": "airflow-shared", "databaseSubnetIds": ids}
        chosen = config.parse({**account, "cluster": cluster})
        found.append(preflight_subnets.row(chosen, known_cluster.find(chosen), described))
    return found


def test_the_deployers_policies_are_enough_for_a_whole_life(
    deployer: Deployer, files: Path, told: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A refusal would end the engine's run with an error that names the action."""
    for project, stack in (("cluster", "shared"), ("", "prod")):
        deployer.pulumi(project, stack, "stack", "init")
        deployer.cloud.embedded("run", "--", "airflow-env", "chart")
        deployer.pulumi(project, stack, "up", "--skip-preview")
    with monkeypatch.context() as patch:
        for name, value in {**told, **deployer.key}.items():
            patch.setenv(name, value)
        private, public = subnet_rows(told)
    assert private.outcome is Outcome.PASSED
    assert public.outcome is Outcome.FAILED
    assert "internet gateway" in public.detail
    write_stack(files, "", "prod", retire="true")
    deployer.pulumi("", "prod", "up", "--refresh", "--skip-preview")
    deployer.pulumi("", "prod", "destroy", "--skip-preview")
    deployer.pulumi("cluster", "shared", "destroy", "--refresh", "--skip-preview")
