"""A user with the deployer's policies and nothing else deploys, refreshes and ends cluster and environment.

The programs are the project's own, on a control plane whose pods are played; the embedded account decides on
every request. Who refuses what the policies lack is tested by the contract (docs/aws-contract.md). Such a
user brings back runs that were killed, too.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import made_things
import pytest
from botocore.exceptions import ClientError
from deployer_world import (
    BIN,
    Deployer,
    client,
    copy_checkout,
    make_boundary,
    make_deployer,
    output,
    write_stack,
)
from engine_world import ACCOUNT, REGION, tool_directories
from killed_run import LAST, Moment, kill_at, some_moments

# After deployer_world, which says where it is.
import makespan  # isort: skip

from infra import config, naming
from infra.lifecycle import checkout, half_made, known_cluster, preflight_subnets
from infra.lifecycle.report import Outcome, Row

pytestmark = [
    pytest.mark.engine,
    pytest.mark.skipif(not tool_directories(), reason="no Pulumi engine here: run `make setup`"),
    # The control plane makes its certificate itself; raised, this would end who plays the pods.
    pytest.mark.filterwarnings("ignore::urllib3.exceptions.InsecureRequestWarning"),
]

# Nobody waits for AWS here.
PACE = Fraction(1, 1000)
KILLED_PACE = Fraction(1, 60)
# Of long runs by hand, see the test of kills.
SEED = os.environ.get("KILL_SEED")
CLUSTER = "airflow-killed-cluster"
LISTING_SECONDS = 120.0


@pytest.fixture(scope="module")
def cloud() -> Iterator[Any]:
    """An embedded cloud without a node; gone at the end."""
    with makespan.cloud(PACE) as made:
        yield made


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout whose stack files have more of what they can have."""
    place = tmp_path_factory.mktemp("checkout")
    copy_checkout(place)
    write_stack(place, "cluster", "shared", of="shared")
    write_stack(place, "", "prod", of="prod")
    write_stack(place, "cluster", "killed", of="shared", name=CLUSTER)
    write_stack(place, "", "killed", of="prod", cluster={"stack": "organization/airflow-cluster/killed"})
    return place


@pytest.fixture(scope="module")
def told(cloud: Any, files: Path) -> dict[str, str]:
    """By which variables the account is used from that checkout, as its administrator."""
    show = "import json, os; print(json.dumps(dict(os.environ)))"
    found: dict[str, str] = json.loads(cloud.embedded("run", "--", "python", "-c", show))
    found["PYTHONPATH"] = os.pathsep.join([found["PYTHONPATH"], str(files)])
    make_boundary(found)
    return found


@pytest.fixture(scope="module")
def deployer(told: dict[str, str], files: Path) -> Deployer:
    """A user that has what `airflow-env rights` says of both stacks."""
    return make_deployer(told, files, cluster="shared", environment="prod")


def use(patch: pytest.MonkeyPatch, deployer: Deployer) -> None:
    """Ask AWS as the deployer in this process."""
    for name, value in deployer.environment.items():
        if name.startswith("AWS_"):
            patch.setenv(name, value)


def listing(told: dict[str, str]) -> made_things.Lines:
    """All that is there."""
    command = (BIN / "python", Path(made_things.__file__))
    lines: made_things.Lines = json.loads(output(command, told, LISTING_SECONDS))
    return lines


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


@dataclass(frozen=True)
class Life:
    """What a deployment without a kill was like at its height."""

    made: Counter[str]
    subnets: list[Row]


@pytest.fixture(scope="module")
def clean(deployer: Deployer, told: dict[str, str], files: Path) -> Life:
    """A whole life of cluster and environment without a kill."""
    before = listing(told)
    deployer.run("airflow-env", "chart")
    for project, stack in (("cluster", "shared"), ("", "prod")):
        deployer.pulumi(project, stack, "stack", "init")
        deployer.pulumi(project, stack, "up", "--skip-preview")
    made = made_things.between(before, listing(told))
    with pytest.MonkeyPatch.context() as patch:
        use(patch, deployer)
        life = Life(made, subnet_rows(told))
    write_stack(files, "", "prod", of="prod", retire="true")
    deployer.pulumi("", "prod", "up", "--refresh", "--skip-preview")
    deployer.pulumi("", "prod", "destroy", "--skip-preview")
    deployer.pulumi("cluster", "shared", "destroy", "--refresh", "--skip-preview")
    return life


OWN_ROLE, TRUST = f"airflow-prod-{REGION}-scheduler", json.dumps({"Statement": []})
ADMINISTRATOR = "arn:aws:iam::aws:policy/AdministratorAccess"
NOT_ITS_OWN: list[tuple[str, str, dict[str, Any]]] = [
    ("iam", "create_role", {"RoleName": "another", "AssumeRolePolicyDocument": TRUST}),
    # Its own name, without the boundary.
    ("iam", "create_role", {"RoleName": OWN_ROLE, "AssumeRolePolicyDocument": TRUST}),
    ("iam", "attach_role_policy", {"RoleName": OWN_ROLE, "PolicyArn": ADMINISTRATOR}),
    ("iam", "attach_user_policy", {"UserName": "deployer-of-prod", "PolicyArn": ADMINISTRATOR}),
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
        getattr(client(deployer.environment, service), method)(**parameters)
    code = refused.value.response["Error"]["Code"]
    assert code in ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation")


def test_a_half_made_key_is_found_among_others_that_the_deployer_may_not_look_at(
    deployer: Deployer, told: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others are listed before it."""
    client(told, "kms").create_key()
    tag = naming.deployment_id(checkout.environment_files().name, "prod")
    tags = [{"TagKey": "deployment-id", "TagValue": tag}]
    own = client(deployer.environment, "kms").create_key(Tags=tags)["KeyMetadata"]["KeyId"]
    use(monkeypatch, deployer)
    pending = half_made.PendingCreate("urn", "aws:kms/key:Key", {})
    assert half_made.find_id(pending, half_made.Surroundings(REGION, tag, known_ids=())) == own
    client(deployer.environment, "kms").schedule_key_deletion(KeyId=own, PendingWindowInDays=7)


def test_the_deployers_policies_are_enough_for_a_whole_life(clean: Life) -> None:
    """A refusal would have ended the engine's run with an error that names the action."""
    private, public = clean.subnets
    assert private.outcome is Outcome.PASSED
    assert public.outcome is Outcome.FAILED
    assert "internet gateway" in public.detail


def is_listed(told: dict[str, str], service: str, operation: str, **name: str) -> bool:
    """Whether AWS knows a thing of a name."""
    try:
        getattr(client(told, service), operation)(**name)
    except ClientError as error:
        if "NotFound" not in error.response["Error"]["Code"]:
            raise
        return False
    return True


def deaths(told: dict[str, str]) -> list[Moment]:
    """When runs die: in the midst of what AWS takes a quarter of an hour for, or as KILL_SEED says."""
    if SEED:
        return some_moments(int(SEED), int(os.environ.get("KILLS", "4")))
    names = naming.names_of("airflow", "killed", account_id=ACCOUNT, region=REGION)
    cluster = partial(is_listed, told, "eks", "describe_cluster", name=CLUSTER)
    instance = partial(
        is_listed, told, "rds", "describe_db_instances", DBInstanceIdentifier=names.database_instance
    )
    return [Moment("aws:eks:Cluster", comes=cluster), Moment("aws:rds:Instance", comes=instance)]


def test_killed_deployments_are_recovered_and_nothing_is_doubled_lost_or_deleted(
    clean: Life, cloud: Any, told: dict[str, str], files: Path, tmp_path: Path
) -> None:
    """As many things of each kind as a life without a kill has, and none goes that a kill left.

    By default two runs die, while EKS makes the cluster and while RDS makes the instance. Long runs by hand
    die at random moments of the whole deployment, each later than the one before, until all is there:

        KILL_SEED=7 KILLS=20 pytest tests/engine/test_deployer_life.py -k killed

    The deployer has no more rights than for a life without a kill.
    """
    deployer = make_deployer(told, files, cluster="killed", environment="killed")
    # Slow enough to die in the midst of what AWS does, and to be recovered while AWS goes on with it.
    cloud.embedded("faults", "durations", str(KILLED_PACE))
    before, there = listing(told), set[str]()
    for number, moment in enumerate(deaths(told)):
        log = tmp_path / f"{number}.log"
        made = kill_at(["airflow-env", "up", "killed"], deployer.environment, moment, log)
        print(f"killed at {moment}: {made}")
        assert made.startswith(moment.type_)
        there |= made_things.identities(listing(told))
        print(deployer.run("airflow-env", "recover", "killed"))
        if made.startswith(LAST):
            break
    for project in ("cluster", ""):
        # A run of the engine alone: `airflow-env up` would go on with a canary, which has no node here.
        deployer.run("pulumi", "stack", "select", "--create", "killed", "--cwd", str(files / project))
        deployer.pulumi(project, "killed", "up", "--skip-preview")
        deployer.pulumi(project, "killed", "up", "--refresh", "--skip-preview", "--expect-no-changes")
        state = json.loads(deployer.pulumi(project, "killed", "stack", "export"))
        assert not state["deployment"].get("pending_operations")
    after = listing(told)
    assert made_things.between(before, after) == clean.made
    gone = sorted(there - made_things.identities(after))
    assert not gone, gone
