"""A checkout of its own, and a user with the deployer's policies and nothing else, who deploys from it."""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml
from engine_world import ACCOUNT, REGION

ROOT = Path(__file__).resolve().parents[2]
BIN = ROOT / ".venv" / "bin"
sys.path.insert(0, str(ROOT / "tests" / "bench"))

from measurement import output  # noqa: E402

from infra.lifecycle import checkout, rights  # noqa: E402

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
# What the programs and the commands are made of.
_PARTS = ("Pulumi.yaml", "__main__.py", "airflow_config", "charts", "cluster", "dags", "infra", "schemas")
_LIMIT_SECONDS = 600.0


def copy_checkout(place: Path) -> None:
    """Copy the two projects without their stack files."""
    ignored = shutil.ignore_patterns("Pulumi.*.yaml", "__pycache__")
    for part in _PARTS:
        source = ROOT / part
        if source.is_dir():
            shutil.copytree(source, place / part, ignore=ignored)
        else:
            shutil.copy(source, place / part)


def write_stack(place: Path, project: str, stack: str, *, of: str, **more: Any) -> None:
    """Write `of`'s stack file with MORE in it, and `more` keys of its namespace."""
    content = yaml.safe_load((ROOT / project / f"Pulumi.{of}.yaml").read_text())
    namespace = yaml.safe_load((ROOT / project / "Pulumi.yaml").read_text())["name"]
    own = {f"{namespace}:{key}": value for key, value in more.items()}
    content["config"].update({**MORE[project], **own})
    (place / project / f"Pulumi.{stack}.yaml").write_text(yaml.safe_dump(content))


@dataclass(frozen=True)
class Deployer:
    """Runs commands on the stacks of a checkout, with a key of its own."""

    place: Path
    environment: dict[str, str]

    def run(self, *command: str) -> str:
        """Output of a command that must succeed."""
        return output(command, self.environment, _LIMIT_SECONDS)

    def pulumi(self, project: str, stack: str, *arguments: str) -> str:
        """Run the engine on a stack; it must succeed."""
        return self.run(*self.command(project, stack, *arguments))

    def command(self, project: str, stack: str, *arguments: str) -> list[str]:
        """The engine with its arguments."""
        yes = ("--yes",) if arguments[0] in ("up", "destroy") else ()
        options = ("--cwd", str(self.place / project), "--stack", stack, "--non-interactive", *yes)
        return ["pulumi", *arguments, *options]


def client(environment: dict[str, str], service: str) -> Any:
    """A client of the account, by the variables of an environment."""
    return boto3.client(
        service,
        region_name=REGION,
        endpoint_url=environment["AWS_ENDPOINT_URL"],
        verify=environment["AWS_CA_BUNDLE"],
        aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
    )


def make_boundary(administrator: dict[str, str]) -> None:
    """Make the permissions boundary that the stack files name."""
    document = json.dumps(EVERYTHING)
    client(administrator, "iam").create_policy(
        PolicyName=BOUNDARY.rpartition("/")[2], PolicyDocument=document
    )


def make_deployer(administrator: dict[str, str], place: Path, *, cluster: str, environment: str) -> Deployer:
    """Make a user that has what `airflow-env rights` says of both stacks."""
    iam, user = client(administrator, "iam"), f"deployer-of-{environment}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checkout, "ROOT", place)
        policies = {**rights.of_environment(environment), **rights.of_cluster(cluster)}
    iam.create_user(UserName=user)
    for name, document in policies.items():
        made = iam.create_policy(PolicyName=name, PolicyDocument=json.dumps(document))
        iam.attach_user_policy(UserName=user, PolicyArn=made["Policy"]["Arn"])
    key = iam.create_access_key(UserName=user)["AccessKey"]
    own = {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}
    return Deployer(place, {**administrator, **own})
